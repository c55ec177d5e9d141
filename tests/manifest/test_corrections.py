"""Corrected labels: matched by path and hash, used behind the split, not in test unless told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_manifests import patients

from tfcnn.base.errors import CheckError, InputError
from tfcnn.datasets import LeftOut
from tfcnn.manifest import Manifest, corrections, folds, splits
from tfcnn.recipes import DataSettings, SplitSettings

HEADER = ",".join(corrections.COLUMNS)


@pytest.fixture
def data() -> Manifest:
    """Patients on paper."""
    found = patients(24)
    source = replace(found.source, root=Path("/nowhere"))
    return replace(found, source=source)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def settings_of(path: Path, **more: Any) -> DataSettings:
    return DataSettings(source="cells", corrections_csv=str(path), **more)


def other(label: str) -> str:
    return {"sick": "well", "well": "sick"}[label]


def line(row: Any, judgement: str, sha256: str | None = None) -> str:
    new = other(row.label) if judgement == "flip" else ""
    return f"{row.path},{row.sha256 if sha256 is None else sha256},{row.label},{judgement},{new},,"


def in_split(data: Manifest, assigned: list[str], name: str, count: int = 4) -> list[int]:
    return [i for i, split in enumerate(assigned) if split == name][:count]


@pytest.mark.parametrize("with_test", [False, True])
def test_each_judgement_does_what_it_says_and_test_is_left_alone(data, tmp_path, with_test):
    assigned = splits.assign(data, SplitSettings())
    words = ("keep", "flip", "drop", "unsure")
    chosen = {name: in_split(data, assigned, name) for name in splits.NAMES}
    lines = [line(data.rows[i], word)
             for rows in chosen.values() for i, word in zip(rows, words, strict=True)]  # fmt: skip
    found = corrections.find(settings_of(write(tmp_path / "c.csv", *lines)), data)
    done, kept = corrections.apply(found, data, assigned, with_test=with_test)
    reached = splits.NAMES if with_test else ("train", "val")
    for name, rows in chosen.items():
        is_reached = name in reached
        for i, word in zip(rows, words, strict=True):
            flipped = word == "flip" and is_reached
            label = data.rows[i].label
            assert done.rows[i].label == (other(label) if flipped else label)
            assert kept[i] == ("" if word == "drop" and is_reached else name)
    touched = {i for rows in chosen.values() for i in rows}
    for i, row in enumerate(data.rows):
        assert i in touched or (done.rows[i], kept[i]) == (row, assigned[i])
    facts = done.corrections
    assert (facts["changed"], facts["dropped"]) == ((3, 3) if with_test else (2, 2))
    assert (facts["kept"], facts["unsure"]) == (3, 3)
    assert (facts["held_back"], facts["of_test"]) == ((0, 2) if with_test else (2, 0))
    stamped = [note for note in done.notes if note.startswith(corrections.TEST_IS_CORRECTED)]
    assert bool(stamped) == with_test
    assert any("2 of test left as given" in note for note in done.notes) != with_test
    assert any(facts["sha256"][:12] in note for note in done.notes)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), share=st.floats(0, 0.3))
def test_no_correction_moves_anybody_to_another_side(tmp_path_factory, seed, share):
    import numpy as np

    base = patients(30, seed)
    data = replace(base, source=replace(base.source, root=Path("/nowhere")))
    rng = np.random.default_rng(seed)
    lines = [line(row, str(rng.choice(["flip", "drop"])))
             for row in data.rows if rng.random() < share]  # fmt: skip
    path = write(tmp_path_factory.mktemp("c") / "c.csv", *lines)
    found = corrections.find(settings_of(path), data)
    before = splits.assign(data, SplitSettings(seed=seed))
    done, after = corrections.apply(found, data, before, with_test=False)
    assert [row.group for row in done.rows] == [row.group for row in data.rows]
    assert all(new in (old, "") for old, new in zip(before, after, strict=True))
    tests = [i for i, split in enumerate(before) if split == "test"]
    assert tests == [i for i, split in enumerate(after) if split == "test"]
    assert all(done.rows[i] == data.rows[i] for i in tests)
    # a run that goes on reads its own split, in which what was dropped has none
    again, resumed = corrections.apply(found, data, after, with_test=False)
    assert (again.rows, resumed) == (done.rows, after)
    assert again.corrections == done.corrections


def test_a_table_of_paths_alone_is_enough(data, tmp_path):
    row = data.rows[0]
    path = tmp_path / "c.csv"
    path.write_text(f"path;judgement;corrected_label\n{row.path};flip;{other(row.label)}\n")
    found = corrections.find(settings_of(path), data)
    assert found.by_path[row.path].corrected_label == other(row.label)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"sha256": "beef"}, CheckError, "the image that was judged; received one with another"),
        ({"judgement": "maybe"}, InputError, "one of keep, flip, drop, unsure; received 'maybe'"),
        ({"new": "ill"}, InputError, "a class as corrected_label: sick, well; received 'ill'"),
        ({"new": ""}, InputError, "another class as corrected_label; received none"),
        ({"new": "same"}, InputError, "another class as corrected_label; received"),
        ({"label": "fish"}, CheckError, "the label that was judged, fish"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data, tmp_path, change, error, match):
    row = data.rows[3]
    values = {"sha256": row.sha256, "label": row.label, "judgement": "flip",
              "new": other(row.label), **change}  # fmt: skip
    if values["new"] == "same":
        values["new"] = row.label
    cells = [row.path, values["sha256"], values["label"], values["judgement"], values["new"]]
    path = write(tmp_path / "c.csv", ",".join([*cells, "", ""]))
    with pytest.raises(error, match=match) as caught:
        corrections.find(settings_of(path), data)
    assert row.path in str(caught.value)


def test_paths_that_are_no_image_here_are_said_apart_from_those_left_out(data, tmp_path):
    lost = LeftOut("well/gone.png", "by tfcnn-ignore.csv", "well")
    data = replace(data, source=replace(data.source, left_out=(lost,)))
    path = write(tmp_path / "c.csv", "well/gone.png,,well,drop,,,", "x/strange.png,,well,drop,,,")
    found = corrections.find(settings_of(path), data)
    assert (found.left_out, found.strangers) == (("well/gone.png",), ("x/strange.png",))
    done, _ = corrections.apply(found, data, ["train"] * len(data.rows), with_test=False)
    text = " ".join(done.notes)
    assert "1 on images that are left out anyway" in text
    assert "a path that is no image here, such as x/strange.png" in text


def test_a_label_that_is_corrected_already_stays(data, tmp_path):
    row = data.rows[0]
    path = write(tmp_path / "c.csv", f"{row.path},,{other(row.label)},flip,{row.label},,")
    found = corrections.find(settings_of(path), data)
    done, _ = corrections.apply(found, data, ["train"] * len(data.rows), with_test=False)
    assert done.rows == data.rows and done.corrections["already"] == 1


def test_corrections_that_take_a_whole_class_are_refused(data, tmp_path):
    lines = [line(row, "flip") for row in data.rows if row.label == "well"]
    found = corrections.find(settings_of(write(tmp_path / "c.csv", *lines)), data)
    with pytest.raises(InputError, match="none of well"):
        corrections.apply(found, data, ["train"] * len(data.rows), with_test=False)


def test_a_picture_in_two_classes_that_is_corrected_is_no_contradiction_any_more(data, tmp_path):
    rows = list(data.rows)
    one = next(i for i, row in enumerate(rows) if row.label == "well")
    two = next(i for i, row in enumerate(rows) if row.label == "sick")
    rows[two] = replace(rows[two], pixels_sha256=rows[one].pixels_sha256)
    data = replace(data, rows=tuple(rows), notes=())
    data = replace(data, notes=("kept", *corrections.contradiction_notes(data)))
    assert len(data.notes) == 2
    path = write(tmp_path / "c.csv", line(rows[two], "flip"))
    found = corrections.find(settings_of(path), data)
    done, _ = corrections.apply(found, data, ["train"] * len(rows), with_test=False)
    assert done.notes[0] == "kept" and "two classes" not in " ".join(done.notes)


@pytest.mark.parametrize("with_test", [False, True])
def test_a_cross_validation_says_once_what_all_its_folds_correct(data, tmp_path, with_test):
    lines = [line(row, "flip") for row in data.rows[:3]] + [line(data.rows[5], "drop")]
    found = corrections.find(settings_of(write(tmp_path / "c.csv", *lines)), data)
    dealt = folds.assign(data, SplitSettings(), 3)
    tested = [
        row
        for fold in dealt
        for part, kept in [corrections.apply(found, data, fold, with_test=with_test)]
        for row, split in zip(part.rows, kept, strict=True)
        if split == "test"
    ]
    labels = {row.path: row.label for row in tested}
    assert len(labels) == len(data.rows) - with_test
    first = data.rows[0]
    assert labels[first.path] == (other(first.label) if with_test else first.label)
    pool = range(len(data.rows))
    said = corrections.over_folds(found, data, pool, with_test=with_test, tested=tested)
    text = " ".join(said.notes)
    assert "changed 3 labels and left out 1 image" in text
    assert ("4 tested with the label as given" in text) != with_test
    assert (f"{corrections.TEST_IS_CORRECTED}: 4" in text) == with_test


def test_test_is_corrected_only_beside_a_table():
    with pytest.raises(ValueError, match="corrections_csv beside corrections_test"):
        DataSettings(source="cells", corrections_test=True)


def test_a_path_means_the_whole_path_and_one_image_has_one_judgement(data, tmp_path):
    row = data.rows[0]
    path = write(tmp_path / "c.csv", f"elsewhere/{row.path},,,drop,,,", f"./{row.path},,,keep,,,")
    found = corrections.find(settings_of(path), data)
    assert found.by_path[row.path].judgement == "keep"
    assert found.strangers == (f"elsewhere/{row.path}",)
    write(path, f"{row.path},,,drop,,,", f"{row.path},,,keep,,,")
    with pytest.raises(InputError, match="one judgement; received drop and keep"):
        corrections.find(settings_of(path), data)
