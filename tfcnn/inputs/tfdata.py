"""`tf.data` batches from the decoded array: training (shuffled, augmented) and in order."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment, geometry
from tfcnn.recipes import Augment

PREFETCH_BATCHES = 4
# in a deterministic run TensorFlow does not prefetch from a pipeline with stateful calls
call = partial(tf.numpy_function, stateful=False)
# no function here branches on a tensor, and TensorFlow's search for that takes most of a second
as_written = tf.autograph.experimental.do_not_convert
Transform = Callable[[Pixels, int, npt.NDArray[np.int64]], npt.NDArray[np.float32]]


def check_images(images: npt.NDArray[Any]) -> None:
    """Raise an InputError if images have not the shape `(images, height, width, 1 or 3)`."""
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(
            "images",
            "an array of shape (images, height, width, 1 or 3)",
            str(images.shape),
            "images[np.newaxis] for a single one, images[..., np.newaxis] for grey ones",
        )


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Return the number of batches of an epoch.

    Training drops the last, smaller batch, which gives NaN on several GPUs and a noisier step on
    one. It holds other images in every epoch. Fewer images than `batch_size` make one batch.
    """
    return max(1, count // batch_size)


def training(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    settings: Augment,
    *,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    transform: Transform | None = None,
) -> Any:
    """Return all training batches from `first_epoch` on, one epoch after the other.

    One dataset covers all epochs, so that nothing starts or ends between two of them. The number of
    a batch alone decides which images it holds and how they are changed.

    Args:
        images: `(images, height, width, 1 or 3)` in [0, 255], of the whole manifest; uint8 takes
            the least memory.
        labels: int32 `(images,)`.
        rows: int64 `(count,)`, which of them are trained on.
        settings: how images are changed.
        batch_size: images per step, over all devices.
        seed: with the epoch and the image's number it decides every draw.
        first_epoch: 0, or the epoch that a resume starts with.
        epochs: the epoch to stop before.
        transform: a further change, `(images, epoch, indices) -> float32 images`, after turns and
            flips, before affine maps and colours.

    Returns:
        A dataset of `(float32 (batch, height, width, channels) in [0, 255], int32 (batch,))`.

    Raises:
        InputError: if the images have another shape, or one that the settings do not fit.
    """
    load, steps = _loader(
        images, labels, rows, settings, batch_size=batch_size, seed=seed, transform=transform
    )
    return _prefetched(_loaded(tf.data.Dataset.range(first_epoch * steps, epochs * steps), load))


class Epochs:
    """Counts what was read of a dataset of training batches.

    Attributes:
        epoch: the epoch that is read next, counted from 0. Set it to begin again, or to go on.
        batches: that were read so far.
    """

    def __init__(self) -> None:
        self.epoch, self.batches = 0, 0


def epoch_by_epoch(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    settings: Augment,
    counted: Epochs,
    *,
    batch_size: int,
    seed: int,
    transform: Transform | None = None,
) -> Any:
    """Return the training batches of one epoch: of the next one whenever it is read anew.

    An epoch that was read to its end is followed by the next one. An epoch that was left earlier,
    as by a look at the first batch, is begun again.

    Args:
        images: as all that follows, see `training`.
        labels: int32 `(images,)`.
        rows: int64 `(count,)`.
        settings: how images are changed.
        counted: the epochs that were read.
        batch_size: images per step.
        seed: with the epoch and the image's number it decides every draw.
        transform: a further change.

    Returns:
        A dataset as of `training`, which knows its number of batches.
    """
    load, steps = _loader(
        images, labels, rows, settings, batch_size=batch_size, seed=seed, transform=transform
    )

    def start(_: npt.NDArray[np.int64]) -> np.int64:
        return np.int64(counted.epoch * steps)

    def deliver(
        number: npt.NDArray[np.int64], batch_labels: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        counted.batches += 1
        if (int(number) + 1) % steps == 0:
            counted.epoch = (int(number) + 1) // steps
        return batch_labels

    def numbers(one: Any) -> Any:
        first = tf.ensure_shape(call(start, [one], tf.int64), ())
        return tf.data.Dataset.range(first, first + steps)

    def numbered(number: Any) -> tuple[Any, Any, Any]:
        return number, *load(number)

    def counting(number: Any, batch: Any, batch_labels: Any) -> tuple[Any, Any]:
        # what is returned passes through, for TensorFlow leaves out what nothing needs
        delivered = call(deliver, [number, batch_labels], tf.int32)
        return batch, tf.ensure_shape(delivered, batch_labels.shape)

    epoch = tf.data.Dataset.range(1).flat_map(as_written(numbers))
    read = _prefetched(_loaded(epoch, numbered)).map(as_written(counting))
    return read.apply(tf.data.experimental.assert_cardinality(steps))


def _loaded(numbers: Any, load: Callable[..., Any]) -> Any:
    return numbers.map(as_written(load), num_parallel_calls=2, deterministic=True)


def _loader(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    settings: Augment,
    *,
    batch_size: int,
    seed: int,
    transform: Transform | None,
) -> tuple[Callable[[Any], tuple[Any, Any]], int]:
    """Return what makes the batch of a number, and the batches of an epoch; see `training`."""
    check_images(images)
    shape = images.shape[1:]
    augment.check(settings, shape[:2])
    size = min(batch_size, len(rows))
    steps = steps_per_epoch(len(rows), size)

    @lru_cache(maxsize=2)
    def order(epoch: int) -> npt.NDArray[np.int64]:
        return rows[augment.permutation(seed, epoch, len(rows))]

    def gather(step: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        epoch, number = divmod(int(step), steps)
        indices = order(epoch)[number * size : (number + 1) * size]
        parameters = augment.draw(settings, shape, seed, epoch, indices)
        changes = augment.compose(settings, shape, parameters)
        turned = geometry.dihedral_batch(images, indices, changes.turns, changes.flipped)
        batch = transform(turned, epoch, indices) if transform else turned
        return batch, labels[indices], changes.matrices, changes.colours

    def load(step: Any) -> tuple[Any, Any]:
        pixels = tf.float32 if transform else tf.as_dtype(images.dtype)
        types = (pixels, tf.int32, tf.float32, tf.float32)
        batch, batch_labels, matrices, colours = call(gather, [step], types)
        batch = tf.ensure_shape(batch, (size, *shape))
        matrices = tf.ensure_shape(matrices, (size, 3, 3))
        colours = tf.ensure_shape(colours, (size, 3 + shape[2]))
        changed = augment.change(batch, matrices, colours, settings)
        return changed, tf.ensure_shape(batch_labels, (size,))

    return load, steps


def in_order(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    batch_size: int,
) -> Any:
    """Return the batches of `rows` in manifest order, none dropped; see `training` for types."""
    shape = images.shape[1:]

    def gather(start: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        indices = rows[int(start) : int(start) + batch_size]
        return images[indices], labels[indices]

    def load(start: Any) -> tuple[Any, Any]:
        batch, batch_labels = call(gather, [start], (tf.uint8, tf.int32))
        batch = tf.cast(tf.ensure_shape(batch, (None, *shape)), tf.float32)
        return batch, tf.ensure_shape(batch_labels, (None,))

    starts = tf.data.Dataset.range(0, len(rows), batch_size)
    return _prefetched(starts.map(as_written(load)))


def _prefetched(dataset: Any) -> Any:
    options = tf.data.Options()
    options.autotune.enabled = False  # with it, a loop may wait for seconds at its end
    options.deterministic = True
    # each replica gets its share of the global batch, so that the source must not be sharded
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.prefetch(PREFETCH_BATCHES).with_options(options)
