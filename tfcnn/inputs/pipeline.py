"""Which of the two pipelines makes the training batches, as a recipe's `[inputs]` says."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment, generator
from tfcnn.recipes import Augment, InputSettings

__all__ = ["check", "describe", "training", "warnings"]


def check(settings: InputSettings, image_size: tuple[int, int]) -> None:
    """Refuse settings that cannot be had, before any work is done.

    Args:
        settings: the recipe's `[inputs]`.
        image_size: `(height, width)` in px.

    Raises:
        InputError: naming the key or argument.
    """
    changes = _augment(settings)
    augment.check(changes, image_size)
    for key in ("flip_horizontal", "flip_vertical"):
        if settings.pipeline == "generator" and getattr(changes, key) == "alternating":
            raise InputError(
                f"inputs.augment.{key}", "true or false for ImageDataGenerator", "'alternating'",
                "true, or inputs.pipeline=tfdata",
            )  # fmt: skip


def describe(settings: InputSettings) -> str:
    """Say in words what is done to training images, whichever way it was asked for."""
    return augment.describe(_augment(settings))


def warnings(settings: InputSettings) -> tuple[str, ...]:
    """Return which of ImageDataGenerator's ranges leave nothing to learn from, and why."""
    return generator.translate(**settings.generator).warnings if settings.generator else ()


def training(
    settings: InputSettings,
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    *,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
) -> Any:
    """Return all training batches from `first_epoch` on; see `tfdata.training`.

    Both pipelines take the recipe's `augment` as well as its `generator`, and translate.
    """
    from tfcnn.inputs import tfdata

    changes = _augment(settings)
    if settings.pipeline == "generator":
        arguments, ours = generator.arguments_for(changes)
        return generator.training(
            images, labels, rows, arguments, batch_size=batch_size, seed=seed,
            first_epoch=first_epoch, epochs=epochs, settings=ours,
        )  # fmt: skip
    return tfdata.training(
        images, labels, rows, changes, batch_size=batch_size, seed=seed,
        first_epoch=first_epoch, epochs=epochs,
    )  # fmt: skip


def _augment(settings: InputSettings) -> Augment:
    if settings.generator:
        return generator.translate(**settings.generator).augment
    return settings.augment
