"""Nothing is left out in silence: `predict` and `evaluate --data` say what they passed over."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from conftest import run_tfcnn, write_tree
from PIL import Image

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.datasets import LeftOut, in_words
from tfcnn.prediction import expand
from tfcnn.runs import open_run

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Six images, one of a telephone, one without a suffix, and ten files that are none."""
    root = write_tree(tmp_path / "messy", classes=("all",), groups=2, per_group=3, seed=5) / "all"
    (root / "IMG_1.HEIC").write_bytes(HEIC)
    shutil.copy(root / "P0_0.png", root / "P0_9")
    for name in ("notes.txt", "more.txt", "Thumbs.db", "@eaDir/P0_0.png", "#recycle/P0_1.png"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "P0_0.png", root / name)
    for name in ("P0_0_mask.png", "P1_1-seg.png"):
        Image.new("L", (32, 32), 255).save(root / name)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    return root


def test_a_folder_says_what_it_passed_over_by_kind(messy: Path) -> None:
    said: list[str] = []
    images = expand([messy], said.append)
    assert [Path(image.path).name for image in images] == sorted(
        [*(f"P{g}_{i}.png" for g in range(2) for i in range(3)), "P0_9", "IMG_1.HEIC"]
    )
    assert said == [
        f"{messy}: passed over 8 of 16 files: 2 .txt, 2 masks beside their images, 1 broken links, "
        "1 hidden or system files, 1 in #recycle, 1 in @eaDir"
    ]


def test_a_zip_is_read_as_its_folder_is(messy: Path, tmp_path: Path) -> None:
    (messy / "gone.png").unlink()
    archive = tmp_path / "messy.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(messy.rglob("*")):
            made.write(path, path.relative_to(messy).as_posix())
    said: dict[Path, list[str]] = {messy: [], archive: []}
    names = {
        place: [image.path.removeprefix(f"{place}/") for image in expand([place], notes.append)]
        for place, notes in said.items()
    }
    assert names[messy] == names[archive]
    assert said[archive][0].partition(": ")[2] == said[messy][0].partition(": ")[2]


def test_masks_in_a_folder_of_their_own_are_no_images_to_predict(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        write_tree(tmp_path, classes=(name,), groups=1, per_group=3)
    said: list[str] = []
    assert len(expand([tmp_path], said.append)) == 3
    assert "3 of 6 files: 3 in a folder masks" in said[0]


def test_a_file_that_is_named_is_never_passed_over(messy: Path) -> None:
    said: list[str] = []
    assert len(expand([messy / "notes.txt", messy / "P0_0_mask.png"], said.append)) == 2
    assert said == []


def test_a_folder_without_images_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(InputError, match=r"received none; passed over 1 of 1 files: 1 \.txt"):
        expand([tmp_path])


def test_predict_says_it_on_stderr_and_gives_a_row_to_what_it_cannot_read(
    trained: Path, messy: Path
) -> None:
    result = run_tfcnn("predict", trained, messy, "--json", home=trained.parents[1])
    rows = {Path(row["path"]).name: row for row in map(json.loads, result.stdout.splitlines())}
    assert len(rows) == 8 and result.returncode == 3
    assert rows["IMG_1.HEIC"]["flag"] == "unreadable"
    assert rows["P0_9"]["predicted"] == rows["P0_0.png"]["predicted"]
    assert "passed over 8 of 16 files: 2 .txt" in result.stderr


def test_evaluate_shows_the_notes_of_the_data_it_was_given(trained: Path, tmp_path: Path) -> None:
    run = open_run(trained)
    run.card["data"]["notes"] = ["the scanner was changed"]
    other = write_tree(tmp_path / "other", groups=4, seed=9)
    for path in sorted(other.rglob("*.png")):
        path.rename(path.with_name(f"P7{path.name[1:]}"))
    first = sorted((other / "round").iterdir())[0]
    shutil.copy(first, other / "square" / f"P8{first.name[2:]}")
    (other / "round" / "P70_77.png").write_bytes(b"")
    (other / "square" / "notes.txt").write_text("x")
    warnings = tfcnn.evaluate(run, data=other).warnings
    text = "\n".join(warnings)
    assert "1 picture is in two classes at once" in text
    assert "left out: 1 of 18 files in square: 1 .txt" in text
    assert "set aside, unreadable: round/P70_77.png (" in text
    assert "of the training data: the scanner was changed" in warnings
    assert "the scanner was changed" not in warnings


def test_evaluate_reads_groups_as_the_run_did(trained: Path, tmp_path: Path) -> None:
    """Where the run took folders, other data are read so, and a rule given goes before it."""
    run = open_run(trained)
    run.card["data"] |= {"group_regex": None, "group_from": "folder", "ignore": ["*.tmp.png"]}
    for label, class_name in enumerate(("round", "square")):
        for number in range(3):
            source = write_tree(tmp_path / f"{label}{number}", groups=1, seed=20 + number)
            target = tmp_path / "other" / class_name / f"Q{number}"
            shutil.copytree(source / class_name, target)
            shutil.copy(next(target.iterdir()), target / "copy.tmp.png")
    report = tfcnn.evaluate(run, data=tmp_path / "other")
    assert report.counts["data"] == {"images": 24, "groups": 3}
    assert any("3 by data.ignore" in note for note in report.warnings)
    report = tfcnn.evaluate(run, data=tmp_path / "other", ignore=["*/Q1/*", "copy*"])
    assert report.counts["data"] == {"images": 16, "groups": 2}
    report = tfcnn.evaluate(run, data=tmp_path / "other", group_regex="")
    assert report.counts["data"]["groups"] == 0


def test_kinds_are_counted_the_commonest_first() -> None:
    found = [LeftOut("a", ".txt"), LeftOut("b", "masks"), LeftOut("c", "masks")]
    assert in_words(found) == "2 masks, 1 .txt"


def test_what_the_run_ignored_is_passed_over(trained: Path, messy: Path, tmp_path: Path) -> None:
    run = open_run(trained)
    run.card["data"]["ignore"] = ["P0_*", "*.heic"]
    archive = tmp_path / "messy.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(messy.glob("*.*")):
            if path.exists():
                made.write(path, f"all/{path.name}")
    for place in (messy, archive):
        said: list[str] = []
        found = list(tfcnn.api.stream(run, place, note=said.append))
        assert [Path(one.path).name for one in found] == ["P1_0.png", "P1_1.png", "P1_2.png"]
        assert " by data.ignore" in said[0]
