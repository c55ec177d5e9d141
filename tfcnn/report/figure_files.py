"""The plots of a report as files for a paper: SVG, PNG and the numbers of each as CSV.

A file is as wide as one column of a journal, with letters of 7 pt. In the SVG they are outlines, so
that no font is missing anywhere. The colours are those of the page by day; blue and orange are told
apart with any kind of colour blindness, and differ in brightness too.
"""

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

from tfcnn.base import atomic, files
from tfcnn.base.errors import InputError
from tfcnn.report import content as gathering
from tfcnn.report import curve_plots
from tfcnn.report.content import Content
from tfcnn.report.plots import MOVED, STYLE, WIDTH, Drawing
from tfcnn.runs import Run

COLUMN_MM = 85  # of most journals: 84 to 90 mm
DPI = 300
POINTS_PER_INCH, MM_PER_INCH = 72, 25.4

Columns = dict[str, Sequence[Any]]


def write(run: Run, folder: Path) -> list[Path]:
    """Write every plot of a run's report; a file that is there is replaced as a whole.

    Args:
        run: with its report and predictions.
        folder: where they go; it is made where it is missing.

    Returns:
        The files, in order: `roc.svg`, `roc.png`, `roc.csv` and so on.

    Raises:
        InputError: if the run lacks a file that the plots are made of, or the folder is none.
        CheckError: if one is not as it was written.
    """
    found = files.what(folder)
    if found not in (files.NOTHING, files.FOLDER):
        raise InputError(folder, "a folder for figures", found or "a file", "another path")
    written = []
    for name, (drawing, columns) in drawings(gathering.read(run)).items():
        parts = {"svg": print_svg(drawing), "png": png(drawing), "csv": _csv(columns)}
        for suffix, data in parts.items():
            path = folder / f"{name}.{suffix}"
            atomic.write_bytes(path, data)
            written.append(path)
    return written


def drawings(content: Content) -> dict[str, tuple[Drawing, Columns]]:
    """Return the plots that a run has, by the names of their files, with their numbers."""
    found: dict[str, tuple[Drawing, Columns]] = {}
    curves = gathering.curves(content)
    for name, key, draw in (
        ("roc", "roc", curve_plots.roc),
        ("precision-recall", "precision_recall", curve_plots.precision_recall),
        ("decision-curve", "net_benefit", curve_plots.net_benefit),
    ):
        if key in curves:
            found[name] = draw(curves), curves[key]
    if point := gathering.operating_point(content):
        found["threshold"] = (
            point["drawing"],
            {
                "threshold": gathering.THRESHOLDS.round(3).tolist(),
                "sensitivity": [count / point["positives"] for count in point["found"]],
                "specificity": [1 - count / point["negatives"] for count in point["alarms"]],
            },
        )
    reliability = gathering.reliability(content)
    keys = ("low", "high", "count", "confidence", "frequency")
    found["calibration"] = reliability["drawing"], _turned(reliability["bins"], keys)
    if groups := gathering.groups(content):
        rows = content.report.groups[content.split]
        found["accuracy-by-group"] = (
            groups["drawing"], _turned(rows, ("group", "images", "errors", "accuracy"))
        )  # fmt: skip
    if history := gathering.history(content):
        for name in ("loss", "accuracy"):
            epochs = range(1, 1 + len(history["loss"]["val"]))
            found[f"{name}-by-epoch"] = (
                history["drawings"][name], {"epoch": [*epochs], **history[name]}
            )  # fmt: skip
    return found


def print_svg(drawing: Drawing) -> bytes:
    """Return a plot as an SVG file, as wide as a column, its letters as outlines."""
    text = _saved(drawing, "svg").decode("utf-8")
    sizes = (f'{name}="{COLUMN_MM * side / WIDTH:.2f}mm"' for name, side in _size(drawing).items())
    return re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" (viewBox="[^"]*" )?width="[\d.]+pt"',
        lambda match: f"{match[1] or ''}{' '.join(sizes)}",
        text,
        count=1,
    ).encode("utf-8")


def png(drawing: Drawing) -> bytes:
    """Return a plot as a PNG, as wide as a column at 300 dots per inch, which it says."""
    dots = DPI * COLUMN_MM / MM_PER_INCH
    return _saved(
        drawing, "png", dpi=dots / (WIDTH / POINTS_PER_INCH), pil_kwargs={"dpi": (DPI, DPI)}
    )


def _saved(drawing: Drawing, kind: str, **options: Any) -> bytes:
    moved = [line for axes in drawing.figure.axes for line in axes.lines if line.get_gid() == MOVED]
    for line in moved:  # it is for the slider of the page
        line.set_visible(False)
    out = io.BytesIO()
    style = STYLE | {"svg.fonttype": "path"}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        drawing.figure.savefig(out, format=kind, facecolor="white", metadata=metadata, **options)
    for line in moved:
        line.set_visible(True)
    return out.getvalue()


def _size(drawing: Drawing) -> dict[str, float]:
    width, height = POINTS_PER_INCH * drawing.figure.get_size_inches()
    return {"width": float(width), "height": float(height)}


def _turned(rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> Columns:
    listed = list(rows)
    return {key: [row.get(key) for row in listed] for key in keys}


def _csv(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    lines = [["" if value is None else value for value in row] for row in rows]
    return atomic.csv_text(list(columns), lines).encode("utf-8")
