"""A page used as a colleague does, and its table beside that of `tfcnn predict`."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import run_tfcnn

DONE_MS = 600_000
TOLERANCE = 1e-4


def predict_in(opened: Any, files: Sequence[Path], target: Path) -> list[dict[str, str]]:
    """Choose files in a page, wait, and download the table."""
    if opened.locator("#results").is_visible():
        opened.locator("#clear").click()
    opened.locator("#images").set_input_files([str(path) for path in files])
    done = re.compile(rf"^{len(files):,} images? done$")
    opened.locator("#progress-text").get_by_text(done).wait_for(timeout=DONE_MS)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Download CSV").click()
    download.value.save_as(target)
    return read(target)


def predict_here(
    run: object, files: Sequence[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, str]]:
    """Predict the same files by the command line, from their own folder."""
    monkeypatch.chdir(files[0].parent)
    target = folder / "expected.csv"
    result = run_tfcnn("predict", run, *(path.name for path in files), "--output", target)
    assert result.returncode in (0, 3), result.stderr  # 3: some could not be read
    return read(target)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_same(found: list[dict[str, str]], expected: list[dict[str, str]]) -> float:
    """Return the largest difference of a probability; nothing else may differ."""
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    assert [_words(row) for row in found] == [_words(row) for row in expected]
    largest = 0.0
    for one, other in zip(found, expected, strict=True):
        for name in probs_of(one):
            assert bool(one[name]) == bool(other[name])
            if one[name]:
                largest = max(largest, abs(float(one[name]) - float(other[name])))
    assert largest < TOLERANCE
    return largest


def probs_of(row: dict[str, str]) -> list[str]:
    return [name for name in row if name.startswith("prob_")]


def _words(row: dict[str, str]) -> dict[str, str]:
    return {name: row[name] for name in row if name not in probs_of(row)}
