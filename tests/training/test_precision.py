"""`train.precision = auto`: a step is measured where the processor has bfloat16, and once."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import Heard

import tfcnn
from tfcnn import datasets, recipes, runs
from tfcnn.base import processor
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.training import again, learn, precision, prepare, step_seconds
from tfcnn.training.checkpoint import State
from tfcnn.training.precision import choices
from tfcnn.training.step_seconds import BFLOAT16, FLOAT32

HAS_BFLOAT16 = any("bf16" in flag for flag in processor.flags())
SETTINGS = (
    "model.start=scratch", "model.options.widths=[4, 8]", "data.image_size=16", "train.epochs=2",
    "train.batch_size=8", "data.group_regex='^(P[0-9]+)_'",
)  # fmt: skip
SLOW, FAST = {FLOAT32: 0.2, BFLOAT16: 0.1}, {FLOAT32: 0.1, BFLOAT16: 0.2}  # of float32


@pytest.fixture(autouse=True)
def has_bfloat16(monkeypatch):
    """A processor without AMX that computes in bfloat16, and trainings that are never too short."""
    monkeypatch.setattr(processor, "flags", lambda: frozenset(["avx2", "avx512_bf16"]))
    monkeypatch.setattr(precision, "LEAST_STEPS", 1)


@pytest.fixture
def measured(monkeypatch):
    """Take these seconds for a measurement; return what was measured, time after time."""
    calls: list[tuple] = []

    def take(seconds):
        def measure(recipe, images, classes):
            calls.append(images)
            return seconds

        monkeypatch.setattr(step_seconds, "measure", measure)
        return calls

    return take


def prepared_of(root: Path, *settings: str) -> prepare.Prepared:
    recipe = recipes.override(recipes.for_folder(root), [*SETTINGS, *settings])
    return prepare.prepare(recipe, None, False, Reporter())


def settled(prepared: prepare.Prepared, reporter: Reporter | None = None) -> str:
    state = State()
    precision.settle(prepared, state, reporter or Reporter())
    return state.precision


def kept() -> list[Path]:
    return sorted((datasets.data_home() / "cache" / "precision").glob("*"))


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("avx2 avx512f", (FLOAT32,)),
        ("avx512_bf16", (FLOAT32, BFLOAT16)),
        ("amx_bf16 avx512_bf16", (BFLOAT16, FLOAT32)),
        ("asimd svebf16", (FLOAT32, BFLOAT16)),  # of Arm
        ("", (FLOAT32,)),  # another system
    ],
)
def test_what_the_processor_computes_in_is_compared(flags, found, monkeypatch, measured, make_tree):
    monkeypatch.setattr(processor, "flags", lambda: frozenset(flags.split()))
    assert choices() == found
    assert choices("mixed_float16") == ("mixed_float16",)
    calls = measured(SLOW)
    assert settled(prepared_of(make_tree())) == (found[0] if len(found) == 1 else BFLOAT16)
    assert len(calls) == len(found) - 1, "without bfloat16 nothing is measured"


def test_flags_are_read_of_either_kind_of_processor(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    assert processor.flags() == frozenset() and processor.name()
    processor.CPUINFO.write_text("model name\t: Fast 9\nflags\t\t: fpu avx\nbugs\t: bf16\n")
    assert processor.flags() == {"fpu", "avx"} and processor.name() == "Fast 9"
    processor.CPUINFO.write_text("processor\t: 0\nFeatures\t: fp bf16\n")
    assert processor.flags() == {"fp", "bf16"}


@pytest.mark.skipif(HAS_BFLOAT16, reason="here bfloat16 is no slower")
def test_bfloat16_that_is_emulated_is_measured_to_be_slower(make_tree):
    heard = Heard()
    root = make_tree(side=48)
    prepared = prepared_of(root, "data.image_size=48", "model.options.widths=[16, 32]")
    assert settled(prepared, heard) == FLOAT32
    (note,) = heard.notes
    assert "float32; a step takes " in note and "as long in bfloat16 as in float32" in note
    (path,) = kept()
    seconds = json.loads(path.read_text())["seconds"]
    assert 0 < seconds[FLOAT32] < seconds[BFLOAT16]
    assert settled(prepared, heard) == FLOAT32
    assert heard.notes[1] == note.partition(" (measured in")[0] + " (measured before)"


@pytest.mark.parametrize(
    ("times", "counted", "most_seconds"),
    [
        ([5, 6, 3, 2, 4, 3.6, 9, 9, 8, 7.9], (8, 7.9), math.inf),
        ([5, 6, 3, 2, 4, 3.6], (4, 3.6), -1),  # fewer where steps are long
        ([1, 2], (1, 2), math.inf),  # once where it is clear
    ],
)
def test_steps_take_turns_and_the_round_in_the_middle_counts(
    times, counted, most_seconds, monkeypatch
):
    order, seconds = [], iter(times)

    def timed(step):
        order.append(step())
        return next(seconds)

    monkeypatch.setattr(step_seconds, "timed", timed)
    monkeypatch.setattr(step_seconds, "_step", lambda *of: lambda: of[-1])
    monkeypatch.setattr(step_seconds, "MOST_SECONDS", most_seconds)
    found = step_seconds.measure(None, (8, 8, 8, 3), 2)
    assert found == dict(zip((FLOAT32, BFLOAT16), counted, strict=True))
    assert order == [FLOAT32, BFLOAT16] * (len(times) // 2)


@pytest.mark.parametrize(
    ("ratio", "found"), [(0.5, BFLOAT16), (0.89, BFLOAT16), (0.91, FLOAT32), (20.0, FLOAT32)]
)
def test_bfloat16_must_be_faster_by_more_than_chance(ratio, found, make_tree, measured):
    measured({FLOAT32: 1.0, BFLOAT16: ratio})
    heard = Heard()
    assert settled(prepared_of(make_tree()), heard) == found
    (note,) = heard.notes
    assert note.startswith(f"train.precision=auto: {found}; a step takes {ratio:.2f} times as long")


def test_a_network_that_lacks_bfloat16_learns_in_float32(make_tree, monkeypatch):
    def step(*of):
        if of[-1] == BFLOAT16:
            raise TypeError("no kernel")
        return lambda: None

    monkeypatch.setattr(step_seconds, "_step", step)
    heard = Heard()
    assert settled(prepared_of(make_tree()), heard) == FLOAT32
    assert "the network does not compute in bfloat16" in heard.notes[0]
    assert not kept(), "what is no number"


def test_a_network_that_cannot_be_built_is_refused(make_tree):
    prepared = prepared_of(make_tree(), "model.network=lenet5", "model.options={}")
    with pytest.raises(InputError):
        settled(prepared)


def test_what_is_measured_is_kept_for_the_same_training(make_tree, measured, monkeypatch):
    calls = measured(SLOW)
    root = make_tree()
    settings = (
        (), ("train.batch_size=9",), ("data.image_size=17",), ("model.options.widths=[4, 9]",)
    )  # fmt: skip
    for each in settings:
        assert settled(prepared_of(root, *each)) == BFLOAT16
    assert len(calls) == len(kept()) == 4
    for each in settings:
        assert settled(prepared_of(root, *each, "train.epochs=9", "train.seed=4")) == BFLOAT16
    assert len(calls) == 4, "neither epochs nor seed change a step"
    monkeypatch.setattr(processor, "name", lambda: "another one")
    settled(prepared_of(root))
    monkeypatch.setattr(step_seconds.threads, "cores", lambda: 64)
    settled(prepared_of(root))
    monkeypatch.setattr(step_seconds.tf, "__version__", "3.0.0")
    settled(prepared_of(root))
    assert len(calls) == len(kept()) == 7


def test_an_own_network_that_changed_is_measured_anew(make_tree, measured, tmp_path):
    calls, root = measured(SLOW), make_tree()
    own, text = tmp_path / "own.py", "def build(input_shape, num_classes):\n    pass\n"
    for content, count in ((text, 1), (text, 1), (text + "# other\n", 2)):
        own.write_text(content)
        recipe = recipes.override(recipes.for_folder(root), ["model.start=scratch"])
        model = recipe.model.model_copy(update={"network": str(own), "options": {}})
        step_seconds.known_or_measured(
            recipe.model_copy(update={"model": model}), (8, 8, 8, 3), 2, Reporter()
        )
        assert len(calls) == count


def test_large_images_are_timed_by_few(measured):
    calls = measured(SLOW)
    recipe = recipes.load("malaria")
    for images in ((500, 32, 32, 3), (128, 224, 224, 3), (4, 500, 500, 3)):
        step_seconds.known_or_measured(recipe, images, 2, Reporter())
    assert [images[0] for images in calls] == [64, 8, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"\xff", b'{"seconds": {"float32": 1.0}}', b'{"seconds": null}',
        b'{"seconds": {"float32": 0, "mixed_bfloat16": 1.0}}',
        b'{"seconds": {"float32": NaN, "mixed_bfloat16": 1.0}}',
        b'{"seconds": {"float32": 1' + 400 * b"0" + b', "mixed_bfloat16": 1.0}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_measured_anew(content, measured, make_tree):
    calls, prepared = measured(SLOW), prepared_of(make_tree())
    settled(prepared)
    (path,) = kept()
    whole = path.read_bytes()
    path.write_bytes(content)
    assert settled(prepared) == BFLOAT16
    assert len(calls) == 2 and path.read_bytes() == whole
    assert kept() == [path], "nothing is left beside it"


def test_a_place_that_cannot_be_written_is_said(measured, make_tree):
    measured(SLOW)
    prepared = prepared_of(make_tree())
    place = datasets.data_home() / "cache" / "precision"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    heard = Heard()
    assert settled(prepared, heard) == BFLOAT16
    assert heard.notes[0].startswith("what was measured is not kept: ")


def test_few_steps_are_not_measured(measured, make_tree, monkeypatch):
    monkeypatch.undo()
    flags = frozenset(["avx512_bf16"])
    monkeypatch.setattr(processor, "flags", lambda: flags)
    monkeypatch.setattr(step_seconds, "measure", None)
    heard, prepared = Heard(), prepared_of(make_tree())
    assert settled(prepared, heard) == FLOAT32
    assert "steps are too few to measure" in heard.notes[0]
    flags |= {"amx_bf16"}
    assert settled(prepared, heard) == BFLOAT16, "AMX is faster in any network"
    assert settled(prepared_of(make_tree(name="b"), "train.precision=float32")) == FLOAT32


def test_fine_tuning_stays_in_float32(make_tree, measured):
    calls = measured(SLOW)
    recipe = recipes.override(recipes.for_folder(make_tree()), ["model.start=finetune"])
    assert settled(prepare.prepare(recipe, None, False, Reporter())) == FLOAT32
    assert not calls


@pytest.mark.parametrize(
    ("recorded", "found"),
    [(FLOAT32, FLOAT32), (BFLOAT16, BFLOAT16), ("mixed_float16", BFLOAT16), ("odd", BFLOAT16)],
)
def test_what_another_training_recorded_is_taken_where_it_is_not_slow(
    recorded, found, measured, make_tree
):
    calls, prepared = measured(SLOW), prepared_of(make_tree())
    assert settled(replace(prepared, precisions={"scratch": recorded})) == found
    assert len(calls) == (0 if recorded == found else 1)
    other = prepared_of(make_tree(name="b"), "train.precision=float32")
    assert settled(replace(other, precisions={"scratch": BFLOAT16})) == FLOAT32


def test_a_measurement_leaves_no_trace_in_the_weights(make_tree, tmp_path):
    prepared = prepared_of(make_tree(), "model.options.dropout=0.5")

    def weights() -> list:
        keras.utils.set_random_seed(3)
        begun = learn.begin(prepared, tmp_path, False, Reporter())
        assert begun.state.precision == FLOAT32
        drawn = [tf.random.uniform([]).numpy(), keras.random.uniform([]).numpy(), random.random()]
        return [*begun.model.get_weights(), *drawn]

    policy = keras.config.dtype_policy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_seconds, "measure", lambda *_: FAST)
        without = weights()
        kept()[0].unlink()
    real = step_seconds.measure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_seconds, "measure", lambda *of: real(*of) and FAST)
        measured_too = weights()
    assert keras.config.dtype_policy() == policy
    for one, other in zip(without, measured_too, strict=True):
        np.testing.assert_array_equal(one, other)


class Cut(Reporter):
    """Ends a training in its second epoch, as a kill would."""

    def epoch(self, epoch, epochs, logs):
        if epoch == 2:
            raise KeyboardInterrupt


def test_a_run_that_goes_on_or_is_trained_again_keeps_its_precision(make_tree, measured):
    calls, root = measured(SLOW), make_tree(groups=8)
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=SETTINGS, run="cells", reporter=Cut())
    assert len(calls) == 1
    kept()[0].unlink()
    calls = measured(FAST)
    run = tfcnn.train(root, settings=SETTINGS, run="cells", resume=True, progress=False)
    assert run.card["record"]["precision"] == BFLOAT16
    assert run.recipe.train.precision == "auto"
    assert again.precisions_of(run) == {"scratch": BFLOAT16}
    found = tfcnn.reproduce(run, progress=False)
    assert found.is_equal and found.again.card["record"]["precision"] == BFLOAT16
    assert len(calls) == 1, "measured once, and never again"
    heard = Heard()
    whole = tfcnn.train(root, settings=SETTINGS, run="other", reporter=heard)
    assert whole.card["record"]["precision"] == FLOAT32
    assert "training compact in float32" in heard.notes and len(calls) == 2


def test_a_run_without_a_record_says_nothing(tmp_path):
    assert again.precisions_of(runs.Run(tmp_path, {})) == {}
    card = {"network": {"start": "scratch"}, "record": {"precision": ""}}
    assert again.precisions_of(runs.Run(tmp_path, card)) == {}


def test_folds_share_one_precision(make_tree, measured, monkeypatch):
    calls, root = measured(SLOW), make_tree(groups=8)

    def keep_nothing(*_):
        measured(FAST)  # from now on

    monkeypatch.setattr(step_seconds, "_keep", keep_nothing)
    tfcnn.crossval(root, folds=2, settings=SETTINGS, run="folds", progress=False)
    folds = [runs.open_run(runs.folder_of("folds") / runs.fold_name(i)) for i in (0, 1)]
    assert [fold.card["record"]["precision"] for fold in folds] == [BFLOAT16, BFLOAT16]
    assert len(calls) == 1


def test_the_chief_decides_for_a_team(measured, make_tree):
    class Team:
        def __init__(self, answer):
            self.answer = answer

        def of_chief(self, compute):
            return [np.asarray(self.answer)] if self.answer else compute()

    calls, prepared = measured(SLOW), prepared_of(make_tree())
    assert settled(replace(prepared, team=Team(FLOAT32))) == FLOAT32
    assert not calls, "the others measure nothing"
    assert settled(replace(prepared, team=Team(""))) == BFLOAT16
    assert len(calls) == 1
