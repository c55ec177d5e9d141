"""Which processes train together, as their environment says: `TF_CONFIG`, or a Slurm step.

An allocation of several tasks in which one process runs is one process.
"""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from tfcnn.base.errors import InputError

SLURM_TASKS = "SLURM_STEP_NUM_TASKS"  # SLURM_NTASKS says only how many there might be
MPI_TASKS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")  # these say nothing of addresses
FIRST_PORT, PORTS, PORTS_OF_A_JOB = 15_000, 15_000, 64
LAST_PORT = 65_535  # that there is


@dataclass(frozen=True)
class Cluster:
    """The processes that train one network together.

    Attributes:
        index: of this process, counted from 0; the first one is the chief.
        addresses: `host:port` of every process.
        source: the variable of the environment that says so.
    """

    index: int
    addresses: tuple[str, ...]
    source: str

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that writes the run folder."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Return a process in words, such as "worker 1 (node7:15001)"."""
        role = "the chief" if index == 0 else f"worker {index}"
        return f"{role} ({self.addresses[index]})"

    @property
    def meeting_place(self) -> tuple[str, int]:
        """Host and port where processes talk: the first port after those of TensorFlow."""
        hosts = [_host_and_port(address) for address in self.addresses]
        host = hosts[0][0]
        return host, 1 + max(port for other, port in hosts if other == host)


def read() -> Cluster | None:
    """Return the cluster that this process belongs to; None where it is alone.

    Raises:
        InputError: if the environment names a cluster that cannot be used, or MPI started several
            processes: each would train the whole.
    """
    if cluster := _of_tensorflow(os.environ.get("TF_CONFIG", "").strip() or "{}"):
        return cluster
    if _number(SLURM_TASKS) > 1:
        return _of_slurm()
    if _number("SLURM_PROCID") > 0:
        received = f"process {os.environ['SLURM_PROCID']} of several"
        raise InputError("SLURM_PROCID", f"{SLURM_TASKS} too", received, "srun --ntasks=1")
    for name in MPI_TASKS:
        started = _number(name)
        if started > 1:
            expected, received = "one process", f"{started} that were started together"
            hint = "srun instead of mpirun, or TF_CONFIG (docs/clusters.md)"
            raise InputError(name, expected, received, hint)
    return None


def refuse(what: str) -> None:
    """Refuse to be one of several processes, for something that one process does.

    Raises:
        InputError: if this process is one of several.
    """
    if cluster := read():
        received = f"{len(cluster.addresses)} processes"
        hint = f"starting it once: without srun, and without {cluster.source}"
        raise InputError(cluster.source, f"one process for {what}", received, hint)


def _of_tensorflow(config: str) -> Cluster | None:
    """Return the cluster of a `TF_CONFIG`; None where it names one address or none."""
    try:
        content = json.loads(config)
        jobs = {str(job): list(one) for job, one in (content.get("cluster") or {}).items()}
        task = content.get("task") or {}
        kind, index = str(task.get("type", "worker")), int(str(task.get("index", 0)))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise _unfit(f"{config[:80]!r}") from error
    others = sorted(set(jobs) - {"chief", "worker"})
    if others:
        hint = "the processes that train as worker"
        raise InputError("TF_CONFIG", "the jobs chief and worker", ", ".join(others), hint)
    addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
    if len(addresses) <= 1:
        return None
    if not 0 <= index < len(jobs.get(kind, [])):
        raise _unfit(f"the task {kind} {index}, which is not in its cluster")
    place = index if kind == "chief" else len(jobs.get("chief", [])) + index
    for address in addresses:
        _host_and_port(str(address))
    if len(set(addresses)) < len(addresses):
        received, hint = "one address twice", "a port of its own for each process"
        raise InputError("TF_CONFIG", "an address for each process", received, hint)
    cluster = Cluster(place, tuple(map(str, addresses)), "TF_CONFIG")
    if cluster.meeting_place[1] > LAST_PORT:
        expected = "a free port after those of the chief's host"
        raise InputError("TF_CONFIG", expected, f"port {LAST_PORT}", "smaller ports")
    return cluster


def _unfit(received: str) -> InputError:
    expected = 'JSON as {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", '
    return InputError("TF_CONFIG", expected + '"index": 0}}', received, "unsetting it")


def _host_and_port(address: Any) -> tuple[str, int]:
    match = re.fullmatch(r"(\S+):([0-9]{1,5})", str(address))
    if not match or not 1 <= int(match[2]) <= LAST_PORT:
        raise InputError("TF_CONFIG", "addresses as host:port", repr(address), "host:12345")
    return match[1], int(match[2])


def _of_slurm() -> Cluster:
    """Return the cluster of a Slurm step; ports follow from the job, a port for each task."""
    count, index = _number(SLURM_TASKS), _number("SLURM_PROCID")
    nodes = os.environ.get("SLURM_STEP_NODELIST", "")
    try:
        hosts = hostnames(nodes)
    except ValueError as error:
        expected, hint = "a list as node[01-16],other", "srun, which sets it"
        raise InputError("SLURM_STEP_NODELIST", expected, repr(nodes[:80]), hint) from error
    tasks = task_counts(os.environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    if len(hosts) != len(tasks) or sum(tasks) != count:
        expected = f"{count} tasks on as many nodes as SLURM_STEP_TASKS_PER_NODE lists"
        received = f"{sum(tasks)} tasks, {len(hosts)} nodes"
        raise InputError("SLURM_STEP_NODELIST", expected, received, "srun, which sets both")
    if not 0 <= index < count:
        expected = f"a task from 0 to {count - 1}"
        raise InputError("SLURM_PROCID", expected, f"{index}", "srun, which sets it")
    job = 31 * _number("SLURM_JOB_ID") + _number("SLURM_STEP_ID")
    port = FIRST_PORT + job * PORTS_OF_A_JOB % PORTS
    addresses = [
        f"{host}:{port + i}" for host, n in zip(hosts, tasks, strict=True) for i in range(n)
    ]
    return Cluster(index, tuple(addresses), SLURM_TASKS)


def hostnames(text: str) -> list[str]:
    """Return the hosts of a Slurm node list: `a[08-10,12],b` is a08, a09, a10, a12 and b."""
    hosts = []
    for start, ranges, end in re.findall(r"([^,\[\]]+)(?:\[([^\]]*)\])?([^,\[\]]*)", text):
        if not ranges:
            hosts.append(start + end)
            continue
        for part in ranges.split(","):
            first, _, last = part.partition("-")
            numbers = range(int(first), int(last or first) + 1)
            hosts += [f"{start}{number:0{len(first)}d}{end}" for number in numbers]
    return hosts


def task_counts(text: str) -> list[int]:
    """Return how many tasks each node has, of Slurm's short form: `2(x3),1` is 2, 2, 2 and 1."""
    counts: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        counts += [int(count)] * int(times or 1)
    return counts


def _number(name: str) -> int:
    """Return the whole number in an environment variable; 0 where it is not set."""
    text = os.environ.get(name, "").strip()
    try:
        return int(text or "0")
    except ValueError as error:
        raise InputError(name, "a whole number", repr(text[:80]), "unsetting it") from error
