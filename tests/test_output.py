"""Predictions as text: whatever a path is called, the file holds it."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tfcnn
from PIL import Image

from tfcnn.errors import InputError
from tfcnn.explain.files import Explanation, write_table
from tfcnn.output import format_of


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
