"""Plots: the same bytes for the same figures, whole for awkward ones."""

import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from tfcnn.evaluation.calibration import reliability
from tfcnn.report import plots


def rows(count: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    return [
        {"group": f"P{i}", "images": int(rng.integers(1, 300)), "accuracy": i / count}
        for i in range(1, count + 1)
    ]


def dots(svg: str) -> int:
    """Count the marks of a scatter: paths of their own, or one path used again."""
    root = ElementTree.fromstring(svg)
    collection = next(e for e in root.iter("g") if "PathCollection" in e.get("id", ""))
    defined = sum(len(e.findall("path")) for e in collection.iter("defs"))
    return len([*collection.iter("path"), *collection.iter("use")]) - defined


@pytest.mark.parametrize("count", [1, 21, 40, 41, 500])
def test_each_group_has_a_dot_up_to_a_limit(count: int) -> None:
    svg = plots.groups(rows(count), 0.9).svg()
    assert dots(svg) == min(count, plots.MAX_GROUPS)
    named = set(re.findall(r">(P\d+) · ", svg))
    assert len(named) == (count if count <= 40 else 0)


def test_same_figures_same_bytes_and_nothing_global_changes() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    assert plots.groups(rows(9), 0.9).svg() == plots.groups(rows(9), 0.9).svg()
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", ["$\\frac{", "<b>&amp;", "患者７", "\u202eabc", "x" * 400])
def test_any_name_can_be_drawn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = plots.groups([{"group": name, "images": 3, "accuracy": 0.5}], 0.5).svg()
    root = ElementTree.fromstring(svg)
    labels = [text for element in root.iter() if (text := element.text or "").endswith(" · 3")]
    assert labels == [f"{name}" + " · 3" if len(name) <= 14 else name[:13] + "… · 3"]


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_curves_name_their_lines(epochs: int) -> None:
    lines = {"train": [0.5] * epochs, "val": [0.5] * epochs}
    svg = plots.curves(lines, label="loss", is_share=False, colours=("muted", "blue")).svg()
    texts = list(ElementTree.fromstring(svg).iter("text"))
    heights = {e.text: float(e.get("y", "nan")) for e in texts if e.text in lines}
    assert abs(heights["train"] - heights["val"]) > 12  # px: one is not written over the other


def test_reliability_draws_filled_bins_only() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.15, 0.85], [0.97, 0.03]])
    bins = reliability(np.array([0, 1, 0, 0]), probs, positive=1)
    svg = plots.reliability(bins, "share that is x").svg()
    assert dots(svg) == sum(row["count"] > 0 for row in bins)
    assert ">share that is x<" in svg


def test_threshold_is_written() -> None:
    grid = np.linspace(0, 1, 11)
    svg = plots.operating_point(grid, 1 - grid, grid, 0.37).svg()
    assert ">stored 0.37<" in svg and ">sensitivity<" in svg and ">specificity<" in svg
