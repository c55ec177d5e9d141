"""Predictions on a real Ray cluster of two nodes on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import start_tfcnn, write_tree

pytest.importorskip("ray", reason="the extra [ray] is not installed: pip install 'tfcnn[ray]'")
pytestmark = pytest.mark.slow

# The cluster lives in a process of its own, which removes its second node when it is told to.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "object_store_memory": 100_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
second = cluster.add_node(**node)
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(second, allow_graceful=False)
    print("removed", flush=True)
cluster.shutdown()
"""
KEPT_BYTES = 20_000  # of the file beside the table: some batches are done


@pytest.fixture
def cluster(monkeypatch):
    """Start two nodes of one core each; RAY_ADDRESS names them."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    monkeypatch.setenv("RAY_ADDRESS", process.stdout.readline().strip())
    yield process
    process.stdin.close()
    process.wait(timeout=60)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of 6,000 small images, one of them broken."""
    root = write_tree(tmp_path_factory.mktemp("many"), groups=30, per_group=100, side=16)
    (root / "square" / "P9_9.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def whole(trained, images, tmp_path_factory):
    """Return the table that one process writes, and what it says."""
    table = tmp_path_factory.mktemp("whole") / "whole.csv"
    result = start_tfcnn("predict", trained, images, "--engine", "litert", "-o", table)
    assert result.returncode == 3, result.stderr
    return table.read_bytes(), said(result.stderr, table)


def said(stderr, table):
    """Return the lines of a command, with another name for the table."""
    return stderr.replace(str(table.with_suffix("")), "TABLE").splitlines()


def begin(run, images, table, *words):
    """Start the command, and return it when some batches are done."""
    command = ["predict", run, images, "--on", "ray", "-o", table, *words]
    words = [sys.executable, "-m", "tfcnn", *map(str, command)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    kept = table.with_name(f"{table.name}.unfinished")
    while process.poll() is None and not (kept.exists() and kept.stat().st_size > KEPT_BYTES):
        time.sleep(0.005)
    assert process.poll() is None, process.stderr.read()
    return process


def actors():
    """Return the processes of the actors."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if name.startswith(b"ray::MapWorker"):
            found.append(int(folder.name))
    return found


def test_two_nodes_give_the_table_of_one_process(cluster, trained, images, whole, tmp_path):
    table = tmp_path / "ray.csv"
    result = start_tfcnn("predict", trained, images, "--on", "ray", "-o", table)
    assert result.returncode == 3, result.stderr
    lines = ["on Ray: nodes 2, actors 2, one per core", *whole[1]]
    assert said(result.stderr, table) == lines, "Ray's own messages are not shown"
    assert table.read_bytes() == whole[0]


def test_killed_actors_are_started_again(cluster, trained, images, whole, tmp_path):
    process = begin(trained, images, tmp_path / "ray.csv")
    killed = actors()
    assert killed, "no actor: the test proves nothing"
    for number in killed:
        os.kill(number, signal.SIGKILL)
    stderr = process.communicate(timeout=200)[1]
    assert process.returncode == 3, stderr
    assert said(stderr, tmp_path / "ray.csv")[1:] == whole[1], "a lost actor is no news"
    assert (tmp_path / "ray.csv").read_bytes() == whole[0]


def test_a_lost_node_is_survived(cluster, trained, images, whole, tmp_path):
    process = begin(trained, images, tmp_path / "ray.csv")
    cluster.stdin.write("remove\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "removed\n"
    assert process.wait(timeout=200) == 3, process.stderr.read()
    assert (tmp_path / "ray.csv").read_bytes() == whole[0]


def test_a_killed_command_goes_on_without_ray(cluster, trained, images, whole, tmp_path):
    table = tmp_path / "ray.csv"
    process = begin(trained, images, table)
    process.kill()
    process.wait()
    result = start_tfcnn("predict", trained, images, "-o", table, "--resume")
    assert "going on after" in result.stderr and result.returncode == 3
    assert table.read_bytes() == whole[0]


def test_what_a_node_lacks_ends_the_command(cluster, trained, images, tmp_path):
    code = "\n".join(
        [
            "from tfcnn.prediction import on_ray",
            "on_ray.versions = lambda: {'tfcnn': '0.0.1'}",
            "from tfcnn.__main__ import main",
            "main()",
        ]
    )
    words = ["predict", str(trained), str(images), "--on", "ray", "-o", str(tmp_path / "a.csv")]
    result = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 2
    assert "tfcnn: expected 0.0.1; received" in result.stderr and "Traceback" not in result.stderr
