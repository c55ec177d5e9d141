"""Every plot as a file for a paper: whole, of one width, and true to report.json."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest
from PIL import Image
from report_runs import write_run

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.report import figure_files

NAMES = ("roc", "precision-recall", "decision-curve", "threshold", "calibration",
         "accuracy-by-group", "loss-by-epoch", "accuracy-by-epoch")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run") / "binary", "binary")


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    target = tmp_path_factory.mktemp("figures") / "new"
    written = figure_files.write(runs.read(run), target)
    assert [path.name for path in written] == [f"{n}.{s}" for n in NAMES
                                               for s in ("svg", "png", "csv")]  # fmt: skip
    assert sorted(path.name for path in target.iterdir()) == sorted(path.name for path in written)
    return target


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_a_column_wide_and_needs_no_font(folder, name):
    with Image.open(folder / f"{name}.png") as image:
        assert image.width == pytest.approx(85 / 25.4 * 300, abs=1)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    text = (folder / f"{name}.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)
    assert root.get("width") == "85.00mm" and re.fullmatch(r"[\d.]+mm", root.get("height"))
    *_, width, height = map(float, root.get("viewBox").split())
    assert float(root.get("height")[:-2]) / 85 == pytest.approx(height / width, abs=1e-3)
    assert "<text" not in text and "var(--" not in text and "<script" not in text


def test_the_numbers_are_those_of_the_report(run, folder):
    content = json.loads((run / "report.json").read_text())
    for name, key in (("roc", "roc"), ("precision-recall", "precision_recall"),
                      ("decision-curve", "net_benefit")):  # fmt: skip
        rows = list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text("utf-8"))))
        assert {column: [float(row[column]) if row[column] else None for row in rows]
                for column in rows[0]} == content["curves"][key]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((folder / "accuracy-by-group.csv").read_text("utf-8"))))
    assert [row["group"] for row in rows] == [row["group"] for row in content["groups"]["test"]]


def test_the_curves_stay_small_in_the_report(run):
    content = json.loads((run / "report.json").read_text())
    for curve in ("roc", "precision_recall", "net_benefit"):
        assert all(len(column) <= 100 for column in content["curves"][curve].values())
    assert len(json.dumps(content["curves"], indent=2)) < 16_000


def test_files_are_the_same_again_and_take_the_place_of_old_ones(run, folder, tmp_path):
    (tmp_path / "roc.svg").write_text("old")
    figure_files.write(runs.read(run), tmp_path)
    for name in ("roc.svg", "roc.csv", "threshold.svg", "roc.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_file_in_the_place_of_the_folder_is_refused(run, tmp_path):
    place = tmp_path / "figures"
    place.write_text("mine")
    with pytest.raises(InputError, match="a folder for figures"):
        figure_files.write(runs.read(run), place)
    assert place.read_text() == "mine"


def test_several_classes_have_no_decision_curve(tmp_path):
    run = write_run(tmp_path / "ten", "ten_classes")
    names = {path.stem for path in figure_files.write(runs.read(run), tmp_path / "figures")}
    assert names == {"roc", "precision-recall", "calibration", "loss-by-epoch", "accuracy-by-epoch"}
