"""`tfcnn kernel`: an image kernel, known by name or read from a file, applied to a picture."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfcnn import atomic
from tfcnn.concepts.kernels import KERNELS, apply_kernel
from tfcnn.concepts.windows import Padding
from tfcnn.decode import open_image
from tfcnn.errors import InputError

__all__ = ["apply_to_file", "read_kernel"]

Kernel = npt.NDArray[np.float64]
LARGEST = 1e6  # whose sums stay finite


def apply_to_file(
    image: Path,
    kernel: str,
    output: Path | None = None,
    *,
    stride: int = 1,
    padding: Padding = "valid",
) -> Path:
    """Filter a picture at its own size, each colour channel alone, and write it as a PNG.

    Args:
        image: any file Pillow reads; shown upright, transparency over black.
        kernel: a name in `KERNELS` (`sobel-left` is `sobel_left`), or the path of a text file.
        output: where to write, ending in `.png`; by default `<image>-<kernel>.png` in the working
            folder.
        stride: step in px, at least 1.
        padding: `valid` loses the borders; `same` surrounds the picture with black.

    Returns:
        The path written. Its pixels are rounded and clipped to 0..255.

    Raises:
        InputError: if the image or the kernel cannot be read, they do not fit each other, an
            option is not known, or the output cannot be written.
    """
    output = output or Path(f"{image.stem}-{Path(kernel).stem}.png")
    _check_options(image, output, stride, padding)
    weights = read_kernel(kernel)
    pixels = np.asarray(open_image(_content(image), image).flat())
    too_large = weights.shape[0] > pixels.shape[0] or weights.shape[1] > pixels.shape[1]
    if padding == "valid" and too_large:
        raise InputError(
            kernel,
            expected=f"a kernel of at most {_shape(pixels)} px, the size of {image}",
            received=f"one of {_shape(weights)}",
            hint="--padding same, or a smaller kernel",
        )
    filtered = Image.fromarray(apply_kernel(pixels, weights, stride, padding))
    try:
        with atomic.writing(output) as part:
            filtered.save(part, format="PNG")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(output, "a place to write to", reason, "another --output") from error
    return output


def read_kernel(kernel: str) -> Kernel:
    """Return the kernel of that name, or the one in the text file at that path.

    A file holds one row per line, its numbers separated by spaces, tabs, commas or semicolons;
    empty lines, and what follows a `#`, are skipped. A name wins over a file of that name unless
    it is written `./NAME`.

    Args:
        kernel: a name in `KERNELS`, or a path.

    Returns:
        float64 array of shape `(kernel_height, kernel_width)`.

    Raises:
        InputError: if there is neither, or if the file is not a rectangle of finite numbers.
    """
    known = KERNELS.get(kernel.replace("-", "_"))
    if known is not None:
        return known
    if not Path(kernel).is_file():
        names = ", ".join(sorted(KERNELS))
        raise InputError(
            kernel,
            expected=f"a kernel's name ({names}) or a text file of numbers",
            received="neither",
            hint="--kernel blur",
        )
    try:
        text = Path(kernel).read_text(encoding="utf-8-sig")  # spreadsheets write a byte-order mark
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(kernel, "a text file of numbers", str(error), "a CSV file") from error
    return _parse(kernel, text)


def _parse(name: str, text: str) -> Kernel:
    separator = next((mark for mark in (";", ",") if mark in text), None)
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        row = [_number(name, number, cell.strip()) for cell in content.split(separator)]
        if rows and len(row) != len(rows[0]):
            raise InputError(
                f"{name}, line {number}",
                expected=f"{len(rows[0])} numbers, as in the first row",
                received=str(len(row)),
                hint="rows of equal length, such as 0 1 0",
            )
        rows.append(row)
    if not rows:
        raise InputError(name, "rows of numbers", "none", "one row per line, such as 0 1 0")
    return np.array(rows)


def _number(name: str, line: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise InputError(
            f"{name}, line {line}",
            expected=f"numbers with a decimal point, at most {LARGEST:g}",
            received=repr(cell),
            hint="a number such as 0.111",
        )
    return value


def _check_options(image: Path, output: Path, stride: int, padding: str) -> None:
    if stride < 1:
        raise InputError("--stride", "a whole number from 1", str(stride), "--stride 1")
    if padding not in ("valid", "same"):
        raise InputError("--padding", "valid or same", repr(padding), "--padding same")
    if output.suffix.lower() != ".png":
        hint = f"--output {output.with_suffix('.png')}"
        raise InputError(output, "a name that ends in .png", output.suffix or "no ending", hint)
    if output.resolve() == image.resolve():
        raise InputError(output, "another file than the image", "the image itself", "another name")


def _content(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(image, "an image file", reason, "the path of one picture") from error


def _shape(array: npt.NDArray[np.generic]) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
