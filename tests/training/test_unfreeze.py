"""Which layers learn where a backbone is fine-tuned: the last ones, batch normalisation never."""

import keras
import pytest
from conftest import QUICK, recipe_of

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.recipes import override
from tfcnn.training import unfreeze, ways


@pytest.fixture
def model():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="conv1"),
            layers.BatchNormalization(name="norm"), layers.ReLU(),
            layers.Conv2D(2, 3, name="conv2"), layers.Flatten(), layers.Dense(4, name="dense"),
            layers.Dense(2, name="head"),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "learning"),
    [
        ("all", ["conv1", "conv2", "dense", "head"]),
        (0.5, ["dense", "head"]),
        (0.1, ["head"]),
        (1.0, ["head"]),
        (3, ["conv2", "dense", "head"]),
        (4, ["conv1", "conv2", "dense", "head"]),
    ],
)
def test_the_last_layers_learn(model, share, learning):
    unfreeze.last_layers(model, share)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == learning


def test_more_layers_than_there_are_is_refused(model):
    with pytest.raises(InputError, match="at most 4, the layers that have weights to learn; re"):
        unfreeze.last_layers(model, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.finetune_layers=0.5"], "finetune_layers: expected all, where nothing is fine-"),
        (
            ["model.start=finetune", "train.schedule=linear", "train.warmup_epochs=4"],
            "warmup_epochs: expected less than the 4 of train.finetune_epochs; received 4",
        ),
    ],
)
def test_settings_of_fine_tuning_have_something_to_be_of(settings, message):
    with pytest.raises(InputError, match=message):
        ways.allowed(override(recipe_of("cells"), settings))
    assert ways.allowed(override(recipe_of("cells"), [*settings, "train.finetune_epochs=5"][1:]))


@pytest.mark.slow
@pytest.mark.parametrize("start", ["frozen", "finetune"])
def test_the_whole_backbone_learns(make_tree, start):
    """With its own weights; `test_finetune.py` has its first blocks alone."""
    settings = [*QUICK[1:], f"model.start={start}", "train.finetune_learning_rate=0.0005"]
    run = tfcnn.train(make_tree(groups=8), settings=settings)
    assert run.report["agreement"]["twin_difference"] < 1e-4
    assert run.report["agreement"]["forms_mean_difference"] < 1e-3
