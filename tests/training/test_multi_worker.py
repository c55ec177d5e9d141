"""Several processes train one network, each as a command of its own on the loopback interface."""

import os
import random
import time

import numpy as np
import pytest
from clusters import QUICK, Cluster, alone, assert_same_weights, figures
from PIL import Image

import tfcnn
from tfcnn import runs

KILLS = int(os.environ.get("TFCNN_TEST_KILLS", "2"))  # of each process
NOTICED_SECONDS = 20
EPOCHS = ("--set", "train.epochs=2")


def test_two_processes_train_what_one_does(tmp_path, monkeypatch):
    monkeypatch.setenv("TFCNN_HOME", str(tmp_path))
    cluster = Cluster(tmp_path / "both")
    cluster.train("train.epochs=1")
    one = tfcnn.train("digits", run="alone", settings=[*QUICK, "train.epochs=1"], progress=False)
    assert cluster.wait() == [0, 0], cluster.said(0) + cluster.said(1)
    assert cluster.weights(0) == cluster.weights(1), "not bit for bit the same"
    assert set(cluster.weights(0)) == {"epoch 1", "weights"}
    assert not (cluster.homes[1] / "models/together").exists(), "only the chief writes a run"
    assert runs.is_done(cluster.run)
    assert "finished by the chief" in cluster.said(1)
    assert_same_weights(cluster.run, one.path, 1e-5)
    np.testing.assert_allclose(figures(cluster.run), figures(one.path), atol=1e-5)


@pytest.mark.slow
def test_four_processes_train_what_one_does(tmp_path):
    cluster = Cluster(tmp_path / "all", 4)
    cluster.train("train.epochs=2")
    assert cluster.wait() == [0] * 4, cluster.said(0)
    assert all(cluster.weights(i) == cluster.weights(0) for i in range(4))
    assert len(cluster.weights(0)) == 3
    one = alone(tmp_path, *EPOCHS)
    assert_same_weights(cluster.run, one, 1e-5)
    np.testing.assert_allclose(figures(cluster.run), figures(one), atol=1e-5)


TWO_PROCESSORS = """
import tensorflow as tf
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half, half])
"""
ANOTHER_TRAINING = """
import tfcnn
settings = ["train.strategy=mirrored", "train.epochs=1", "model.network=mlp"]
tfcnn.train("digits", run="another", settings=settings, progress=False)
"""


@pytest.mark.slow
def test_two_devices_of_one_process_train_what_one_does(tmp_path):
    (tmp_path / "two").mkdir()
    mirrored = ("--set", "train.strategy=mirrored")
    two = alone(tmp_path / "two", *EPOCHS, *mirrored, before=TWO_PROCESSORS + ANOTHER_TRAINING)
    one = alone(tmp_path, *EPOCHS)
    assert_same_weights(two, one, 1e-5)
    np.testing.assert_allclose(figures(two), figures(one), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0], ids=["worker", "chief"])
def test_kills_at_random_moments_cost_nothing(tmp_path, victim):
    """One training is killed again and again, and goes on each time with all that it had.

    After every epoch it has the weights of a training that was not cut, bit for bit.
    """
    epochs = f"train.epochs={4 + 3 * KILLS}"
    whole, cut = Cluster(tmp_path / "whole"), Cluster(tmp_path / "cut")
    whole.train(epochs)
    assert whole.wait() == [0, 0], whole.said(0)
    seconds = np.median(runs.read(whole.run).history["seconds"])
    expected, draw = whole.weights(0), random.Random(victim)
    kills = 0
    while not runs.is_done(cut.run):
        cut.train(epochs, more=("--resume",) if cut.run.exists() else ())
        if kills < KILLS:
            kills += kill(cut, victim, draw, seconds)
        else:
            assert cut.wait() == [0, 0], cut.said(0) + cut.said(1)
        for i in range(2):
            assert cut.weights(i).items() <= expected.items()
    assert kills == KILLS
    assert cut.weights(0)["weights"] == expected["weights"]
    assert_same_weights(whole.run, cut.run, 0)


def kill(cluster, victim, draw, epoch_seconds):
    """Kill a process at a random moment between the roll call and an epoch; see how all end."""
    other = 1 - victim
    mark = draw.choice(["of 2 processes", "epoch ", "epoch ", "epoch "])
    while mark not in cluster.said(other) or mark not in cluster.said(victim):
        assert cluster.processes[other].poll() is None, cluster.said(other)
        time.sleep(0.05)
    # of the roll call too: until the first epoch ends
    time.sleep(draw.uniform(0, (4 if "processes" in mark else 2) * epoch_seconds))
    cluster.processes[victim].kill()
    killed = time.monotonic()
    code = cluster.processes[other].wait(60)
    seconds = time.monotonic() - killed
    print(f"kill of {victim} after {mark!r}: noticed in {seconds:.2f} s, {cluster.weights(other)}")
    assert code == 1, cluster.said(other)
    assert seconds < NOTICED_SECONDS
    name = "worker 1" if victim else "the chief"
    assert f"error: {name} (127.0.0.1:" in cluster.said(other)
    has_begun = (cluster.run / runs.SPLIT).exists()
    assert ("--resume" in cluster.said(other).splitlines()[-1]) == has_begun, cluster.said(other)
    return 1


@pytest.mark.slow
def test_other_images_are_refused_with_the_first_of_them(tmp_path):
    for i in range(2):
        for label in ("blue", "red"):
            folder = tmp_path / f"cells{i}" / label
            folder.mkdir(parents=True)
            for k in range(12):
                colour = (k, 100 * (label == "red") + (i and k == 7), 9)
                Image.new("RGB", (8, 8), colour).save(folder / f"{k:02d}.png")
    cluster = Cluster(tmp_path)
    words = ["train", "--run", "together", "--set", "model.start=scratch"]
    cluster.start(*words, of={i: [f"cells{i}"] for i in range(2)})
    assert cluster.wait() == [2, 2]
    for i in range(2):
        assert "worker 1 (127.0.0.1:" in cluster.said(i)
        assert "blue/07.png: blue, group none" in cluster.said(i)
    assert not cluster.run.exists()


@pytest.mark.slow
def test_every_setting_of_a_training_works_over_several_processes(tmp_path):
    cluster = Cluster(tmp_path, has_common_disk=True)
    settings = [
        "train.optimizer=adamw", "train.learning_rate=0.01", "train.schedule=cosine",
        "train.warmup_epochs=0.5", "train.ema=0.9", "train.mixup=0.2", "train.clip_norm=1",
        "train.class_weights=balanced", "train.precision=mixed_bfloat16",
    ]  # fmt: skip
    cluster.train("train.epochs=2", *settings)
    assert cluster.wait() == [0, 0], cluster.said(0) + cluster.said(1)
    assert cluster.weights(0) == cluster.weights(1)
    assert len(cluster.weights(0)) == 3
    cluster.start("train", "together", "--more", "1", "--set", "train.schedule=reduce_on_plateau")
    assert cluster.wait() == [0, 0], cluster.said(0) + cluster.said(1)
    assert cluster.weights(0) == cluster.weights(1)
    assert set(cluster.weights(0)) == {"epoch 2", "epoch 3", "weights"}
    more = cluster.run.with_name("together-more")
    assert runs.is_done(more)
    assert runs.read(more).history["val_loss"][-1] < 2.3, "better than chance, ln 10"


@pytest.mark.slow
def test_all_ways_to_begin_work_over_several_processes(tmp_path):
    noise = np.random.default_rng(0)
    for label in ("blue", "red"):
        folder = tmp_path / "cells" / label
        folder.mkdir(parents=True)
        for k in range(60):
            pixels = noise.integers(0, 256, (32, 32, 3), np.uint8)  # nothing to learn: try all
            Image.fromarray(pixels).save(folder / f"{k:02d}.png")
    cluster = Cluster(tmp_path)
    words = [word for one in ("model.start=auto", "train.epochs=1", "train.finetune_epochs=1",
                              "data.image_size=32", "train.batch_size=16")
             for word in ("--set", one)]  # fmt: skip
    cluster.start("train", "cells", "--run", "together", *words)
    assert cluster.wait() == [0, 0], cluster.said(0) + cluster.said(1)
    tried = [[line for line in cluster.said(i).splitlines() if "log loss on val" in line]
             for i in range(2)]  # fmt: skip
    assert tried[0] == tried[1]
    assert [line.split(":")[0] for line in tried[0][:3]] == ["frozen", "scratch", "finetune"]
    assert cluster.weights(0) == cluster.weights(1)
