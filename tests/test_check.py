"""`tfcnn check` on a folder with all that it looks for: findings, page, and what is left out."""

import functools
import html
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import check_files
import pytest
from conftest import Heard, recipe_of, run_tfcnn
from PIL import Image
from report_html import OUTSIDE, SMALL, TEXTS, Page, contrast, opening, over, rgba

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets.folder import open_any
from tfcnn.manifest.audit import Audit
from tfcnn.recipes.reader import read_assignment
from tfcnn.report import check_page

LIST = "tfcnn-ignore.csv"
SICK, WELL = "train/Parasitized", "train/Uninfected"


@pytest.fixture(scope="module")
def spoilt(drawn_cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = check_files.arrange(drawn_cells, tmp_path_factory.mktemp("spoilt") / "cells")
    check_files.spoil(root)
    return root


@pytest.fixture(scope="module")
def audit(spoilt: Path, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(tmp_path_factory.mktemp("home")))
        found = tfcnn.check(spoilt, progress=False)
    assert isinstance(found, Audit)
    return found


@pytest.fixture
def copy(spoilt: Path, tmp_path: Path) -> Path:
    """A folder that the test may change, without the image that takes long to read."""
    return Path(
        shutil.copytree(spoilt, tmp_path / "cells", ignore=shutil.ignore_patterns("huge.png"))
    )


def examples(audit: Audit, kind: str, part: str = "") -> list[str]:
    return [
        example
        for finding in audit.findings
        if finding.kind == kind and part in finding.what
        for example in finding.examples
    ]


def test_each_kind_of_file_is_named(audit):
    unreadable = examples(audit, "unreadable")
    assert [line.split(":")[0] for line in unreadable] == [f"{SICK}/cut.png", f"{WELL}/page.png"]
    assert examples(audit, "wrong-type") == [f"{SICK}/is_jpeg.png: a JPEG image"]
    for part, name in (("CMYK", "cmyk.jpg"), ("palette", "palette.png"),
                       ("8 bits", "deep.png"), ("EXIF", "turned.jpg")):  # fmt: skip
        assert examples(audit, "unusual-file", part) == [f"{SICK}/{name}"]
    assert examples(audit, "partly-read", "several frames") == [f"{SICK}/moving.webp (3)"]
    assert examples(audit, "huge") == [f"{SICK}/huge.png: 4,500 x 5,000 px (height x width)"]
    assert f"{SICK}/huge.png: 4,500 x 5,000 px (height x width)" in examples(
        audit, "outlier", "size"
    )
    assert examples(audit, "outlier", "brightness")[0].split(":")[0] == (f"{SICK}/dark.png")


def test_copies_are_told_by_how_far_they_reach(audit):
    classes, same = (examples(audit, "copies", part) for part in ("classes", "more than once"))
    assert classes == [f"{SICK}/3.png = {WELL}/other_class.png"]
    assert same == [f"{SICK}/5.png = {SICK}/copy.png"]
    tested = "test/Parasitized"
    assert examples(audit, "near-copies", "given splits") == [
        f"{tested}/again.jpg ~ {SICK}/0.png",
        f"{tested}/lit.png ~ {SICK}/1.png",
        f"{tested}/small.png ~ {SICK}/2.png",
    ]
    assert examples(audit, "near-copies", "two classes") == [
        f"{SICK}/4.png ~ {WELL}/near_other.jpg"
    ]
    odd = examples(audit, "near-copies", "may be")
    assert len(odd) == 8, "each of the odd files shows a cell that is there too"


def test_the_gravest_finding_comes_first_and_the_command_fails(audit, spoilt, home):
    gravities = [finding.gravity for finding in audit.findings]
    assert gravities == sorted(gravities, key=["blocking", "warning", "note"].index)
    assert gravities[:2] == ["blocking", "blocking"] and "warning" in gravities
    result = run_tfcnn("check", spoilt, "--json")
    assert result.returncode == 3
    told = json.loads(result.stdout)
    assert told == json.loads(json.dumps(audit.to_dict()))
    assert set(told["findings"][0]) == {
        "kind", "what", "gravity", "is_blocking", "examples", "advice", "images"
    }  # fmt: skip
    assert not (spoilt / LIST).exists(), "nothing is written without --fix"


def test_a_sound_folder_has_no_such_finding(drawn_cells, tmp_path, home):
    root = check_files.arrange(drawn_cells, tmp_path / "cells")
    found = tfcnn.check(root, progress=False)
    kinds = {finding.kind for finding in found.findings}
    assert kinds <= {"groups", "positive", "split", "few", "outlier"} and not found.unfit


def test_fix_lists_what_training_then_leaves_out(copy, home):
    before = sorted(path for path in copy.rglob("*") if path.is_file())
    result = run_tfcnn("check", copy, "--fix")
    assert result.returncode == 3, "as it was found"
    assert f"{SICK}/copy.png: the same pixels as {SICK}/5.png" in result.stdout
    text = (copy / LIST).read_text()
    reasons = dict(line.split(",", 1) for line in text.splitlines())
    assert reasons.pop("path") == "reason"
    both = {f"{SICK}/3.png", f"{WELL}/other_class.png", f"{SICK}/4.png", f"{WELL}/near_other.jpg"}
    assert both <= reasons.keys(), "of two classes both are listed"
    assert {f"{SICK}/0.png", f"{SICK}/1.png", f"{SICK}/2.png"} <= reasons.keys(), (
        "test keeps its own"
    )
    assert not any(path.startswith("test/") for path in reasons)
    assert {f"{SICK}/cut.png", f"{WELL}/page.png"} <= reasons.keys()
    again = run_tfcnn("check", copy, "--fix")
    assert again.returncode == 0 and "to leave out: nothing new" in again.stdout
    assert (copy / LIST).read_text() == text
    assert f"14 by {LIST}" in again.stdout and f"3 by {LIST}" in again.stdout
    assert len(reasons) == 17
    after = sorted(path for path in copy.rglob("*") if path.is_file() and path.name != LIST)
    assert after == before, "no image is deleted"
    source = open_any(recipe_of(copy).data, Reporter())
    assert not {item.path for item in source.items} & reasons.keys()
    assert {one.path for one in source.left_out} == reasons.keys()


def test_json_says_how_many_were_listed(copy, home):
    told = json.loads(run_tfcnn("check", copy, "--fix", "--json").stdout)
    assert told["listed"] == len(told["unfit"]) > 0
    told = json.loads(run_tfcnn("check", copy, "--fix", "--json").stdout)
    assert told["listed"] == 0 and told["unfit"] == []


def test_training_says_what_the_list_leaves_out(copy, home):
    (copy / LIST).write_text(f"path,reason\n{SICK}/0.png,blurred\n{SICK}/1.png,\n")
    heard = Heard()
    data = tfcnn.data(copy, reporter=heard)
    assert any(f"2 by {LIST}" in note for note in heard.notes)
    assert f"{SICK}/0.png" not in {row.path for row in data.manifest.rows}


def test_the_list_may_be_another_file_or_none(copy, tmp_path, home):
    (copy / LIST).write_text(f"path\n{SICK}/0.png\n")
    own = tmp_path / "my list.csv"
    result = run_tfcnn("check", copy, "--fix", "--ignore-csv", own)
    assert result.returncode == 3 and f"{SICK}/0.png" in own.read_text()
    assert (copy / LIST).read_text() == f"path\n{SICK}/0.png\n"

    def left(value: str | None) -> set[str]:
        source = open_any(recipe_of(copy, ignore_csv=value).data, Reporter())
        return {one.path for one in source.left_out}

    assert left(None) == {f"{SICK}/0.png"} and left("") == set()
    assert len(left(str(own))) > 10
    with pytest.raises(InputError, match=r"gone\.csv.*expected a CSV with columns path"):
        left(str(tmp_path / "gone.csv"))


def test_a_list_that_fits_no_longer_is_said(copy, home):
    (copy / LIST).write_text(f"path,reason\n{SICK}\\0.png,\n./{SICK}/1.png,\n{SICK}/gone.png,x\n")
    source = open_any(recipe_of(copy).data, Reporter())
    assert {one.path for one in source.left_out} == {f"{SICK}/0.png", f"{SICK}/1.png"}
    assert source.notes == (f"{LIST} names a path that is no image here, such as {SICK}/gone.png",)
    every = [item.path for item in source.items if item.label == "Parasitized"]
    (copy / LIST).write_text("path\n" + "\n".join([*every, f"{SICK}/0.png", f"{SICK}/1.png"]))
    with pytest.raises(InputError, match="received none of Parasitized"):
        open_any(recipe_of(copy).data, Reporter())


def test_a_list_may_hold_whole_paths_and_says_what_differs_in_case(copy, home):
    other = f"{SICK}/1.png".swapcase()
    (copy / LIST).write_text(f"path,reason\n{copy.resolve()}/{SICK}/0.png,\n{other},\n/gone.png,\n")
    source = open_any(recipe_of(copy).data, Reporter())
    assert {one.path for one in source.left_out} == {f"{SICK}/0.png"}
    first = min("/gone.png", other)
    assert source.notes[0].startswith(
        f"{LIST} names 2 paths that are no image here, such as {first}"
    )
    (copy / LIST).write_text(f"path,reason\n{other},\n")
    (note,) = open_any(recipe_of(copy).data, Reporter()).notes
    assert note.endswith(f"such as {other} (did you mean {SICK}/1.png?)")


def test_what_a_reader_must_know_of_a_list_is_said(copy, home):
    (copy / LIST).write_bytes(f"path,reason\n{SICK}/0.png,unscharf f\xfcr uns\n".encode("latin-1"))
    source = open_any(recipe_of(copy).data, Reporter())
    assert {one.path for one in source.left_out} == {f"{SICK}/0.png"}
    assert len(source.notes) == 1 and "read as Windows-1252" in source.notes[0]


def test_fix_keeps_a_link_and_removes_what_a_killed_one_left(copy, tmp_path, home):
    """The list may be kept elsewhere, such as under version control."""
    elsewhere = tmp_path / "elsewhere" / "list.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("path,reason\n")
    (copy / LIST).symlink_to(elsewhere)
    old = elsewhere.with_name(".list-01234567.part.csv")
    old.write_text("half")
    os.utime(old, (1, 1))
    result = run_tfcnn("check", copy, "--fix")
    assert result.returncode == 3, result.stderr
    assert (copy / LIST).is_symlink() and elsewhere.read_text().count("\n") > 1
    assert not old.exists()
    old.write_text("half")
    os.utime(old, (1, 1))
    before = elsewhere.read_bytes()
    assert "nothing new" in run_tfcnn("check", copy, "--fix").stdout
    assert elsewhere.read_bytes() == before and not old.exists(), "also where nothing is new"
    (copy / LIST).unlink()
    (copy / LIST).symlink_to(tmp_path / "gone.csv")
    result = run_tfcnn("check", copy, "--fix")
    assert result.returncode == 2 and "a link to nothing" in result.stderr
    assert (copy / LIST).is_symlink()


def test_a_list_leaves_every_class_of_a_given_split(copy, home):
    """A test set of one class would score, and say nothing."""
    tested = sorted(path.name for path in (copy / "test/Parasitized").iterdir())
    (copy / LIST).write_text("path\n" + "".join(f"test/Parasitized/{one}\n" for one in tested))
    with pytest.raises(InputError, match=f"none of Parasitized in test, as all {len(tested)} are"):
        open_any(recipe_of(copy).data, Reporter())
    (copy / LIST).write_text("path\n" + "".join(f"test/Parasitized/{one}\n" for one in tested[1:]))
    assert open_any(recipe_of(copy).data, Reporter()).items


def test_fix_writes_no_list_that_leaves_a_class_without_images(drawn_cells, tmp_path, home):
    root = check_files.arrange(drawn_cells, tmp_path / "cells")
    for path in sorted((root / "test/Parasitized").iterdir()):
        shutil.copy(path, root / WELL / f"copy_of_{path.name}")
    result = run_tfcnn("check", root, "--fix")
    assert result.returncode == 2 and not (root / LIST).exists()
    assert "received none of Parasitized in test, as all" in result.stderr


def test_a_list_keeps_the_columns_that_a_person_added(copy, home):
    (copy / LIST).write_text(f"path,seen by,reason\n{SICK}/0.png,Ada,blurred\n")
    assert run_tfcnn("check", copy, "--fix").returncode == 3
    lines = (copy / LIST).read_text().splitlines()
    assert lines[:2] == ["path,reason,seen by", f"{SICK}/0.png,blurred,Ada"] and len(lines) > 10


def test_a_row_may_be_added_to_a_list_of_names_like_formulas(drawn_cells, tmp_path, home):
    root = check_files.arrange(drawn_cells, tmp_path / "cells")
    folder = root.rename(tmp_path / "formulas") / "train"
    shutil.rmtree(folder.parent / "test")
    (folder / "Uninfected").rename(folder / "=cells")
    (folder / "=cells/empty.png").write_bytes(b"")
    assert run_tfcnn("check", folder, "--fix").returncode in (0, 3)
    listed = folder / LIST
    assert "'=cells/empty.png" in listed.read_text()
    with listed.open("a") as file:
        file.write("=cells/0.png,by hand\n")
    source = open_any(recipe_of(folder).data, Reporter())
    assert {one.path for one in source.left_out} == {"=cells/empty.png", "=cells/0.png"}
    (folder / "=cells/cut.png").write_bytes(b"")
    assert run_tfcnn("check", folder, "--fix").returncode in (0, 3)
    source = open_any(recipe_of(folder).data, Reporter())
    assert len(source.left_out) == 3 and not source.notes


def test_a_data_set_has_its_list_too(home):
    digits = recipe_of("digits").data
    source = open_any(digits, Reporter())
    place = tfcnn.check("digits", progress=False).ignore_csv
    assert place == home / "data/digits" / LIST
    place.write_text(f"path,reason\n{source.items[0].path},\n")
    assert len(open_any(digits, Reporter()).items) == len(source.items) - 1


def test_the_larger_of_two_copies_stays(drawn_cells, tmp_path, home):
    root = check_files.arrange(drawn_cells, tmp_path / "cells", train=12, test=4)
    image = check_files.cell(root, 3)
    image.resize((image.width * 2, image.height * 2)).save(root / SICK / "large.jpg", quality=90)
    found = tfcnn.check(root, progress=False)
    assert found.unfit == {f"{SICK}/3.png": f"a near copy of {SICK}/large.jpg"}


def test_few_near_copies_of_a_large_test_set_are_a_warning(
    drawn_cells, tmp_path, home, monkeypatch
):
    root = check_files.arrange(drawn_cells, tmp_path / "cells", train=12, test=4)
    check_files.cell(root, 0).save(root / "test/Parasitized/again.jpg")
    for least, gravity in ((1 / 9, "blocking"), (1 / 8, "warning")):
        monkeypatch.setattr("tfcnn.manifest.copies.SPOILING", least)
        (finding,) = [
            one for one in tfcnn.check(root, progress=False).findings if one.kind == "near-copies"
        ]
        assert finding.gravity == gravity and "(1 of 9 test images)" in finding.what


def test_what_tells_the_class_and_is_no_picture_is_a_warning(drawn_cells, tmp_path, home):
    root = check_files.arrange(drawn_cells, tmp_path / "cells", train=12, test=4)
    for path in sorted((root / WELL).glob("*.png")):
        with Image.open(path) as image:
            image.convert("RGB").save(path.with_suffix(".jpg"))
        path.unlink()
    found = tfcnn.check(root, progress=False)
    (finding,) = [one for one in found.findings if one.kind == "shortcut"]
    assert finding.gravity == "warning" and "type of the file" in finding.what
    assert finding.examples == ("PNG image: 80 % Parasitized", "JPEG image: 100 % Uninfected")


# --- the page


def test_the_page_is_one_file_that_shows_the_findings(audit, tmp_path):
    page = Page(check_page.write(audit, tmp_path / "check.html").read_text("utf-8"))
    assert not page.errors
    policy = next(meta["content"] for meta in page.attributes("meta") if "content" in meta)
    assert "default-src 'none'" in str(policy) and "img-src data:" in str(policy)
    assert not page.attributes("script") and not page.attributes("link")
    sources = [str(image["src"]) for image in page.attributes("img")]
    assert sources and all(source.startswith("data:image/webp;base64,") for source in sources)
    assert "2 findings would spoil a result" in page.prose
    for finding in audit.findings:
        assert " ".join(finding.what.split()) in page.prose
    assert f"{len(audit.unfit):,} images" in page.prose and f"{SICK}/cut.png" in page.prose


def test_the_commands_of_the_page_name_the_same_images(copy, home):
    settings = ["data.group_regex='^(\\w)'", "data.ignore=['odd*', 'b.png']", "data.split.seed=3"]
    found = tfcnn.check(copy, settings=settings, progress=False)
    found_in_page = re.findall('<pre class="command">(.*?)</pre>', check_page.render(found), re.S)
    commands = [html.unescape(re.sub("<[^>]*>", "", text)) for text in found_in_page]
    assert commands
    for text in commands:
        words = shlex.split(text)
        given = dict(map(read_assignment, words[words.index("--set") + 1 :: 2]))
        assert words[2] == str(copy) and given["data.ignore"] == ["odd*", "b.png"]
        assert given["data.group_regex"] == r"^(\w)" and given["data.split.seed"] == 3


def test_pictures_are_limited(audit, tmp_path, monkeypatch):
    monkeypatch.setattr(check_page, "MOST_PICTURES", 5)
    page = Page(check_page.render(audit))
    assert 1 <= len({image["src"] for image in page.attributes("img")}) <= 5 + 2
    assert "tfcnn check --json" in page.prose


def test_an_image_that_is_gone_is_said(copy, tmp_path, home):
    found = tfcnn.check(copy, progress=False)
    (copy / SICK / "3.png").unlink()
    assert "could not be read again" in check_page.render(found)


def test_a_page_has_a_page_s_name(spoilt, home):
    result = run_tfcnn("check", spoilt, "--output", "check.pdf")
    assert result.returncode == 2 and "expected a file that ends in .html" in result.stderr


def test_what_cannot_be_listed_has_a_page_too(drawn_cells, tmp_path, home):
    """A folder that can be read in two ways: one finding, and no images."""
    root = check_files.arrange(drawn_cells, tmp_path / "cells", train=6, test=2)
    shutil.copytree(root / SICK, root / "more")
    target = tmp_path / "check.html"
    result = run_tfcnn("check", root, "--output", target, "--fix")
    assert (
        result.returncode == 3
        and "1 finding would spoil a result" in Page(target.read_text("utf-8")).prose
    )


@pytest.fixture
def open_page(browser: Any, audit: Audit, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page, and see that it asks for nothing else."""
    path = check_page.write(audit, tmp_path / "check.html")
    with opening(browser) as start:
        yield functools.partial(start, path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_the_page_can_be_read(open_page, scheme):
    opened = open_page(color_scheme=scheme)
    opened.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    texts = opened.evaluate(TEXTS)
    assert len(texts) > 100
    for row in texts:
        behind = (255.0, 255.0, 255.0)
        for colour in reversed(row["below"]):
            behind = over(rgba(colour), behind)
        assert contrast(over(rgba(row["colour"]), behind), behind) >= 4.5, row


@pytest.mark.parametrize("width", [320, 768])
def test_the_page_never_scrolls_sideways(open_page, width):
    opened = open_page(width)
    opened.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert opened.evaluate(OUTSIDE) == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert not opened.evaluate(SMALL), "targets of at least 24 px (WCAG 2.2, 2.5.8)"


def test_the_page_works_by_keyboard_and_its_pictures_are_seen(open_page):
    opened = open_page()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Findings"
    opened.locator("#list summary").focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#list td.path").first.is_visible()
    assert opened.locator(".finding img").evaluate_all(
        "async (all) => { all.forEach((e) => { e.loading = 'eager'; });"
        " await Promise.all(all.map((e) => e.decode()));"
        " return all.every((e) => e.naturalWidth > 0 && e.alt &&"
        " e.clientWidth === e.clientHeight); }"
    )
