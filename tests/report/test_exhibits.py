"""The images of a report: the worst first, only those measured, within a budget; their maps."""

import base64
import io
import json
import re
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from PIL import Image
from report_html import write_page
from report_runs import write_run

from tfcnn import runs
from tfcnn.base.errors import CheckError
from tfcnn.base.records import sha256_of
from tfcnn.recipes import DataSettings
from tfcnn.report import content, exhibits, page
from tfcnn.report.exhibits import overlays
from tfcnn.runs import Run


def read(folder: Path) -> content.Content:
    return content.read(Run(folder, json.loads((folder / "model.json").read_text())))


@pytest.fixture
def with_images(tmp_path: Path) -> Path:
    """A run whose images are there."""
    return write_run(tmp_path / "run", "binary", pictures=tmp_path / "pictures", skill=1.5)


def test_cells_hold_their_own_predictions_worst_first(with_images: Path) -> None:
    data = read(with_images)
    part = data.predictions
    positive = part.probs[:, 0] >= 0.37
    answered = np.where(positive, 0, 1)  # the decision: it is what the matrix counts
    stated = np.where(positive, part.probs[:, 0], part.probs[:, 1])
    assert (answered != part.probs.argmax(axis=1)).any()
    behind = exhibits.images_behind(data)
    assert [i == j for i, j in behind] == [False, False, True, True], "errors come first"
    for (i, j), indices in behind.items():
        here = (part.labels == i) & (answered == j)
        assert here[indices].all() and len(indices) == min(here.sum(), 60)
        left_out = np.setdiff1d(np.flatnonzero(here), indices)
        sign = 1 if i == j else -1
        assert (np.diff(sign * stated[indices]) >= 0).all()
        if len(left_out):
            assert (sign * stated[left_out]).min() >= (sign * stated[indices]).max()


def test_an_image_that_changed_or_went_is_not_shown(with_images: Path, tmp_path: Path) -> None:
    exhibit = exhibits.collect(read(with_images), {})
    first, second, third = (row["path"] for row in exhibit.errors[:3])
    assert all(row["uri"] for row in exhibit.errors) and exhibit.has_images
    Image.new("RGB", (9, 9)).save(tmp_path / "pictures" / first)
    (tmp_path / "pictures" / second).unlink()
    again = exhibits.collect(read(with_images), {})
    assert [bool(row["uri"]) for row in again.errors[:3]] == [False, False, True]
    tiles = [tile["path"] for cell in again.cells for tile in cell["tiles"]]
    assert third in tiles and not {first, second} & set(tiles)
    html = write_page(with_images)
    assert "The image is gone." in html.prose


def test_a_page_without_maps_says_why(with_images: Path) -> None:
    html = write_page(with_images)
    assert html.prose.count("Where the model looked is not shown") == 1
    assert "no model.keras" in html.prose and "; try" not in html.prose


def test_a_page_without_images_says_so_once(with_images: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    html = write_page(with_images)
    assert not html.attributes("img")
    assert html.prose.count("no longer where they were") == 1
    assert "surest of" in html.prose, "the errors are still listed"


def test_thumbnails_are_small_and_keep_their_shape(with_images: Path, tmp_path: Path) -> None:
    album = exhibits.open_album(DataSettings(source=str(tmp_path / "pictures")), {})
    assert album.source is not None and album.open("Parasitized/none.png", 128) is None
    for size, expected in (((300, 150), (128, 64)), ((28, 28), (28, 28))):
        uri = exhibits.data_uri(Image.new("L", size, 77), 128)
        image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert image.format == "WEBP" and image.size == expected
        assert abs(np.asarray(image).astype(int) - 77).max() <= 2


def test_a_budget_is_shared_by_all_cells(
    with_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = read(with_images)
    hashes = {row["path"]: row["sha256"] for row in data.rows}
    album = exhibits.open_album(data.recipe.data, hashes)
    queues = [
        [str(data.predictions.paths[i]) for i in row]
        for row in exhibits.images_behind(data).values()
    ]
    everything = exhibits.thumbnails(album, queues)
    assert len(everything) == sum(map(len, queues))
    monkeypatch.setattr(exhibits, "BUDGET", sum(map(len, everything.values())) // 4)
    some = exhibits.thumbnails(album, queues)
    assert sum(map(len, some.values())) <= exhibits.BUDGET
    counts = [sum(path in some for path in queue) for queue in queues]
    assert min(counts) > 5 and max(counts) - min(counts) <= 1
    assert all(
        list(dict.fromkeys(q))[:n] == [p for p in q if p in some]
        for q, n in zip(queues, counts, strict=True)
    )


def test_no_data_set_is_made_or_fetched(home: Path) -> None:
    assert exhibits.open_album(DataSettings(source="smears"), {}).source is None
    assert exhibits.open_album(DataSettings(source="mnist"), {}).source is None
    assert not home.exists()


def images(run: Run, size: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(4)
    shape = (*size, 3)
    return [Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)) for _ in range(3)]


def changed(run: Run, folder: Path, **card: object) -> Run:
    """A run of the same model with another contract."""
    folder.mkdir()
    (folder / "model.keras").hardlink_to(run.path / "model.keras")
    return Run(folder, {**json.loads(json.dumps(run.card)), **card})


@pytest.mark.parametrize(("fit", "expected"), [("stretch", (20, 40)), ("pad", (32, 32))])
def test_each_picture_is_the_map_of_its_image_and_class(
    trained: Path, tmp_path: Path, fit: str, expected: tuple[int, int]
) -> None:
    from tfcnn.explain import Explainer, overlay

    run = runs.open_run(trained)
    run = changed(run, tmp_path / "run", decoder={**run.card["decoder"], "fit": fit})
    given = images(run, (20, 40))
    maps = overlays(run, given, [0, 1, 0])
    assert maps is not None and len(maps) == 3
    all_decoded = np.stack([run.decoder.decode(np.asarray(image)) for image in given])
    # three at once, for one alone is rounded otherwise, and the colours of a map are steep
    cams = Explainer(run, "layer-cam").maps(all_decoded, np.array([0, 1, 0]))
    for image, picture, decoded, cam in zip(given, maps, all_decoded, cams, strict=True):
        pixels = np.asarray(image) if fit == "stretch" else decoded
        difference = np.asarray(picture).astype(int) - overlay(pixels, cam)
        assert np.asarray(picture).shape[:2] == expected
        assert np.abs(difference).max() <= 2


def test_a_network_without_places_has_no_maps(trained: Path, tmp_path: Path) -> None:
    from tfcnn.architectures import mlp

    run = runs.open_run(trained)
    mlp.build((32, 32, 3), 2).save(tmp_path / "model.keras")
    hashes = {"model.keras": sha256_of(tmp_path / "model.keras")}
    dense = Run(tmp_path, {**run.card, "sha256": hashes})
    reasons: list[str] = []
    assert overlays(dense, images(run, (32, 32)), [0, 1, 0], reasons.append) is None
    assert len(reasons) == 1 and "a network with convolutions" in reasons[0]


def test_without_a_model_or_images_there_is_nothing_to_show(trained: Path, tmp_path: Path) -> None:
    run = runs.open_run(trained)
    assert overlays(run, [], []) is None
    assert overlays(Run(tmp_path, run.card), images(run, (32, 32)), [0, 1, 0]) is None


def test_another_model_is_refused(trained: Path, tmp_path: Path) -> None:
    run = changed(runs.open_run(trained), tmp_path / "run")
    (tmp_path / "run/model.keras").unlink()
    (tmp_path / "run/model.keras").write_bytes(b"another")
    with pytest.raises(CheckError, match=r"model\.keras"):
        overlays(run, images(run, (32, 32)), [0, 1, 0])


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
