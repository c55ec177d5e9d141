"""The page of a service in a browser, used as a colleague does."""

import pytest
from report_html import OUTSIDE, SMALL, TEXTS, contrast, over, rgba
from served import serving

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def service(trained, tmp_path_factory):
    log = tmp_path_factory.mktemp("page") / "log"
    with serving(trained, log, TFCNN_TOKEN=TOKEN) as opened:
        yield opened


@pytest.fixture
def open_page(browser, service):
    """Return a function that opens an address, and see at the end that nothing went wrong."""
    troubles, contexts = [], []

    def start(path="", width=1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            # Chromium writes a line for each answer over 399
            lambda line: "status of 4" in line.text or troubles.append(line.text),
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


@pytest.fixture
def files(trained, tmp_path):
    """Twenty cells, a text, and a name that is markup."""
    cells = sorted((trained.parents[2] / "cells").rglob("*.png"))[:20]
    for path in cells:
        (tmp_path / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "<img src=x onerror=alert(1)>.png").write_bytes(cells[0].read_bytes())
    return sorted(path for path in tmp_path.iterdir() if path.is_file() and path.name != "log")


def predict(page, files):
    page.get_by_label("Token of the service").fill(TOKEN)
    page.get_by_label("Images").set_input_files(files)
    page.get_by_role("button", name="Predict").press("Enter")
    page.get_by_text(f"{len(files)} of {len(files)}").wait_for()


def test_a_colleague_gets_a_row_for_each_file(open_page, files, service):
    page = open_page()
    page.get_by_text("expected the service's token").wait_for()
    predict(page, files)
    assert page.get_by_role("heading", name="cells").is_visible()
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#rows tr").all()]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    sent = [(path.name, path.read_bytes()) for path in files]
    expected = service.predict(*sent, headers=headers).json()["predictions"]
    assert len(rows) == len(files) == len(expected)
    for (_, name, decision, prob, flag), row in zip(rows, expected, strict=True):
        assert (name, decision) == (row["path"], row["decision"] or "none")
        assert flag.split("\n")[0] == row["flag"] and row["reason"] in flag
        shown = f"{100 * row['probs'][row['decision']]:.1f} %" if row["decision"] else ""
        assert prob == shown
    assert "<img src=x onerror=alert(1)>.png" in [row[1] for row in rows]
    assert page.get_by_text("not a medical device").is_visible()


def test_a_wrong_token_is_told(open_page, files):
    page = open_page()
    page.get_by_label("Token of the service").fill("another")
    page.get_by_label("Images").set_input_files(files[:1])
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("received another").wait_for()
    assert page.locator("#rows tr").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("path", ["", "docs"])
def test_it_can_be_read_at_any_width(open_page, files, path, width, scheme):
    page = open_page(path, width, color_scheme=scheme)
    if not path:
        page.get_by_text("expected the service's token").wait_for()
        predict(page, files)
    assert page.evaluate(OUTSIDE) == [] and page.evaluate(SMALL) == []
    texts = page.evaluate(TEXTS)
    assert len(texts) > 20
    for row in texts:
        behind = (255.0, 255.0, 255.0)
        for colour in reversed(row["below"]):
            behind = over(rgba(colour), behind)
        assert contrast(over(rgba(row["colour"]), behind), behind) >= 4.5, row


def test_without_a_token_none_is_asked_for(browser, trained, tmp_path, files):
    with serving(trained, tmp_path / "log") as service:
        page = browser.new_page()
        page.goto(service.url)
        page.get_by_text("Tells apart round, square").wait_for()
        assert not page.get_by_label("Token of the service").is_visible()
        page.get_by_label("Images").set_input_files(files)
        page.get_by_role("button", name="Predict").click()
        page.get_by_text(f"{len(files)} of {len(files)}").wait_for()
        page.close()
