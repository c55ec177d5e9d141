"""Keras' ImageDataGenerator: as a part of an input pipeline, and translated into `Augment`.

A recipe's `[inputs.generator]` holds its arguments; either pipeline can carry them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment, geometry, keras_arguments
from tfcnn.recipes import Augment

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

    Calling it changes images. Printing it gives Python code that does the same, and the lines of a
    recipe.

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
        shape = (height, width, channels)
        changes = augment.drawn(self.augment, shape, seed, epoch, numbers)
        turned = geometry.dihedral_batch(images, np.arange(batch), changes.turns, changes.flipped)
        return np.asarray(augment.change(turned, changes.matrices, changes.colours, self.augment))


def translate(**image_data_generator_arguments: Any) -> Translation:
    """Translate a call of Keras' ImageDataGenerator.

    Supported: `rotation_range`, `width_shift_range`, `height_shift_range`, `shear_range`,
    `zoom_range`, `horizontal_flip`, `vertical_flip`, `fill_mode`, `cval`, `brightness_range`,
    `channel_shift_range`; `rescale=1/255`, which is the first layer of every network here;
    `data_format="channels_last"`, `dtype="float32"` and `validation_split`, which change no
    image. All of them mean what they mean in Keras 3. A range that spoils images, such as a
    brightness of `[-0.2, 0.2]`, is named in `warnings` and in the printed code.

    Raises:
        InputError: naming an argument that is unknown, has a wrong value, or is refused:
            `preprocessing_function`, `zca_whitening`, `featurewise_*`, `samplewise_*`.

    Example:
        >>> print(translate(rotation_range=20, horizontal_flip=True).toml)
        [inputs.augment]
        flip_horizontal = true
        rotation_degrees = 20.0
        like_keras = true
    """
    arguments = keras_arguments.normalize(image_data_generator_arguments)
    settings, warnings = _as_augment(arguments), keras_arguments.warnings(arguments)
    chosen = settings.model_dump(exclude_defaults=True)
    toml = "\n".join(
        ["[inputs.augment]", *(f"{key} = {_toml(value)}" for key, value in chosen.items())]
    )
    call = ", ".join(f"{key}={value!r}" for key, value in image_data_generator_arguments.items())
    comments = [
        f"The tf.data equivalent of ImageDataGenerator({' '.join(call.split())})",
        *(f"WARNING: {warning}" for warning in warnings),
        *keras_arguments.unit_notes(arguments),
        *keras_arguments.notes(image_data_generator_arguments),
        "In a recipe:",
        *("    " + line for line in toml.splitlines()),
    ]
    lines = "".join(f"\n    {key}={value!r}," for key, value in chosen.items())
    code = CODE.format(
        comments="\n".join(f"# {line}" for line in comments),
        settings=f"{lines}\n" if lines else "",
    )
    return Translation(settings, toml, code, tuple(warnings))


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _as_augment(arguments: Mapping[str, Any]) -> Augment:
    """Return arguments from `keras_arguments.normalize` as settings of tfcnn."""
    brightness = arguments["brightness_range"]
    return Augment(
        flip_horizontal=arguments["horizontal_flip"],
        flip_vertical=arguments["vertical_flip"],
        rotation_degrees=arguments["rotation_range"],
        shift_height=arguments["height_shift_range"],
        shift_width=arguments["width_shift_range"],
        shear_degrees=arguments["shear_range"],
        zoom=arguments["zoom_range"],
        fill_mode=arguments["fill_mode"],
        fill_value=arguments["cval"],
        brightness=0.0 if brightness is None else brightness,
        channel_shift=arguments["channel_shift_range"] / 255,
        like_keras=True,
    )


def arguments_for(settings: Augment) -> tuple[dict[str, Any], Augment]:
    """Return the arguments of ImageDataGenerator for these settings, and the settings without one.

    Returns:
        Arguments of ImageDataGenerator, and settings for what it cannot do: `rotate90`, `contrast`
        and `channel_gain`.
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


class KerasTransform:
    """Changes the images of a batch with ImageDataGenerator, from one seed per image.

    Keras' own iterators are not used. They have a state that a resume would lose, and they keep a
    process alive long after training.
    """

    def __init__(self, arguments: Mapping[str, Any], seed: int) -> None:
        import tensorflow as tf

        self.seed = seed
        self.arguments = keras_arguments.normalize(arguments)
        self.generator = tf.keras.preprocessing.image.ImageDataGenerator(
            data_format="channels_last", dtype="float32", **self.arguments
        )

    def __call__(
        self, images: Pixels, epoch: int, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Return float32 images; image `i` depends on the seed, the epoch and `indices[i]` only."""
        column = augment.KINDS.index("generator")
        uniforms = augment.uniforms(self.seed, epoch, indices, len(augment.KINDS))[:, column]
        batch = images.astype(np.float32)
        for i, image_seed in enumerate((uniforms * 2**32).astype(np.int64).tolist()):
            parameters = _random_transform(self.arguments, images.shape[1:], image_seed)
            batch[i] = self.generator.apply_transform(batch[i], parameters)
        return batch


def _random_transform(
    arguments: Mapping[str, Any], shape: tuple[int, ...], seed: int
) -> dict[str, Any]:
    """Return what `ImageDataGenerator.get_random_transform(shape, seed)` returns.

    Keras seeds NumPy's global generator, which all threads of a process share. The same numbers
    are drawn here, in the same order, from a generator of its own.

    Reference:
        `get_random_transform` in keras/src/legacy/preprocessing/image.py, Keras 3.15.
    """
    random = np.random.RandomState(seed)

    def symmetric(size: float) -> float:
        return random.uniform(-size, size) if size else 0.0

    def shift(setting: float | tuple[float, ...], side: int) -> float:
        if not isinstance(setting, tuple):
            return symmetric(setting) * (side if setting < 1 else 1)
        pixels: float = random.choice(setting) * random.choice([-1, 1])
        return pixels * (side if max(setting) < 1 else 1)

    parameters: dict[str, Any] = {
        "theta": symmetric(arguments["rotation_range"]),
        "tx": shift(arguments["height_shift_range"], shape[0]),
        "ty": shift(arguments["width_shift_range"], shape[1]),
        "shear": symmetric(arguments["shear_range"]),
    }
    low, high = arguments["zoom_range"]
    is_zoomed = (low, high) != (1, 1)
    parameters["zx"], parameters["zy"] = random.uniform(low, high, 2) if is_zoomed else (1, 1)
    for side in ("horizontal", "vertical"):
        parameters[f"flip_{side}"] = (random.random() < 0.5) and arguments[f"{side}_flip"]
    if arguments["channel_shift_range"]:
        parameters["channel_shift_intensity"] = symmetric(arguments["channel_shift_range"])
    if arguments["brightness_range"] is not None:
        parameters["brightness"] = random.uniform(*arguments["brightness_range"])
    return parameters
