"""Keras' callbacks in a training: those with a state, over a cut, and those of a user."""

import csv
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import QUICK, Heard, recipe_of, write_tree

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.recipes import TrainSettings
from tfcnn.training import crossval, learn
from tfcnn.training.callbacks import Plateau
from tfcnn.training.checkpoint import Start

SETTINGS = (
    *QUICK, "data.group_regex='^(P[0-9]+)_'", "model.network=mlp", "train.optimizer=sgd",
    "train.learning_rate=0.01", "train.schedule=constant", "train.label_smoothing=0",
    "evaluation.calibrate=false",
)  # fmt: skip
WHOLE = {
    # the rate is so low that val is at a plateau from the first epoch on
    "plateau, averages": (
        "train.schedule=reduce_on_plateau", "train.plateau_patience=2", "train.warmup_epochs=0.5",
        "train.learning_rate=1e-7", "train.ema=0.6", "train.best_weights=false",
    ),
    "all else": (
        "train.schedule=cosine", "train.warmup_epochs=1.5", "train.ema=0.6", "train.mixup=0.4",
        "train.clip_norm=0.5", "train.loss=focal", "train.class_weights={round = 2.0}",
        "train.optimizer=adamw",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("callbacks") / "shapes", groups=8)


class Cut(Heard):
    """Ends a training in its third epoch: the checkpoints of two are there."""

    def epoch(self, epoch, epochs, logs):
        if epoch == 3:
            raise KeyboardInterrupt


class Recorder(keras.callbacks.Callback):
    """Keeps the weights of every step and the epochs, and may stop or break the training."""

    def __init__(self, stop_at=None, break_at=None):
        super().__init__()
        self.stop_at, self.break_at = stop_at, break_at
        self.weights, self.epochs, self.begun = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))
        if epoch == self.break_at:
            raise ValueError("of the user's own code")
        if epoch == self.stop_at:
            self.model.stop_training = True


class Spoiler(keras.callbacks.Callback):
    """Turns the weights around, so that the third epoch is the worst."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([-one for one in self.model.get_weights()])


def weights_of(run):
    return keras.saving.load_model(run.path / "model.keras").get_weights()


def val_loss(run):
    """Return the loss of val by the answers of the saved model."""
    rows = [row for row in run.predictions if row["split"] == "val"]
    return -np.mean([np.log(float(row[f"prob_{row['label']}"])) for row in rows])


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_training_goes_on_to_the_same_weights(root, name):
    settings = [*SETTINGS, *WHOLE[name]]
    whole = tfcnn.train(root, settings=settings, run="whole")
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=settings, run="cut", reporter=Cut())
    resumed = tfcnn.train(root, run="cut", resume=True)
    for one, other in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    for column in ("loss", "val_loss", "learning_rate"):
        assert whole.history[column] == resumed.history[column], column
    if "plateau" in name:  # in the third epoch the second has passed without a better val
        rates = np.array(whole.history["learning_rate"])
        np.testing.assert_allclose(rates, [1e-7, 1e-7, 1e-7, 5e-8], rtol=1e-5)


def test_averaged_weights_are_what_is_validated_and_saved(root):
    """Also where a training ends early, where Keras' own callback leaves others."""
    settings = [*SETTINGS, "train.ema=0.6", "train.best_weights=false"]
    recorder = Recorder(stop_at=1)
    run = tfcnn.train(root, settings=settings, callbacks=[recorder])
    average = recorder.weights[0]
    for step in recorder.weights[1:]:
        average = [0.6 * one + 0.4 * other for one, other in zip(average, step, strict=True)]
    for found, expected in zip(weights_of(run), average, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(weights_of(run)[0] - recorder.weights[-1][0]).max() > 1e-4
    assert len(run.history["epoch"]) == 2
    assert val_loss(run) == pytest.approx(run.history["val_loss"][-1], abs=1e-5)


def test_the_best_weights_are_kept_where_a_callback_stops(root):
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=1)
    settings = [*SETTINGS, "train.best_weights=true"]
    run = tfcnn.train(root, settings=settings, callbacks=[Spoiler(), stopping])
    losses = run.history["val_loss"]
    assert len(losses) == 3 and losses[2] > losses[1]
    assert val_loss(run) == pytest.approx(min(losses), abs=1e-5)


def test_a_callback_gets_what_it_expects_and_an_error_of_it_is_its_own(root, tmp_path):
    broken, log = Recorder(break_at=2), tmp_path / "log.csv"
    logging = keras.callbacks.CSVLogger(log, append=True)
    with pytest.raises(ValueError, match="of the user's own code") as error:
        tfcnn.train(root, settings=SETTINGS, run="own", callbacks=[logging, broken])
    assert "resume=True" in error.value.__notes__[0]
    assert runs.state(runs.folder_of("own")) == "unfinished"
    assert broken.params["epochs"] == 4 and broken.params["steps"] == len(broken.weights) / 3
    logs = broken.epochs[0][1]
    assert logs["accuracy"] == logs["sparse_categorical_accuracy"]
    assert {"loss", "val_loss", "val_accuracy", "learning_rate"} <= set(logs)
    sound = Recorder()
    run = tfcnn.train(root, run="own", resume=True, callbacks=[logging, sound])
    assert sound.begun == [2, 3]
    rows = list(csv.DictReader(log.open()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "2", "3"]
    assert [float(row["val_loss"]) for row in rows[2:][1:]] == run.history["val_loss"][2:]
    assert "accuracy" not in run.history
    whole = tfcnn.train(root, settings=SETTINGS, run="whole")
    names = [one.path / "predictions.csv" for one in (run, whole)]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (["csv"], "Keras' callbacks; received 'csv'; try callbacks="),
        ([keras.callbacks.SwapEMAWeights()], "received keras.callbacks.SwapEMAWeights; try train"),
    ],
)
def test_what_is_no_callback_is_refused(root, callbacks, message):
    with pytest.raises(InputError, match=message):
        tfcnn.train(root, settings=SETTINGS, callbacks=callbacks)
    assert runs.state(runs.folder_of("shapes")) == "absent"


def test_one_that_keeps_states_of_its_own_is_refused(root, tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(InputError, match=r"received keras.*BackupAndRestore; try leaving"):
        tfcnn.train(root, settings=SETTINGS, callbacks=[backup])


def test_a_linear_model_calls_none_and_that_is_said(monkeypatch):
    heard, recipe = Heard(), recipe_of("cells", channels=3)
    frozen = recipe.model_copy(
        update={"model": recipe.model.model_copy(update={"start": "frozen"})}
    )
    monkeypatch.setattr(learn.frozen, "fit", lambda *_: "trained")
    begun = learn.Begun(
        SimpleNamespace(recipe=frozen, place="frozen", is_chief=True), Start(), None, [Recorder()]
    )
    assert learn.learn(begun, None, None, heard) == "trained"
    assert heard.notes == ["callbacks: none is called for a linear model, which has no epochs"]


def test_each_fold_has_callbacks_of_its_own(root, monkeypatch):
    made, given = {}, []

    def of(fold):
        made[fold] = [Recorder()]
        return made[fold]

    def begin(*_, callbacks, **__):
        given.append(callbacks)
        raise KeyboardInterrupt

    monkeypatch.setattr(crossval, "train", begin)
    with pytest.raises(KeyboardInterrupt):
        tfcnn.crossval(root, folds=2, settings=SETTINGS, callbacks=of)
    assert list(made) == ["fold-0"] and given == [made["fold-0"]]
    with pytest.raises(InputError, match="callbacks: expected a function or None"):
        tfcnn.crossval(root, folds=2, settings=SETTINGS, run="other", callbacks=[Recorder()])


def test_a_plateau_during_the_warm_up_does_not_count():
    """Three steps an epoch, four of them warm up: the first epoch is not compared with."""
    settings = TrainSettings(
        schedule="reduce_on_plateau", plateau_patience=1, warmup_epochs=4 / 3,
        learning_rate=0.1, optimizer="sgd",
    )  # fmt: skip
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    plateau = Plateau(settings, 3, first_epoch=5)
    plateau.set_model(model)
    plateau.on_train_begin()
    rates = []
    for epoch in range(5, 9):
        plateau.on_epoch_begin(epoch)
        for batch in range(3):
            plateau.on_train_batch_begin(batch)
            rates.append(float(model.optimizer.learning_rate.numpy()))
        plateau.on_epoch_end(epoch, {"val_loss": 0.1 if epoch == 5 else 1.0})
    expected = [0, 0.025, 0.05, 0.075, *[0.1] * 5, 0.05, 0.05, 0.05]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
