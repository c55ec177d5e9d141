"""A card or a report that says what cannot be is refused, and the error names the key."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import write_card

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.evaluation import scoring


def changed(tree: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    tree = json.loads(json.dumps(tree))
    *above, last = key.split(".")
    place = tree
    for name in above:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return tree


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("class_names", ["round", 7], r"class_names\[1\] is a whole number, not a text"),
        ("class_names", ["round"], "class_names are not at least two, each once"),
        ("class_names", ["round", "round"], "class_names are not at least two, each once"),
        ("positive", "oval", "positive is 'oval', not one of class_names"),
        ("threshold", 1.5, "threshold is 1.5, not in 0 to 1"),
        ("threshold", "0.5", "threshold is a text, not a number"),
        ("decoder.image_size", [32, 0], r"decoder.image_size is \[32, 0\], not a height"),
        ("decoder.image_size", [32, 4097], r"decoder.image_size is \[32, 4097\], not a height"),
        ("decoder.image_size", [32, 32, 3], "not a height and width up to 4096"),
        ("decoder.channels", 2, r"decoder.channels is 2, not one of \(1, 3\)"),
        ("decoder.fit", "x", "decoder.fit is 'x', not one of"),
        ("decoder.background", "red", "decoder.background is 'red', not one of"),
        ("data.nouns", ["cells"], "data.nouns are not two"),
        ("data.notes", "x", "data.notes is a text, not a list"),
        ("data.group_regex", ..., "no data.group_regex"),
        ("leaky", None, "leaky is null, not true or false"),
    ],
)
def test_a_card_is_refused(key: str, value: Any, said: str, run_copy: Path) -> None:
    card = runs.read(run_copy).card
    write_card(run_copy, changed(card, key, value))
    with pytest.raises(InputError, match=f"contract of a run; received .*{said}"):
        runs.read(run_copy)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("splits", {}, "splits are empty"),
        ("splits.val.accuracy", 0.5, "splits.val.accuracy is a number, not keys and values"),
        ("splits.val.accuracy.low", ..., "no splits.val.accuracy.low"),
        ("confusion.val", [[1, 2]], "no counts or confusion of val with 2 classes"),
        ("counts.val", ..., "no counts or confusion of val with 2 classes"),
        ("sentence", None, "sentence is null, not a text"),
        ("operating_point", {"threshold": 0.5}, "no operating_point.positive"),
    ],
)
def test_a_report_is_refused(key: str, value: Any, said: str, run_copy: Path) -> None:
    run = runs.read(run_copy)
    path = run_copy / runs.REPORT
    path.write_text(json.dumps(changed(run.report, key, value)), encoding="utf-8")
    other = runs.Run(run_copy, run.unrecorded(runs.REPORT).card)
    with pytest.raises(InputError, match=f"the report of a run; received {said}"):
        _ = other.report
    assert said.split(" ")[0] in other.panel().notes[0], "a notebook says so"


@pytest.mark.parametrize("value", ["high", None, ...])
def test_a_report_whose_groups_have_no_accuracy_is_refused(value: Any, run_copy: Path) -> None:
    run = runs.read(run_copy)
    row = {"group": "P1", "images": 2, "per_class": {}, "errors": 0, "accuracy": 1.0}
    groups = {split: [changed(row, "accuracy", value)] for split in run.report["splits"]}
    path = run_copy / runs.REPORT
    path.write_text(json.dumps({**run.report, "groups": groups}), encoding="utf-8")
    other = runs.Run(run_copy, run.unrecorded(runs.REPORT).card)
    with pytest.raises(InputError, match=rf"{path.name}: expected the report of a run; received"):
        scoring.load(other)
