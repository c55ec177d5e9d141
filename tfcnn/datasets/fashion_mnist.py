"""Fashion-MNIST: 70,000 pictures of Zalando's clothes, grey, 28x28 px, laid out as MNIST is.

Reference:
    Xiao, Rasul, Vollgraf, *Fashion-MNIST* (2017), https://arxiv.org/abs/1708.07747
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from tfcnn.base import files
from tfcnn.datasets._arrays import NAMES, Arrays, ArraySet, Remote
from tfcnn.decode import Pixels

ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
MAX_ARRAY_BYTES = 1 << 28  # of one array; the largest official one has 47 MB


def read_idx(path: Path) -> Pixels:
    """Read a gzip-compressed idx file of bytes.

    Returns:
        uint8 array with the dimensions that the file's header gives.

    Raises:
        ValueError: if the content is not as long as the header says, or of another type.
        OSError, EOFError, zlib.error: if the compression is damaged.

    Reference:
        "The IDX file format", on the page of MNIST's authors: two zero bytes, the type (8: uint8),
        the number of dimensions, and each of them as a 32-bit number, the high byte first.
    """
    with files.open_file(path) as packed, gzip.open(packed) as file:
        zeros, kind, num_dimensions = struct.unpack(">HBB", _exactly(file.read(4), 4))
        if (zeros, kind) != (0, 8) or num_dimensions not in (1, 3):
            raise ValueError(f"{path.name} is no idx file of bytes")
        size = 4 * num_dimensions
        shape = struct.unpack(f">{num_dimensions}I", _exactly(file.read(size), size))
        size = math.prod(shape)
        if size > MAX_ARRAY_BYTES:
            raise ValueError(f"{path.name} says that it holds {size:,} bytes")
        content = _exactly(file.read(size + 1), size)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _exactly(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise ValueError("an idx file that is shorter or longer than its header says")
    return content


def _read(paths: list[Path]) -> Arrays:
    arrays = {}
    for name, path in zip(NAMES, paths, strict=True):
        with FASHION_MNIST.named(path):
            arrays[name] = read_idx(path)
    return arrays


FASHION_MNIST = ArraySet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    class_names=(  # https://github.com/zalandoresearch/fashion-mnist, "Labels"
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    remotes=(  # no sha256 of the files is published for this address: their content is checked
        Remote(f"{ADDRESS}/train-images-idx3-ubyte.gz", None),
        Remote(f"{ADDRESS}/train-labels-idx1-ubyte.gz", None),
        Remote(f"{ADDRESS}/t10k-images-idx3-ubyte.gz", None),
        Remote(f"{ADDRESS}/t10k-labels-idx1-ubyte.gz", None),
    ),
    sha256={
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
    read=_read,
)

download = FASHION_MNIST.download
open_source = FASHION_MNIST.open_source
