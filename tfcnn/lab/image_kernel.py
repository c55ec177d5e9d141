"""`tfcnn kernel`: apply an image kernel, by its name or from a file, to a picture."""

import difflib
import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfcnn.base import atomic, files
from tfcnn.base.errors import InputError
from tfcnn.concepts.kernels import KERNELS, apply_kernel
from tfcnn.concepts.windows import Padding
from tfcnn.decode import open_image, read_file

Kernel = npt.NDArray[np.float64]
MAX_KERNEL_BYTES = 1 << 20  # of a text file of numbers
LARGEST = 1e6  # whose sums stay finite


def _sides(name: str, middle: int, corner: int) -> dict[str, Kernel]:
    """Return the four kernels of a gradient, each named after the side that is brighter."""
    left = np.array([[corner], [middle], [corner]]) @ np.array([[1.0, 0.0, -1.0]])
    sides = {"left": left, "top": left.T, "right": -left, "bottom": -left.T}
    return {f"{name}_{side}": weights for side, weights in sides.items()}


# Gonzalez and Woods, Digital image processing, sections 3.5, 3.6 and 10.2; Scharr, Optimal
# operators in digital image processing (2000)
CATALOG: dict[str, Kernel] = {
    **KERNELS,
    "box": np.full((3, 3), 1 / 9),
    "laplacian": np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
    **_sides("prewitt", 1, 1),
    **_sides("scharr", 10, 3),
}
# these names mean the length of the gradient, from both kernels
GRADIENTS = {name: (f"{name}_right", f"{name}_bottom") for name in ("sobel", "prewitt", "scharr")}
ALIASES = {
    **dict.fromkeys(("gaussian", "gauss", "gaussian_blur", "smooth", "soften"), "blur"),
    **dict.fromkeys(("mean", "average", "box_blur"), "box"),
    **dict.fromkeys(("sharp", "sharpening", "sharpness"), "sharpen"),
    **dict.fromkeys(("edge", "edges", "edge_detect", "edge_detection", "outlines"), "outline"),
    "laplace": "laplacian",
    **dict.fromkeys(("embossing", "relief"), "emboss"),
    **dict.fromkeys(("none", "copy"), "identity"),
    **dict.fromkeys(("gradient", "gradient_magnitude", "sobel_magnitude", "sobel_xy"), "sobel"),
    **{f"{name}_x": f"{name}_right" for name in GRADIENTS},
    **{f"{name}_y": f"{name}_bottom" for name in GRADIENTS},
}


def apply_to_file(
    image: Path,
    kernel: str,
    output: Path | None = None,
    *,
    stride: int = 1,
    padding: Padding = "valid",
) -> Path:
    """Filter a picture at its own size, each colour channel alone, and write it as a PNG.

    `sobel`, `prewitt` and `scharr` mean the length of the gradient, which shows edges of every
    direction: the root of the squares of what the kernels along width and height give.

    Args:
        image: any file Pillow reads; shown upright, transparency over black.
        kernel: a name (`sobel-left` is `sobel_left`), or the path of a text file; see
            `read_kernel`.
        output: where to write, ending in `.png`; a file there is replaced. By default
            `<image>-<kernel>.png` in the working folder, with stride and padding in the name where
            they are not the default, and a number where another picture has that name.
        stride: step in px, at least 1.
        padding: `valid` loses the borders; `same` surrounds the picture with black.

    Returns:
        The path written. Its pixels are rounded and clipped to 0..255.

    Raises:
        InputError: if the image or the kernel cannot be read, they do not fit each other, an
            option is not known, or the output cannot be written.
    """
    default = _default_name(image, kernel, stride, padding)
    _check_options(image, output or default, stride, padding)
    pair = GRADIENTS.get(_plain(kernel))
    kernels = [CATALOG[name] for name in pair] if pair else [read_kernel(kernel)]
    pixels = np.asarray(open_image(_content(image), image).flat())
    size, image_size = kernels[0].shape, pixels.shape[:2]  # a pair has one size
    if padding == "valid" and (size[0] > image_size[0] or size[1] > image_size[1]):
        raise InputError(
            kernel,
            f"a kernel of at most {image_size[0]} x {image_size[1]} px, the size of {image}",
            f"one of {size[0]} x {size[1]}",
            "--padding same, or a smaller kernel",
        )
    content = io.BytesIO()
    Image.fromarray(_filtered(pixels, kernels, stride, padding)).save(content, "PNG")
    output = output or _free(default, content.getvalue())
    try:
        atomic.write_bytes(output, content.getvalue())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(output, "a place to write to", reason, "another --output") from error
    return output


def _filtered(
    pixels: npt.NDArray[np.uint8], kernels: list[Kernel], stride: int, padding: Padding
) -> npt.NDArray[np.uint8]:
    if len(kernels) == 1:
        return np.asarray(apply_kernel(pixels, kernels[0], stride, padding), dtype=np.uint8)
    parts = [apply_kernel(pixels.astype(np.float64), one, stride, padding) for one in kernels]
    return np.rint(np.hypot(*parts)).clip(0, 255).astype(np.uint8)


def _default_name(image: Path, kernel: str, stride: int, padding: str) -> Path:
    parts = [image.stem, Path(kernel).stem]
    parts += [f"stride{stride}"] if stride != 1 else []
    parts += [padding] if padding != "valid" else []
    return Path("-".join(parts) + ".png")


def _free(path: Path, content: bytes) -> Path:
    """Return a path that no other picture has: this one, or one with a number.

    The same picture, written again, keeps its name.
    """
    free, number = path, 1
    while free.exists() and not (free.is_file() and free.read_bytes() == content):
        number += 1
        free = path.with_name(f"{path.stem}-{number}.png")
    return free


def _plain(name: str) -> str:
    """Return the catalog's name for a name: `Gaussian blur` and `gauss` are its `blur`."""
    plain = "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
    return ALIASES.get(plain, plain)


def read_kernel(kernel: str) -> Kernel:
    """Return the kernel of that name, or the one in the text file at that path.

    A file holds one row per line, its numbers separated by spaces, tabs, commas or semicolons;
    empty lines, and what follows a `#`, are skipped. A name wins over a file of that name unless
    it is written `./NAME`.

    Args:
        kernel: a name in `KERNELS`, `box`, `laplacian`, `prewitt_left` or `scharr_left` and the
            like, another usual word for one of them (`gaussian`, `edge`, `sobel_x`), or a path.

    Returns:
        float64 array of shape `(kernel_height, kernel_width)`.

    Raises:
        InputError: if there is neither, or if the file is not a rectangle of finite numbers.
    """
    weights = KERNELS.get(kernel.replace("-", "_"))
    is_file = Path(kernel).is_file()
    if weights is None and not is_file:
        weights = CATALOG.get(_plain(kernel))
    if weights is not None:
        return weights
    if not is_file:
        names = [*sorted(CATALOG), *sorted(GRADIENTS)]
        near = difflib.get_close_matches(_plain(kernel), [*names, *ALIASES], n=1)
        raise InputError(
            kernel,
            f"a kernel's name ({', '.join(names)}) or a text file of numbers",
            "two of them" if _plain(kernel) in GRADIENTS else "neither",
            f"--kernel {near[0] if near else 'blur'}",
        )
    try:  # spreadsheets write a byte-order mark
        text = files.read_text(Path(kernel), MAX_KERNEL_BYTES, "utf-8-sig")
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
        return read_file(image, image)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(image, "an image file", reason, "the path of one picture") from error
