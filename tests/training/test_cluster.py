"""Which processes train together: what TF_CONFIG and Slurm say, and what is refused."""

import pytest

from tfcnn.base.errors import InputError
from tfcnn.training import cluster, strategy

VARIABLES = ("TF_CONFIG", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_NPROCS", "SLURM_JOB_ID",
             "SLURM_STEP_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE",
             cluster.SLURM_TASKS, *cluster.MPI_TASKS)  # fmt: skip
TWO = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
WITH_CHIEF = (
    '{"cluster": {"worker": ["b:5", "a:9"], "chief": ["a:1"]}, '
    '"task": {"type": "worker", "index": 1}}'
)
ALONE = '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}'
SLURM = {
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_PROCID": "2",
    "SLURM_STEP_NODELIST": "gpu[08-09]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "SLURM_JOB_ID": "7",
}


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def in_environment(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SLURM_NTASKS": "4"},  # sbatch --ntasks=4, and no srun
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "4(x2)", "SLURM_STEP_NUM_TASKS": ""},
        {"OMPI_COMM_WORLD_SIZE": "1", "PMI_SIZE": "1"},
        {"TF_CONFIG": ""},
        {"TF_CONFIG": " "},
        {"TF_CONFIG": "{}"},
        {"TF_CONFIG": ALONE},
    ],
)
def test_one_process_is_no_cluster(variables, monkeypatch):
    in_environment(variables, monkeypatch)
    assert cluster.read() is None
    cluster.refuse("a test")


def test_tf_config_numbers_the_chief_first(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", TWO)
    assert cluster.read() == cluster.Cluster(1, ("a:1", "b:1"), "TF_CONFIG")
    monkeypatch.setenv("TF_CONFIG", WITH_CHIEF)
    found = cluster.read()
    assert (found.index, found.addresses) == (2, ("a:1", "b:5", "a:9"))
    assert found.meeting_place == ("a", 10), "after all ports of the chief's host"
    monkeypatch.setenv("TF_CONFIG", TWO.replace("a:1", "a:65534").replace("b:1", "b:65535"))
    assert cluster.read().meeting_place == ("a", 65535)


def test_a_slurm_step_gives_every_task_a_port_of_its_own(monkeypatch):
    in_environment(SLURM | {"PMI_SIZE": "3"}, monkeypatch)  # srun --mpi=pmi2 sets it too
    found = cluster.read()
    hosts = [address.partition(":")[0] for address in found.addresses]
    assert (found.index, hosts) == (2, ["gpu08", "gpu08", "gpu09"])
    assert len(set(found.addresses)) == 3
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    assert not set(cluster.read().addresses) & set(found.addresses), "another job on these nodes"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a", ["a"]),
        ("a,b-1", ["a", "b-1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[08-10,12],login", ["n08", "n09", "n10", "n12", "login"]),
        ("r1n[1,3]-ib,x[2]", ["r1n1-ib", "r1n3-ib", "x2"]),
    ],
)
def test_a_node_list_is_read(text, hosts):
    assert cluster.hostnames(text) == hosts


def test_task_counts_are_read():
    assert cluster.task_counts("2(x3),1") == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SLURM_PROCID": "1"}, "SLURM_PROCID"),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, "OMPI_COMM_WORLD_SIZE"),
        ({"PMI_SIZE": "2"}, "PMI_SIZE"),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS.*whole number.*'two'"),
        ({"SLURM_PROCID": "0x1"}, "SLURM_PROCID.*whole number"),
        (SLURM | {"SLURM_STEP_TASKS_PER_NODE": "1(x2)"}, "3 tasks.*2 tasks"),
        ({"TF_CONFIG": "2"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": "not JSON"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": {"worker": 3}}'}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": ["a:1"]}'}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": TWO.replace('index": 1', 'index": 2')}, "worker 2, which is not in"),
        ({"TF_CONFIG": TWO.replace("b:1", "b")}, "host:port.*'b'"),
        ({"TF_CONFIG": TWO.replace("b:1", "b:0")}, "host:port.*'b:0'"),
        ({"TF_CONFIG": TWO.replace("b:1", "b:65536")}, "host:port.*'b:65536'"),
        ({"TF_CONFIG": TWO.replace("b:1", "b:²")}, "host:port.*'b:²'"),
        ({"TF_CONFIG": TWO.replace("b:1", "b c:1")}, "host:port.*'b c:1'"),
        ({"TF_CONFIG": TWO.replace("b:1", "a:1")}, "one address twice"),
        ({"TF_CONFIG": TWO.replace("a:1", "a:65535")}, "smaller ports"),
        ({"TF_CONFIG": TWO.replace('index": 1', 'index": 1e999')}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": TWO.replace('index": 1', 'index": 0.7')}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": "[" * 100_000}, "TF_CONFIG.*JSON"),
        (SLURM | {"SLURM_PROCID": "3"}, "SLURM_PROCID.*from 0 to 2; received 3"),
        (SLURM | {"SLURM_PROCID": "-1"}, "SLURM_PROCID.*from 0 to 2; received -1"),
        (SLURM | {"SLURM_STEP_NODELIST": "gpu[8-x]"}, r"SLURM_STEP_NODELIST.*'gpu\[8-x\]'"),
        ({"TF_CONFIG": TWO.replace('{"worker"', '{"ps": ["c:1"], "worker"')}, "received ps"),
    ],
)
def test_nonsense_is_refused(variables, named, monkeypatch):
    in_environment(variables, monkeypatch)
    with pytest.raises(InputError, match=named):
        cluster.read()


@pytest.mark.parametrize("setting", ["single", "mirrored"])
def test_a_strategy_of_one_process_is_refused_among_several(setting, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", TWO)
    with pytest.raises(InputError, match=f"one process with train.strategy={setting}"):
        strategy.team(setting)
    assert strategy.team("auto") == strategy.team("multi-worker") == cluster.read()
    with pytest.raises(InputError, match="one process for a cross-validation"):
        cluster.refuse("a cross-validation")


def test_several_processes_are_not_found_where_there_is_one():
    assert strategy.team("auto") is None
    with pytest.raises(InputError, match=r"train\.strategy: expected several processes"):
        strategy.team("multi-worker")
