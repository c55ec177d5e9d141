"""The answers of a service are those of `tfcnn predict`, for every file that may be sent."""

import base64
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import run_tfcnn
from picture_files import deep_png, drawing, encoded, frames, tiff
from PIL import Image
from served import serving

from tfcnn.explain import Explainer, overlay
from tfcnn.runs import open_run


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", content)
    return file.getvalue()


def sent_files(cells: Path) -> dict[str, tuple[bytes, int]]:
    """Return files by name, and the status that one alone has."""
    cell = (cells / "round/P0_0.png").read_bytes()
    image = Image.open(io.BytesIO(cell))
    exif = Image.Exif()
    exif[274] = 6
    deep = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), dtype=np.uint16)
    return {
        "P1_cell.png": (cell, 200),
        "cell.jpg": (encoded(image, "JPEG", exif=exif), 200),
        "cell.webp": (encoded(image, "WEBP"), 200),
        "cell.bmp": (encoded(image, "BMP"), 200),
        "grey.png": (encoded(image.convert("L")), 200),
        "clear.png": (encoded(drawing(200)), 200),
        "deep.png": (deep_png(deep), 200),
        "deep.tif": (tiff(deep, 2), 200),
        "many.gif": (frames("GIF", 3), 200),
        "wrong name.txt": (cell, 200),
        "real.tif": (tiff(deep[..., :1].astype(np.float32), 1), 415),
        "drawer.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        "notes.txt": (b"no picture", 415),
        "packed.zip": (zipped(cell), 415),
        "unknown": (b"\x01\x02\x03\x04" * 9, 415),
        "empty.png": (b"", 415),
        "cut.png": (cell[:600], 422),
        "cut.jpg": (encoded(image, "JPEG")[:300], 422),
    }


def test_answers_are_those_of_the_command_line(plain, trained, tmp_path):
    sent = sent_files(trained.parents[2] / "cells")
    paths = {name: tmp_path / name for name in sent}
    for name, (content, _) in sent.items():
        paths[name].write_bytes(content)
    there = [str(path) for path in paths.values() if path.suffix != ".zip"]
    result = run_tfcnn("predict", trained, *there, "--json")
    rows = {row["path"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert result.returncode == 3 and len(rows) == len(sent) - 1

    found = plain.answers(*((str(paths[name]), content) for name, (content, _) in sent.items()))
    assert [row["path"] for row in found] == [str(path) for path in paths.values()]
    for row in found:
        if row["path"].endswith(".zip"):  # an archive may hold anything: it is not opened
            assert row["flag"] == "unreadable" and "a zip archive" in row["reason"]
            continue
        expected = rows[row["path"]]
        probs = [expected["probs"].get(name, -1) for name in ("round", "square")]
        np.testing.assert_allclose(
            [row["probs"].get(name, -1) for name in ("round", "square")], probs, atol=1e-6
        )
        assert {**row, "probs": 0} == {**expected, "probs": 0}
    assert {row["flag"] for row in found} >= {"", "unreadable"}
    assert {row.get("group") for row in found} == {None, "P1"}
    assert any("frames" in row.get("remark", "") for row in found)


def test_an_image_alone_has_the_status_of_its_problem(plain, trained):
    for name, (content, status) in sent_files(trained.parents[2] / "cells").items():
        response = plain.predict((name, content))
        assert response.status_code == status, (name, response.text)
        answer = response.json()
        assert len(answer["predictions"]) == 1
        if status == 200:
            assert "error" not in answer and answer["predictions"][0]["predicted"]
        else:
            reason = answer["predictions"][0]["reason"]
            wanted = f"{name}: expected an image that can be read; received {reason}"
            assert answer["error"] == wanted


def test_a_service_says_which_model_answers(plain, trained):
    card = json.loads((trained / "model.json").read_text())
    about = requests.get(f"{plain.url}/v1/model", timeout=30).json()
    assert about["model_sha256"] == card["sha256"]["model.keras"]
    assert (about["run"], about["computed_by"]) == ("cells", "litert")
    assert about["class_names"] == ["round", "square"] and about["positive"] == "round"
    assert about["threshold"] == card["threshold"]
    cell = (trained.parents[2] / "cells/round/P0_0.png").read_bytes()
    answer = plain.predict(("a.png", cell)).json()
    del answer["predictions"]
    assert answer == about


def test_many_at_once_have_the_answers_that_each_has_alone(plain, trained):
    paths = sorted((trained.parents[2] / "cells").rglob("*.png"))[::2]
    contents = [path.read_bytes() for path in paths]
    alone = [plain.answers(("a.png", content))[0] for content in contents]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda content: plain.answers(("a.png", content))[0], contents))
    for one, other in zip(alone, found, strict=True):
        assert abs(one["probs"]["round"] - other["probs"]["round"]) < 1e-6
        assert {**one, "probs": 0} == {**other, "probs": 0}
    assert {one["decision"] for one in alone} == {"round", "square"}
    text = requests.get(f"{plain.url}/metrics", timeout=30).text
    batches = dict(line.split() for line in text.splitlines() if line.startswith("tfcnn_batch"))
    assert float(batches["tfcnn_batch_images_count"]) < float(batches["tfcnn_batch_images_sum"])


def test_tensorflow_is_not_loaded(plain):
    libraries = Path(f"/proc/{plain.process.pid}/maps").read_text()
    assert "libtensorflow" not in libraries and "ai_edge_litert" in libraries
    assert "matplotlib" not in libraries  # it looks for fonts, and writes to the home


def test_counts_are_there_for_prometheus(plain, trained):
    def counts() -> dict[str, float]:
        text = requests.get(f"{plain.url}/metrics", timeout=30).text
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("tfcnn_"))
        return {name: float(value) for name, value in rows}

    cell = (trained.parents[2] / "cells/round/P0_0.png").read_bytes()
    before = counts()
    assert plain.predict(("a.png", cell), ("b.png", b"none")).status_code == 200
    assert plain.predict(("b.png", b"none")).status_code == 415
    after = counts()
    for name, more in {
        'tfcnn_requests_total{status="200"}': 1,
        'tfcnn_requests_total{status="415"}': 1,
        'tfcnn_images_total{flag="unreadable"}': 2,
        "tfcnn_request_seconds_count": 2,
        "tfcnn_active_requests": 0,
    }.items():
        assert after[name] - before.get(name, 0) == more, name


@pytest.fixture(scope="module")
def drawer(trained, tmp_path_factory):
    with serving(trained, tmp_path_factory.mktemp("drawing") / "log", "--heat-maps") as opened:
        yield opened


def test_heat_maps_are_those_of_explain(drawer, trained):
    path = trained.parents[2] / "cells/square/P0_0.png"
    file, asked = (path.name, path.read_bytes()), {"params": {"heat_map": "true"}}
    row = drawer.predict(file, ("x.png", b"none"), **asked).json()["predictions"]
    plain = drawer.answers(file)[0]
    assert "heat_map" not in row[1]
    kind, _, data = row[0].pop("heat_map").partition(",")
    assert kind == "data:image/png;base64" and row[0] == plain
    run = open_run(trained)
    pixels = run.decoder.decode(path.read_bytes())
    place = run.class_names.index(plain["predicted"])
    expected = overlay(pixels, Explainer(run).maps(pixels[None], np.array([place]))[0])
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_the_page_shows_the_heat_map_of_the_service(drawer, browser, trained):
    """The canvas holds the very pixels that the service sends."""
    path = trained.parents[2] / "cells/square/P0_0.png"
    row = drawer.predict((path.name, path.read_bytes()), params={"heat_map": "true"}).json()
    data = row["predictions"][0]["heat_map"].partition(",")[2]
    sent = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    page = browser.new_page()
    page.goto(drawer.url)
    page.locator("#images").set_input_files(path)
    page.get_by_role("button", name=path.name).press("Enter")
    page.get_by_role("button", name="Heat map").press("Enter")
    page.get_by_text("finds evidence for square").wait_for()
    shown = page.evaluate("""() => {
      const { width, height } = document.getElementById("detail-map");
      const context = document.getElementById("detail-map").getContext("2d");
      return [height, width, Array.from(context.getImageData(0, 0, width, height).data)];
    }""")
    np.testing.assert_array_equal(np.reshape(shown[2], (*shown[:2], 4))[..., :3], sent)
    page.close()


def test_a_service_without_heat_maps_says_so(plain):
    response = plain.predict(("a.png", b"none"), params={"heat_map": "true"})
    assert response.status_code == 422 and "--heat-maps" in response.json()["error"]
