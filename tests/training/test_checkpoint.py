"""A cut training goes on from what it can believe: its split, its recipe, a sound checkpoint."""

import csv
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import QUICK, Heard, write_tree

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.training import checkpoint

SETTINGS = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "model.network=mlp")


class Cut(Heard):
    """Ends a training in its third epoch: the checkpoints of two are there."""

    def epoch(self, epoch, epochs, logs):
        if epoch == 3:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Return a folder of images, and a home of a whole training on them and of one that was cut."""
    base = tmp_path_factory.mktemp("trainings")
    root = write_tree(base / "shapes", groups=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(base / "home"))
        tfcnn.train(root, settings=SETTINGS, run="whole")
        with pytest.raises(KeyboardInterrupt):
            tfcnn.train(root, settings=SETTINGS, run="cut", reporter=Cut())
    return root, base / "home"


@pytest.fixture
def cut(trainings, home):
    """Return an unfinished run of two epochs, and the folder of its images."""
    shutil.copytree(trainings[1], home)
    return home / "models" / "cut", trainings[0]


@pytest.fixture
def resumed(cut):
    """Return what resumes the run: its notes, and its predictions."""

    def go_on():
        heard = Heard()
        run = tfcnn.train(cut[1], run="cut", resume=True, reporter=heard)
        return heard.notes, (run.path / "predictions.csv").read_bytes()

    return go_on


@pytest.fixture
def goes_on(cut):
    """Return what resumes the run, lets it learn an epoch, and cuts it again: its notes."""

    def go_on():
        reporter = Cut()
        with pytest.raises(KeyboardInterrupt):
            tfcnn.train(cut[1], run="cut", resume=True, reporter=reporter)
        return reporter.notes

    return go_on


def flipped(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped in the weights": lambda path: flipped(path, 0.5),
    "flipped in the list of its members": lambda path: flipped(path, 0.999),
    "other text": lambda path: path.write_text("not what it was"),
    "gone": lambda path: path.unlink(),
}


def exchange(path: Path) -> None:
    """Exchange a patient of train with one of test in a split."""
    rows = list(csv.DictReader(path.open(newline="")))
    of = {split: next(row["group"] for row in rows if row["split"] == split)
          for split in ("train", "test")}  # fmt: skip
    for row in rows:
        for mine, other in (("train", "test"), ("test", "train")):
            if row["group"] == of[mine]:
                row["split"] = other
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CHANGES = {
    "split.csv": exchange,
    "split.csv without hashes": lambda path: replace_in(path, ",sha256,", ",other,"),
    "recipe.toml": lambda path: replace_in(path, "batch_size = 16", "batch_size = 8"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_checkpoint_that_of_the_epoch_before_is_read(cut, tmp_path, damage):
    path, sound = cut[0] / checkpoint.FILE, shutil.copytree(cut[0], tmp_path / "sound")
    shutil.copy(sound / checkpoint.BEFORE, sound / checkpoint.FILE)
    expected = checkpoint.read(sound, Heard())
    DAMAGES[damage](path)
    heard = Heard()
    found = checkpoint.read(cut[0], heard)
    (said,) = [note for note in heard.notes if str(path) in note]
    assert "after epoch 1" in said and "before.npz" in said
    assert ("missing" if damage == "gone" else "damaged") in said
    assert found.state == expected.state and found.state.epoch == 1
    for name in ("weights", "optimizer", "best"):
        pairs = zip(getattr(found, name), getattr(expected, name), strict=True)
        assert all((one == other).all() for one, other in pairs), name


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_a_damaged_checkpoint_costs_one_epoch(cut, resumed, damage):
    path = cut[0] / checkpoint.FILE
    DAMAGES[damage](path)
    notes, predictions = resumed()
    assert [note for note in notes if str(path) in note]
    assert predictions == (cut[0].parent / "whole" / "predictions.csv").read_bytes()


def test_the_checkpoint_of_the_epoch_before_takes_the_place_of_a_damaged_one(cut):
    path, before = cut[0] / checkpoint.FILE, cut[0] / checkpoint.BEFORE
    content = before.read_bytes()
    DAMAGES["truncated"](path)
    assert checkpoint.read(cut[0], Heard()).state.epoch == 1
    assert path.read_bytes() == content and not before.exists()


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped in the weights"])
def test_where_both_checkpoints_are_damaged_the_file_is_named(cut, resumed, damage):
    for name in (checkpoint.FILE, checkpoint.BEFORE):
        DAMAGES[damage](cut[0] / name)
    before = (cut[0] / checkpoint.FILE).read_bytes()
    with pytest.raises(InputError) as refused:
        resumed()
    assert str(refused.value).startswith(str(cut[0] / checkpoint.FILE))
    assert "fresh=True" in str(refused.value)
    assert (cut[0] / checkpoint.FILE).read_bytes() == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_goes_on_only_with_what_it_was_begun_with(cut, resumed, goes_on, change):
    """A patient that was trained on would be tested on, as one that nobody has seen."""
    path = cut[0] / change.partition(" ")[0]
    kept = path.read_bytes()
    CHANGES[change](path)
    with pytest.raises(CheckError, match=f"{path.name}: expected the file that this run was begun"):
        resumed()
    path.write_bytes(kept)
    goes_on()


def test_a_split_that_is_gone_is_named(cut, resumed):
    (cut[0] / "split.csv").unlink()
    with pytest.raises(InputError, match=r"split\.csv"):
        resumed()
    assert (cut[0] / checkpoint.FILE).exists()


def test_a_checkpoint_of_an_earlier_tfcnn_is_gone_on_with_and_that_is_said(cut, goes_on):
    path = cut[0] / checkpoint.FILE
    with np.load(path) as arrays:
        held = dict(arrays)
    state = json.loads(str(held["state"]))
    del state["sha256"]
    np.savez(path, **held | {"state": np.array(json.dumps(state))})
    notes = goes_on()
    assert any("cannot vouch for the split" in note for note in notes)


def test_no_checkpoint_is_left_of_a_finished_run(cut, resumed):
    resumed()
    assert not (cut[0] / "checkpoint").exists()


def test_a_done_that_says_nothing_is_none(cut, resumed):
    """A power cut leaves the name of a file that had not reached the disk, and nothing in it."""
    kept = shutil.copytree(cut[0] / "checkpoint", cut[0].parent / "kept")
    resumed()
    assert runs.state(cut[0]) == "finished"
    shutil.copytree(kept, cut[0] / "checkpoint")
    for content in (b"", b"\n", bytes(26)):
        (cut[0] / "DONE").write_bytes(content)
        assert runs.state(cut[0]) == "unfinished" and "cut" in runs.unfinished()
        assert "cut" not in runs.names()
        with pytest.raises(InputError, match="an unfinished one"):
            runs.open_run("cut")
    resumed()
    assert runs.state(cut[0]) == "finished"


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files")])
def test_a_checkpoint_that_cannot_be_read_now_is_not_given_up(cut, monkeypatch, error):
    """Such an error passes: the newest epoch is not lost to it."""
    before = (cut[0] / checkpoint.FILE).read_bytes()

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(type(error)):
        checkpoint.read(cut[0], Heard())
    assert (cut[0] / checkpoint.FILE).read_bytes() == before


def test_an_image_of_another_class_now_is_refused_by_name(make_tree, home):
    """Its row of the split is found by the file's name, which is as it was."""
    root = make_tree(groups=8)
    for path in (root / "square").iterdir():
        path.rename(path.with_name(path.name.replace("_", "_s")))
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=SETTINGS, run="cut", reporter=Cut())
    moved = (root / "round" / "P0_0.png").rename(root / "square" / "P0_0.png")
    with pytest.raises(CheckError, match=r"P0_0\.png: expected its class and group as they were"):
        tfcnn.train(root, run="cut", resume=True)
    moved.rename(root / "round" / "P0_0.png")
    with pytest.raises(KeyboardInterrupt):  # it goes on
        tfcnn.train(root, run="cut", resume=True, reporter=Cut())


def test_the_scale_of_a_loss_in_float16_is_restored():
    """Its optimizer is built already: built again, it would have more variables than were saved."""

    def compiled(scale):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        inner = keras.optimizers.SGD(0.1, momentum=0.9)
        model.compile(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=scale))
        model.optimizer.build(model.trainable_variables)
        return model

    saved, model = compiled(8.0), compiled(2.0)
    values = [variable.numpy() for variable in saved.optimizer.variables]
    start = checkpoint.Start(weights=tuple(saved.get_weights()), optimizer=tuple(values))
    checkpoint.restore(start, model, checkpoint.Stopping(0, 1, best_weights=True))
    assert float(model.optimizer.dynamic_scale.numpy()) == 8
    np.testing.assert_array_equal(model.get_weights()[0], saved.get_weights()[0])


def test_dropout_draws_by_seed_epoch_and_layer():
    layers = [keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((2,)), *layers])

    def states(seed, epoch):
        callback = checkpoint.SeedEpochs(seed)
        callback.set_model(model)
        callback.on_epoch_begin(epoch)
        return [tuple(layer.seed_generator.state.numpy().tolist()) for layer in layers]

    drawn = [state for seed in (0, 1) for epoch in (0, 1) for state in states(seed, epoch)]
    assert len(set(drawn)) == 8 and states(0, 0) == drawn[:2]
