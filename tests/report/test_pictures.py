"""The images of a report: the worst first, only those that were measured, within a budget."""

import base64
import io
import json
import re
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from PIL import Image
from report_html import Page
from report_runs import write_run

from tfcnn.report import content, exhibits, matrix, page, pictures
from tfcnn.runs import Run


def read(folder: Path) -> content.Content:
    return content.read(Run(folder, json.loads((folder / "model.json").read_text())))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A run whose images are there."""
    return write_run(tmp_path / "run", "binary", pictures=tmp_path / "pictures", skill=1.5)


def test_cells_hold_their_own_predictions_worst_first(drawn: Path) -> None:
    made = read(drawn)
    part = made.part
    positive = part.probs[:, 0] >= 0.37
    answered = np.where(positive, 0, 1)  # the decision: it is what the matrix counts
    stated = np.where(positive, part.probs[:, 0], part.probs[:, 1])
    assert (answered != part.probs.argmax(axis=1)).any()
    behind = matrix.images_behind(made)
    assert [i == j for i, j in behind] == [False, False, True, True], "errors come first"
    for (i, j), indices in behind.items():
        here = (part.labels == i) & (answered == j)
        assert here[indices].all() and len(indices) == min(here.sum(), 60)
        left_out = np.setdiff1d(np.flatnonzero(here), indices)
        sign = 1 if i == j else -1
        assert (np.diff(sign * stated[indices]) >= 0).all()
        if len(left_out):
            assert (sign * stated[left_out]).min() >= (sign * stated[indices]).max()


def test_an_image_that_changed_or_went_is_not_shown(drawn: Path, tmp_path: Path) -> None:
    shown = exhibits.collect(read(drawn), {})
    first, second, third = (row["path"] for row in shown.errors[:3])
    assert all(row["uri"] for row in shown.errors) and shown.has_images
    Image.new("RGB", (9, 9)).save(tmp_path / "pictures" / first)
    (tmp_path / "pictures" / second).unlink()
    again = exhibits.collect(read(drawn), {})
    assert [bool(row["uri"]) for row in again.errors[:3]] == [False, False, True]
    tiles = [tile["path"] for cell in again.cells for tile in cell["tiles"]]
    assert third in tiles and not {first, second} & set(tiles)
    made = Page(page.write(drawn).read_text("utf-8"))
    assert not made.errors and "The image is gone." in made.prose


def test_a_page_without_maps_says_why(drawn: Path) -> None:
    made = Page(page.write(drawn).read_text("utf-8"))
    assert made.prose.count("Where the model looked is not shown") == 1
    assert "no model.keras" in made.prose and "; try" not in made.prose


def test_a_page_without_images_says_so_once(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    made = Page(page.write(drawn).read_text("utf-8"))
    assert not made.errors and not made.attributes("img")
    assert made.prose.count("no longer where they were") == 1
    assert "surest of" in made.prose, "the errors are still listed"


def test_thumbnails_are_small_and_keep_their_shape(drawn: Path, tmp_path: Path) -> None:
    album = pictures.open_album(str(tmp_path / "pictures"), {})
    assert album.source is not None and album.open("Parasitized/none.png") is None
    for size, expected in (((300, 150), (128, 64)), ((28, 28), (28, 28))):
        uri = pictures.data_uri(Image.new("L", size, 77), 128)
        image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert image.format == "WEBP" and image.size == expected
        assert abs(np.asarray(image).astype(int) - 77).max() <= 2


def test_a_budget_is_shared_by_all_cells(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = read(drawn)
    hashes = {row["path"]: row["sha256"] for row in made.split}
    album = pictures.open_album(made.recipe.data.source, hashes)
    queues = [[str(made.part.paths[i]) for i in row] for row in matrix.images_behind(made).values()]
    everything = pictures.thumbnails(album, queues)
    assert len(everything) == sum(map(len, queues))
    monkeypatch.setattr(pictures, "BUDGET", sum(map(len, everything.values())) // 4)
    some = pictures.thumbnails(album, queues)
    assert sum(map(len, some.values())) <= pictures.BUDGET
    counts = [sum(path in some for path in queue) for queue in queues]
    assert min(counts) > 5 and max(counts) - min(counts) <= 1
    assert all(
        list(dict.fromkeys(q))[:n] == [p for p in q if p in some]
        for q, n in zip(queues, counts, strict=True)
    )


def test_no_data_set_is_made_or_fetched(home: Path) -> None:
    assert pictures.open_album("smears", {}).source is None
    assert pictures.open_album("mnist", {}).source is None
    assert not home.exists()


@pytest.mark.slow
def test_ten_thousand_predictions_of_ten_classes(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run",
        "ten_classes",
        pictures=tmp_path / "pictures",
        num_images={"val": 100, "test": 10_000},
        skill=0.5,  # so bad that every cell has its 60 images
    )
    start = perf_counter()
    text = page.write(folder).read_text("utf-8")
    assert perf_counter() - start < 60
    assert len(text.encode()) < 8_000_000
    counts = [
        len(re.findall("<img", panel))
        for panel in re.findall(r'<details class="cell".*?</details>', text, re.S)
    ]
    assert len(counts) == 100 and max(counts) == 60 and min(counts) > 10
