"""The table of groups of predictions that several commands made, each a shard of them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tfcnn.base import files, naming
from tfcnn.base.errors import InputError
from tfcnn.prediction import output
from tfcnn.prediction.answers import Prediction
from tfcnn.runs import Run

NEEDED = ("path", "predicted", "probs", "decision", "flag")
HINT = "the files of all shards of one run, joined in their order"


def write_groups(run: Run, table: Path) -> list[str]:
    """Write the table of groups beside predictions of a run; return what to say of it.

    It is the table that one command over all images writes.

    Args:
        run: that predicted.
        table: `.csv` or `.jsonl`, as `output.write` writes them, or joined of several.

    Raises:
        InputError: if it holds something else, or no groups.
    """
    files.require(table, "predictions")
    suffix = table.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise InputError(table, "predictions in a .csv or .jsonl", suffix or "no suffix", HINT)
    groups, allowed = output.GroupTable(run), {"", *run.class_names}
    header = output.header(run, has_groups=True)
    with files.open_file(table) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        for_excel = text.read(1) == "\ufeff"
        text.seek(3 if for_excel else 0)
        read = _of_csv(table, text, header) if suffix == ".csv" else _of_json(text)
        try:
            for one in read:
                if not {one.predicted, one.decision} <= allowed:
                    raise ValueError
                groups.add(one)
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            place, expected = f"{table}, after {groups.total:,} predictions", f"one of {run.name}"
            raise InputError(place, expected, "something else", HINT) from error
    if not groups.named:
        expected, received = "predictions of which groups are known", "none of them"
        raise InputError(table, expected, received, HINT)
    return [
        f"{groups.total:,} predictions in {table}",
        *output.write_groups(groups, table, "csv", for_excel),
    ]


def _of_csv(table: Path, text: TextIO, header: list[str]) -> Iterator[Prediction]:
    """Yield what a table of groups needs of each row."""
    rows = csv.reader(text, strict=True)
    columns = [*map(naming.from_cell, next(rows, []))]
    if columns != header:
        expected, received = (f"the columns {', '.join(names)}" for names in (header, columns))
        raise InputError(table, expected, received, HINT)
    for row in rows:
        values = dict(zip(header, map(naming.from_cell, row), strict=True))
        probs = {"": 1.0} if values["predicted"] else {}
        yield Prediction(
            values["path"], values["predicted"], probs, values["decision"], values["flag"],
            group=values["group"],
        )  # fmt: skip


def _of_json(text: TextIO) -> Iterator[Prediction]:
    """Yield what a table of groups needs of each line."""
    for line in text:
        values = json.loads(line)
        path, predicted, probs, decision, flag = (values[name] for name in NEEDED)
        yield Prediction(path, predicted, probs, decision, flag, group=values.get("group", ""))
