"""Where a converted network has the weights of a layer, so that a page need not hold them twice."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# LiteRT has a dense kernel as (out, in), a convolution's as (out, height, width, in)
ORDERS = {2: (1, 0), 4: (3, 0, 1, 2)}
LEAST_BYTES = 32  # of fewer, another array could have the same by chance


class Weights:
    """Weights of layers, found in a converted network or kept beside it.

    Args:
        content: of a `.tflite` file.

    Attributes:
        rest: float32 little-endian, what is not in the file as Keras has it.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.rest = b""

    def place(self, values: Any) -> dict[str, Any]:
        """Return, JSON-ready, where the values of a weight are.

        Returns:
            `shape` as Keras has it; `file`, "model" or "rest"; `start`, the byte at which it
            begins there; `order`, the axes of `shape` in the order in which they lie there.
        """
        array = np.asarray(values, "<f4")
        for order in (ORDERS.get(array.ndim), tuple(range(array.ndim))):
            if order is None or array.nbytes < LEAST_BYTES:
                continue
            start = self._content.find(np.ascontiguousarray(array.transpose(order)).tobytes())
            if start >= 0:
                return _placed(array, "model", start, order)
        start, self.rest = len(self.rest), self.rest + array.tobytes()
        return _placed(array, "rest", start, tuple(range(array.ndim)))


def _placed(array: Floats, file: str, start: int, order: tuple[int, ...]) -> dict[str, Any]:
    return {"shape": list(array.shape), "file": file, "start": start, "order": list(order)}
