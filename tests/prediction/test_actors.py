"""What an actor of a Ray cluster does, and what is said where there is no cluster."""

import json
import os
import pickle
from dataclasses import asdict

import pytest
from conftest import run_tfcnn

from tfcnn import runs
from tfcnn.base import threads
from tfcnn.base.errors import InputError
from tfcnn.prediction import Predictor, journal, on_ray, work


@pytest.fixture
def actor_place(monkeypatch, tmp_path):
    """Keep what an actor changes of its process to the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFCNN_MAX_MEGAPIXELS", "100")
    monkeypatch.setattr(threads, "_most_cores", 0)


def setting_of(planned, **other):
    cluster = on_ray.Cluster(planned.run, "litert", 2, False)
    return {**asdict(cluster._setting(planned)), **other}


def rows_of(planned):
    batches = [pickle.dumps([*batch]) for batch in planned.batches()]
    return {"number": [*range(len(batches))], "images": batches}


def test_an_actor_answers_as_this_process_does(trained, cells, actor_place):
    run = runs.open_run(trained)
    planned = work.plan(run, [cells])
    answer = on_ray.Answerer(setting_of(planned))(rows_of(planned))
    lines = b"".join(answer["lines"]).splitlines(keepends=True)
    here = [*Predictor(run, "litert").stream(planned)]
    assert [*planned.grouped(journal.decode(x, run.class_names) for x in lines)] == here
    assert threads.cores() == 1, "an actor leaves the other cores to the others"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"versions": {"numpy": "1.0"}}, "numpy: expected 1.0"),
        ({"run": "/nowhere/run"}, "/nowhere/run: expected a folder"),
        ({"folder": "/nowhere"}, "/nowhere: expected a folder"),
        ({"roots": ("missing.png",)}, "missing.png: expected images"),
        ({"card": "0" * 64}, "expected the run of the command; received another run"),
    ],
)
def test_a_node_that_has_something_else_says_so(trained, cells, actor_place, other, message):
    run = runs.open_run(trained)
    planned = work.plan(run, [cells])
    answer = on_ray.Answerer(setting_of(planned, **other))(rows_of(planned))
    assert answer["lines"] == [b""] * 11
    error = InputError(*json.loads(answer["fault"][0]))
    assert message in str(error) and f"node {os.uname().nodename}" in str(error)


def test_without_ray_the_extra_is_named(trained, cells, monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda _: None)
    result = run_tfcnn("predict", trained, cells, "--on", "ray")
    assert result.returncode == 2 and "pip install 'tfcnn[ray]'" in result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_named_at_once(trained, cells, monkeypatch, address):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda _: True)
    result = run_tfcnn("predict", trained, cells, "--on", "ray", RAY_ADDRESS=address)
    assert result.returncode == 2
    assert f"Ray at {address}: expected a cluster; received Connection refused" in result.stderr
