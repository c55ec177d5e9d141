"""The plots of ROC, precision-recall and decision curve, each with its band."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tfcnn.report.colours import COLOURS
from tfcnn.report.plots import STYLE, Drawing, blank, percent, unit_axes

Floats = NDArray[np.floating]


def roc(content: dict[str, Any]) -> Drawing:
    """Plot sensitivity against false positive rate, with its band and the stored threshold.

    Args:
        content: as `curves.measure` returns it.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = blank()
        axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))
        axes.text(
            0.62, 0.585, "chance", rotation=45, rotation_mode="anchor", ha="center", va="top",
            transform_rotates_text=True, color=COLOURS["muted"],
        )  # fmt: skip
        columns = content["roc"]
        rates, values = _with_band(axes, columns, "false_positive_rate", "sensitivity")
        # from no image called up to the first false positive
        axes.plot([0, rates[0]], [0, values[0]], color=COLOURS["blue"])
        _mark(axes, content, "false_positive_rate", "sensitivity")
        unit_axes(axes)
        axes.set_xlabel("false positive rate (1 − specificity)")
        axes.set_title("sensitivity", loc="left", fontsize="medium", fontweight="bold")
        return Drawing(figure, "roc")


def precision_recall(content: dict[str, Any]) -> Drawing:
    """Plot PPV against sensitivity, with its band, the stored threshold and the prevalence.

    Args:
        content: as `curves.measure` returns it.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = blank()
        if "prevalence" in content:
            share = content["prevalence"]
            axes.axhline(share, color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"all called positive: {percent(round(share, 3))}", (0.02, share),
                xytext=(0, 4 if share < 0.5 else -4), textcoords="offset points",
                va="bottom" if share < 0.5 else "top", color=COLOURS["muted"],
            )  # fmt: skip
        _with_band(axes, content["precision_recall"], "sensitivity", "ppv")
        _mark(axes, content, "sensitivity", "ppv")
        unit_axes(axes)
        axes.set_xlabel("sensitivity (recall)")
        axes.set_title("PPV (precision)", loc="left", fontsize="medium", fontweight="bold")
        return Drawing(figure, "precision-recall")


def net_benefit(content: dict[str, Any]) -> Drawing:
    """Plot the decision curve with its band, beside treating all and none.

    Args:
        content: as `curves.measure` returns it, with a positive class.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = blank()
        columns, prevalence = content["net_benefit"], content["prevalence"]
        thresholds, values = _with_band(axes, columns, "threshold", "net_benefit")
        all_called = np.array(columns["treat_all"])
        low = -0.12 * prevalence
        highs = [value for value in columns["high"] if value is not None]
        high = 1.05 * max([prevalence, float(values.max()), *highs])
        axes.plot(
            [0, *thresholds], [prevalence, *all_called], color=COLOURS["muted"], linewidth=1.4,
            linestyle=(0, (4, 3)),
        )  # fmt: skip
        axes.axhline(0, color=COLOURS["muted"], linewidth=1.4)
        at = int(np.argmax(all_called < 0.3 * prevalence))
        axes.annotate(
            "treat all", (thresholds[at], all_called[at]), xytext=(-6, 0), ha="right", va="center",
            textcoords="offset points", color=COLOURS["muted"],
        )  # fmt: skip
        axes.annotate(
            "treat none", (0.02, 0), xytext=(0, -4), ha="left", va="top",
            textcoords="offset points", color=COLOURS["muted"],
        )  # fmt: skip
        axes.annotate(
            "model", (thresholds[1], values[1]), xytext=(0, 6), ha="left", va="bottom",
            textcoords="offset points", color=COLOURS["blue"],
        )  # fmt: skip
        _mark(axes, content, "threshold", "net_benefit")
        axes.set_xlim(0, 1)
        axes.set_ylim(low, high)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        axes.grid(axis="y", color=COLOURS["line"], linewidth=0.6)
        axes.set_xlabel("threshold")
        axes.set_title("net benefit", loc="left", fontsize="medium", fontweight="bold")
        return Drawing(figure, "net-benefit")


def _with_band(axes: Axes, columns: dict[str, Any], x: str, y: str) -> tuple[Floats, Floats]:
    """Draw a curve and its band; return both coordinates."""
    across, up, low, high = (
        np.array(columns[name], dtype=np.float64) for name in (x, y, "low", "high")
    )
    axes.fill_between(across, low, high, color=COLOURS["blue"], alpha=0.18, linewidth=0)
    axes.plot(across, up, color=COLOURS["blue"], zorder=3)
    return across, up


def _mark(axes: Axes, content: dict[str, Any], x: str, y: str) -> None:
    """Mark the stored threshold; nothing where there is none."""
    stored = content.get("stored", {})
    if stored.get(y) is None:
        return
    axes.plot(
        stored[x], stored[y], marker="o", markersize=7, color=COLOURS["orange"], zorder=4,
        clip_on=False,
    )  # fmt: skip
    is_left = stored[x] < 0.6
    axes.annotate(
        f"stored {stored['threshold']:.2f}", (stored[x], stored[y]),
        xytext=(9 if is_left else -9, -9), textcoords="offset points",
        ha="left" if is_left else "right", va="top", color=COLOURS["orange"], zorder=4,
    )  # fmt: skip
