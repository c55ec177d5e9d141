"""Keras' ImageDataGenerator: as an input pipeline, and translated into our own.

Its arguments can be said in a recipe's `[inputs.generator]` and done by either pipeline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import _arguments, _traps, augment, geometry
from tfcnn.recipes import Augment

__all__ = ["Translation", "arguments_for", "training", "translate"]

CODE = '''\
{comments}
import numpy as np

from tfcnn.inputs import tfdata
from tfcnn.recipes import Augment

augment = Augment({settings})


def training_batches(images, labels, *, batch_size=32, seed=0, epochs=1):
    """Return a tf.data.Dataset of float32 images in [0, 255] and int32 labels.

    images: (images, height, width, 1 or 3) in [0, 255]; labels: (images,), whole numbers.
    """
    labels = np.asarray(labels, np.int32).reshape(len(images))
    rows = np.arange(len(images))
    return tfdata.training(
        images, labels, rows, augment,
        batch_size=batch_size, seed=seed, first_epoch=0, epochs=epochs,
    )
'''


@dataclass(frozen=True)
class Translation:
    """What a call of ImageDataGenerator is in tfcnn.

    Calling it changes images; printing it gives the Python that does, and the recipe's lines.

    Attributes:
        augment: the same changes as settings of a recipe.
        toml: the lines of a recipe.
        code: Python that makes a `tf.data` pipeline of them.
        warnings: which ranges leave nothing to learn from, and what was probably meant.
    """

    augment: Augment
    toml: str
    code: str
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.code

    def __call__(
        self,
        images: npt.NDArray[Any],
        seed: int = 0,
        epoch: int = 0,
        indices: npt.ArrayLike | None = None,
    ) -> npt.NDArray[np.float32]:
        """Change images as in training.

        Args:
            images: `(batch, height, width, 1 or 3)` in [0, 255], of any type of number.
            seed: with the epoch and the image's number it fixes every draw.
            epoch: counted from 0.
            indices: the images' numbers in the data set; 0, 1, 2 ... if not given.

        Returns:
            float32 of the same shape, in [0, 255].

        Raises:
            InputError: if the images have another shape, or the indices another number.
        """
        from tfcnn.inputs import tfdata

        images = np.asarray(images)
        tfdata.check_images(images)
        batch, height, width, channels = images.shape
        numbers = np.arange(batch) if indices is None else np.asarray(indices, np.int64)
        if numbers.shape != (batch,):
            received = f"shape {numbers.shape}"
            raise InputError("indices", f"{batch} numbers, one per image", received, "range(...)")
        drawn = augment.draw(self.augment, (height, width, channels), seed, epoch, numbers)
        done = augment.compose(self.augment, (height, width, channels), drawn)
        turned = geometry.dihedral_batch(images, np.arange(batch), done.turns, done.flipped)
        changed = augment.change(turned, done.matrices, done.colours, self.augment)
        return np.asarray(changed)

    apply = __call__


def translate(**image_data_generator_arguments: Any) -> Translation:
    """Translate a call of Keras' ImageDataGenerator.

    Supported: `rotation_range`, `width_shift_range`, `height_shift_range`, `shear_range`,
    `zoom_range`, `horizontal_flip`, `vertical_flip`, `fill_mode`, `cval`, `brightness_range`,
    `channel_shift_range`; `rescale=1/255`, which is the first layer of every network here;
    `data_format="channels_last"`, `dtype="float32"` and `validation_split`, which change no
    image. All with the meaning they have in Keras 3; where that is hardly what was meant, such as
    a brightness of `[-0.2, 0.2]`, which blackens, the printed code says so, and `warnings` does.

    Raises:
        InputError: naming an argument that is unknown, has a wrong value, or cannot be had:
            `preprocessing_function`, `zca_whitening`, `featurewise_*`, `samplewise_*`.

    Example:
        >>> print(translate(rotation_range=20, horizontal_flip=True).toml)
        [inputs.augment]
        flip_horizontal = true
        rotation_degrees = 20.0
        like_keras = true
    """
    checked = _arguments.checked(image_data_generator_arguments)
    settings, faults = _augment(checked), _traps.destructive(checked)
    # without the settings left at their defaults
    chosen = settings.model_dump(exclude_defaults=True)
    toml = "\n".join(
        ["[inputs.augment]", *(f"{key} = {_toml(value)}" for key, value in chosen.items())]
    )
    call = ", ".join(f"{key}={value!r}" for key, value in image_data_generator_arguments.items())
    comments = [
        f"The tf.data equivalent of ImageDataGenerator({' '.join(call.split())})",
        *(f"WARNING: {fault}" for fault in faults),
        *_traps.misread_units(checked),
        *_arguments.notes(image_data_generator_arguments),
        "In a recipe:",
        *("    " + line for line in toml.splitlines()),
    ]
    arguments = "".join(f"\n    {key}={value!r}," for key, value in chosen.items())
    code = CODE.format(
        comments="\n".join(f"# {line}" for line in comments),
        settings=f"{arguments}\n" if arguments else "",
    )
    return Translation(settings, toml, code, tuple(faults))


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _augment(checked: Mapping[str, Any]) -> Augment:
    """Return what checked arguments are as our settings."""
    brightness = checked["brightness_range"]
    return Augment(
        flip_horizontal=checked["horizontal_flip"],
        flip_vertical=checked["vertical_flip"],
        rotation_degrees=checked["rotation_range"],
        shift_height=checked["height_shift_range"],
        shift_width=checked["width_shift_range"],
        shear_degrees=checked["shear_range"],
        zoom=checked["zoom_range"],
        fill_mode=checked["fill_mode"],
        fill_value=checked["cval"],
        brightness=0.0 if brightness is None else brightness,
        channel_shift=checked["channel_shift_range"] / 255,
        like_keras=True,
    )


def arguments_for(settings: Augment) -> tuple[dict[str, Any], Augment]:
    """Return what ImageDataGenerator can do of our settings, and the settings left to us.

    Returns:
        Arguments of ImageDataGenerator, and the rest: `rotate90`, `contrast`, `channel_gain`.
    """
    shifts: tuple[float | tuple[float, ...], ...] = (settings.shift_height, settings.shift_width)
    if not settings.like_keras:  # the sign is random, but Keras takes (-3,) for shares of the side
        shifts = tuple(tuple(map(abs, one)) if isinstance(one, tuple) else one for one in shifts)
    along_height, along_width = shifts if settings.like_keras else shifts[::-1]
    brightness = settings.brightness
    if not isinstance(brightness, tuple):
        brightness = (1 - brightness, 1 + brightness)
    arguments = {
        "horizontal_flip": settings.flip_horizontal,
        "vertical_flip": settings.flip_vertical,
        "rotation_range": settings.rotation_degrees,
        "height_shift_range": along_height,
        "width_shift_range": along_width,
        "shear_range": settings.shear_degrees,
        "zoom_range": settings.zoom,
        "fill_mode": settings.fill_mode,
        "cval": settings.fill_value,
        "brightness_range": brightness if settings.brightness else None,
        "channel_shift_range": settings.channel_shift * 255,
    }
    ours = {key: getattr(settings, key) for key in ("rotate90", "contrast", "channel_gain")}
    return arguments, Augment(**ours)


def training(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    arguments: Mapping[str, Any],
    *,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    settings: Augment | None = None,
) -> Any:
    """Return all training batches, changed by Keras' own ImageDataGenerator.

    The same images in the same order as `tfdata.training`; Keras' draws are seeded per image by
    (seed, epoch, image's number). Its own iterators are not used: they have a state that a
    resume would lose, and kept a process alive long after training.

    Args:
        images: see `tfdata.training`, like all that is not named here.
        labels: int32 `(images,)`.
        rows: int64 `(count,)`.
        arguments: of ImageDataGenerator; see `translate`.
        batch_size: images per step.
        seed: of the run.
        first_epoch: the epoch to start with.
        epochs: the epoch to stop before.
        settings: further changes, done by us: what ImageDataGenerator has no argument for.

    Raises:
        InputError: as `translate` does.
    """
    from tfcnn.inputs import tfdata

    return tfdata.training(
        images, labels, rows, settings or Augment(), batch_size=batch_size, seed=seed,
        first_epoch=first_epoch, epochs=epochs, transform=_Keras(arguments, seed),
    )  # fmt: skip


class _Keras:
    """Changes the images of a batch with ImageDataGenerator, from one seed per image."""

    def __init__(self, arguments: Mapping[str, Any], seed: int) -> None:
        import tensorflow as tf

        self.seed = seed
        self.generator = tf.keras.preprocessing.image.ImageDataGenerator(
            data_format="channels_last", dtype="float32", **_arguments.checked(arguments)
        )

    def __call__(
        self, images: Pixels, epoch: int, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        column = augment.KINDS.index("generator")
        drawn = augment.uniforms(self.seed, epoch, indices, len(augment.KINDS))[:, column]
        seeds = (drawn * 2**32).astype(np.int64)
        parameters = self._parameters(images.shape[1:], seeds.tolist())
        batch = images.astype(np.float32)
        for i, chosen in enumerate(parameters):
            changed = self.generator.apply_transform(batch[i], chosen)
            batch[i] = self.generator.standardize(changed)
        return batch

    def _parameters(self, shape: tuple[int, ...], seeds: list[int]) -> list[dict[str, Any]]:
        """Draw what `random_transform(image, seed)` would.

        Keras seeds NumPy's global generator, which every thread of the process shares; its code
        is given one of its own instead, so that neither can disturb the other.
        """
        random = np.random.RandomState(0)
        numpy = SimpleNamespace(**{**vars(np), "random": random})
        keras = type(self.generator).get_random_transform
        draw = FunctionType(keras.__code__, {**keras.__globals__, "np": numpy})
        return [draw(self.generator, shape, seed) for seed in seeds]
