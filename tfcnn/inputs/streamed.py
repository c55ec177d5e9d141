"""Images that are decoded whenever they are asked for: `inputs.cache = "none"`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import threads
from tfcnn.datasets import Source
from tfcnn.decode import Decoder, Pixels
from tfcnn.inputs.cache import decode_row
from tfcnn.manifest import Row


class Streamed:
    """The decoded images of a manifest, of which none is kept: on the disk or in memory.

    It is indexed as the array of all of them is, and gives the same pixels.

    Args:
        source: where the files are.
        rows: of its manifest.
        decoder: what the files go through.

    Attributes:
        shape: `(images, height, width, channels)`.
        dtype: uint8; values are in [0, 255].
    """

    dtype = np.dtype(np.uint8)
    ndim = 4
    itemsize = 1

    def __init__(self, source: Source, rows: Sequence[Row], decoder: Decoder) -> None:
        self._source, self._rows, self._decoder = source, rows, decoder
        self.shape = (len(rows), *decoder.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | slice | npt.NDArray[Any] | list[int]) -> Pixels:
        """Decode one image, or several on all cores.

        Raises:
            InputError: if a file is no longer the one that was hashed.
        """
        chosen = np.arange(len(self._rows))[index]
        if np.ndim(chosen) == 0:
            return self._decode(int(chosen))
        images = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        for place, pixels in enumerate(threads.ordered(self._decode, chosen.tolist())):
            images[place] = pixels
        return images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Decode all images."""
        return np.asarray(self[:], dtype=dtype)

    def _decode(self, row: int) -> Pixels:
        return decode_row(self._source, self._rows[row], self._decoder)
