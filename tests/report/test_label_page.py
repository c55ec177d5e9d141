"""The page in which doubted labels are judged, in a browser: by keyboard, kept, saved, loaded."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import write_tree
from nasty_names import NASTY
from paper_crossval import write_crossval
from PIL import Image
from playwright.sync_api import expect
from report_html import OUTSIDE, SMALL, TEXTS, Page, contrast, opening, over, rgba

from tfcnn.base import naming
from tfcnn.evaluation import label_review, labels
from tfcnn.manifest import corrections
from tfcnn.report import label_page

WRONG = ("round/P0_1.png", "square/P3_2.png", "square/P4_0.png")
CLASSES = ("=cmd|' -C calc'!A0\x1b[31m<script>$x$", "'q\r\n\"u,[bold]\u202e;", "<b>x<!--<script>")
FILES = [name for name in NASTY if "/" not in name and "\udcff" not in name]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Pages of two classes, of three with hostile names, and of a dozen."""
    base = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(base))
        cells = write_tree(base / "cells", groups=6)
        folders = {"cells": write_crossval(cells, base, WRONG)}
        hostile, groups = base / "hostile", {}
        for index, name in enumerate(CLASSES):
            (hostile / name).mkdir(parents=True)
            for number, file in enumerate(FILES):
                path = hostile / name / f"{file[-200:]}{index}.png"
                Image.new("RGB", (16, 16), (80 * index, 4 * number, 99)).save(path)
                groups[path.relative_to(hostile).as_posix()] = file
        wrong = [path for number, path in enumerate(sorted(groups)) if number % 9 == 4]
        folders["hostile"] = write_crossval(hostile, base, wrong, groups)
        many = tuple(f"kind {i:02}" for i in range(12))
        dozen = write_tree(base / "dozen", classes=many, groups=2, per_group=4, side=16)
        folders["dozen"] = write_crossval(dozen, base, ["kind 03/P0_1.png"])
        digits = write_tree(base / "digits", classes=("1", "2", "3"), groups=4, side=16)
        folders["digits"] = write_crossval(digits, base, ["1/P0_1.png"])
        found = {kind: labels.find(folder) for kind, folder in folders.items()}
        yield {kind: label_page.write(one, None, 4) for kind, one in found.items()}


@pytest.fixture
def open_page(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    with opening(browser) as start:
        yield lambda kind, *words, **options: start(pages[kind], *words, **options)


def save(opened: Any, path: Path) -> list[corrections.Judgement]:
    with opened.expect_download() as download:
        opened.keyboard.press("s")
    assert download.value.suggested_filename == "corrections.csv"
    download.value.save_as(path)
    return corrections.read(path)


def press(opened: Any, *keys: str) -> None:
    for key in keys:
        opened.keyboard.press(key)


def items(opened: Any) -> list[dict[str, Any]]:
    return json.loads(opened.locator("#content").text_content())["items"]


def test_all_is_judged_by_keyboard_saved_and_reviewed(
    open_page: Open, pages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_page("cells")
    shown = items(opened)
    assert len(shown) == 7 and [item["kind"] for item in shown].count("random") == 4
    assert "image 1 of 7, 0 judged" in opened.locator("#count").inner_text()
    words = {"suspect": ["f", "k", "f"], "random": ["f", "d", "u", "k"]}
    keys = [words[item["kind"]].pop(0) for item in shown]
    assert not opened.locator("#figures").inner_text(), "nothing sways before the end"
    press(opened, *keys)
    assert opened.locator("#ended-title").inner_text() == "You have seen all 3 suspects"
    assert "none more than" in opened.locator("#rest").inner_text()
    judged = save(opened, tmp_path / "c.csv")
    full = {"f": "flip", "k": "keep", "d": "drop", "u": "unsure"}
    assert [one.judgement for one in judged] == [full[key] for key in keys]
    assert [one.path for one in judged] == [item["path"] for item in shown]
    assert [one.sha256 for one in judged] == [item["sha256"] for item in shown]
    assert all(len(one.sha256) == 64 and not one.saw_opinion for one in judged)
    for one in judged:
        assert one.corrected_label == (
            {"round": "square", "square": "round"}[one.label] if one.judgement == "flip" else ""
        )
    monkeypatch.setenv("TFCNN_HOME", str(pages["cells"].parents[2]))
    review = labels.find("cells").review(tmp_path / "c.csv")
    assert (review.suspects.changed, review.suspects.decided) == (2, 3)
    assert (review.random.changed, review.random.decided) == (1, 2)
    # the page counts as Python does
    text = opened.locator("#figures").inner_text().replace("\xa0", " ")
    assert review.wrong is not None
    for share in (review.suspects.__dict__, review.random.__dict__, review.wrong):
        for key in ("value", "low", "high"):
            assert f"{100 * share[key]:.1f} %" in text
    assert f"If all were slips, {100 * review.suspects_if_slips:.1f} %" in text


def test_the_models_opinion_is_hidden_until_judged_and_recorded_where_it_was_seen(
    open_page: Open, tmp_path: Path
) -> None:
    opened = open_page("cells")
    opinion = opened.locator("#opinion")
    assert "when you have judged" in opinion.inner_text()
    press(opened, "k")
    assert "when you have judged" in opinion.inner_text(), "the next one is not judged"
    press(opened, "ArrowLeft")
    assert "The models say" in opinion.inner_text()
    press(opened, "z")
    assert "when you have judged" in opinion.inner_text()
    press(opened, "f", "f", "m")
    assert "The models say" in opinion.inner_text() and opened.locator("#show").is_checked()
    press(opened, "u")
    saw = [one.saw_opinion for one in save(opened, tmp_path / "c.csv")]
    assert saw == [True, False, True]


def test_undo_goes_back_step_by_step_and_a_closed_tab_loses_nothing(open_page: Open) -> None:
    opened = open_page("cells")
    press(opened, "k", "f", "d")
    assert "image 4 of 7, 3 judged" in opened.locator("#count").inner_text()
    opened.reload()
    assert "image 4 of 7, 3 judged" in opened.locator("#count").inner_text()
    press(opened, "z")
    assert "image 3 of 7, 2 judged" in opened.locator("#count").inner_text()
    press(opened, "ArrowLeft", "k")  # another judgement of the second one
    press(opened, "z")
    pressed = opened.locator("#acts button[aria-pressed=true]")
    assert pressed.inner_text().split()[-2:][0] == "to", "it is flipped again"
    press(opened, "z", "z", "z")
    assert "0 judged" in opened.locator("#count").inner_text()
    assert opened.locator("#told").inner_text() == "There is nothing to undo."
    assert opened.locator("#undo").is_disabled()


def test_a_table_is_loaded_again_and_what_is_not_here_is_saved_along(
    open_page: Open, tmp_path: Path
) -> None:
    opened = open_page("cells")
    shown = items(opened)
    table = tmp_path / "old.csv"
    changed = f"{shown[2]['path']},{'0' * 64},round,keep,,suspect,no"
    lines = [
        ",".join(corrections.COLUMNS), f"{shown[0]['path']},,round,drop,,suspect,no",
        f"{shown[1]['path']},{shown[1]['sha256']},round,unsure,,suspect,yes", changed,
        "elsewhere/'=x.png,,round,flip,square,suspect,no", f"{shown[3]['path']},,,maybe,,,",
    ]  # fmt: skip
    table.write_text("\ufeff" + "\r\n".join(lines))
    opened.locator("#load").set_input_files(str(table))
    told = opened.locator("#told")
    expect(told).not_to_be_empty()
    assert "2 judgements loaded; 1 on other images are kept" in told.inner_text()
    assert f"2 do not fit and are left out, such as {shown[2]['path']}" in told.inner_text()
    assert "image 3 of 7, 2 judged" in opened.locator("#count").inner_text()
    saved = save(opened, tmp_path / "new.csv")
    assert [one.judgement for one in saved] == ["drop", "unsure", "flip"]
    assert (saved[2].path, saved[2].corrected_label) == ("elsewhere/'=x.png", "square")
    assert saved[1].saw_opinion
    table.write_text("name,what\nx,y\n")
    opened.locator("#load").set_input_files(str(table))
    expect(told).to_contain_text("no table")


def test_hostile_names_are_shown_as_text_and_saved_so_that_they_are_read_back(
    open_page: Open, tmp_path: Path
) -> None:
    opened = open_page("hostile")
    shown = items(opened)
    assert len(shown) > 10 and opened.locator("b").count() == 0
    assert opened.locator("script").count() == 2
    for number in range(len(shown)):
        path = opened.locator("#path").text_content()
        assert path is not None and not naming.IS_HIDDEN.search(path)
        press(opened, str(1 + (shown[number]["label"] + 1) % 3))
    assert opened.locator("#ended").is_visible()
    judged = save(opened, tmp_path / "c.csv")
    assert [one.path for one in judged] == [item["path"] for item in shown]
    names = sorted(CLASSES)
    for one, item in zip(judged, shown, strict=True):
        assert one.judgement == "flip" and one.label == names[item["label"]]
        assert one.corrected_label == names[(item["label"] + 1) % 3]
    text = (tmp_path / "c.csv").read_bytes().decode()
    assert not naming.IS_HIDDEN.search(text), "nothing acts on a terminal"
    # every name, and what looks like the cell of one, comes back through both readers
    every = [*FILES, *CLASSES, *map(naming.cell, FILES)]
    assert opened.evaluate("(all) => all.map(cell)", every) == [*map(naming.cell, every)]
    assert opened.evaluate("(all) => all.map((name) => fromCell(cell(name)))", every) == every
    opened.locator("#load").set_input_files(str(tmp_path / "c.csv"))
    expect(opened.locator("#told")).to_have_text(f"{len(shown)} judgements loaded.")


def test_a_class_of_many_is_chosen_from_a_list(open_page: Open, tmp_path: Path) -> None:
    opened = open_page("dozen")
    at = [item["kind"] for item in items(opened)].index("suspect")
    press(opened, *["ArrowRight"] * at)
    press(opened, "f")
    opened.locator("#class").select_option(label="kind 04")
    opened.keyboard.press("Enter")
    (one,) = save(opened, tmp_path / "c.csv")
    assert (one.path, one.judgement, one.corrected_label) == ("kind 03/P0_1.png", "flip", "kind 04")
    press(opened, "1")
    assert "1 judged" in opened.locator("#count").inner_text(), "twelve classes have no digits"


def test_a_class_that_is_called_by_a_digit_has_that_key(open_page: Open, tmp_path: Path) -> None:
    opened = open_page("digits")
    at = [item["kind"] for item in items(opened)].index("suspect")
    press(opened, *["ArrowRight"] * at, "1")
    assert "0 judged" in opened.locator("#count").inner_text(), "the label that it has"
    press(opened, "3")
    (one,) = save(opened, tmp_path / "c.csv")
    assert (one.label, one.judgement, one.corrected_label) == ("1", "flip", "3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_can_be_read(open_page: Open, width: int, scheme: str) -> None:
    opened = open_page("cells", width, color_scheme=scheme)
    background = rgba(opened.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
    press(opened, "k", "ArrowLeft")
    for _ in range(2):
        assert not opened.evaluate(OUTSIDE) and not opened.evaluate(SMALL)
        for found in opened.evaluate(TEXTS):
            if found["text"] in ("Back", "Undo", "Z", "←"):  # a button that can do nothing
                continue
            seen = background
            for colour in reversed(found["below"]):
                seen = over(rgba(colour), seen)
            assert contrast(over(rgba(found["colour"]), seen), seen) >= 4.5, found
        press(opened, *"kkkkkkk")
    box = open_page("cells", width).locator("#acts button").last.bounding_box()
    assert box is not None and box["y"] + box["height"] < 900, "image and answers are in one view"


def test_the_shares_are_those_of_scipy(open_page: Open) -> None:
    opened = open_page("cells")
    for changed, decided in ((0, 1), (1, 1), (0, 21), (3, 17), (40, 41), (212, 500), (499, 500)):
        found = opened.evaluate("([k, n]) => shareOf(k, n)", [changed, decided])
        low, high = label_review.exact_bounds(changed, decided)
        assert found["low"] == pytest.approx(low, abs=1e-9)
        assert found["high"] == pytest.approx(high, abs=1e-9)


def test_the_file_is_sound_html_that_holds_no_tag_of_a_name(pages: dict[str, Path]) -> None:
    for path in pages.values():
        page = Page(re.sub(r"<script.*?</script>", "", path.read_text("utf-8"), flags=re.DOTALL))
        assert not page.errors
        names = {tag for tag, _ in page.tags}
        assert "b" not in names and "img" in names
