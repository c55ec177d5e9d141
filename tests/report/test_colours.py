"""Colours of a report, light and dark, against WCAG 2.2's contrast."""

import re

import pytest
from report_html import contrast, rgb
from report_runs import write_run

from tfcnn.report import page


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_run(tmp_path_factory.mktemp("runs") / "binary")
    return page.write(folder).read_text("utf-8")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_are_readable(text: str, mode: str) -> None:
    style = text.split("<style>")[1].split("</style>")[0]
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(re.findall(r"--([\w-]+):\s*([^;]+);", light))
    if mode == "dark":
        colours |= dict(re.findall(r"--([\w-]+):\s*([^;]+);", dark))
    paper = rgb(colours["paper"])
    backgrounds = [rgb(colours[name]) for name in ("paper", "grey", "warm")]
    darkest = [
        tuple(
            share * int(part) + (1 - share) * under for part, under in zip(rgb, paper, strict=True)
        )
        for rgb, share in ((colours["blue-rgb"].split(), 0.3), (colours["orange-rgb"].split(), 0.8))
    ]
    for name in ("ink", "muted", "blue", "orange"):
        assert contrast(rgb(colours[name]), paper) >= 4.5, name
    assert all(contrast(rgb(colours["ink"]), behind) >= 4.5 for behind in backgrounds + darkest)
    assert contrast(rgb("#ffffff"), rgb(colours["red"])) >= 4.5
    assert not re.findall(r"#[0-9a-f]{6}", "".join(re.findall(r"<svg.*?</svg>", text, re.S)))
