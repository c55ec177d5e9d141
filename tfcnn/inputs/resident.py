"""Images that stay on the device that trains: a batch is made of them inside the training step.

The images lie there as uint8. The processor sends what is drawn for a batch (which images, turned
and changed how), some kilobytes of it; gathering, turns, flips, affine maps, colours and mixing run
on the device. What is drawn comes from the functions that the other pipeline uses, so that both are
one function of (seed, epoch, image index) and differ by rounding alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.decode import Pixels
from tfcnn.inputs import augment, geometry, mixup, tfdata
from tfcnn.recipes import Augment

MOST_BYTES = 2**30  # of images; the rest of the memory is the network's


def device_for(images: Any, num_images: int) -> str:
    """Return the one GPU that some of the images fit on; "" where there is none.

    Args:
        images: uint8 `(images, height, width, channels)`; what is decoded when it is asked for
            does not stay anywhere.
        num_images: how many of them are to stay.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) != 1 or not isinstance(images, np.ndarray):
        return ""
    num_bytes = num_images * int(np.prod(images.shape[1:]))
    return gpus[0].name if num_bytes <= MOST_BYTES else ""


class Resident:
    """Some images of a data set, on a device.

    Args:
        images: uint8 `(images, height, width, channels)`.
        rows: int64 `(count,)`, which of them are wanted.
        settings: how training images are changed.
        device: its name in TensorFlow.
    """

    def __init__(
        self, images: Pixels, rows: npt.NDArray[np.int64], settings: Augment, device: str
    ) -> None:
        self.settings = settings
        self._places = np.full(len(images), -1, np.int32)
        self._places[rows] = np.arange(len(rows), dtype=np.int32)
        self._shape = images.shape[1:]
        with tf.device(device):  # of a variable a GPU gathers uint8; of a tensor it does not
            self._images = tf.Variable(images[rows], trainable=False, name="images")

    def training(
        self,
        labels: npt.NDArray[np.int32],
        rows: npt.NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        first_epoch: int,
        epochs: int,
        alpha: float = 0.0,
        num_classes: int = 0,
    ) -> Any:
        """Return what is drawn for all training batches; see `tfdata.training`.

        Returns:
            A dataset of what `load` takes, and the labels that `tfdata.training` gives.
        """
        order = tfdata.Order(rows, batch_size, seed)
        augment.check(self.settings, self._shape[:2])
        what = _kinds(self._shape[2], is_mixed=bool(alpha))
        # TensorFlow keeps this function while the process lives: it must not hold the images
        settings, shape, own_places = self.settings, self._shape, self._places

        def draw(step: npt.NDArray[np.int64]) -> tuple[Any, ...]:
            epoch, indices = order.of(step)
            changes = augment.drawn(settings, shape, seed, epoch, indices)
            turned = changes.turns.astype(np.int32), changes.flipped
            changed = *turned, changes.matrices, changes.colours
            mixed = mixup.draw(alpha, seed, epoch, indices) if alpha else ()
            return own_places[indices], *changed, labels[indices], *mixed

        def load(step: Any) -> tuple[dict[str, Any], Any]:
            values = tfdata.call(draw, [step], [one for _, one, _ in what])
            drawn = {
                name: tf.ensure_shape(value, (order.size, *own))
                for (name, _, own), value in zip(what, values, strict=True)
            }
            own_labels = drawn.pop("labels")
            if not alpha:
                return drawn, own_labels
            pairs = drawn["weights"], drawn["partners"]
            return drawn, mixup.mix_labels(own_labels, *pairs, num_classes=num_classes)

        return tfdata.prefetched(tfdata.loaded(order.numbers(first_epoch, epochs), load))

    def in_order(
        self, labels: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], batch_size: int
    ) -> Any:
        """Return the batches of `rows` in order, none dropped, as `tfdata.in_order` does."""
        places = {"places": self._places[rows]}
        return tfdata.prefetched(
            tf.data.Dataset.from_tensor_slices((places, labels[rows])).batch(batch_size)
        )

    def load(self, drawn: dict[str, Any]) -> Any:
        """Return the images of a batch, float32 `(batch, height, width, channels)` in [0, 255].

        Args:
            drawn: `places` `(batch,)`; in training also what `tfdata.training` draws: `turns`,
                `flipped`, `matrices` and `colours`, and of mixed images `weights` and `partners`.
        """
        images = tf.cast(tf.gather(self._images, drawn["places"]), tf.float32)
        if "turns" not in drawn:
            return images
        images = geometry.dihedral_tensor(images, drawn["turns"], drawn["flipped"])
        images = augment.change(images, drawn["matrices"], drawn["colours"], self.settings)
        if "weights" not in drawn:
            return images
        return mixup.mix_images(images, drawn["weights"], drawn["partners"])


def _kinds(channels: int, *, is_mixed: bool) -> list[tuple[str, Any, tuple[int, ...]]]:
    """Return what is drawn for a batch, in order: name, type, and shape of an image's part."""
    always = [
        ("places", tf.int32, ()), ("turns", tf.int32, ()), ("flipped", tf.bool, (2,)),
        ("matrices", tf.float32, (3, 3)), ("colours", tf.float32, (3 + channels,)),
        ("labels", tf.int32, ()),
    ]  # fmt: skip
    return always + ([("weights", tf.float32, ()), ("partners", tf.int32, ())] if is_mixed else [])
