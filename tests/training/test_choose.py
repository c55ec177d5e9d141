"""`model.start = "auto"`: what is tried, what val chooses, and what a reader is told of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Heard
from small_backbone import shrink

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.progress import Reporter
from tfcnn.decode import Decoder
from tfcnn.recipes import ModelSettings
from tfcnn.training import choose, form
from tfcnn.training.budget import Budget
from tfcnn.training.choose import Try

SETTINGS = (
    "model.start=auto", "data.image_size=32", "data.group_regex='^(P[0-9]+)_'",
    "train.precision=float32", "train.epochs=2", "train.finetune_epochs=2", "train.batch_size=16",
    "model.options.widths=[8, 16]",
)  # fmt: skip


def tried(start="frozen", log_loss=0.5, wrong=9):
    return Try(start, "a", log_loss, 0.8, wrong, 50, 3.0)


def against(start, tries, train=100, has_groups=False, budget=None):
    whole = recipes.parse({"name": "a", "data": {"source": "a"}, "model": {"start": start}}, "a")
    prepared = SimpleNamespace(
        rows={"train": range(train)}, manifest=SimpleNamespace(has_groups=has_groups)
    )
    return choose._against(whole, tries, prepared, budget or Budget(None))


def test_the_first_is_always_tried():
    assert against("frozen", [], budget=Budget(1e-9)) == ""


@pytest.mark.parametrize("start", ["scratch", "finetune"])
def test_nothing_more_is_tried_where_a_flawless_model_would_win_by_chance(start):
    # a fair coin falls on the same side four times in 1 of 16, five times in 1 of 32
    assert "frozen is wrong on 4 of 50 images of val" in against(start, [tried(wrong=4)])
    assert against(start, [tried(wrong=5)]) == ""
    assert "4 of 50 groups" in against(start, [tried(wrong=4)], has_groups=True)


def test_the_best_so_far_decides_whether_more_is_tried():
    tries = [tried(wrong=9), tried("scratch", 0.1, wrong=1)]
    assert "scratch is wrong on 1" in against("finetune", tries)
    assert against("finetune", [tries[0], tried("scratch", 0.9, wrong=1)]) == ""


def test_many_images_are_not_fine_tuned_on_a_cpu():
    most = choose.FINETUNE_IMAGES
    assert against("finetune", [tried()], train=most) == ""
    reason = against("finetune", [tried()], train=most + 1)
    assert "2,001 training images are more than 2,000" in reason
    assert "--set model.start=finetune" in reason
    assert against("scratch", [tried()], train=most + 1) == ""


def test_what_there_is_no_time_for_is_not_tried():
    assert "the 1e-09 minutes of train.minutes are over" in against(
        "scratch", [tried()], budget=Budget(1e-9)
    )


def judged(probs, labels, groups=None, calibrate=True):
    count = len(labels)
    prepared = SimpleNamespace(
        rows={"val": np.arange(count)},
        labels=np.array(labels),
        groups=np.array(groups or [""] * count),
        manifest=SimpleNamespace(has_groups=groups is not None),
        recipe=recipes.parse(
            {"name": "a", "data": {"source": "a"}, "evaluation": {"calibrate": calibrate},
             "model": {"start": "frozen"}}, "a",
        ),
    )  # fmt: skip
    begun = SimpleNamespace(prepared=prepared, state=SimpleNamespace(train_seconds=2.0))
    return choose.judge(begun, SimpleNamespace(val_logits=np.log(probs)))


def test_val_is_judged_at_the_temperature_that_fits_it():
    labels = [0, 1, 0, 1, 0, 1, 0, 1]
    sure = np.array([[0.999, 0.001], [0.001, 0.999]])[[0, 1, 0, 1, 0, 1, 1, 0]]
    plain, calibrated = (judged(sure, labels, calibrate=choice) for choice in (False, True))
    assert plain.log_loss == pytest.approx(-(6 * np.log(0.999) + 2 * np.log(0.001)) / 8)
    # three quarters right: no temperature does better than a probability of three quarters
    least = -(6 * np.log(0.75) + 2 * np.log(0.25)) / 8
    assert calibrated.log_loss == pytest.approx(least, abs=0.01)
    assert calibrated.accuracy == plain.accuracy == 0.75
    assert (calibrated.wrong, calibrated.of) == (2, 8)


def test_errors_are_counted_by_group():
    probs = np.tile([0.6, 0.4], (6, 1))
    by_group = judged(probs, [0, 1, 1, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
    assert (by_group.wrong, by_group.of) == (2, 3)
    some_known = judged(probs, [0, 1, 1, 1, 0, 0], ["a", "a", "", "", "", ""])
    assert (some_known.wrong, some_known.of) == (3, 5)


@pytest.mark.parametrize("start", ["scratch", "finetune"])
def test_what_is_judged_sees_the_views_of_the_saved_form(start):
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    settings = ModelSettings(network="lenet5", start=start, views="mirrored")
    network = form.plain(settings, (32, 32, 3), 2)
    prepared = SimpleNamespace(
        recipe=SimpleNamespace(model=settings, train=SimpleNamespace(batch_size=4)),
        manifest=SimpleNamespace(class_names=("a", "b")),
        decoder=Decoder((32, 32)), images=images, labels=np.zeros(6, np.int32),
        rows={"val": np.arange(6)},
    )  # fmt: skip
    alone = network.predict(images.astype(np.float32), verbose=0)
    trained = SimpleNamespace(weights=network.get_weights(), val_logits=np.log(alone))
    both = form.averaged(network, "mirrored").predict(images.astype(np.float32), verbose=0)
    probs = choose._val_probs(prepared, trained)
    np.testing.assert_allclose(probs, both, atol=1e-6)
    assert np.abs(probs - alone).max() > 1e-4


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    from conftest import write_tree

    return write_tree(tmp_path_factory.mktemp("auto") / "shapes", groups=8)


@pytest.fixture(scope="module")
def auto(tree, tmp_path_factory):
    """A run for which all ways were tried, and what was said."""
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(tmp_path_factory.mktemp("home")))
        shrink(patch)
        patch.setattr(choose, "CHANCE", 2)
        yield tfcnn.train(tree, settings=SETTINGS, run="auto", reporter=heard), heard.notes


def test_all_that_was_tried_is_said_and_recorded(auto):
    run, notes = auto
    tries = run.card["network"]["tries"]
    assert [one["start"] for one in tries] == ["frozen", "scratch", "finetune"]
    best = min(tries, key=lambda one: one["log_loss"])
    assert run.card["network"]["start"] == best["start"]
    assert f"kept: {best['start']}, which has the least log loss on val" in notes
    for one in tries:
        assert any(note.startswith(f"{one['start']}: log loss on val") for note in notes)
    page = (run.path / "report.html").read_text()
    assert f"{best['start']}, kept" in page
    assert page.count("efficientnet_lite") >= 2
    assert run.recipe.model.start == "auto"
    assert run.recipe.data.image_size == (32, 32)


def test_the_way_that_is_kept_gives_what_it_gives_alone(auto, tree):
    run, _ = auto
    kept = run.card["network"]["start"]
    settings = [one for one in SETTINGS[1:] if kept == "scratch" or "widths" not in one]
    settings.append(f"model.start={kept}")
    alone = tfcnn.train(tree, settings=settings, run="alone")
    for name in (runs.PREDICTIONS, runs.SPLIT):
        assert (alone.path / name).read_bytes() == (run.path / name).read_bytes()
    assert (alone.path / runs.HISTORY).exists() == (run.path / runs.HISTORY).exists()
    assert alone.card["network"] == {**run.card["network"], "tries": []}
    assert alone.recipe.model.start == kept


class Cut(Reporter):
    """Stops at an epoch of a way to begin, as a kill would."""

    def __init__(self, start: str, at: int) -> None:
        self.start, self.at, self.trying = start, at, ""

    def note(self, text: str) -> None:
        if text.startswith("trying "):
            self.trying = text.split()[1].rstrip(":")

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        if (self.trying, epoch) == (self.start, self.at):
            raise KeyboardInterrupt


@pytest.mark.parametrize(("start", "at"), [("scratch", 1), ("finetune", 1)])
def test_a_choice_that_was_cut_goes_on_to_the_same_result(auto, tree, start, at):
    whole, _ = auto
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(tree, settings=SETTINGS, run="cut", fresh=True, reporter=Cut(start, at))
    heard = Heard()
    resumed = tfcnn.train(tree, settings=SETTINGS, run="cut", resume=True, reporter=heard)
    assert not [note for note in heard.notes if "earlier tfcnn" in note]
    assert (resumed.path / runs.PREDICTIONS).read_bytes() == (
        whole.path / runs.PREDICTIONS
    ).read_bytes()
    scores = [
        [(one["start"], one["log_loss"]) for one in run.card["network"]["tries"]]
        for run in (resumed, whole)
    ]
    assert scores[0] == scores[1]
    assert not (resumed.path / runs.CHECKPOINT).exists()
