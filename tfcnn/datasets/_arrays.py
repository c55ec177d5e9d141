"""Data sets that come as four arrays: fetched, verified by content, and opened without reading."""

import contextlib
import hashlib
import pickle
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import numpy as np
from numpy.typing import NDArray

from tfcnn.base import files
from tfcnn.base.disk import require_disk_space
from tfcnn.base.errors import InputError
from tfcnn.datasets import ArraySource, Item, Official, Progress, Source, _install
from tfcnn.datasets._fetch import FROM_HINT, fetch, locate, require_file
from tfcnn.datasets._install import Origin, damaged
from tfcnn.decode import Member, archives

Arrays = dict[str, NDArray[Any]]

NAMES = ("x_train", "y_train", "x_test", "y_test")  # as keras.datasets calls them
MAX_ARRAY_BYTES = 1 << 29  # of one array; CIFAR-10's largest has 154 MB
IMAGES = "images.npy"  # train first, then test
LABELS: dict[Official, str] = {"train": "train_labels.npy", "test": "test_labels.npy"}

# What gzip, tarfile, pickle and NumPy raise for a file that is damaged or something else.
_READ_ERRORS = (
    tarfile.TarError,
    pickle.UnpicklingError,
    zlib.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


class Remote(NamedTuple):
    """An official address, and the sha256 of the file there; None where only content is checked."""

    url: str
    sha256: str | None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(urlsplit(self.url).path).name


@dataclass(frozen=True)
class ArraySet:
    """A data set of equally large images with an official test set.

    Attributes:
        name: as on the command line.
        title: as its authors write it.
        class_names: the name of each label 0, 1, ...
        remotes: the official files.
        sha256: of the bytes of each of `NAMES`, uint8 in C order.
        read: makes the arrays from the official files, in the order of `remotes`.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    remotes: tuple[Remote, ...]
    sha256: dict[str, str]
    read: Callable[[list[Path]], Arrays]

    def download(
        self, folder: Path, *, mirror: str | None = None, progress: Progress | None = None
    ) -> None:
        """Make `folder` hold the arrays, from a mirror if one is named, else from the authors.

        A mirror holds the four arrays in one file, such as `fashion_mnist.npz`, or the official
        files. Content that is not the official one is taken from a mirror only, with a note.

        Raises:
            InputError: if an address does not answer, or a file is missing, damaged or other than
                expected; what was in `folder` is then left as it was.
        """
        origin = _install.read(folder)
        if origin and mirror is None:
            return
        places = self._places(mirror)
        archive = _install.describe(*places)
        if origin and origin.archive == archive:
            return
        with _install.replacing(folder) as new:
            is_official = mirror is None
            paths = [self._local(place, folder, is_official, progress) for place in places]
            arrays = self._read(paths)
            new_origin = self._origin(arrays, archive)
            if is_official and not new_origin.official:
                received = new_origin.notes[0]
                raise InputError(places[0], f"the official {self.title}", received, FROM_HINT)
            _write(arrays, new)
            _install.install(new, (IMAGES, *LABELS.values()), folder, new_origin)

    def open_source(self, folder: Path) -> Source:
        """List the images of a finished download; pixels are read when they are asked for.

        Raises:
            InputError: if the download is not finished, or its files have been damaged since.
        """
        origin = _install.require(folder, self.name)
        again = f"`tfcnn download {self.name}`, which fetches it again"
        _install.check(folder, origin, LABELS.values(), again)
        try:
            for name in (IMAGES, *LABELS.values()):
                files.open_file(folder / name).close()  # NumPy would wait for a named pipe
            # a plain view: each index into a memmap object would cost microseconds
            images = np.asarray(np.load(folder / IMAGES, mmap_mode="r"))
            labels = {part: np.load(folder / name) for part, name in LABELS.items()}
            self._check_installed(images, labels, origin.num_images)
        except (OSError, ValueError, EOFError) as error:
            hint = f"removing the folder and `tfcnn download {self.name}`"
            raise InputError(folder, "the arrays of the data set", str(error), hint) from error
        num_train = len(labels["train"])
        return ArraySource(
            name=self.name,
            root=folder / IMAGES,
            items=tuple(self._items("test", labels["test"]))
            + tuple(self._items("train", labels["train"])),
            notes=origin.notes,
            store=folder,
            is_benchmark=True,
            arrays={"train": images[:num_train], "test": images[num_train:]},
        )

    def _check_installed(
        self, images: NDArray[Any], labels: dict[Official, NDArray[Any]], num_images: int
    ) -> None:
        """Refuse arrays that do not fit each other: short labels would shift the test images.

        Raises:
            ValueError: naming the file.
        """
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) != num_images:
            content = f"{images.dtype} of shape {images.shape}"
            raise ValueError(f"{IMAGES} holds {content}, not {num_images:,} images")
        for part, name in LABELS.items():
            _check_labels(labels[part], len(self.class_names), name)
        counts = {LABELS[part]: len(values) for part, values in labels.items()}
        if sum(counts.values()) != num_images:
            text = " and ".join(f"{count:,} labels in {name}" for name, count in counts.items())
            raise ValueError(f"{text}, but {num_images:,} images")

    def _items(self, part: Official, labels: NDArray[np.uint8]) -> Iterator[Item]:
        width = max(5, len(str(len(labels) - 1)))  # sorted by path is sorted by index
        for index, label in enumerate(labels.tolist()):
            yield Item(f"{part}/{index:0{width}d}", self.class_names[label], part)

    def _places(self, mirror: str | None) -> list[Path | str]:
        """Return the files to read: one `.npz` of a mirror, or the official ones."""
        if mirror is None:
            return [remote.url for remote in self.remotes]
        npz = f"{self.name.replace('-', '_')}.npz"
        names = [remote.file_name for remote in self.remotes]
        first = locate(mirror, tuple(dict.fromkeys((npz, names[0]))))
        path = PurePosixPath(first) if isinstance(first, Path) else urlsplit(first).path
        if str(path).lower().endswith(".npz"):
            return [first]
        if isinstance(first, Path):
            return [first, *(first.with_name(name) for name in names[1:])]
        return [first, *(urljoin(first, name) for name in names[1:])]

    def _local(
        self, place: Path | str, folder: Path, is_official: bool, progress: Progress | None
    ) -> Path:
        """Return a file on this machine, fetched if `place` is an address."""
        if isinstance(place, Path):
            return place
        remote = Remote(place, None)
        if is_official:
            remote = next(one for one in self.remotes if one.url == place)
        target = _install.archive_folder(folder) / remote.file_name
        return fetch(place, target, sha256=remote.sha256, progress=progress)

    def _read(self, paths: list[Path]) -> Arrays:
        for path in paths:
            require_file(path, f"a file of {self.title}")
        is_npz = paths[0].suffix.lower() == ".npz"
        with self.named(paths[0]):
            arrays = (read_official_npz if is_npz else self.read)(paths)
            for part in ("train", "test"):
                arrays[f"x_{part}"] = _images(arrays[f"x_{part}"], arrays["x_train"].shape)
        places = dict(zip(NAMES, paths if len(paths) == len(NAMES) else paths * 4, strict=False))
        for part in ("train", "test"):
            name = f"y_{part}"
            with self.named(places[name]):
                labels = arrays[name].reshape(-1)
                if len(labels) != len(arrays[f"x_{part}"]):
                    count = len(arrays[f"x_{part}"])
                    raise ValueError(f"{count:,} images, but {len(labels):,} labels in {name}")
                _check_labels(labels, len(self.class_names), name)
                arrays[name] = np.ascontiguousarray(labels, dtype=np.uint8)
        return arrays

    @contextlib.contextmanager
    def named(self, path: Path) -> Iterator[None]:
        """Name a file in what is raised while it is read.

        Raises:
            InputError: in place of what its reader raises.
        """
        try:
            yield
        except _READ_ERRORS as error:
            received = f"another or damaged content ({type(error).__name__}: {error})"
            raise InputError(path, f"{self.title} as arrays", received, FROM_HINT) from error

    def _origin(self, arrays: Arrays, archive: str) -> Origin:
        """Compare the arrays with the official ones."""
        hashes = {name: hashlib.sha256(arrays[name].data).hexdigest() for name in NAMES}
        differing = [name for name in NAMES if hashes[name] != self.sha256[name]]
        num_train, num_test = len(arrays["x_train"]), len(arrays["x_test"])
        note = (
            f"{num_train:,} training and {num_test:,} test images; "
            f"not the official {self.title} ({', '.join(differing)} differ)"
        )
        lines = "".join(f"{hashes[name]}  {name}\n" for name in NAMES)
        return Origin(
            official=not differing,
            notes=(note,) if differing else (),
            archive=archive,
            content_sha256=hashlib.sha256(lines.encode()).hexdigest(),
            num_images=num_train + num_test,
        )


def read_official_npz(paths: list[Path]) -> Arrays:
    """Read the four arrays of an `.npz` file, without pickle."""
    return read_npz(paths[0], NAMES)


def read_npz(path: Path, names: tuple[str, ...]) -> Arrays:
    """Read arrays from an `.npz` file without pickle, so that no code in it can run.

    Args:
        path: the file.
        names: the arrays to read; others in the file are passed over.

    Returns:
        The arrays by name, in the order of `names`, with the dtypes and shapes they have there.

    Raises:
        InputError: if the file is missing, truncated, damaged or a bomb, if an array is missing,
            there twice or too large, or if one holds Python objects.
    """
    members = archives.members(path)
    return {name: _read_array(path, members, name) for name in names}


def _read_array(path: Path, members: list[Member], name: str) -> NDArray[Any]:
    matches = [member for member in members if member.name == f"{name}.npy"]
    if len(matches) != 1:
        others = ", ".join(member.name.removesuffix(".npy") for member in members[:8]) or "none"
        received = f"{len(matches)} of them" if matches else others
        raise InputError(path, f"an array '{name}'", received, "another file")
    if matches[0].size_bytes > MAX_ARRAY_BYTES:
        received = files.too_large(matches[0].size_bytes, MAX_ARRAY_BYTES)
        raise InputError(path, f"an array '{name}' of images or labels", received, "another file")
    stream: Any = _Stream(archives.chunks(path, matches[0]))
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # the CRC is compared only where the end is reached
            raise ValueError("longer than its header says")
    except Exception as error:  # of a broken header NumPy raises nearly every type
        raise damaged(path, name, error) from error
    return np.asarray(array)


class _Stream:
    """The content of a member for NumPy, which asks for so many bytes at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece, self._place = pieces, b"", 0

    def read(self, size: int) -> bytes:
        if self._place == len(self._piece):
            self._piece, self._place = next(self._pieces, b""), 0
        piece = self._piece[self._place : self._place + size]
        self._place += len(piece)
        return piece


def _images(images: NDArray[Any], train: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return images in C order.

    Args:
        images: that may be something else.
        train: the shape of the training images.

    Raises:
        ValueError: if they are not equally large images of 8 bits.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise ValueError(f"{images.dtype} of shape {images.shape}, not images")
    if images.shape[3:] not in ((), (1,), (3,)):
        raise ValueError(f"images of {images.shape[3]} channels")
    if images.shape[1:] != train[1:]:
        raise ValueError("x_train and x_test hold images of different shapes")
    return np.ascontiguousarray(images)


def _check_labels(labels: NDArray[Any], num_classes: int, name: str) -> None:
    """Refuse what is not one class in [0, num_classes) for each image.

    Raises:
        ValueError: saying what is there, with the name of the labels.
    """
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size:
        raise ValueError(f"{name} holds {labels.dtype} of shape {labels.shape}, not labels")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"{name} holds other labels than 0 to {num_classes - 1}")


def _write(arrays: Arrays, new: Path) -> None:
    """Write the images to one file, whose size and time then stand for all of them."""
    train, test = arrays["x_train"], arrays["x_test"]
    require_disk_space(new, train.nbytes + test.nbytes)
    shape = (len(train) + len(test), *train.shape[1:])
    images = np.lib.format.open_memmap(new / IMAGES, mode="w+", dtype=np.uint8, shape=shape)
    images[: len(train)] = train
    images[len(train) :] = test
    images.flush()
    for part, name in LABELS.items():
        np.save(new / name, arrays[f"y_{part}"])
