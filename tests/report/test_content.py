"""Flags and calls per patient: shown as report.json has them, and nowhere where it has none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from report_html import write_page
from report_runs import write_run


def share(value: float | None, low: float | None = None, high: float | None = None, **more: Any):
    return {"value": value, "low": low, "high": high, **more}


FLAGS = {
    "out-of-domain": share(0.017, 0.004, 0.031, count=7),
    "abstain": share(0.052, 0.021, 0.08, count=22),
    "answered": share(0.931, 0.9, 0.96, count=393),
    "of_answered": {"accuracy": share(0.988, 0.97, 0.995)},
}
OUTSIDE_ONLY = {"out-of-domain": share(0.5, 0.4, 0.6, count=9)}
PATIENTS = {
    "rule": {"least_share": 0.034, "reason": "best sum over val"},
    "splits": {
        "test": {
            "groups": [],
            "sensitivity": share(0.9, 0.7, 0.98, groups=20),
            "specificity": share(None, reason="no negative group", groups=0),
            "caveat": {"sentence": "At 200 parasites per microlitre it cannot."},
        }
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", num_images={"val": 60, "test": 60})


def written(folder: Path, **keys: Any) -> str:
    report = json.loads((folder / "report.json").read_text())
    for key in ("flags", "patients"):
        report.pop(key, None)
    (folder / "report.json").write_text(json.dumps({**report, **keys}))
    html = write_page(folder)
    return html.prose.replace("\u00a0", " ")


def test_flags_of_both_splits(folder: Path) -> None:
    text = written(folder, flags={"val": FLAGS, "test": FLAGS})
    assert "flagged out-of-domain , one that it is unsure of abstain" in text
    for label, figures in (
        ("out of domain", "1.7 % 0.4 to 3.1 %"),
        ("left unanswered", "5.2 % 2.1 to 8.0 %"),
        ("right among the answered", "98.8 % 97.0 to 99.5 %"),
    ):
        assert f"{label} {figures} {figures}" in text
    assert "sensitivity among" not in text


def test_flags_without_an_abstention_band(folder: Path) -> None:
    text = written(folder, flags={"test": OUTSIDE_ONLY})
    assert "out of domain 50.0 % 40.0 to 60.0 %" in text and "unsure" not in text


def test_a_call_per_patient_with_its_caveat(folder: Path) -> None:
    text = written(folder, patients=PATIENTS)
    assert "A patient is called Parasitized where at least 3.4 % of its cells are." in text
    assert "Why this limit: best sum over val." in text
    assert "Parasitized patients found 90.0 % 70.0 to 98.0 % of 20" in text
    assert "other patients left alone – no negative group of 0" in text
    assert "At 200 parasites per microlitre it cannot." in text
    rule = {"least_share": None, "reason": "no rule: val has no negative group among its 9"}
    text = written(folder, patients={**PATIENTS, "rule": rule})
    assert "There is no rule: val has no negative group among its 9." in text


def test_nothing_is_said_where_nothing_was_measured(folder: Path) -> None:
    unknown = {"out-of-domain": share(None, reason="trained before this was fitted")}
    for keys in ({}, {"flags": {"test": unknown}, "patients": {"rule": {}, "splits": {}}}):
        text = written(folder, **keys)
        assert "should not answer" not in text and "A call per" not in text


def test_each_of_many_classes_has_its_figures_the_hardest_first(tmp_path: Path) -> None:
    names = [f"kind {k:02}" for k in range(14)]
    folder = write_run(tmp_path / "run", "ten_classes", class_names=names)
    rows = json.loads((folder / "report.json").read_text())["classes"]["test"]
    html = write_page(folder)
    text = html.prose.replace("\u00a0", " ")
    order = sorted(rows, key=lambda row: row["f1"]["value"])
    places = []
    for row in order:
        figures = [f"{100 * row[name]['value']:.1f} %" for name in ("precision", "recall", "f1")]
        pattern = " ".join([row["class"], *(rf"{figure} [^%]+?" for figure in figures)])
        found = re.search(rf"{pattern} {row['images']}\b", text)
        assert found, row
        places.append(found.start())
    assert places == sorted(places)
    assert "The other 4 classes" in text and "Classes" in text
    assert "Class by class" not in written(write_run(tmp_path / "two"))


@pytest.mark.parametrize(
    ("inputs", "is_said"),
    [({"augment": {"rotate90": True}}, True), ({"generator": {"rotation_range": 9}}, True),
     ({"augment": False}, False)],
)  # fmt: skip
def test_augmented_images_are_named_where_there_were_any(
    tmp_path: Path, inputs: dict[str, Any], is_said: bool
) -> None:
    text = written(write_run(tmp_path / "run", inputs=inputs))
    assert ("Train is measured on augmented images while" in text) is is_said
    assert ("Train is measured while" in text) is not is_said
