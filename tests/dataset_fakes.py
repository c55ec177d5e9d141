"""Tiny data sets in the containers that the real ones come in, and a server to fetch them from."""

import contextlib
import gzip
import io
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Arrays = dict[str, np.ndarray[Any, Any]]

CLASSES = ("Parasitized", "Uninfected")
SHAPES = {"mnist": (28, 28), "fashion-mnist": (28, 28), "cifar10": (32, 32, 3)}
IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def png(color: int, side: int = 8) -> bytes:
    """Return a picture of one colour, so that it can be told from any other."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (color % 256, color // 256, 90)).save(file, "PNG")
    return file.getvalue()


def write_files(folder: Path, names: list[str], first: int = 0) -> Path:
    """Write a picture of its own under each name; missing folders are made."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(first + number))
    return folder


def cell_names(patients: int = 4, cells: int = 2) -> list[str]:
    return [
        f"{label}/C{patient}P{patient + 60}ThinF_IMG_20150918_144104_cell_{cell}.png"
        for label in CLASSES
        for patient in range(1, patients + 1)
        for cell in range(cells)
    ]


def write_cells(folder: Path, patients: int = 4, cells: int = 2, first: int = 0) -> Path:
    """Write class folders whose files are named as the NIH's are."""
    return write_files(folder, cell_names(patients, cells), first)


def write_zip(folder: Path, archive: Path, prefix: str = "cell_images/") -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as zip_file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                zip_file.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def fake_arrays(name: str, train: int = 60, test: int = 30, seed: int = 0) -> Arrays:
    """Return random images in the shape of a data set, every class in equal parts."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        shape = (count, *SHAPES[name])
        arrays[f"x_{part}"] = rng.integers(0, 256, shape, dtype=np.uint8)
        arrays[f"y_{part}"] = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    return arrays


def write_npz(path: Path, arrays: Arrays) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def write_idx(path: Path, array: np.ndarray[Any, Any]) -> Path:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
    return path


def write_official(name: str, folder: Path, arrays: Arrays) -> list[Path]:
    """Write arrays in the containers that their authors offer."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "mnist":
        return [write_npz(folder / "mnist.npz", arrays)]
    if name == "fashion-mnist":
        return [write_idx(folder / IDX_NAMES[key], arrays[key]) for key in IDX_NAMES]
    members = {"cifar-10-batches-py/test_batch": batch(arrays["x_test"], arrays["y_test"])}
    parts = zip(np.split(arrays["x_train"], 5), np.split(arrays["y_train"], 5), strict=True)
    for number, (images, labels) in enumerate(parts, start=1):
        members[f"cifar-10-batches-py/data_batch_{number}"] = batch(images, labels)
    return [write_tar(folder / "cifar-10-python.tar.gz", members)]


def write_tar(path: Path, members: dict[str, bytes], folders: tuple[str, ...] = ()) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in folders:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def batch(
    images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], *, is_fortran: bool = False
) -> bytes:
    """Pickle images as Python 2 and the NumPy of 2009 did, which no later version can."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    raw = rows.tobytes(order="F" if is_fortran else "C")
    shape = struct.pack("<cHcH", b"M", len(rows), b"M", rows.shape[1]) + b"\x86"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN"
    kind += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    flag = b"\x88" if is_fortran else b"\x89"
    state = b"(K\x01" + shape + kind + flag + b"T" + struct.pack("<I", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(bytes([ord("K"), label]) for label in labels.tolist()) + b"e"
    data = _short(b"data") + array + state
    return b"\x80\x02}(" + data + _short(b"labels") + numbers + b"u."


def _short(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        self.server.requested.append(self.path)  # type: ignore[attr-defined]


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder on 127.0.0.1; gives its address and the list of what is asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    server.requested = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.requested  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
