"""The lab's site as a folder, and the command that writes and opens it."""

import pytest
from conftest import run_tfcnn

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.export.page import linking
from tfcnn.lab import browsing, site
from tfcnn.lab.site import rendering, site_pages


def test_a_site_is_written_anew_and_nothing_else_is_replaced(tmp_path):
    around = tmp_path / "around"
    around.mkdir()
    folder = around / "site"
    index = tfcnn.open_lab(export=folder).first_page
    (folder / "old.txt").write_text("old")
    assert tfcnn.open_lab(export=folder).first_page == index == folder / "index.html"
    names = {path.name for path in folder.iterdir()}
    pages = {page.file for page in site_pages.every_page()}
    assert names == {"index.html", "parts", *pages}
    assert [path.name for path in around.iterdir()] == ["site"], "nothing is left beside it"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        tfcnn.open_lab(export=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_a_site_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    index = site.build(tmp_path / "site")
    before = index.read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rendering, "page", fail)
    with pytest.raises(InputError, match="No space left"):
        site.build(tmp_path / "site")
    assert index.read_bytes() == before and [*tmp_path.iterdir()] == [tmp_path / "site"]


def test_the_command_opens_the_browser_at_a_page(monkeypatch, home):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(browsing.webbrowser, "open", lambda address: opened.append(address) or True)
    result = run_tfcnn("lab", "Kernels")
    assert result.returncode == 0 and result.stderr == ""
    assert opened == [result.stdout.strip()] and opened[0].endswith("/kernels.html")
    assert str(home.resolve()) in opened[0]


def test_without_a_display_the_command_says_where_it_is(monkeypatch, tmp_path):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(browsing.sys, "platform", "linux")
    monkeypatch.setattr(browsing.webbrowser, "open", lambda _: pytest.fail("a browser started"))
    result = run_tfcnn("lab")
    assert result.returncode == 0 and "no display" in result.stderr
    assert result.stdout.startswith("file:///") and result.stdout.strip().endswith("index.html")
    result = run_tfcnn("lab", "--export", tmp_path / "site", "--no-lessons")
    assert result.stdout.strip() == str(tmp_path / "site" / "index.html")


def test_a_page_that_is_not_there_is_refused(home):
    result = run_tfcnn("lab", "kernal")
    assert result.returncode == 2 and result.stderr.strip().endswith("try kernels")
    assert not (home / "data" / "cache").exists()


def test_a_page_holds_only_the_modules_it_needs():
    names = [name for name, _ in linking.in_order(rendering._sources(site_pages.find("tensors")))]
    assert "@litertjs/core" in names
    needed = linking.in_order(rendering._sources(site_pages.find("tensors")), "page/main.js")
    names = [name for name, _ in needed]
    assert names[-1] == "page/main.js" and "lab/one_hot.js" in names
    assert "@litertjs/core" not in names and "lab/convolution.js" not in names
    with pytest.raises(ValueError, match="missing"):
        linking.in_order({}, "lab/missing.js")


def test_parts_come_back_in_the_browser(open_page, lab_site):
    """What lies beside the pages is loaded by a script, as a page from a file can."""
    import gzip

    content = bytes(range(256)) * 40
    text = rendering.part("sample", gzip.compress(content))
    (lab_site / "parts" / "sample.js").write_text(text)
    source = (rendering.HERE / "modules" / "parts.js").read_text()
    opened = open_page("tensors")
    found = opened.evaluate(
        """async (source) => {
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          const { part } = await import(url);
          return Array.from(await part("sample"));
        }""",
        source,
    )
    assert bytes(found) == content
