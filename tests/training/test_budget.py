"""`train.minutes`: how many epochs fit into the time there is."""

import numpy as np
import pytest
from conftest import NARROW, Heard

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.training import budget, fit
from tfcnn.training.budget import Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand."""
    now = [100.0]
    monkeypatch.setattr(budget, "perf_counter", lambda: now[0])
    return now


def test_what_is_left_counts_down_to_nothing(clock):
    limit = Budget(2)
    assert limit.seconds_left == 120
    clock[0] += 90
    assert limit.seconds_left == 30
    clock[0] += 90
    assert limit.seconds_left == 0


@pytest.mark.parametrize(
    ("seconds_per_epoch", "epochs"), [(1, 10), (12, 10), (12.1, 9), (30, 4), (500, 1)]
)
def test_as_many_epochs_as_fit_but_at_least_one(clock, seconds_per_epoch, epochs):
    assert Budget(2).epochs(10, seconds_per_epoch) == epochs


def test_without_a_limit_all_epochs_fit():
    assert Budget(None).epochs(10, 1e9) == 10


def test_the_first_steps_are_timed_and_leave_no_trace(make_tree, monkeypatch):
    settings = [*NARROW, "data.group_regex='^(P[0-9]+)_'", "train.epochs=3"]
    root = make_tree(groups=8)
    free = tfcnn.train(root, settings=settings, run="free")
    ample = tfcnn.train(root, settings=[*settings, "train.minutes=60"], run="ample")
    for name in ("predictions.csv",):
        assert (free.path / name).read_bytes() == (ample.path / name).read_bytes()
    heard = Heard()
    monkeypatch.setattr(fit, "epochs_within", lambda *_: 2)
    short = tfcnn.train(root, settings=[*settings, "train.minutes=60"], run="s", reporter=heard)
    assert "train.minutes: 2 of 3 epochs fit" in heard.notes
    alone = tfcnn.train(root, settings=[*settings, "train.epochs=2"], run="two")
    rates = [np.array(run.history["learning_rate"]) for run in (short, alone)]
    np.testing.assert_array_equal(*rates)  # the schedule is that of two epochs
    assert (short.path / "predictions.csv").read_bytes() == (
        alone.path / "predictions.csv"
    ).read_bytes()


class Cut(Reporter):
    """Stops after the first epoch, as a kill would."""

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        raise KeyboardInterrupt


def test_a_training_that_goes_on_has_the_minutes_of_its_recipe(make_tree, monkeypatch):
    root = make_tree(groups=8)
    settings = [*NARROW, "train.epochs=2", "train.minutes=60"]
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=settings, run="cut", reporter=Cut())
    given: list[float | None] = []
    monkeypatch.setattr(
        "tfcnn.training.train.Budget", lambda minutes: given.append(minutes) or Budget(minutes)
    )
    tfcnn.train(root, run="cut", resume=True)
    assert given == [60]


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "soon"])
def test_no_time_is_refused(make_tree, minutes):
    with pytest.raises(InputError, match=r"train\.minutes: expected "):
        tfcnn.train(make_tree(), settings=[f"train.minutes={minutes}"])
