"""What every network must do, whichever file it is in: a new file is covered at once."""

import functools
from pathlib import Path

import pytest

from tfcnn.architectures import names
from tfcnn.contracts import of_networks
from tfcnn.contracts.of_networks import Candidate

# over 5 s on one core
SLOW_TO_TRAIN = {"alexnet", "efficientnet_lite", "googlenet", "lenet5", "pretrained", "resnet"}
EPOCHS = 30  # in which ours learn 16 images by heart

every_network = pytest.mark.parametrize("name", names())
promises = [*of_networks.STRUCTURE, *of_networks.BEHAVIOUR, of_networks.SIZE]


@functools.cache
def candidate(name: str) -> Candidate:
    return Candidate(name)


@every_network
@pytest.mark.parametrize("promise", promises, ids=lambda promise: promise[0])
def test_keeps_a_promise(name, promise):
    text, why_not = promise
    assert why_not(candidate(name)) == "", text


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory, request) -> dict[str, object]:
    """Predictions of every network to be tested, loaded in one fresh process without tfcnn."""
    folder: Path = tmp_path_factory.mktemp("saved")
    tests = [item for item in request.session.items if "reloaded" in item.fixturenames]
    for name in {test.callspec.params["name"] for test in tests}:
        of_networks.save(candidate(name), folder / f"{name}.keras")
    return of_networks.reloaded(folder)


@every_network
def test_predicts_the_same_after_reload_in_a_fresh_process(name, reloaded):
    assert of_networks.difference(candidate(name), reloaded[name]) == ""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW_TO_TRAIN)) for n in names()]
)
def test_learns_16_images_by_heart(name, monkeypatch):
    monkeypatch.setattr(of_networks, "MOST_EPOCHS", EPOCHS)
    assert of_networks.learns_by_heart(candidate(name)) == ""
