"""One process of several is refused; one process in an allocation of several is not."""

import pytest

from tfcnn.base.errors import InputError
from tfcnn.training import strategy

VARIABLES = ("TF_CONFIG", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_NPROCS", *strategy.TASKS)
CLUSTER = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
ALONE = '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}'


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


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
        {"TF_CONFIG": "{}"},
        {"TF_CONFIG": ALONE},
    ],
)
def test_one_process_trains(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    strategy.refuse_clusters()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"}, "SLURM_STEP_NUM_TASKS"),
        ({"SLURM_PROCID": "1"}, "SLURM_PROCID"),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, "OMPI_COMM_WORLD_SIZE"),
        ({"PMI_SIZE": "2"}, "PMI_SIZE"),
        ({"TF_CONFIG": CLUSTER}, "TF_CONFIG"),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS.*whole number.*'two'"),
        ({"SLURM_PROCID": "0x1"}, "SLURM_PROCID.*whole number"),
        ({"TF_CONFIG": "2"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": "not JSON"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": {"worker": 3}}'}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": ["a:1"]}'}, "TF_CONFIG.*JSON"),
    ],
)
def test_one_of_several_is_refused_and_nonsense_too(variables, named, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=named):
        strategy.refuse_clusters()
