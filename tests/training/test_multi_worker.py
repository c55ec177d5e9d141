"""Several processes train one network, each as a command of its own on the loopback interface."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tfcnn import runs

COUNT = 2
RECIPE = ["train.optimizer=sgd", "train.learning_rate=0.05", "train.schedule=constant",
          "train.precision=float32", "train.batch_size=64", "data.image_size=8",
          "model.options={widths = [4, 8]}"]  # fmt: skip
# every worker prints the weights that it ends a training with
PROGRAM = """
import hashlib, sys
import tfcnn
from tfcnn.training import fit
original = fit.fit_epochs
def told(*arguments, **named):
    weights = original(*arguments, **named)
    print("weights", hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest())
    sys.stdout.flush()
    return weights
fit.fit_epochs = told
from tfcnn.__main__ main
main()
""".replace("__main__ main", "__main__ import main")


def free_ports(count):
    """Return a port after which others are free too."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
        sockets = [socket.socket() for _ in range(count)]
        try:
            for i, one in enumerate(sockets):
                one.bind(("127.0.0.1", port + i))
            return port
        except (OSError, OverflowError):
            continue
        finally:
            for one in sockets:
                one.close()


class Cluster:
    """Processes of one training, with a home each, as on machines without a common disk."""

    def __init__(self, folder: Path, count: int = COUNT) -> None:
        self.folder, self.count = folder, count

    def start(self, *words: str, of: dict[int, list[str]] | None = None) -> None:
        port = free_ports(self.count + 1)
        addresses = [f"127.0.0.1:{port + i}" for i in range(self.count)]
        self.processes, self.logs = [], []
        for i in range(self.count):
            task = {"type": "worker", "index": i}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            home = self.folder / f"home{i}"
            home.mkdir(exist_ok=True)
            log = self.folder / f"log{i}.txt"
            self.logs.append(log)
            with log.open("w") as file:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, "-c", PROGRAM, *words, *(of or {}).get(i, [])],
                        env={**os.environ, "TF_CONFIG": config, "TFCNN_HOME": str(home)},
                        stdout=file, stderr=subprocess.STDOUT, cwd=self.folder,
                    )
                )  # fmt: skip

    def train(self, *settings: str, more: tuple[str, ...] = (), **named) -> None:
        sets = [word for one in (*RECIPE, *settings) for word in ("--set", one)]
        self.start("train", "digits", "--run", "together", *sets, *more, **named)

    def wait(self, seconds: float = 300) -> list[int]:
        try:
            return [one.wait(seconds) for one in self.processes]
        finally:
            for one in self.processes:
                one.kill()

    def said(self, i: int) -> str:
        return self.logs[i].read_text()

    def weights(self, i: int) -> str:
        (line,) = [line for line in self.said(i).splitlines() if line.startswith("weights")]
        return line

    @property
    def run(self) -> Path:
        return self.folder / "home0/models/together"

    def wait_for_epoch(self, epoch: int, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not (path := self.run / runs.HISTORY).exists() or (
            len(path.read_text().splitlines()) <= epoch
        ):
            assert time.monotonic() < deadline, self.said(0)
            assert all(one.poll() is None for one in self.processes), self.said(0)
            time.sleep(0.05)


class Alone:
    """The same training in one process, which runs beside the others until `run` is asked for."""

    def __init__(self, folder: Path, *settings: str, before: str = "") -> None:
        self.home = folder / "alone"
        self.home.mkdir()
        sets = [word for one in (*RECIPE, *settings) for word in ("--set", one)]
        program = f"{before}\nfrom tfcnn.__main__ import main\nmain()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "train", "digits", "--run", "together", *sets],
            env={**os.environ, "TFCNN_HOME": str(self.home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        )  # fmt: skip

    @functools.cached_property
    def run(self) -> Path:
        said, _ = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, said
        return self.home / "models/together"


def same_weights(one: Path, other: Path, atol: float) -> None:
    for a, b in zip(saved_weights(one), saved_weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def saved_weights(run: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(run / "model.keras", compile=False).get_weights()


def test_two_processes_train_what_one_does(tmp_path):
    cluster = Cluster(tmp_path)
    cluster.train("train.epochs=1")
    alone = Alone(tmp_path, "train.epochs=1")
    assert cluster.wait() == [0, 0], cluster.said(0) + cluster.said(1)
    assert cluster.weights(0) == cluster.weights(1), "not bit for bit the same"
    assert not (tmp_path / "home1/models/together").exists(), "only the chief writes a run"
    assert runs.is_done(cluster.run)
    assert "finished by the chief" in cluster.said(1)
    same_weights(cluster.run, alone.run, 1e-5)
    figures = [np.genfromtxt(one / "history.csv", delimiter=",")[1, 1:5]
               for one in (cluster.run, alone.run)]  # fmt: skip
    np.testing.assert_allclose(*figures, atol=1e-5)  # loss and accuracy of train, and of all of val


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0], ids=["worker", "chief"])
def test_a_process_that_is_killed_costs_no_epoch(tmp_path, victim):
    whole = Cluster(tmp_path / "whole")
    whole.folder.mkdir()
    whole.train("train.epochs=4")
    assert whole.wait() == [0, 0], whole.said(0)
    cut = Cluster(tmp_path / "cut")
    cut.folder.mkdir()
    cut.train("train.epochs=4")
    cut.wait_for_epoch(2)
    os.kill(cut.processes[victim].pid, signal.SIGKILL)
    killed = time.monotonic()
    other = 1 - victim
    assert cut.processes[other].wait(60) == 1
    assert time.monotonic() - killed < 20, "the stated time"
    name = "worker 1" if victim else "the chief"
    assert f"error: {name} (127.0.0.1:" in cut.said(other)
    assert "--resume" in cut.said(other)
    cut.train(more=("--resume",))
    assert cut.wait() == [0, 0], cut.said(0) + cut.said(1)
    same_weights(whole.run, cut.run, 0)


@pytest.mark.slow
def test_a_process_with_another_recipe_is_refused(tmp_path):
    cluster = Cluster(tmp_path)
    cluster.train("train.epochs=2", of={1: ["--set", "train.momentum=0.5"]})
    assert cluster.wait() == [2, 2]
    for i in range(COUNT):
        assert "train.momentum: expected 0.9, as the chief has; received 0.5" in cluster.said(i)
    assert not cluster.run.exists()


@pytest.mark.slow
def test_a_process_with_other_images_is_refused_with_the_first_of_them(tmp_path):
    from PIL import Image

    for i in range(COUNT):
        for label in ("blue", "red"):
            folder = tmp_path / f"cells{i}" / label
            folder.mkdir(parents=True)
            for k in range(12):
                colour = (k, 100 * (label == "red") + (i and k == 7), 9)
                Image.new("RGB", (8, 8), colour).save(folder / f"{k:02d}.png")
    cluster = Cluster(tmp_path)
    words = ["train", "--run", "together", "--set", "model.start=scratch"]
    cluster.start(*words, of={i: [f"cells{i}"] for i in range(COUNT)})
    assert cluster.wait() == [2, 2]
    for i in range(COUNT):
        assert "worker 1 (127.0.0.1:" in cluster.said(i)
        assert "blue/07.png: blue, group none" in cluster.said(i)


@pytest.mark.slow
def test_four_processes_train_what_one_does(tmp_path):
    cluster = Cluster(tmp_path, 4)
    cluster.train("train.epochs=1")
    assert cluster.wait() == [0] * 4, cluster.said(0)
    assert len({cluster.weights(i) for i in range(4)}) == 1
    same_weights(cluster.run, Alone(tmp_path, "train.epochs=1").run, 1e-5)


TWO_PROCESSORS = """
import tensorflow as tf
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])
"""


@pytest.mark.slow
def test_two_devices_of_one_process_train_what_one_does(tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "one").mkdir()
    mirrored = ["train.epochs=1", "train.strategy=mirrored"]
    two = Alone(tmp_path / "two", *mirrored, before=TWO_PROCESSORS).run
    one = Alone(tmp_path / "one", "train.epochs=1").run
    same_weights(two, one, 1e-5)
    figures = [np.genfromtxt(run / "history.csv", delimiter=",")[1, 1:5] for run in (two, one)]
    np.testing.assert_allclose(*figures, atol=1e-5)
