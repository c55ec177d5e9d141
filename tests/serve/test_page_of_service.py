"""The page of a service in a browser, used as a colleague does, whatever the service does."""

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import run_tfcnn
from page_use import assert_same, predict_in, read
from picture_files import deep_png, tiff
from PIL import Image
from report_html import OUTSIDE, SMALL, TEXTS, contrast, over, rgba
from served import TOKEN

READY_MS = 60_000
NAMED_AS_MARKUP = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def open_page(browser):
    """Return a function that opens a service's page, and see at the end that nothing went wrong:

    no line on the console, but Chromium's own for each answer over 399; no request to others.
    """
    troubles, contexts = [], []

    def start(service, path="", width=1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda line: (
                line.text.startswith("Failed to load resource") or troubles.append(line.text)
            ),
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith((service.url, "data:", "blob:"))
                or troubles.append(request.url)
            ),
        )
        page.goto(f"{service.url}/{path}")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="module")
def only_page(open_page, plain):
    page = open_page(plain)
    page.get_by_text("Ready.").wait_for(timeout=READY_MS)
    return page


@pytest.fixture
def opened(only_page):
    """A page without images."""
    yield only_page
    only_page.unroute_all()
    if only_page.locator("#results").is_visible():
        only_page.get_by_role("button", name="Clear").click()


@pytest.fixture
def cells(trained, tmp_path) -> Path:
    """Cells, and files that are none."""
    folder = tmp_path / "P1"
    folder.mkdir()
    for path in sorted((trained.parents[2] / "cells").rglob("*.png"))[::8]:
        shutil.copy(path, folder / f"{path.stem}_{path.parent.name}.png")
    image = Image.open(path).convert("RGB")
    image.save(folder / "P1_photo.jpg", quality=90)
    image.resize((70, 41)).save(folder / "turned.png")
    (folder / "P2_deep.tif").write_bytes(tiff(deep_pixels(), 2))
    (folder / "deep.png").write_bytes(deep_png(deep_pixels()))
    (folder / "notes.txt").write_text("no picture")
    (folder / "broken.png").write_bytes(path.read_bytes()[:500])
    (folder / NAMED_AS_MARKUP).write_bytes(path.read_bytes())
    return folder


def deep_pixels():
    return np.random.default_rng(0).integers(0, 65536, (40, 30, 3), dtype=np.uint16)


def give_token(page, token=TOKEN):
    page.get_by_label("Token of the service").fill(token)
    page.get_by_role("button", name="Continue").press("Enter")


def expected_of(run, words, folder, target, monkeypatch):
    monkeypatch.chdir(folder)
    result = run_tfcnn("predict", run, *words, "--output", target)
    assert result.returncode in (0, 3), result.stderr
    return read(target)


def test_a_colleague_gets_what_the_command_line_says(opened, trained, cells, tmp_path, monkeypatch):
    files = sorted(cells.iterdir())
    found = predict_in(opened, files, tmp_path / "found.csv")
    names = [path.name for path in files]
    assert_same(found, expected_of(trained, names, cells, tmp_path / "own.csv", monkeypatch))
    flags = {row["path"]: row["flag"] for row in found}
    assert flags["notes.txt"] == flags["broken.png"] == "unreadable"
    assert flags["P2_deep.tif"] in ("", "out-of-domain") and {row["group"] for row in found} > {""}
    texts = opened.locator("#rows .name").all_inner_texts()
    assert NAMED_AS_MARKUP in texts and opened.locator("#rows img").count() == 0
    pictures = opened.locator("#rows canvas").count()
    assert pictures == len(files) - 3  # no text, no damaged file, and no TIFF in a browser
    assert opened.get_by_text("Not a medical device").first.is_visible()


def test_a_folder_gives_the_rows_of_the_folder(opened, trained, cells, tmp_path, monkeypatch):
    opened.locator("#folder").set_input_files(cells)
    opened.get_by_text(re.compile(r"^\d+ images done$")).first.wait_for(timeout=READY_MS)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "found.csv")
    expected = expected_of(trained, ["P1"], tmp_path, tmp_path / "own.csv", monkeypatch)
    assert_same(read(tmp_path / "found.csv"), expected)
    opened.get_by_text("passed over 1 of").click()
    assert opened.get_by_text("P1/notes.txt").is_visible()


def test_few_requests_run_at_once_and_a_file_too_large_is_not_sent(opened, cell, tmp_path):
    now, most = [], [0]
    files = [tmp_path / f"{i:02}.png" for i in range(20)]
    for path in files:
        path.write_bytes(cell)
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)

    def begin(request):
        now.append(request)
        most[0] = max(most[0], len(now))

    def end(request):
        now.remove(request)

    opened.on("request", begin)
    opened.on("requestfinished", end)
    opened.locator("#images").set_input_files([*files, large])
    assert len(done(opened, 21)) == 21 and 1 < most[0] <= 4 and not now
    opened.remove_listener("request", begin)
    opened.remove_listener("requestfinished", end)
    names = opened.locator("#rows .name").all_inner_texts()
    assert names == [path.name for path in (*files, large)]  # in their order
    row = opened.get_by_role("row").filter(has_text="large.png").inner_text()
    assert "unreadable" in row and "at most 20 MB" in row


def error(status, **headers):
    """Return an answer of the service that refuses."""
    body = json.dumps({"error": "expected one; received another; try again"})
    kind = {"content-type": "application/json"}
    return {"status": status, "body": body, "headers": {**kind, **headers}}


def answering(page, *first):
    """Let the first requests have these answers, and the others that of the service."""
    answers = iter(first)

    def answer(route):
        found = next(answers, None)
        if found is None:
            route.continue_()
        elif found == "gone":
            route.abort()
        else:
            route.fulfill(**found)

    page.route("**/v1/predict*", answer)


def send(page, cell, number):
    files = [{"name": f"{i}.png", "mimeType": "", "buffer": cell} for i in range(number)]
    page.locator("#images").set_input_files(files)


def done(page, number):
    words = "1 image done" if number == 1 else f"{number} images done"
    page.get_by_text(words).first.wait_for(timeout=READY_MS)
    return page.locator("#rows .class").all_inner_texts()


def test_a_busy_service_is_asked_again(opened, cell):
    busy = {"retry-after": "0.2"}
    answering(opened, error(429, **busy), error(503, **busy), error(429, **busy), "gone",
              {"status": 503, "body": ""}, {"status": 502, "body": "<html>"})  # fmt: skip
    send(opened, cell, 6)
    assert done(opened, 6) == ["round"] * 6


def test_a_service_that_is_gone_is_asked_again_when_a_person_says_so(opened, cell):
    answering(opened, *(["gone"] * 12))
    send(opened, cell, 3)
    opened.get_by_text("The service does not answer. No image is lost.").first.wait_for()
    assert opened.locator("#rows tr").count() == 0
    opened.unroute("**/v1/predict*")
    opened.get_by_role("button", name="Try again").press("Enter")
    assert done(opened, 3) == ["round"] * 3
    assert opened.get_by_role("button", name="Try again").count() == 0


def test_an_image_that_is_refused_has_a_row_that_says_why(opened, cell):
    answering(opened, *map(error, (413, 422, 500, 504, 408)))
    send(opened, cell, 6)
    assert done(opened, 6).count("round") == 1
    found = opened.locator("#rows .flag").all_inner_texts()
    assert sum("expected one; received another" in text for text in found) == 5
    assert sum(text.startswith("unreadable") for text in found) == 2
    for status in (500, 504, 408):
        text = next(text for text in found if f"(status {status})" in text)
        assert text.startswith("no-answer")


def test_another_model_is_told(opened, plain, cell):
    other = plain.predict(("a.png", cell)).json() | {"model_sha256": "0" * 64}
    answering(opened, {"status": 200, "body": json.dumps(other)})
    send(opened, cell, 1)
    opened.get_by_text("The service has another model now").first.wait_for()
    assert opened.locator("#rows tr").count() == 0
    opened.get_by_role("button", name="Load the page again").click()
    opened.get_by_text("Ready.").wait_for(timeout=READY_MS)


def test_a_token_is_asked_for_and_a_wrong_one_is_told(open_page, guarded, cell):
    page = open_page(guarded)
    assert page.get_by_role("heading").all_inner_texts() == ["tfcnn serve"]
    for wrong in ("another", "ünïcode"):
        give_token(page, wrong)
        page.get_by_text("This is not the token").wait_for()
        assert not page.locator("#intake").is_visible()
        page.get_by_label("Token of the service").fill("")
        page.evaluate("document.getElementById('token-text').textContent = ''")
    give_token(page)
    page.get_by_text("Ready.").wait_for(timeout=READY_MS)
    assert page.get_by_role("heading", name="cells").is_visible()
    assert page.title() == "cells: round, square" and page.locator("#card").is_visible()
    send(page, cell, 2)
    assert done(page, 2) == ["round", "round"]
    # the service begins anew with another token: the images wait until it is given
    answering(page, *itertools.repeat(error(401), 4))
    page.get_by_role("button", name="Clear").click()
    send(page, cell, 4)
    page.get_by_text("wants another token").wait_for()
    give_token(page)
    assert done(page, 4) == ["round"] * 4
    assert not page.get_by_label("Token of the service").is_visible()


def test_it_can_be_read_at_any_width(open_page, guarded, cells):
    page = open_page(guarded)
    assert_readable(page, 4)
    give_token(page)
    page.get_by_text("Ready.").wait_for(timeout=READY_MS)
    page.locator("#images").set_input_files(sorted(cells.iterdir())[-6:])
    done(page, 6)
    assert_readable(page, 20)
    page.goto(f"{guarded.url}/docs")
    assert_readable(page, 20)


def assert_readable(page, least):
    for width, scheme in itertools.product((1280, 360), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(OUTSIDE) == [] and page.evaluate(SMALL) == []
        texts = page.evaluate(TEXTS)
        assert len(texts) >= least
        for row in texts:
            behind = (255.0, 255.0, 255.0)
            for colour in reversed(row["below"]):
                behind = over(rgba(colour), behind)
            assert contrast(over(rgba(row["colour"]), behind), behind) >= 4.5, row


def test_the_page_has_no_model_and_runs_no_script_but_its_own(plain):
    response = requests.get(plain.url, timeout=30)
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy and "blob:" not in policy and "//" not in policy
    assert "LiteRT" not in response.text and len(response.content) < 60_000
    names = re.findall(r"\./page/([\w.]+)", response.text)
    texts = {name: requests.get(f"{plain.url}/page/{name}", timeout=30) for name in names}
    assert {"main.js", "predictor.js", "table.js"} <= texts.keys()
    assert not {"engine.js", "unpack.js", "heatmap.js"} & texts.keys()
    assert all(one.headers["content-type"].startswith("text/javascript") for one in texts.values())
    for outside in ("..%2fboot.js", "boot.js", "engine.js", "%2e%2e/web_app.py"):
        assert requests.get(f"{plain.url}/page/{outside}", timeout=30).status_code == 404
