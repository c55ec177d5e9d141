"""Two processes with a network each, as on two machines, and a cable that is pulled out."""

import os
import shutil
import subprocess
import time

import pytest
from clusters import Cluster, alone, assert_same_weights

from tfcnn import runs
from tfcnn.training import lines

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("ip") or os.geteuid() != 0,
        reason="networks are made by `ip netns` (iproute2), as root",
    ),
]
NAMES = [f"tfcnn-{os.getpid()}-{i}" for i in range(2)]
HOSTS = ["10.77.0.1", "10.77.0.2"]
NOTICED_SECONDS = lines.VANISHED_SECONDS + 30


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines(tmp_path):
    """A cluster of two processes, each in a network namespace with an address of its own."""
    try:
        for name in NAMES:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        one, other = NAMES
        ip("link", "add", "eth0", "netns", one, "type", "veth", "peer", "eth0", "netns", other)
        for name, host in zip(NAMES, HOSTS, strict=True):
            ip("-n", name, "address", "add", f"{host}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        cluster = Cluster(tmp_path / "machines")
        cluster.hosts = HOSTS
        cluster.inside = [["ip", "netns", "exec", name] for name in NAMES]
        yield cluster
    finally:
        for name in NAMES:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def test_two_machines_train_what_one_does_and_go_on_when_one_has_vanished(machines, tmp_path):
    epochs = "train.epochs=6"
    one = alone(tmp_path, "--set", epochs)
    machines.train(epochs)
    while "epoch 2:" not in machines.said(0):
        assert all(each.poll() is None for each in machines.processes), machines.said(0)
        time.sleep(0.05)
    ip("-n", NAMES[1], "link", "set", "eth0", "down")
    vanished = time.monotonic()
    codes = machines.wait(180)
    seconds = time.monotonic() - vanished
    print(f"noticed in {seconds:.1f} s", machines.said(0)[-300:], machines.said(1)[-300:])
    assert codes == [1, 1], machines.said(0) + machines.said(1)
    assert seconds < NOTICED_SECONDS
    for i, name in enumerate(("worker 1", "the chief")):
        assert f"error: {name} ({HOSTS[1 - i]}:" in machines.said(i)
        assert "--resume" in machines.said(i)
    ip("-n", NAMES[1], "link", "set", "eth0", "up")
    machines.train(epochs, more=("--resume",))
    assert machines.wait() == [0, 0], machines.said(0) + machines.said(1)
    assert machines.weights(0) == machines.weights(1)
    assert_same_weights(machines.run, one, 1e-5)
    assert runs.read(machines.run).history["epoch"] == [1, 2, 3, 4, 5, 6]
