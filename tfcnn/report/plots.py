"""The plots of a report: small inline SVGs in one style, the same bytes for the same run."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from tfcnn.report.colours import COLOURS

Floats = NDArray[np.floating]
Bins = Sequence[Mapping[str, Any]]

WIDTH, HEIGHT = 430, 300  # pt; a phone shows it nearly at this size, so its text stays readable
AXIS = (0.12, 0.97)  # where the axis of thresholds begins and ends, so that a slider fits under it
ROW_HEIGHT = 16
MOVED = "moved"  # the id of what a slider moves
MAX_NAMED_GROUPS, MAX_GROUPS = 40, 120
NAME_LENGTH = 14
STYLE: Any = {  # matplotlib's own type for it lists every key
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "svg.hashsalt": "tfcnn",
    "text.parse_math": False,  # a $ in a name is a $
    "font.family": "DejaVu Sans",
    "font.size": 12.5,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True)
class Drawing:
    """A plot: for a page, in the page's own font and colours, or for print.

    Attributes:
        figure: as matplotlib holds it.
        name: what tells its ids apart from those of other plots on the page.
    """

    figure: Figure
    name: str

    def svg(self) -> str:
        """Return it as an SVG element of a page."""
        return _svg(self.figure, self.name)


def curves(
    lines: Mapping[str, Sequence[float]], *, label: str, is_share: bool, colours: Sequence[str]
) -> Drawing:
    """Plot figures by epoch, one line each, named at its end.

    Args:
        lines: per name one value per epoch, all of one length.
        label: what the values are.
        is_share: whether they are shares, shown in percent.
        colours: one key of `COLOURS` per line.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = blank()
        for (name, values), colour in zip(lines.items(), colours, strict=True):
            epochs = np.arange(1, len(values) + 1)
            axes.plot(
                epochs, values, label=name, color=COLOURS[colour],
                marker="o" if len(values) == 1 else "",
            )  # fmt: skip
        _name_at_end(axes)
        axes.set_xlabel("epoch")
        axes.set_title(label, loc="left", fontsize="medium", fontweight="bold")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        if is_share:
            axes.yaxis.set_major_formatter(FuncFormatter(percent))
            axes.set_ylim(top=min(axes.get_ylim()[1], 1.0))
        axes.grid(axis="y", color=COLOURS["line"], linewidth=0.6)
        return Drawing(figure, label)


def groups(rows: Sequence[dict[str, Any]], overall: float) -> Drawing:
    """Plot the accuracy of each group, the worst on top, dots as large as its number of images.

    Args:
        rows: each with `group`, `images` and `accuracy`, sorted by accuracy; of more than
            `MAX_GROUPS`, evenly spaced ones are drawn.
        overall: the accuracy over all images.
    """
    indices = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_GROUPS)).round())
    rows = [rows[int(i)] for i in indices]
    is_named = len(rows) <= MAX_NAMED_GROUPS
    height = 90 + ROW_HEIGHT * len(rows) if is_named else 460
    with matplotlib.rc_context(STYLE):
        figure, axes = blank(height)
        accuracy = np.array([row["accuracy"] for row in rows])
        images = np.array([row["images"] for row in rows])
        positions = np.arange(len(rows))
        axes.axvline(overall, color=COLOURS["muted"], linewidth=1, zorder=1)
        axes.text(
            overall, 1.0, f"all {100 * overall:.1f} %", transform=axes.get_xaxis_transform(),
            ha="right" if overall > 0.5 else "left", va="bottom", color=COLOURS["muted"],
        )  # fmt: skip
        axes.hlines(positions, accuracy, overall, color=COLOURS["line"], linewidth=1, zorder=1)
        axes.scatter(
            accuracy, positions, s=_areas(images), color=COLOURS["blue"], alpha=0.8, linewidth=0,
            zorder=2, clip_on=False,
        )  # fmt: skip
        names = [f"{_short(row['group'])} · {row['images']:,}" for row in rows]
        axes.set_yticks(positions if is_named else [], names if is_named else [])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.4, -0.8)
        low = float(min(accuracy.min(), overall))
        axes.set_xlim(max(0.0, low - 0.04 * (1 - low) - 0.01), 1.0)
        axes.xaxis.set_major_formatter(FuncFormatter(percent))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel("accuracy")
        return Drawing(figure, "groups")


def reliability(bins: Bins, event: str, before: Bins = ()) -> Drawing:
    """Plot stated probability against what came true, dots as large as their number of images.

    Args:
        bins: as `calibration.reliability` returns them.
        event: what the probability is of, the label of the upright axis.
        before: the bins before calibration, drawn as open circles; none to leave them out.
    """
    counts, stated, came_true = _filled(bins)
    with matplotlib.rc_context(STYLE):
        figure, axes = blank()
        axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, zorder=1)
        axes.text(
            0.72, 0.69, "as stated", rotation=45, rotation_mode="anchor", ha="center", va="top",
            transform_rotates_text=True, color=COLOURS["muted"],
        )  # fmt: skip
        axes.vlines(stated, stated, came_true, color=COLOURS["line"], linewidth=1.4, zorder=1)
        axes.scatter(
            stated, came_true, s=_areas(counts), color=COLOURS["blue"], alpha=0.85,
            linewidth=0, zorder=3, clip_on=False,
        )  # fmt: skip
        if before:
            counts, stated, came_true = _filled(before)
            axes.scatter(
                stated, came_true, s=_areas(counts), facecolor="none", edgecolor=COLOURS["muted"],
                linewidth=1.2, zorder=2, clip_on=False,
            )  # fmt: skip
        unit_axes(axes)
        axes.set_xlabel("stated probability")
        axes.set_title(event, loc="left", fontsize="medium", fontweight="bold")
        return Drawing(figure, "reliability")


def _filled(bins: Bins) -> Floats:
    """Return count, confidence and frequency of the bins that hold images, `(3, bins)`."""
    keys = ("count", "confidence", "frequency")
    return np.array([[row[key] for row in bins if row["count"]] for key in keys])


def operating_point(
    thresholds: Floats, sensitivity: Floats, specificity: Floats, chosen: float
) -> Drawing:
    """Plot what a threshold would give, with the one that is stored.

    A second line, with the id `threshold-moved`, lies over that one for a slider to move.

    Args:
        thresholds: float array, shape `(points,)`, ascending in [0, 1].
        sensitivity: float array, shape `(points,)`, at each.
        specificity: float array, shape `(points,)`, at each.
        chosen: the stored threshold.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        FigureCanvasSVG(figure)
        left, right = AXIS
        axes = figure.add_axes((left, 0.15, right - left, 0.76))
        axes.axvline(chosen, color=COLOURS["muted"], linewidth=1, zorder=1)
        axes.axvline(chosen, color=COLOURS["ink"], linewidth=1.6, zorder=3, gid=MOVED)
        axes.annotate(
            f"stored {chosen:.2f}", (chosen, 0), xytext=(5 if chosen < 0.6 else -5, 7),
            textcoords="offset points", ha="left" if chosen < 0.6 else "right",
            color=COLOURS["muted"],
        )  # fmt: skip
        for values, name, colour, side in (
            (sensitivity, "sensitivity", "orange", "right"),
            (specificity, "specificity", "blue", "left"),
        ):
            axes.plot(thresholds, values, color=COLOURS[colour], clip_on=False)
            x = 0.98 if side == "right" else 0.02
            axes.text(x, 0.2, name, ha=side, color=COLOURS[colour])
        unit_axes(axes)
        axes.set_xlabel("threshold")
        axes.set_title("share called right", loc="left", fontsize="medium", fontweight="bold")
        return Drawing(figure, "threshold")


def blank(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return an empty plot as wide as all others, height in pt."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def unit_axes(axes: Axes) -> None:
    """Let both axes run from 0 to 1, the upright one in percent."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.yaxis.set_major_formatter(FuncFormatter(percent))
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.6)


def _areas(counts: NDArray[np.integer]) -> Floats:
    """Return dot areas in pt^2, in proportion to counts, at least 14."""
    return np.asarray(np.maximum(260 * counts / counts.max(), 14))


def _name_at_end(axes: Axes) -> None:
    """Write the names of one or two lines at their ends, apart where they end close together."""
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in axes.lines]
    low, high = axes.get_ylim()
    least = 0.08 * (high - low)
    if len(ends) == 2 and abs(ends[0] - ends[1]) < least:
        middle, sign = sum(ends) / 2, 1 if ends[0] >= ends[1] else -1
        ends = [middle + sign * least / 2, middle - sign * least / 2]
    for line, end in zip(axes.lines, ends, strict=True):
        axes.annotate(
            str(line.get_label()), (float(np.asarray(line.get_xdata())[-1]), end), xytext=(7, 0),
            textcoords="offset points", va="center", color=line.get_color(),
            annotation_clip=False,
        )  # fmt: skip


def percent(value: float, _: Any = None) -> str:
    """Write a share at an axis; matplotlib gives the place of the mark, too."""
    return f"{100 * value:.4g} %"


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element to set into a page, its ids told apart by `name`."""
    text = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context(STYLE):
        # the browser draws the text, and has the letters that matplotlib's font lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S
    )
    svg = re.sub(r'^(<svg)[^>]*?( viewBox="[^"]*")[^>]*>', r"\1\2>", svg)
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    for colour, digits in COLOURS.items():
        svg = svg.replace(digits, f"var(--{colour})")  # light or dark is the page's to say
    return re.sub(r"\s*\n\s*", "\n", svg).replace("xlink:href", "href").strip()
