"""Processes that train one network together, each as a command of its own on this machine."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from tfcnn import runs

# 19 quick steps an epoch, of images of 8 x 8 px. At a rate of .05, one process whose weights are
# changed by 3e-8 ends 4e-2 away from itself after 4 epochs; at this one, 2e-7
QUICK = ["train.optimizer=sgd", "train.learning_rate=0.005", "train.schedule=constant",
         "train.precision=float32", "train.batch_size=64", "data.image_size=8",
         "model.options={widths = [4, 8]}"]  # fmt: skip
# each process says what weights it has: after every epoch, and at the end of a training
PROGRAM = """
import hashlib, sys
from tfcnn.base import quiet
quiet.silence()
from tfcnn.__main__ import main
from tfcnn.training import checkpoint, fit
def say(what, weights):
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
    print(what, digest, flush=True)
def writing(start, *arguments, original=checkpoint.write):
    original(start, *arguments)
    say(f"epoch {start.state.epoch}:", start.weights)
def fitting(*arguments, original=fit.fit_epochs):
    weights = original(*arguments)
    say("weights:", weights)
    return weights
checkpoint.write, fit.fit_epochs = writing, fitting
main()
"""


def free_ports(count: int) -> int:
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
    """Processes of one training, with a home each, as on machines without a common disk.

    Attributes:
        folder: of their homes and logs; there if it is not.
        count: of them.
        homes: of each; of equal ones they have one together.
        inside: the words before the command of each, which put it into a network of its own.
    """

    def __init__(self, folder: Path, count: int = 2, *, has_common_disk: bool = False) -> None:
        self.folder, self.count = folder, count
        self.hosts = ["127.0.0.1"] * count
        self.inside: list[list[str]] = [[]] * count
        self.homes = [folder / f"home{0 if has_common_disk else i}" for i in range(count)]
        self.logs = [folder / f"log{i}.txt" for i in range(count)]
        for home in self.homes:
            home.mkdir(parents=True, exist_ok=True)

    def start(self, *words: str, of: dict[int, list[str]] | None = None) -> None:
        """Start a command in all of them, with further words for some."""
        port = free_ports(self.count + 1)
        addresses = [f"{host}:{port + i}" for i, host in enumerate(self.hosts)]
        self.processes = []
        for i in range(self.count):
            task = {"type": "worker", "index": i}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            environment = {"TF_CONFIG": config, "TFCNN_HOME": str(self.homes[i])}
            with self.logs[i].open("w") as file:
                self.processes.append(
                    subprocess.Popen(
                        [*self.inside[i], sys.executable, "-c", PROGRAM, *words,
                         *(of or {}).get(i, [])],
                        env={**os.environ, **environment},
                        stdout=file, stderr=subprocess.STDOUT, cwd=self.folder,
                    )
                )  # fmt: skip

    def train(self, *settings: str, more: tuple[str, ...] = (), **named) -> None:
        """Start a quick training."""
        sets = [word for one in (*QUICK, *settings) for word in ("--set", one)]
        self.start("train", "digits", "--run", "together", *sets, *more, **named)

    def wait(self, seconds: float = 300) -> list[int]:
        """Return the exit codes."""
        try:
            return [one.wait(seconds) for one in self.processes]
        finally:
            for one in self.processes:
                one.kill()

    def said(self, i: int) -> str:
        """Return what a process has written so far."""
        return self.logs[i].read_text()

    def weights(self, i: int) -> dict[str, str]:
        """Return the sha256 of its weights, after each epoch and at the end."""
        return dict(re.findall(r"^(epoch \d+|weights): (\w{64})$", self.said(i), re.MULTILINE))

    @property
    def run(self) -> Path:
        """The run folder, which the chief writes."""
        return self.homes[0] / "models/together"


def alone(folder: Path, *words: str, before: str = "") -> Path:
    """Return the run of the same training in one process.

    Args:
        folder: of its home.
        words: further ones of the command.
        before: a program that the process begins with.
    """
    sets = [word for one in QUICK for word in ("--set", one)]
    environment = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    result = subprocess.run(
        [sys.executable, "-c", before + PROGRAM, "train", "digits", "--run", "together", *sets,
         *words],
        env={**environment, "TFCNN_HOME": str(folder)},
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "models/together"


def assert_same_weights(one: Path, other: Path, atol: float) -> None:
    """Compare the saved weights of two runs."""
    for a, b in zip(saved_weights(one), saved_weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def saved_weights(run: Path) -> list[np.ndarray]:
    """Return the weights of a finished run."""
    import keras

    return keras.saving.load_model(run / runs.MODEL, compile=False).get_weights()


def figures(run: Path) -> np.ndarray:
    """Return loss and accuracy of train, and of all of val, per epoch."""
    return np.genfromtxt(run / runs.HISTORY, delimiter=",")[1:, 1:5]
