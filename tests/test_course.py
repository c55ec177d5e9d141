"""docs/course.md says where each slide can be touched."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tfcnn import lab
from tfcnn.lab import lesson_cells
from tfcnn.lab.site import site_pages

ROOT = Path(__file__).parents[1]
SLIDES = ROOT.parent / "shared" / "slides.txt"
TABLE = "| slide | page | lesson | exercise |\n|---|---|---|---|\n"
# words inside of the slides' pictures, and on their cover
PICTURED = {
    "t-academy", "Future Skills Academy", "for Emerging Technologies", "CERTIFIED",
    "DEEP LEARNING", "PROFESSIONAL", "(CDLP)", "ICTC International Council",
    "for Technology Certifications", "Digital Tech Faculty Expert (DTeX)", "inputs", "neurons",
    "Hidden", "Layers", "10 output", "3 by 3 Filter", "Convolutional", "Layer", "Localized",
    "Connections", "Input", "Image", "Convolutio", "nal", "Input Layer", "Filter", "Filter 1",
    "Filter 2 ...", "Deep Learning",
}  # fmt: skip
PART = re.compile(r"part (one|two|three|four|\d)\b", re.IGNORECASE)


def table():
    """Return the rows of the page's first table: slide, pages, lessons, exercises."""
    text = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    rows = text.partition(TABLE)[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def names(column):
    return {name for row in table() for name in re.findall(r"`([^`]+)`", row[column])}


def lines():
    """Return the lines of the slides, without marks, empty lines and numbers."""
    text = SLIDES.read_text(encoding="utf-8").replace("**", "").replace("“", '"')
    found = [line.strip() for line in text.replace("”", '"').replace("’", "'").splitlines()]
    return [line for line in found if line and not re.fullmatch(r"[\d\s.…-]+|\$\$.*\$\$", line)]


def headings():
    """Return what the slides print outside of lists and pictures; a part follows its title."""
    found = []
    for before, line in pairwise(["", *lines()]):
        if line.startswith("- ") or line in PICTURED or line.startswith("|"):
            continue
        found.append(f"{before}, {line}" if PART.match(line) else line)
    return [line for line in found if f"{line}, " not in " ".join(f"{one} " for one in found)]


def test_every_row_leads_to_something_that_exists():
    rows = table()
    assert len(rows) > 40 and len({row[0] for row in rows}) == len(rows)
    for row in rows:
        assert any("`" in column for column in row[1:]), row[0]
    assert names(1) == {page.name for page in site_pages.every_page()}
    assert names(2) == set(lesson_cells.names())
    assert names(3) == set(lab.exercises())


@pytest.mark.skipif(not SLIDES.is_file(), reason="the slides are not beside the repository")
def test_every_heading_of_the_slides_has_a_row():
    found = headings()
    assert len(found) > 30 and "MNIST ANN, PART ONE: DATA" in found
    missing = [line for line in found if line not in {row[0] for row in table()}]
    assert missing == []


@pytest.mark.skipif(not SLIDES.is_file(), reason="the slides are not beside the repository")
def test_every_row_is_in_the_slides():
    text = " ".join(line.removeprefix("- ") for line in lines())
    for row in table():
        for part in re.split(r", (?=PART|Part)", row[0]):
            assert part in text, row[0]
