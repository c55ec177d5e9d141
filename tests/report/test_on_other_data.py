"""The report on other images than the run's own: whole, of these images, and in no wrong place."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import run_tfcnn, write_tree
from report_html import Page

import tfcnn
from tfcnn.base.errors import CheckError, InputError
from tfcnn.report import robustness

WRITTEN = {"predictions.csv", "report.json", "report.html"}


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """Images of groups that the run has not seen, one of them unreadable, and a note."""
    root = write_tree(tmp_path_factory.mktemp("other") / "clinic", groups=3, seed=9)
    for path in sorted(root.rglob("*.png")):
        path.rename(path.with_name(f"P5{path.name[1:]}"))
    (root / "round" / "P50_9.png").write_bytes(b"no picture")
    (root / "round" / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="module")
def written(trained, others, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("out") / "on_clinic"
    result = run_tfcnn("evaluate", trained, "--data", others, "--output", target)
    assert result.returncode == 0, result.stderr
    assert f"Report: {target / 'report.html'}" in result.stdout.replace("\n", "")
    return target


def test_three_files_of_these_images(written, others, trained):
    assert {path.name for path in written.iterdir()} == WRITTEN
    rows = list(csv.DictReader((written / "predictions.csv").open(newline="")))
    assert len(rows) == 24 and {row["split"] for row in rows} == {"data"}
    report = json.loads((written / "report.json").read_text())
    right = sum(row["predicted"] == row["label"] for row in rows) / 24
    assert report["splits"]["data"]["accuracy"]["value"] == right
    assert [row["path"] for row in report["quarantined"]] == ["round/P50_9.png"]
    assert report["other_data"]["folder"] == str(others)
    assert report["other_data"]["card_sha256"] == tfcnn.load(trained).card_sha256
    plain = tfcnn.evaluate(trained, data=others)
    assert plain.splits == report["splits"] and plain.warnings == report["warnings"]


def test_the_page_says_what_was_measured_and_nothing_of_a_training(written):
    text = (written / "report.html").read_text()
    html = Page(text)
    assert not html.errors
    prose = " ".join(" ".join(html.words).split())
    assert "cells on clinic" in prose and "24 images of 3 groups" in prose
    assert "These are other images than the run’s own" in prose
    assert text.count("round/P50_9.png") >= 2 and "1 .txt" in text
    ids = {value for _, attributes in html.tags for name, value in attributes.items()
           if name == "id"}  # fmt: skip
    assert {"data", "metrics", "confusion", "errors", "groups", "calibration"} <= ids
    assert not ids & {"training", "checks", "use", "card", "folds"}
    links = {str(a.get("href")) for tag, a in html.tags if tag == "a"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert 'src="data:image' in text  # their own images


def test_an_earlier_evaluation_is_replaced_and_nothing_else(trained, others, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    for name in WRITTEN:
        (target / name).write_text("old")
    tfcnn.evaluate(trained, data=others, output=target)
    assert "old" not in {path.read_text() for path in target.iterdir()}
    (target / "mine.txt").write_text("mine")
    stamp = (target / "report.json").stat().st_mtime_ns
    with pytest.raises(InputError, match="a folder of other files"):
        tfcnn.evaluate(trained, data=others, output=target)
    assert (target / "report.json").stat().st_mtime_ns == stamp
    for place, said in ((others, "folder of the images"), (others / "round" / "P50_0.png", "file")):
        with pytest.raises(InputError, match=said):
            tfcnn.evaluate(trained, data=others, output=place)


def test_where_it_fails_nothing_is_written(trained, others, tmp_path):
    target = tmp_path / "out"
    seen = trained.parents[2] / "cells"
    with pytest.raises(CheckError, match="not seen"):
        tfcnn.evaluate(trained, data=seen, output=target)
    with pytest.raises(InputError, match="--data FOLDER"):
        tfcnn.evaluate(trained, output=target)
    assert not target.exists() and not list(tmp_path.glob("**/*.part*"))


def test_a_stress_test_on_the_page_is_that_of_these_images(tmp_path, monkeypatch):
    of_run, of_others = ({"sentence": name, "kinds": []} for name in ("own", "others"))
    monkeypatch.setattr(robustness.stress, "read", lambda run: of_run)
    for source, measured, shown in (
        (None, {}, of_run), (None, of_others, of_run), ("clinic", {}, {}),
        ("clinic", of_others, of_others),
    ):  # fmt: skip
        report = SimpleNamespace(stress=measured, subgroups={})
        content = SimpleNamespace(source=source, run=tmp_path, report=report)
        assert robustness.values(content)["stress"] == shown
