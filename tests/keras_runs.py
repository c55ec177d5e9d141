"""Runs made of a small Keras model with random weights, without images."""

from pathlib import Path
from typing import Any

import keras
from paper_runs import make_run

from tfcnn import runs
from tfcnn.runs import Run


def make_model(shape: tuple[int, int, int], units: int) -> Any:
    """A network of a convolution, a dense layer and a steep head; one unit is a sigmoid."""
    keras.utils.set_random_seed(1)
    activation = "sigmoid" if units == 1 else "softmax"
    layers, steep = keras.layers, keras.initializers.RandomNormal(stddev=9)
    return keras.Sequential(
        [
            keras.Input(shape, name="image"),
            layers.Rescaling(1 / 255, name="rescale"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(16, activation="gelu"),  # of which TensorFlow makes an Erfc
            layers.Dense(units, activation, kernel_initializer=steep, name="head"),
        ]
    )  # fmt: skip


def write_run(folder: Path, model: Any, num_classes: int, **changes: Any) -> Run:
    """Write a model and a card for it, and open the run."""
    folder.mkdir(parents=True)
    model.save(folder / runs.MODEL)
    height, width, channels = model.input_shape[1:]
    decoder = {"image_size": [height, width], "channels": channels, "fit": "stretch"}
    changes = {"decoder": decoder, "sha256": {}, **changes}
    made = make_run(folder, num_classes, domain=False, **changes)
    runs.write_card(made.recorded(runs.MODEL))
    (folder / runs.DONE).write_text("2026-11-28\n")
    return runs.read(folder)
