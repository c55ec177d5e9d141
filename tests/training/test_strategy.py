"""On what a training runs: one device or several, and how it goes on there."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.training import checkpoint, form, strategy
from tfcnn.training.checkpoint import Start, State
from tfcnn.training.fit import compile_model, fit_epochs

SMALL = ("data.image_size=16", "model.options.widths=[8, 16]")


class Cut(Exception):
    """Ends a training in its second epoch, as a kill would."""


class Cutting(Reporter):
    def epoch(self, epoch, epochs, logs):
        if epoch == 2:
            raise Cut


def compiled(recipe, device):
    keras.utils.set_random_seed(0)
    with tf.distribute.MirroredStrategy([device]).scope():
        model = form.training_form(recipe.model, (16, 16, 3), 2, "float32")
    compile_model(model, recipe.train, 24)
    return model


@pytest.mark.parametrize("device", ["CPU:0", pytest.param("GPU:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    "schedule", [pytest.param("constant", marks=pytest.mark.slow), "one_cycle"]
)
def test_a_run_on_several_devices_goes_on_after_a_cut(tmp_path, schedule, device):
    settings = [f"train.schedule={schedule}", "train.epochs=2", "train.batch_size=8"]
    recipe = recipes.override(recipes.load("malaria"), [*settings, *SMALL])
    rng = np.random.default_rng(0)
    prepared = SimpleNamespace(
        images=rng.integers(0, 256, (32, 16, 16, 3), np.uint8),
        labels=np.arange(32, dtype=np.int32) % 2,
        rows={"train": np.arange(24), "val": np.arange(24, 32)},
        place="",
        team=None,
    )

    def fitted(folder, start, reporter):
        model = compiled(recipe, device)
        return fit_epochs(model, recipe, prepared, folder, start, reporter)

    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    start = Start(State(precision="float32"))
    whole = fitted(tmp_path / "whole", start, Reporter())
    start = Start(State(precision="float32"))
    with pytest.raises(Cut):
        fitted(tmp_path / "cut", start, Cutting())
    start = checkpoint.read(tmp_path / "cut", Reporter())
    assert start.state.epoch == 1
    resumed = fitted(tmp_path / "cut", start, Reporter())
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 if device == "CPU:0" else 1e-2)


def test_one_gpu_is_trained_on_as_it_is(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    assert not isinstance(strategy.choose(), tf.distribute.MirroredStrategy)


def test_mirrored_may_be_said_of_one_device():
    chosen = strategy.choose("mirrored")
    assert chosen is strategy.choose("mirrored"), "TensorFlow would count its sums anew"
    assert isinstance(chosen, tf.distribute.MirroredStrategy)
    assert chosen.num_replicas_in_sync == 1


@pytest.mark.parametrize(
    ("scaling", "count", "replicas", "size", "rate"),
    [
        ("none", 1000, 1, 128, 0.1),
        ("none", 1000, 4, 128, 0.1),
        ("none", 1000, 3, 126, 0.1),  # as many on each
        ("none", 50, 4, 48, 0.1),  # fewer images than a batch make one
        ("linear", 1000, 4, 512, 0.4),
        ("root", 1000, 4, 512, 0.2),
    ],
)
def test_a_step_is_spread_over_devices(scaling, count, replicas, size, rate):
    settings = ["train.learning_rate=0.1", "train.optimizer=sgd", "train.batch_size=128"]
    recipe = recipes.override(recipes.load("mnist"), [*settings, f"train.batch_scaling={scaling}"])
    spread = strategy.spread(recipe.train, count, replicas)
    assert spread.batch_size == size
    assert spread.learning_rate == pytest.approx(rate)


def test_more_devices_than_images_of_a_step_are_refused():
    train = recipes.load("mnist").train.model_copy(update={"batch_size": 3})
    with pytest.raises(InputError, match="there are devices, 4; received 3"):
        strategy.spread(train, 1000, 4)
