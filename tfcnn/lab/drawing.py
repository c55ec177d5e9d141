"""What the lessons draw: images, curves of a training, and a confusion matrix."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.report.colours import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IN_A_ROW = 5


def show_images(images: Sequence[Any] | npt.NDArray[Any], titles: Sequence[str] = ()) -> "Figure":
    """Draw images side by side, each with its title.

    Args:
        images: one or more, grey of shape `(height, width[, 1])` or colour `(height, width, 3)`;
            uint8 in [0, 255], or floats in [0, 1] or [0, 255].
        titles: one for each image, or none.

    Returns:
        The figure. As the last line of a cell it is shown.

    Raises:
        InputError: if there is no image, or titles are missing.
    """
    count = len(images)
    if not count or (titles and len(titles) != count):
        received = f"{len(titles)} titles for {count} images"
        raise InputError("titles", "images, with a title each or none", received, "a list of texts")
    columns = min(count, IN_A_ROW)
    rows = -(-count // columns)
    figure, axes = _figure(rows, columns, (1.75 * columns, (2.05 if titles else 1.7) * rows))
    for number, axis in enumerate(axes.flat):
        axis.set_axis_off()
        if number < count:
            image = _drawable(images[number])
            axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(titles[number] if titles else "", fontsize=9)
    return figure


def show_history(history: Mapping[str, Sequence[float]]) -> "Figure":
    """Draw what Keras' `fit` returns as `history.history`: loss and accuracy by epoch.

    Args:
        history: numbers by name, such as `loss` and `val_loss`.

    Returns:
        The figure. As the last line of a cell it is shown.

    Raises:
        InputError: if it holds no loss.
    """
    names = [name for name in ("loss", "accuracy") if name in history]
    if not names:
        raise InputError("history", "a loss by epoch", f"{sorted(history)}", "history.history")
    figure, axes = _figure(1, len(names), (4.2 * len(names), 2.9))
    for axis, name in zip(axes.flat, names, strict=True):
        epochs = range(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], "o-", color=COLOURS["blue"], label="train")
        if f"val_{name}" in history:
            axis.plot(epochs, history[f"val_{name}"], "s--", color=COLOURS["orange"], label="val")
        axis.set_title(name)
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(color=COLOURS["line"], linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    return figure


def show_confusion(matrix: npt.ArrayLike, class_names: Sequence[str]) -> "Figure":
    """Draw a confusion matrix: rows are the true classes, columns the answers.

    Args:
        matrix: numbers of images, shape `(classes, classes)`.
        class_names: of the classes, in order.

    Returns:
        The figure. As the last line of a cell it is shown.

    Raises:
        InputError: if the matrix has not a row and a column for each class.
    """
    counts = np.asarray(matrix)
    size = len(class_names)
    if counts.shape != (size, size):
        received = f"shape {counts.shape}"
        raise InputError("matrix", f"{size} rows and columns", received, "one for each class")
    side = max(3.0, 0.52 * size + 1.2)
    figure, axes = _figure(1, 1, (side + 0.4, side))
    axis = axes.flat[0]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(size, size):
        if counts[row, column]:
            colour = "white" if shares[row, column] > 0.5 else COLOURS["ink"]
            axis.text(
                column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour
            )
    is_long = max(map(len, class_names)) > 3
    axis.set_xticks(
        range(size), class_names, rotation=35 if is_long else 0, ha="right" if is_long else "center"
    )
    axis.set_yticks(range(size), class_names)
    axis.set_xlabel("answer")
    axis.set_ylabel("true class")
    axis.spines[:].set_visible(False)
    return figure


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple["Figure", Any]:
    """Return a figure that pyplot has forgotten, so that a notebook shows it once."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained", dpi=110
    )
    pyplot.close(figure)
    return figure, axes


def _drawable(image: Any) -> npt.NDArray[Any]:
    pixels = np.squeeze(np.asarray(image, dtype=np.float64))
    return (pixels / 255 if pixels.max(initial=0) > 1 else pixels).clip(0, 1)
