"""Images for one's own Keras code: split by group, decoded once, as plain datasets and arrays."""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tfcnn.base import quiet
from tfcnn.base.calls import verb
from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.inputs import pipeline
from tfcnn.manifest import Manifest, folds, splits
from tfcnn.training import learnt
from tfcnn.training.prepare import Prepared

if TYPE_CHECKING:
    from tfcnn.inputs.flow import Flow
    from tfcnn.inputs.tfdata import Epochs

Labels = Literal["int", "one-hot"]
TEST_IS_READ = (
    "test is read before a run was made of these images: what is chosen by it cannot be judged by "
    "it. Choose by val, then tfcnn.adopt(model, data, name=...) scores test once"
)


class Data:
    """Images in train, val and test, from `tfcnn.data`.

    No group is in two splits, and no two images with the same pixels are. Every image went through
    the decoder that a run made of them uses in prediction.

    Attributes:
        prepared: the images as a training of tfcnn takes them.
        labels: `int` or `one-hot`, what the datasets hold.
        is_scored: whether a run was made of them, which scored test.
        made: TensorFlow's number when they were made; see `learnt`.
        gave_arrays: whether train was given as arrays.
        has_read_test: whether test was given to a user's own code, before or after it was scored.
    """

    def __init__(self, prepared: Prepared, labels: Labels = "int") -> None:
        if labels not in ("int", "one-hot"):
            raise InputError("labels", '"int" or "one-hot"', repr(labels), 'labels="int"')
        self.prepared, self.labels, self.is_scored = prepared, labels, False
        self._counted: Epochs | None = None
        self._train: Any = None
        self.made, self.gave_arrays, self.has_read_test = learnt.clock(), False, False
        self._given: dict[str, int] = {}
        learnt.ALL.add(self)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, sorted by name; a label is an index into them."""
        return self.manifest.class_names

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of an image, for `keras.Input`."""
        return self.prepared.decoder.shape

    @property
    def manifest(self) -> Manifest:
        """A row per readable image, with path, label, group and hashes."""
        return self.prepared.manifest

    @property
    def splits(self) -> list[str]:
        """The split of each row of the manifest; "" for one that no split takes."""
        return list(self.prepared.splits)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The number of images by split and class name."""
        found = {}
        for split, rows in self.prepared.rows.items():
            of = Counter(self.prepared.labels[rows].tolist())
            found[split] = {name: of[i] for i, name in enumerate(self.class_names)}
        return found

    @property
    def class_weight(self) -> dict[int, float]:
        """Weights for `fit`, by which every class of train counts the same.

        A class gets `images / (classes * its images)`, as scikit-learn's "balanced" does.
        """
        counts = list(self.counts["train"].values())
        return {i: sum(counts) / (len(counts) * count) for i, count in enumerate(counts)}

    @property
    def epoch(self) -> int:
        """The epoch that `train` gives next, counted from 0. Set it to begin again or to go on."""
        return self._epochs().epoch

    @epoch.setter
    @verb
    def epoch(self, epoch: int) -> None:
        if epoch < 0:
            raise InputError("epoch", "0 or more", str(epoch), "0, which begins again")
        self._epochs().epoch = epoch

    @property
    def train(self) -> Any:
        """The training images, a `tf.data.Dataset` of `(images, labels)`.

        Images are float32 `(batch_size, height, width, channels)` in [0, 255], shuffled and
        augmented. Labels are int32 `(batch_size,)`, or float32 `(batch_size, classes)` if one-hot.
        `len` gives the number of batches. The images that do not fill the last batch are left out:
        other ones in every epoch.

        Each time it is read to its end, the next epoch follows, in another order. Order and
        augmentation depend on seed and epoch alone: a second training on the same object begins
        anew with `data.epoch = 0`.
        """
        if self._train is None:
            quiet.load_tensorflow()
            prepared, train = self.prepared, self.prepared.recipe.train
            batches = pipeline.epoch_by_epoch(
                prepared.recipe.inputs, prepared.images, prepared.labels, prepared.rows["train"],
                self._epochs(), seed=train.seed, batch_size=train.batch_size,
            )  # fmt: skip
            self._train = self._as_asked(batches)
        return self._train

    @property
    def val(self) -> Any:
        """The val images, a `tf.data.Dataset` in the order of the manifest; none is left out.

        The types are those of `train`; the last batch may be smaller. No image is augmented.
        """
        self._note_read("val", level=3)
        return self._in_order("val")

    @property
    def test(self) -> Any:
        """The test images, as `val`. Read before a run was made of the images, it warns, once."""
        self._note_read("test", level=3)
        return self._in_order("test")

    @verb
    def arrays(self, split: str) -> tuple[Pixels, npt.NDArray[Any]]:
        """Return the images of a split as arrays in memory, in the order of the manifest.

        Args:
            split: `train`, `val` or `test`.

        Returns:
            Uint8 `(images, height, width, channels)` in [0, 255], and labels: int32 `(images,)`,
            or float32 `(images, classes)` if one-hot.

        Raises:
            InputError: if there is no such split.
        """
        rows = self._rows(split)
        self.gave_arrays |= split == "train"
        images, labels = self.prepared.images[rows], self.prepared.labels[rows]
        if self.labels == "one-hot":
            return images, np.eye(len(self.class_names), dtype=np.float32)[labels]
        return images, labels

    @verb
    def flow(self, generator: Any, split: str = "train") -> "Flow":
        """Return what `generator.flow_from_directory` returns, over these splits and classes.

        Args:
            generator: an ImageDataGenerator. It changes training images at random, and only
                standardizes those of val and test.
            split: `train`, `val` or `test`.

        Raises:
            InputError: if there is no such split, or it is no such generator.
        """
        quiet.load_tensorflow()
        from tfcnn.inputs.flow import Flow

        rows, prepared = self._rows(split), self.prepared
        return Flow(
            generator,
            prepared.images,
            prepared.labels,
            rows,
            paths=prepared.paths(rows),
            class_names=self.class_names,
            batch_size=prepared.recipe.train.batch_size,
            seed=prepared.recipe.train.seed,
            is_one_hot=self.labels == "one-hot",
            counted=self._epochs() if split == "train" else None,
        )

    @verb
    def folds(self, num_folds: int = 5) -> Iterator["Data"]:
        """Return the folds of a cross-validation, whole groups at once.

        Every image is in test of one fold, but for those of an official test set: they are in no
        fold, so that what is chosen by the folds can be judged by them.

        Args:
            num_folds: at least 2, at most the number of groups.

        Raises:
            InputError: if there are too few groups or images for so many.
        """
        assigned = folds.assign(self.manifest, self.prepared.recipe.data.split, num_folds)
        return (self._fold(splits_of_fold) for splits_of_fold in assigned)

    def _fold(self, split_of: list[str]) -> "Data":
        rows = {name: splits.select(split_of, name) for name in splits.NAMES}
        return Data(replace(self.prepared, splits=split_of, rows=rows), self.labels)

    def has_trained(self, model: Any) -> bool:
        """Say whether a model has learnt from train alone, as far as can be told; see `learnt`."""
        return not learnt.doubt(model, self)

    @property
    def batches_per_epoch(self) -> set[int]:
        """How many batches an epoch has: of `train`, and of a flow, which drops none."""
        count, size = len(self.prepared.rows["train"]), self.prepared.recipe.train.batch_size
        return {max(1, count // size), -(-count // size)}

    def batches_since(self, number: int) -> int:
        """Return how many batches of train were read since TensorFlow gave this number."""
        return self._counted.since(number) if self._counted else 0

    def last_read(self, split: str) -> int:
        """Return TensorFlow's number when a split was read last; -1 if it never was."""
        reads = self._counted.reads if self._counted and split == "train" else []
        return max(self._given.get(split, -1), reads[-1] if reads else -1)

    def __len__(self) -> int:
        """Return the number of images in all splits."""
        return sum(map(len, self.prepared.rows.values()))

    def __repr__(self) -> str:
        height, width, channels = self.shape
        parts = [f"{name}: {len(rows):,}" for name, rows in self.prepared.rows.items()]
        return (
            f"<{self.manifest.source.name}: {self.manifest.summary()}; {', '.join(parts)}; "
            f"{height} x {width} px (height x width), {channels} channels>"
        )

    def _epochs(self) -> "Epochs":
        if self._counted is None:
            quiet.load_tensorflow()
            from tfcnn.inputs.tfdata import Epochs

            self._counted = Epochs()
        return self._counted

    def _rows(self, split: str) -> npt.NDArray[np.int64]:
        if split not in self.prepared.rows:
            raise InputError("split", "train, val or test", repr(split), 'split="val"')
        self._note_read(split, level=5)
        return self.prepared.rows[split]

    def _note_read(self, split: str, level: int) -> None:
        """Note that a split is given away. The first time that it is test, before a run, warn."""
        self._given[split] = learnt.clock()
        if split != "test":
            return
        if not self.is_scored and not self.has_read_test:
            warnings.warn(TEST_IS_READ, stacklevel=level)
        self.has_read_test = True

    def _in_order(self, split: str) -> Any:
        quiet.load_tensorflow()
        from tfcnn.inputs import tfdata

        prepared = self.prepared
        size = prepared.recipe.train.batch_size
        return self._as_asked(
            tfdata.in_order(prepared.images, prepared.labels, prepared.rows[split], size)
        )

    def _as_asked(self, batches: Any) -> Any:
        if self.labels == "int":
            return batches
        import tensorflow as tf

        classes = len(self.class_names)
        return batches.map(lambda images, labels: (images, tf.one_hot(labels, classes)))
