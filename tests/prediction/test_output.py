"""Predictions as text: whatever a path is called, the file holds it."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from conftest import run_tfcnn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfcnn.base.errors import InputError
from tfcnn.explain.study import Explanation, write_table
from tfcnn.prediction import Prediction, Stream
from tfcnn.prediction import output as output_module
from tfcnn.prediction.output import GroupTable, format_of, in_digits, write
from tfcnn.runs import Run


def test_a_folder_whose_name_is_not_utf8_is_predicted(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/new\xff"))
    folder.mkdir()
    Image.fromarray(np.full((9, 9, 3), 200, np.uint8)).save(tmp_path / "cell.png")
    (tmp_path / "cell.png").rename(folder / "cell.png")
    texts = []
    for words in ([], ["-o", tmp_path / "out.csv"], ["-o", tmp_path / "out.jsonl"]):
        result = run_tfcnn("predict", "malaria", folder, *words, PYTHONUTF8="1")
        assert result.returncode == 0, result.stderr
        texts.append(words[1].read_text(encoding="utf-8") if words else result.stdout)
    assert texts[0] == texts[1]
    (row,) = csv.DictReader(texts[0].splitlines())
    assert row["path"] == str(tmp_path / r"new\udcff" / "cell.png")
    assert json.loads(texts[2])["path"] == str(folder / "cell.png"), "JSON knows such escapes"


def test_a_folder_of_that_name_is_refused_at_once(tmp_path):
    folder = tmp_path / "out.csv"
    folder.mkdir()
    with pytest.raises(InputError, match=r"out\.csv: expected a file to write; received a folder"):
        format_of(folder, as_json=False)


def test_a_table_of_explanations_holds_any_path(tmp_path):
    path = write_table(tmp_path, [Explanation(os.fsdecode(b"new\xff/cell.png"))])
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert row["path"] == r"new\udcff/cell.png"


def a_run(names=("=a", "b"), positive="=a", threshold=0.5, **more) -> Run:
    data = {"nouns": ["cells", "patients"], "group_regex": r"^(P\d+)_"}
    card = {"class_names": list(names), "positive": positive, "threshold": threshold, "data": data}
    return Run(Path("models/none"), {**card, **more})


def predicted(path: str, *probs: float, names=("=a", "b"), decision="b", group="", flag=""):
    values = dict(zip(names, probs, strict=True))
    most = max(values, key=values.get) if values else ""
    return Prediction(path, most, values, decision if values else "", flag, group=group)


def unreadable(path: str, group: str = "") -> Prediction:
    return Prediction(path, "", {}, "", "unreadable", group=group)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("probs", "threshold", "printed"),
    [
        ((0.123456789, 0.876543211), 0.5, (0.123457, 0.876543)),
        ((0.49999998, 0.50000002), 0.6, (0.49999998, 0.50000002)),  # no tie that is none
        ((0.5, 0.5), 0.6, (0.5, 0.5)),
        ((0.12345604, 0.87654396), 0.12345602, (0.12345604, 0.87654396)),  # the decision holds
        ((0.99999999, 1e-8), 0.5, (1.0, 1e-8)),
        ((1.23456789e-7, 0.99999988), 0.5, (1.23457e-07, 1.0)),
    ],
)
def test_probabilities_have_the_digits_that_they_need(probs, threshold, printed):
    run = a_run(threshold=threshold)
    assert in_digits(predicted("x", *probs), run) == pytest.approx(printed, rel=1e-9)


@settings(deadline=None, max_examples=200)
@given(st.floats(0, 1, width=32), st.floats(0, 1), st.sampled_from(["=a", "b"]))
def test_what_is_printed_decides_as_the_run_does(share, threshold, positive):
    run = a_run(positive=positive, threshold=threshold)
    probs = [float(np.float32(share)), float(np.float32(1) - np.float32(share))]
    printed = in_digits(predicted("x", *probs), run)
    place = run.positive
    if abs(probs[place] - threshold) > 1e-9:  # nine digits tell float32 apart, not every threshold
        assert (printed[place] >= threshold) == (probs[place] >= threshold)
    assert (printed[0] > printed[1]) == (probs[0] > probs[1])
    assert printed == pytest.approx(probs, abs=1e-6)


FORMULAS = ["=1+1.png", "+a.png", "-a.png", "@a.png", "\ta.png", "\ra.png", "'a.png"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_no_cell_is_a_formula_and_every_path_comes_back(tmp_path, suffix):
    paths = [*FORMULAS, "a=1.png", "ä.png"]
    output = tmp_path / f"out{suffix}"
    rows = [predicted(path, 0.25, 0.75, decision="=a") for path in paths]
    done = write(rows, a_run(), suffix[1:], output)
    assert (done.total, done.unreadable) == (len(paths), 0)
    if suffix == ".xlsx":
        sheet = openpyxl.load_workbook(output).worksheets[0]
        cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
        assert cells[1][2:4] == [0.25, 0.75], "numbers are numbers"
    else:
        cells = list(csv.reader(output.open(newline="", encoding="utf-8")))
    assert cells[0] == ["path", "predicted", "prob_=a", "prob_b", "decision", "flag"]
    texts = [str(cell) for row in cells for cell in row if isinstance(cell, str)]
    assert not any(text[:1] in "=+-@\t\r" for text in texts if text)
    assert {row[4] for row in cells[1:]} == {"'=a"}
    back = [row[0].removeprefix("'") for row in cells[1:]]
    # XML has one kind of line end
    assert back == [path.replace("\r", "\n") if suffix == ".xlsx" else path for path in paths]


def test_a_spreadsheet_holds_what_xml_cannot(tmp_path):
    write([predicted("a\x01\udcff.png", 0.2, 0.8)], a_run(), "xlsx", tmp_path / "out.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0]
    assert sheet.cell(2, 1).value == r"a\x01\udcff.png"


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(output_module, "MOST_ROWS", 3)
    rows = [predicted(f"{i}.png", 0.2, 0.8) for i in range(3)]
    with pytest.raises(InputError, match=r"at most 2 predictions.*--excel"):
        write(rows, a_run(), "xlsx", tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()


def test_a_csv_for_spreadsheets_begins_with_a_mark(tmp_path):
    for excel in (False, True):
        write([predicted("ä.png", 0.2, 0.8)], a_run(), "csv", tmp_path / "out.csv", excel)
        content = (tmp_path / "out.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbfpath,") == excel
        assert read_csv(tmp_path / "out.csv")[0]["path"] == "ä.png"


def test_what_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"\.csv, \.jsonl or \.xlsx"):
        format_of(tmp_path / "out.xls", as_json=False)
    for output in (tmp_path / "out.jsonl", None):
        with pytest.raises(InputError, match="--excel: expected a CSV; received JSON lines"):
            format_of(output, as_json=True, excel=True)
    assert format_of(tmp_path / "OUT.XLSX", as_json=False) == "xlsx"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'tfcnn\[excel\]'"):
        format_of(tmp_path / "out.xlsx", as_json=False)


ROWS = [
    predicted("P2_1.png", 0.9, 0.1, decision="=a", group="P2"),
    predicted("P2_2.png", 0.3, 0.7, group="P2", flag="abstain"),
    predicted("P1_1.png", 0.2, 0.8, group="P1"),
    unreadable("P3_1.png", "P3"),
    predicted("x.png", 0.8, 0.2, decision="=a"),
]
RULE = {"least_share": 0.5, "reason": "best on val's 4 and 5 groups"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx"])
def test_a_table_of_the_groups_lies_beside_the_predictions(tmp_path, suffix):
    output = tmp_path / f"out.{suffix}"
    done = write(Stream(iter(ROWS), True, ()), a_run(group_rule=RULE), suffix, output)
    if suffix == "xlsx":
        book = openpyxl.load_workbook(tmp_path / "out-groups.xlsx").worksheets[0]
        header, *cells = ([cell.value for cell in row] for row in book.iter_rows())
        texts = [["" if value is None else str(value) for value in row] for row in cells]
        rows = [dict(zip(header, row, strict=True)) for row in texts]
    else:
        rows = read_csv(tmp_path / "out-groups.csv")
    assert list(rows[0]) == [
        "group", "images", "flagged", "predicted_=a", "predicted_b", "share_=a", "call"
    ]  # fmt: skip
    values = [list(row.values()) for row in rows]
    assert [row[:5] for row in values] == [
        ["P1", "1", "0", "0", "1"],
        ["P2", "2", "1", "1", "1"],
        ["P3", "1", "1", "0", "0"],
        ["", "1", "0", "1", "0"],
    ]
    assert [row[6] for row in values] == ["b", "'=a", "", ""]
    assert [float(row[5]) for row in values if row[5]] == [0, 0.5, 1]
    said = "\n".join(done.lines)
    assert "5 predictions in" in said and "3 patients in" in said and "out-groups." in said
    assert "of 1 images the group is not known" in said
    assert "called =a from 50.0%" in said and RULE["reason"] in said and "no diagnosis" in said
    assert done.unreadable == 1


@pytest.mark.parametrize("split", ["test", "val"])
def test_what_the_run_measured_of_its_rule_is_said(split):
    run, sentence = a_run(group_rule=RULE), "At 200 parasites per microlitre it cannot."
    vars(run)["report"] = {"patients": {"splits": {split: {"caveat": {"sentence": sentence}}}}}
    assert GroupTable(run).lines(Path("out-groups.csv"))[2:] == [sentence]
    vars(run)["report"] = {"patients": {"splits": {split: {}}}}
    assert GroupTable(run).lines(Path("out-groups.csv"))[2:] == []


def test_a_run_without_a_rule_calls_no_group(tmp_path):
    rule = {"least_share": None, "reason": "no rule: val has no positive group among its 3"}
    done = write(Stream(iter(ROWS), True, ()), a_run(group_rule=rule), "csv", tmp_path / "out.csv")
    assert "call" not in read_csv(tmp_path / "out-groups.csv")[0]
    assert any(rule["reason"] in line for line in done.lines)
    several = a_run(names=("a", "b", "c"), positive=None)
    rows = [predicted("P1_1.png", 0.2, 0.7, 0.1, names=("a", "b", "c"), group="P1")]
    write(Stream(iter(rows), True, ()), several, "csv", tmp_path / "more.csv")
    (row,) = read_csv(tmp_path / "more-groups.csv")
    assert row == {"group": "P1", "images": "1", "flagged": "0",
                   "predicted_a": "0", "predicted_b": "1", "predicted_c": "0"}  # fmt: skip


def test_the_group_is_the_last_column_where_one_is_known(tmp_path):
    header = ["path", "predicted", "prob_=a", "prob_b", "decision", "flag"]
    for has_groups in (False, True):
        write(Stream(iter(ROWS), has_groups, ()), a_run(), "csv", tmp_path / "out.csv")
        rows = read_csv(tmp_path / "out.csv")
        assert list(rows[0]) == ([*header[:2], "prob_=a", *header[3:]] + ["group"] * has_groups)
    assert [row["group"] for row in rows] == ["P2", "P2", "P1", "P3", ""]
    write(Stream(iter(ROWS), True, ()), a_run(), "jsonl", tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line.get("group") for line in lines] == ["P2", "P2", "P1", "P3", None]
    assert list(lines[-1]) == ["path", "predicted", "probs", "decision", "flag", "reason"]


def test_the_command_reads_groups_by_the_runs_own_rule(trained, tmp_path):
    cells = trained.parents[2] / "cells"
    output = tmp_path / "out.csv"
    result = run_tfcnn("predict", trained, cells, "--excel", "-o", output)
    assert result.returncode == 0, result.stderr
    rows = read_csv(output)
    assert {row["group"] for row in rows} == {f"P{i}" for i in range(12)}
    assert all(Path(row["path"]).name.startswith(f"{row['group']}_") for row in rows)
    groups = read_csv(tmp_path / "out-groups.csv")
    assert len(groups) == 12 and {row["images"] for row in groups} == {"8"}
    assert "12 groups in" in result.stderr and result.stdout == ""
    assert output.read_bytes().startswith(b"\xef\xbb\xbf")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((cells / "round" / "P0_0.png").read_bytes())
    again = run_tfcnn("predict", trained, tmp_path / "other", "-o", tmp_path / "other.csv")
    assert "group" not in read_csv(tmp_path / "other.csv")[0]
    assert "no groups: none of these names fits" in again.stderr
    assert not (tmp_path / "other-groups.csv").exists()


def test_explanations_hold_no_formula(tmp_path):
    path = write_table(tmp_path, [Explanation("=1+1.png", explained="-no")])
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert (row["path"], row["explained"]) == ("'=1+1.png", "'-no")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx"])
def test_predictions_remove_what_a_kill_left_of_them(tmp_path, suffix):
    output, left = tmp_path / f"p.{suffix}", tmp_path / f".p-01234567.part.{suffix}"
    left.touch()
    os.utime(left, (0, 0))
    write([predicted("a.png", 0.25, 0.75)], a_run(), suffix, output)
    assert output.exists()
    assert not left.exists()
