"""Keras' ImageDataGenerator over images that are decoded and split already."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import augment
from tfcnn.inputs.tfdata import Epochs


class Flow(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of one split, changed by an ImageDataGenerator.

    It can be given to `fit`, `evaluate` and `predict`, as what `flow_from_directory` returns.
    Training images come in a new order in every epoch, and the generator changes them at random.
    Those of val and test come in the order of the manifest. The generator only standardizes them,
    as by `rescale`.

    Attributes:
        class_indices: the label of each class name.
        classes: int32 `(images,)`, the labels in the order of `filenames`.
        filenames: paths of the images.
        samples: how many images there are.
        batch_size: images of a batch; the last batch of an epoch may hold fewer.
        image_shape: `(height, width, channels)`.
    """

    def __init__(
        self,
        generator: Any,
        images: Pixels,
        labels: npt.NDArray[np.int32],
        rows: npt.NDArray[np.int64],
        *,
        paths: list[str],
        class_names: tuple[str, ...],
        batch_size: int,
        seed: int,
        is_one_hot: bool,
        counted: Epochs | None,
    ) -> None:
        """Make the batches; `tfcnn.data(...).flow(...)` does.

        Args:
            generator: an ImageDataGenerator.
            images: uint8 `(images, height, width, channels)` in [0, 255], of the whole manifest.
            labels: int32 `(images,)`.
            rows: int64 `(count,)`, which of them belong to the split.
            paths: of these.
            class_names: in the order of the labels.
            batch_size: images of a batch.
            seed: with the epoch and the image's number it decides every draw.
            is_one_hot: whether labels are float32 `(batch, classes)`, not int32 `(batch,)`.
            counted: the epochs of training that were read; None for val and test.
        """
        super().__init__()  # one worker: the images of a batch depend on nothing else
        _check(generator)
        self._generator, self._images, self._labels, self._rows = generator, images, labels, rows
        self._seed, self._is_one_hot, self._counted = seed, is_one_hot, counted
        self._is_begun = False
        self.class_indices = {name: i for i, name in enumerate(class_names)}
        self.classes, self.filenames, self.samples = labels[rows], paths, len(rows)
        self.batch_size, self.image_shape = batch_size, images.shape[1:]

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self.samples // self.batch_size)

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        """Return a batch: float32 `(batch, height, width, channels)`, as the generator scales it.

        Labels are int32 `(batch,)`, or one-hot.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        rows, counted = self._rows, self._counted
        if counted is not None:
            rows = rows[augment.permutation(self._seed, counted.epoch, len(rows))]
            counted.count()
        rows = rows[number * self.batch_size : (number + 1) * self.batch_size]
        batch = self._images[rows].astype(np.float32)
        seeds = None if counted is None else self._seeds(counted.epoch, rows)
        changed = np.stack([self._changed(image, i, seeds) for i, image in enumerate(batch)])
        labels = self._labels[rows]
        if self._is_one_hot:
            return changed, np.eye(len(self.class_indices), dtype=np.float32)[labels]
        return changed, labels

    def on_epoch_begin(self) -> None:
        """Begin an epoch; Keras calls it."""
        self._is_begun = True

    def on_epoch_end(self) -> None:
        """Go on to the next epoch; Keras calls it, also where it has begun none."""
        if self._counted is not None and self._is_begun:
            self._counted.epoch += 1
        self._is_begun = False

    def _seeds(self, epoch: int, rows: npt.NDArray[np.int64]) -> list[int]:
        """Return a seed per image: whichever image it is drawn with, it is changed alike."""
        column = augment.KINDS.index("generator")
        uniforms = augment.uniforms(self._seed, epoch, rows, len(augment.KINDS))[:, column]
        seeds: list[int] = (uniforms * 2**32).astype(np.int64).tolist()
        return seeds

    def _changed(self, image: Any, place: int, seeds: list[int] | None) -> Any:
        if seeds is not None:
            state = np.random.get_state()  # noqa: NPY002 - Keras seeds it: the caller's goes on
            try:
                image = self._generator.random_transform(image, seed=seeds[place])
            finally:
                np.random.set_state(state)  # noqa: NPY002
        return self._generator.standardize(image)


def _check(generator: Any) -> None:
    """Refuse what is no ImageDataGenerator, or one that must see the images first."""
    if not all(hasattr(generator, name) for name in ("random_transform", "standardize")):
        raise InputError(
            "flow", "an ImageDataGenerator", type(generator).__name__,
            "tf.keras.preprocessing.image.ImageDataGenerator(...)",
        )  # fmt: skip
    for name, fitted in (
        ("featurewise_center", "mean"),
        ("featurewise_std_normalization", "std"),
        ("zca_whitening", "zca_whitening_matrix"),
    ):
        if getattr(generator, name, False) and getattr(generator, fitted, None) is None:
            raise InputError(
                f"flow: {name}", "a generator that has seen training images", "one that has not",
                "generator.fit(data.arrays('train')[0]) first",
            )  # fmt: skip
