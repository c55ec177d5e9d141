"""Which of the two pipelines makes the training batches, as a recipe's `[inputs]` says."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment, generator
from tfcnn.recipes import Augment, InputSettings

if TYPE_CHECKING:
    from tfcnn.inputs.resident import Resident
    from tfcnn.inputs.tfdata import Epochs, Share, Transform


def check(settings: InputSettings, image_size: tuple[int, int]) -> None:
    """Refuse settings that cannot be carried out, before any work is done.

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
    """Return in words what is done to training images, by `augment` or by `generator`."""
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
    seed: int,
    alpha: float = 0.0,
    share: "Share | None" = None,
    **numbers: int,
) -> Any:
    """Return all training batches, as `tfdata.training` does, changed by the recipe's pipeline.

    Both pipelines translate, so that each takes the recipe's `augment` as well as its `generator`.

    Args:
        settings: the recipe's `[inputs]`.
        images: as all that follows, see `tfdata.training`.
        labels: int32 `(images,)`.
        rows: int64 `(count,)`.
        seed: of the run.
        alpha: of mixup, `train.mixup`.
        share: of every batch that this process takes; all of it if None.
        numbers: `batch_size`, `first_epoch`, `epochs`, and `num_classes` where images are mixed.
    """
    from tfcnn.inputs import tfdata

    changes, transform = _changes(settings, seed)
    return tfdata.training(
        images, labels, rows, changes,
        seed=seed, transform=transform, alpha=alpha, share=share or tfdata.WHOLE, **numbers,
    )  # fmt: skip


def resident(
    settings: InputSettings, images: Pixels, rows: npt.NDArray[np.int64], device: str
) -> "Resident":
    """Return images on a device, which is told how to change them; not for ImageDataGenerator.

    Args:
        settings: the recipe's `[inputs]`.
        images: as all that follows, see `resident.Resident`.
        rows: int64 `(count,)`.
        device: its name in TensorFlow.
    """
    from tfcnn.inputs.resident import Resident

    return Resident(images, rows, _augment(settings), device)


def epoch_by_epoch(
    settings: InputSettings,
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    counted: "Epochs",
    *,
    seed: int,
    batch_size: int,
) -> Any:
    """Return the training batches of one epoch, as `tfdata.epoch_by_epoch` does; see `training`."""
    from tfcnn.inputs import tfdata

    changes, transform = _changes(settings, seed)
    return tfdata.epoch_by_epoch(
        images, labels, rows, changes, counted,
        batch_size=batch_size, seed=seed, transform=transform,
    )  # fmt: skip


def _changes(settings: InputSettings, seed: int) -> tuple[Augment, "Transform | None"]:
    """Return how images are changed by `augment`, and by ImageDataGenerator."""
    changes = _augment(settings)
    if settings.pipeline != "generator":
        return changes, None
    arguments, changes = generator.arguments_for(changes)
    return changes, generator.KerasTransform(arguments, seed)


def _augment(settings: InputSettings) -> Augment:
    if settings.generator:
        return generator.translate(**settings.generator).augment
    return settings.augment
