"""`tf.data` batches from the decoded array: training (shuffled, augmented) and in order."""

import contextlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework import ops

from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment, geometry, mixup
from tfcnn.recipes import Augment

PREFETCH_BATCHES = 4
# no function here branches on a tensor, and TensorFlow's search for that takes most of a second
as_written = tf.autograph.experimental.do_not_convert
Transform = Callable[[Pixels, int, npt.NDArray[np.int64]], npt.NDArray[np.float32]]


_raised: list[TfcnnError] = []  # the last one of a function that a pipeline called


def call(function: Callable[..., Any], values: list[Any], types: Any) -> Any:
    """Return what a function of arrays gives, inside a pipeline; see `tf.numpy_function`.

    Args:
        function: of NumPy arrays. Its errors of tfcnn come out of a block of `plain_errors`.
        values: tensors that it takes.
        types: of what it returns.
    """

    def noting(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except TfcnnError as error:
            _raised[:] = [error]
            raise

    # in a deterministic run TensorFlow does not prefetch from a pipeline with stateful calls
    return tf.numpy_function(noting, values, types, stateful=False)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Raise an error of tfcnn as it is: TensorFlow makes one of its own, with a page of text.

    An image that changes while a training decodes it is one.
    """
    _raised.clear()
    try:
        yield
    except tf.errors.OpError:
        if not _raised:
            raise
        raise _raised.pop() from None
    finally:
        _raised.clear()


@dataclass(frozen=True)
class Share:
    """Which part of every batch a process takes, where several processes train together.

    A batch is cut into as many parts as there are replicas. One process has some that follow each
    other, and gets each as a batch of its own.

    Attributes:
        first: number of its first part, counted from 0.
        count: how many it has.
        of: how many there are.
    """

    first: int
    count: int
    of: int


WHOLE = Share(0, 1, 1)


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
    alpha: float = 0.0,
    num_classes: int = 0,
    share: Share = WHOLE,
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
        batch_size: images per step, over all replicas; a multiple of their number.
        seed: with the epoch and the image's number it decides every draw.
        first_epoch: 0, or the epoch that a resume starts with.
        epochs: the epoch to stop before.
        transform: a further change, `(images, epoch, indices) -> float32 images`, after turns and
            flips, before affine maps and colours.
        alpha: of mixup, see `mixup.draw`; 0: images are not mixed.
        num_classes: how many there are, to mix labels.
        share: of every batch that this process takes. Images are mixed within a share.

    Returns:
        A dataset of `(float32 (batch, height, width, channels) in [0, 255], int32 (batch,))`; of
        mixed images the labels are float32 `(batch, classes)`, the share of each class.

    Raises:
        InputError: if the images have another shape, or one that the settings do not fit.
    """
    order = Order(rows, batch_size, seed, share)
    load = _loader(images, labels, settings, order, transform)
    numbers = order.numbers(first_epoch, epochs)
    batches = loaded(numbers, load)
    if alpha:
        batches = _mixed(batches, numbers, order, alpha, num_classes)
    if share.count > 1:
        batches = batches.rebatch(order.size // share.count)
    return prefetched(batches)


class Epochs:
    """Counts what was read of a dataset of training batches.

    Attributes:
        epoch: the epoch that is read next, counted from 0. Set it to begin again, or to go on.
        reads: for each batch that was read, the number that TensorFlow had given last.
    """

    def __init__(self) -> None:
        self.epoch, self.reads = 0, array("q")

    def count(self) -> None:
        """Count a batch that is read now."""
        self.reads.append(ops.uid())

    def since(self, number: int) -> int:
        """Return how many batches were read after TensorFlow gave this number."""
        return len(self.reads) - bisect_right(self.reads, number)


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
    order = Order(rows, batch_size, seed)
    load = _loader(images, labels, settings, order, transform)
    steps = order.steps

    def start(_: npt.NDArray[np.int64]) -> np.int64:
        return np.int64(counted.epoch * steps)

    def deliver(
        number: npt.NDArray[np.int64], batch_labels: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int32]:
        counted.count()
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
    read = prefetched(loaded(epoch, numbered)).map(as_written(counting))
    return read.apply(tf.data.experimental.assert_cardinality(steps))


def loaded(numbers: Any, load: Callable[..., Any]) -> Any:
    """Return what `load` makes of each number, in order, two at a time."""
    return numbers.map(as_written(load), num_parallel_calls=2, deterministic=True)


def _loader(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    settings: Augment,
    order: "Order",
    transform: Transform | None,
) -> Callable[[Any], tuple[Any, Any]]:
    """Return what makes the batch of a number; see `training`."""
    check_images(images)
    shape, size, seed = images.shape[1:], order.size, order.seed
    augment.check(settings, shape[:2])

    def gather(step: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        epoch, indices = order.of(step)
        changes = augment.drawn(settings, shape, seed, epoch, indices)
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

    return load


class Order:
    """Which images a step holds: another order in each epoch, a function of (seed, epoch).

    Attributes:
        steps: of an epoch.
        size: images of a step that this process takes.
        seed: of the run.
    """

    def __init__(
        self, rows: npt.NDArray[np.int64], batch: int, seed: int, share: Share = WHOLE
    ) -> None:
        batch = min(batch, len(rows))
        self.seed, self.steps = seed, steps_per_epoch(len(rows), batch)
        self.size = batch * share.count // share.of
        self._batch, self._first = batch, batch * share.first // share.of
        self._rows = lru_cache(maxsize=2)(
            lambda epoch: rows[augment.permutation(seed, epoch, len(rows))]
        )

    def numbers(self, first_epoch: int, epochs: int) -> Any:
        """Return a dataset of the numbers of all steps, from one epoch to before another."""
        return tf.data.Dataset.range(first_epoch * self.steps, epochs * self.steps)

    def of(self, step: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.int64]]:
        """Return the epoch of a step, and the row numbers of its images."""
        epoch, number = divmod(int(step), self.steps)
        start = number * self._batch + self._first
        return epoch, self._rows(epoch)[start : start + self.size]


def _mixed(batches: Any, numbers: Any, order: Order, alpha: float, num_classes: int) -> Any:
    """Return the batches of these steps with their images mixed in pairs; see `mixup`."""

    def draw(step: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        return mixup.draw(alpha, order.seed, *order.of(step))

    def mix(step: Any, batch: tuple[Any, Any]) -> tuple[Any, Any]:
        drawn = call(draw, [step], (tf.float32, tf.int32))
        weights, partners = (tf.ensure_shape(one, (order.size,)) for one in drawn)
        shares = mixup.mix_labels(batch[1], weights, partners, num_classes)
        return mixup.mix_images(batch[0], weights, partners), shares

    return tf.data.Dataset.zip(numbers, batches).map(as_written(mix))


def in_order(
    images: Pixels,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    batch_size: int,
    share: Share = WHOLE,
) -> Any:
    """Return the batches of `rows` in manifest order, none dropped; see `training` for types.

    Over several replicas the batches are as equal as can be, so that each replica has images of
    every batch, and they come again without end: read `in_order_steps` of them.
    """
    shape = images.shape[1:]
    parts = _parts(rows, batch_size, share)

    def gather(number: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        indices = parts[int(number)]
        return images[indices], labels[indices]

    def load(number: Any) -> tuple[Any, Any]:
        batch, batch_labels = call(gather, [number], (tf.uint8, tf.int32))
        batch = tf.cast(tf.ensure_shape(batch, (None, *shape)), tf.float32)
        return batch, tf.ensure_shape(batch_labels, (None,))

    numbers = tf.data.Dataset.range(len(parts))
    batches = (numbers if share.of == 1 else numbers.repeat()).map(as_written(load))
    return prefetched(batches)


def in_order_steps(count: int, batch_size: int) -> int:
    """Return how many batches hold `count` images in order, the last of them smaller."""
    return -(-count // batch_size)


def _parts(
    rows: npt.NDArray[np.int64], batch_size: int, share: Share
) -> list[npt.NDArray[np.int64]]:
    """Return which rows each batch of a process holds."""
    steps = in_order_steps(len(rows), batch_size)
    if share.of == 1:
        return [rows[i * batch_size : (i + 1) * batch_size] for i in range(steps)]
    if len(rows) < steps * share.of:  # too few to give each one of them: each counts all
        return [rows] * steps * share.count
    mine = range(share.first, share.first + share.count)
    return [
        np.array_split(batch, share.of)[i] for batch in np.array_split(rows, steps) for i in mine
    ]


def prefetched(dataset: Any) -> Any:
    """Return a dataset that is read in order, some batches ahead."""
    options = tf.data.Options()
    options.autotune.enabled = False  # with it, a loop may wait for seconds at its end
    options.deterministic = True
    # each replica gets its share of the global batch, so that the source must not be sharded
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.prefetch(PREFETCH_BATCHES).with_options(options)
