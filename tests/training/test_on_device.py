"""A training whose steps make their batches: the figures of one that is given them."""

import csv
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import NARROW, Heard

import tfcnn
from tfcnn.inputs.resident import Resident
from tfcnn.recipes import Augment, TrainSettings
from tfcnn.training import on_device

GROUPED = (*NARROW, "data.group_regex='^(P[0-9]+)_'", "train.epochs=3", "train.batch_size=8")
KINDS = {
    "as it is": (),
    "mixed and weighted": ("train.mixup=0.3", "train.class_weights=balanced"),
    "watched at each step": ("train.schedule=reduce_on_plateau", "train.warmup_epochs=1"),
}


class Cut(Heard):
    """Ends a training at the end of its second epoch."""

    def epoch(self, epoch, epochs, logs):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.fixture
def on_processor(monkeypatch):
    """A function after whose call images stay on the processor, as on a GPU."""
    return lambda: monkeypatch.setattr(
        on_device, "device_for", lambda images, count: "/device:CPU:0"
    )


def history(run):
    with (run.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figures = ("loss", "sparse_categorical_accuracy", "val_loss", "learning_rate")
    return np.array([[float(row[name]) for name in figures] for row in rows])


def probs(run):
    with (run.path / "predictions.csv").open(newline="") as file:
        return np.array([float(row["prob_round"]) for row in csv.DictReader(file)])


@pytest.mark.parametrize("kind", KINDS)
def test_both_trainings_are_one(make_tree, on_processor, kind):
    root, settings = make_tree(groups=10), (*GROUPED, *KINDS[kind])
    given, heard = tfcnn.train(root, settings=settings, run="given"), Heard()
    on_processor()
    made = tfcnn.train(root, settings=settings, run="made", reporter=heard)
    assert any("images stay on CPU:0" in note for note in heard.notes)
    np.testing.assert_allclose(history(made), history(given), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(probs(made), probs(given), atol=1e-3)


def test_a_cut_training_goes_on_to_the_same_figures(make_tree, on_processor):
    root = make_tree(groups=10)
    on_processor()
    whole = tfcnn.train(root, settings=GROUPED, run="whole")
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=GROUPED, run="cut", reporter=Cut())
    resumed = tfcnn.train(root, run="cut", resume=True)
    np.testing.assert_allclose(history(resumed), history(whole), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("setting", ["inputs.pipeline=generator", "train.strategy=mirrored"])
def test_batches_are_given_where_the_model_cannot_make_them(make_tree, on_processor, setting):
    heard = Heard()
    on_processor()
    settings = (*GROUPED, setting, "train.epochs=1")
    tfcnn.train(make_tree(groups=6), settings=settings, reporter=heard)
    assert not any("stay on" in note for note in heard.notes)


def test_a_full_card_is_said_and_trains_as_before(make_tree, on_processor, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    heard = Heard()
    on_processor()
    monkeypatch.setattr(on_device.pipeline, "resident", full)
    run = tfcnn.train(make_tree(groups=6), settings=(*GROUPED, "train.epochs=1"), reporter=heard)
    assert "images do not fit on CPU:0: they come in batches" in heard.notes
    assert len(history(run)) == 1


class Looks(keras.callbacks.Callback):
    """Hands images to the model that trains."""

    def on_epoch_end(self, epoch, logs=None):
        images, labels = np.zeros((4, 32, 32, 3), np.float32), np.zeros(4, np.int32)
        self.loss = self.model.evaluate(images, labels, verbose=0)
        self.model.test_on_batch(images, labels)


def test_a_callback_may_hand_images_to_the_model_and_nothing_holds_them_afterwards(
    make_tree, on_processor, monkeypatch
):
    kept, made = [], on_device.pipeline.resident

    def noted(*arguments):
        there = made(*arguments)
        kept.append(weakref.ref(there._images))
        return there

    on_processor()
    monkeypatch.setattr(on_device.pipeline, "resident", noted)
    looks = Looks()
    tfcnn.train(make_tree(groups=6), settings=(*GROUPED, "train.epochs=1"), callbacks=[looks])
    assert np.isfinite(looks.loss).all()
    gc.collect()
    assert [image() for image in kept] == [None], "a card would fill, training after training"


@pytest.mark.parametrize(("steps", "expected"), [(1, 1), (7, 7), (64, 32), (66, 22), (37, 1)])
def test_steps_together_divide_an_epoch(steps, expected):
    train = TrainSettings()
    assert on_device.steps_together(train, steps, is_watched=False) == expected
    assert on_device.steps_together(train, steps, is_watched=True) == 1
    falling = train.model_copy(update={"schedule": "reduce_on_plateau", "warmup_epochs": 1})
    assert on_device.steps_together(falling, steps, is_watched=False) == 1


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_model_takes_images_again_whatever_happens(jit_compile):
    """What XLA compiles is the step without the batch, and nothing of it is left behind."""
    images = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4, 1)
    labels, rows = np.tile(np.array([0, 1], np.int32), 4), np.arange(8)
    there = Resident(images, rows, Augment(rotation_degrees=20), "CPU:0")
    batches = there.training(labels, rows, batch_size=4, seed=0, first_epoch=0, epochs=2)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=jit_compile)
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()[0]
    with pytest.raises(ZeroDivisionError), on_device.loading(model, there, 2):
        model.fit(batches, epochs=2, steps_per_epoch=2, shuffle=False, verbose=0)
        assert not np.array_equal(model.get_weights()[0], before), "it learns"
        raise ZeroDivisionError
    assert (model.jit_compile, model.steps_per_execution) == (jit_compile, 1)
    plain = tf.cast(images, tf.float32)
    model.fit(plain, labels, verbose=0)
    assert np.isfinite(model.evaluate(plain, labels, verbose=0))
