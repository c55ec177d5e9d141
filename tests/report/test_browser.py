"""Reports opened in a browser: every control works, and everything has a name and can be read."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import run_tfcnn
from PIL import Image
from playwright.sync_api import expect
from report_html import OUTSIDE, SMALL, TEXTS, contrast, opening, over, rgba
from report_runs import write_run

from tfcnn.datasets import smears
from tfcnn.report import page

KINDS = ("smears", "ten", "leaky")
NAMED = {"button", "link", "slider", "radio", "image", "img", "DisclosureTriangle", "region"}
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def smears_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's run on fewer cells, of a narrower network; its report was written by `train`."""
    home = tmp_path_factory.mktemp("smears") / "home"
    (home / "data").mkdir(parents=True)
    smears.generate(home / "data/smears", num_patients=20, cells_per_patient=25)
    small = ("--epochs", 3, "--set", "model.options.widths=[8, 16, 32]")
    result = run_tfcnn("train", "smears", *small, "--run", "drawn", home=home)
    assert result.returncode == 0, result.stderr
    return home / "models" / "drawn"


@pytest.fixture(scope="session")
def reports(smears_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of several kinds of run: trained on drawn cells, ten classes with images, a leak."""
    home = tmp_path_factory.mktemp("pages")
    ten = write_run(home / "ten", "ten_classes", pictures=home / "pictures")
    leaky = write_run(home / "leaky", "leaky")
    folders = {"smears": smears_run, "ten": ten, "leaky": leaky}
    for folder in (ten, leaky):
        page.write(folder)
    return {kind: folder / "report.html" for kind, folder in folders.items()}


@pytest.fixture
def open_page(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Return a function that opens a report, and see at the end that nothing went wrong in it."""
    with opening(browser) as start:
        yield lambda kind, *words, **options: start(reports[kind], *words, **options)


@pytest.mark.parametrize("kind", ["smears", "ten"])
def test_every_cell_opens_its_images_and_closes_them(open_page: Open, kind: str) -> None:
    opened = open_page(kind)
    links = opened.locator("a[data-opens]")
    assert links.count() == opened.locator(".matrix td a").count() > 1
    # of the hundred of ten classes those of one diagonal, and some beside it
    for index in range(0, links.count(), 1 if kind == "smears" else 9):
        link = links.nth(index)
        if link.get_attribute("aria-expanded") == "true":
            link.click()
        assert link.get_attribute("aria-expanded") == "false"
        link.click()
        assert link.get_attribute("aria-expanded") == "true"
        panels = opened.locator("details.cell:visible")
        assert panels.count() == 1, "one at a time"
        assert panels.get_attribute("id") == link.get_attribute("aria-controls")
        count = int(link.locator("strong").inner_text().replace(",", ""))
        images = panels.locator("img")
        assert images.count() == min(count, 60)
        assert images.evaluate_all(
            "async (all) => { await Promise.all(all.map((e) => e.decode()));"
            " return all.every((e) => e.naturalWidth > 0 && e.alt); }"
        )


def test_cells_work_by_keyboard(open_page: Open) -> None:
    opened = open_page("smears")
    identity = opened.locator("a[data-opens][aria-expanded=false]").first.get_attribute("href")
    link = opened.locator(f"a[href='{identity}']")
    link.focus()
    for key, state in (("Enter", "true"), ("Enter", "false"), ("Space", "true")):
        opened.keyboard.press(key)
        assert link.get_attribute("aria-expanded") == state
    summary = opened.locator("details.cell[open] summary")
    summary.focus()
    opened.keyboard.press("Enter")
    expect(opened.locator("details.cell[open]")).to_have_count(0)
    assert link.evaluate("e => e === document.activeElement"), "the focus is not lost"


def test_worst_come_first_and_a_tile_tells_its_path(
    open_page: Open, reports: dict[str, Path]
) -> None:
    opened = open_page("smears")
    with (reports["smears"].parent / "predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    link = opened.locator(".matrix .wrong a").first
    if link.get_attribute("aria-expanded") == "false":
        link.click()
    label, predicted = (
        opened.locator("details.cell[open] summary")
        .evaluate("e => e.firstChild.textContent")
        .strip()
        .split(" called ")
    )
    wrong = [row for row in rows if (row["label"], row["predicted"]) == (label, predicted)]
    wrong.sort(key=lambda row: -float(row[f"prob_{predicted}"]))
    tiles = opened.locator("details.cell[open] .tiles li")
    tiles.first.locator("input").focus()
    opened.keyboard.press("Space")
    text = tiles.first.locator("p").inner_text()
    assert wrong[0]["path"] in text and wrong[0]["group"] in text
    assert f"{100 * float(wrong[0][f'prob_{predicted}']):.1f}" in text
    alts = [tiles.nth(i).locator("img").get_attribute("alt") for i in range(tiles.count())]
    assert [alt.split(",")[0] for alt in alts] == [row["path"] for row in wrong][:60]


def test_worst_errors_show_where_the_model_looked(
    open_page: Open, reports: dict[str, Path]
) -> None:
    opened = open_page("smears")
    report = json.loads((reports["smears"].parent / "report.json").read_text())
    (a, b), (c, d) = report["confusion"]["test"]
    assert opened.locator(".cards li").count() == min(b + c, 12) > 0, (a, d)
    for card in opened.locator(".cards li").all():
        image, seen = card.locator("img").all()
        assert seen.get_attribute("alt") == "What spoke for Parasitized"
        assert image.get_attribute("src") != seen.get_attribute("src")
        sizes = [e.evaluate("async (e) => { await e.decode(); return e.naturalWidth; }")
                 for e in (image, seen)]  # fmt: skip
        assert sizes[0] == sizes[1] > 0


def test_slider_counts_the_stored_predictions(open_page: Open, reports: dict[str, Path]) -> None:
    opened = open_page("smears")
    folder = reports["smears"].parent
    with (folder / "predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    is_positive = [row["label"] == "Parasitized" for row in rows]
    score = [float(row["prob_Parasitized"]) for row in rows]
    slider = opened.get_by_role("slider", name="Move the threshold")
    stored = slider.input_value()
    slider.focus()
    for key, threshold in (("Home", 0.0), ("ArrowRight", 0.005), ("PageUp", None), ("End", 1.0)):
        opened.keyboard.press(key)
        at = int(slider.input_value()) / 200
        assert threshold in (None, at)
        hits = sum(s >= at for s, yes in zip(score, is_positive, strict=True) if yes)
        alarms = sum(s >= at for s, yes in zip(score, is_positive, strict=True) if not yes)
        assert _moved(opened, "missed") == f"{sum(is_positive) - hits:,}"
        assert _moved(opened, "alarms") == f"{alarms:,}"
        assert _moved(opened, "sensitivity") == f"{100 * hits / sum(is_positive):.1f}\u00a0%"
        called = hits + alarms
        assert _moved(opened, "ppv") == (f"{100 * hits / called:.1f}\u00a0%" if called else "–")
        assert f"{at:.3f}: sensitivity" in str(slider.get_attribute("aria-valuetext"))
    assert "translateX" in str(opened.locator("#threshold-moved").get_attribute("style"))
    opened.get_by_role("button", name="Back to the stored threshold").click()
    expect(opened.locator("#threshold-slider")).to_have_value(stored)
    report = json.loads((folder / "report.json").read_text())
    sensitivity = report["splits"]["test"]["sensitivity"]["value"]
    assert _moved(opened, "sensitivity") == f"{100 * sensitivity:.1f}\u00a0%"


@pytest.mark.parametrize("kind", KINDS)
def test_everything_has_a_name(open_page: Open, kind: str) -> None:
    opened = open_page(kind)
    opened.evaluate(
        "document.querySelectorAll('details').forEach((e) => { e.name = ''; e.open = true; })"
    )
    tree = opened.context.new_cdp_session(opened).send("Accessibility.getFullAXTree")
    nodes = [node for node in tree["nodes"] if node.get("role", {}).get("value") in NAMED]
    assert len(nodes) > 10
    nameless = [node for node in nodes if not node.get("name", {}).get("value", "").strip()]
    assert not nameless
    assert not opened.evaluate(SMALL), "targets of at least 24 px (WCAG 2.2, 2.5.8)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_can_be_read(open_page: Open, kind: str, scheme: str) -> None:
    opened = open_page(kind, color_scheme=scheme)
    texts = opened.evaluate(TEXTS)
    assert len(texts) > 100
    for row in texts:
        behind = (255.0, 255.0, 255.0)
        for colour in reversed(row["below"]):
            behind = over(rgba(colour), behind)
        assert contrast(over(rgba(row["colour"]), behind), behind) >= 4.5, row


@pytest.mark.parametrize("width", [320, 360, 768])
@pytest.mark.parametrize("kind", KINDS)
def test_a_narrow_screen_never_scrolls_sideways(open_page: Open, kind: str, width: int) -> None:
    opened = open_page(kind, width=width)
    assert opened.evaluate(OUTSIDE) == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("kind", "width"), [("smears", 760), ("smears", 900), ("ten", 1100)])
def test_no_table_is_cut_on_a_laptop(open_page: Open, kind: str, width: int) -> None:
    opened = open_page(kind, width=width)
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)"
    assert opened.locator(".scroll:visible").evaluate_all(cut) == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_prints_on_white_without_controls(open_page: Open, kind: str) -> None:
    opened = open_page(kind, color_scheme="dark")
    opened.emulate_media(media="print")
    assert (
        opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert opened.locator("button:visible, input[type=range]:visible, nav:visible").count() == 0
    assert opened.get_by_text("Select a number").locator("visible=true").count() == 0
    pages = opened.pdf(format="A4").count(b"/Type /Page\n")
    assert 3 <= pages <= 14


def test_it_is_whole_without_scripts(open_page: Open) -> None:
    opened = open_page("smears", java_script_enabled=False)
    assert opened.locator("input[type=range]:visible, button:visible").count() == 0
    panels = opened.locator("details.cell")
    assert panels.count() == panels.locator("visible=true").count() > 1
    closed = opened.locator("details.cell:not([open])").first
    identity = closed.get_attribute("id")
    opened.locator(f"a[data-opens={identity}]").click()
    assert opened.locator(f"#{identity}[open] img").count() > 0


def test_the_picture_of_the_readme_can_be_drawn(
    browser: Any, smears_run: Path, tmp_path: Path
) -> None:
    script, target = (
        Path(__file__).parents[2] / "docs/pictures/draw_report.py",
        tmp_path / "out.png",
    )
    subprocess.run([sys.executable, script, smears_run, target], check=True)
    with Image.open(target) as picture:
        assert picture.width == 1024 and picture.height > 1000


def _moved(opened: Any, name: str) -> str:
    return str(opened.locator(f"[data-moved={name}]").text_content())
