"""Write predictions as CSV, JSON lines or a spreadsheet, to a file or to standard output.

Probabilities in CSV and spreadsheet have six significant digits, and more (up to nine, which give a
float32 back) where six would let two classes tie that do not, or contradict the decision.
"""

import contextlib
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TextIO

from tfcnn.base import atomic, naming
from tfcnn.base.errors import InputError
from tfcnn.decode import remarks
from tfcnn.prediction import membership
from tfcnn.prediction.group_tables import GroupTable, Row
from tfcnn.prediction.predictor import NO_ANSWER, UNREADABLE, Prediction, Stream
from tfcnn.runs import Run

__all__ = ["Written", "format_of", "in_digits", "write"]

Format = Literal["csv", "jsonl", "xlsx"]
FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".xlsx": "xlsx"}
DIGITS = (6, 7, 8, 9)
MOST_ROWS, MOST_TITLE = 1_048_576, 31  # of a sheet
REASONS = 3  # said of images that could not be read; a folder of others would fill the screen
BREAKS = str.maketrans(naming.BREAKS)
NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        total: images.
        unreadable: how many of them could not be read.
        no_answer: for how many of them the network gave no number.
        lines: what to say: remarks on images, why some could not be read, and the files that were
            written.
    """

    total: int
    unreadable: int
    lines: tuple[str, ...] = ()
    no_answer: int = 0


def format_of(output: Path | None, as_json: bool, excel: bool = False) -> Format:
    """Choose the format by the file's suffix; CSV on standard output unless JSON is asked for.

    Raises:
        InputError: if the suffix is none of `.csv`, `.jsonl` and `.xlsx`, a folder has the name,
            the package that writes spreadsheets is lacking, or JSON is asked for with `excel`.
    """
    suffix = (".jsonl" if as_json else ".csv") if output is None else output.suffix.lower()
    if suffix not in FORMATS:
        expected = "a name that ends in .csv, .jsonl or .xlsx"
        raise InputError(output, expected, getattr(output, "name", ""), "one of them")
    if output is not None and output.is_dir():
        raise InputError(output, "a file to write", "a folder", "another name")
    found = FORMATS[suffix]
    if excel and found == "jsonl":
        raise InputError("--excel", "a CSV", "JSON lines", "--output predictions.csv, or .xlsx")
    if found == "xlsx" and importlib.util.find_spec("openpyxl") is None:
        hint = "pip install 'tfcnn[excel]', or --output predictions.csv --excel"
        raise InputError(output, "the package openpyxl for .xlsx", "none", hint)
    return found


def write(
    predictions: Iterable[Prediction],
    run: Run,
    format_name: Format,
    output: Path | None,
    excel: bool = False,
) -> Written:
    """Write predictions as they come; a file appears only when it is whole.

    Where the group of any image is known, a table of the groups is written beside a file, as
    `NAME-groups.csv`, or `.xlsx`.

    Args:
        predictions: of the run; a `Stream` tells whether the column `group` is needed.
        run: whose classes, threshold and rule for groups they are.
        format_name: see `format_of`.
        output: None for standard output.
        excel: begin a CSV with a byte-order mark, by which a spreadsheet knows UTF-8.

    Raises:
        InputError: if there are more rows than a sheet holds.
    """
    groups, remarked, flags = GroupTable(run), dict[str, str](), Counter[str]()
    has_groups, reasons = isinstance(predictions, Stream) and predictions.has_groups, list[str]()

    def counted() -> Iterator[Prediction]:
        for prediction in predictions:
            flags[prediction.flag] += 1
            groups.add(prediction)
            if prediction.remark:
                remarked[prediction.path] = prediction.remark
            if prediction.flag == UNREADABLE and len(reasons) < REASONS:
                reasons.append(f"{prediction.path}: {prediction.reason}")
            yield prediction

    if format_name == "jsonl":
        with _text(output) as file:
            for prediction in counted():
                file.write(_json(prediction) + "\n")
    else:
        _write_rows(_rows(counted(), run, has_groups), format_name, output, excel)
    notes = (*remarks.notes(remarked), *reasons)
    if output is None:
        return Written(groups.total, flags[UNREADABLE], notes, flags[NO_ANSWER])
    lines = [*notes, f"{groups.total:,} predictions in {output}"]
    if has_groups:
        table_format: Format = "xlsx" if format_name == "xlsx" else "csv"
        beside = output.with_name(f"{output.stem}-groups.{table_format}")
        _write_rows(groups.rows(), table_format, beside, excel)
        lines += groups.lines(beside)
    elif rule := membership.rule(run):
        lines.append(f"no groups: none of these names fits the run's rule for them, {rule}")
    return Written(groups.total, flags[UNREADABLE], tuple(lines), flags[NO_ANSWER])


def in_digits(prediction: Prediction, run: Run) -> list[float]:
    """Return the probabilities as they are printed, in the run's order of classes.

    They tell apart what differs, and lie on the same side of the run's threshold.
    """
    probs = [prediction.probs[name] for name in run.class_names]
    printed = probs
    for digits in DIGITS:
        printed = [float(f"{prob:.{digits}g}") for prob in probs]
        is_faithful = len(set(printed)) == len(set(probs))
        if run.positive is not None:
            sides = {values[run.positive] >= run.threshold for values in (probs, printed)}
            is_faithful = is_faithful and len(sides) == 1
        if is_faithful:
            break
    return printed


def _rows(predictions: Iterable[Prediction], run: Run, has_groups: bool) -> Iterator[Row]:
    """Yield the header and a row per prediction."""
    last = ["group"] if has_groups else []
    columns = [f"prob_{name}" for name in run.class_names]
    yield ["path", "predicted", *columns, "decision", "flag", *last]
    for p in predictions:
        probs = in_digits(p, run) if p.probs else [""] * len(columns)
        yield [p.path, p.predicted, *probs, p.decision, p.flag, *([p.group] if has_groups else [])]


def _json(prediction: Prediction) -> str:
    rare = ("remark", "group")  # which most images have not
    content = {key: value for key, value in asdict(prediction).items() if value or key not in rare}
    # JSON reads the escapes as the name they stand for
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return naming.IS_HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _write_rows(rows: Iterable[Row], format_name: Format, output: Path | None, excel: bool) -> None:
    if format_name == "xlsx" and output is not None:
        _write_sheet(rows, output)
        return
    with _text(output) as file:
        if excel:
            file.write("\ufeff")
        # a person sees one line for each row
        shown = (map(_shown, row) for row in rows) if file.isatty() else rows
        atomic.write_rows(file, shown)


def _shown(value: str | float) -> str | float:
    return value.translate(BREAKS) if isinstance(value, str) else value


def _in_sheet(value: str | float) -> str | float:
    return naming.cell(value) if isinstance(value, str) else value


def _write_sheet(rows: Iterable[Row], output: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(NOT_IN_TITLE.sub("_", naming.visible(output.stem))[:MOST_TITLE])
    sheet.freeze_panes = "A2"
    try:
        for number, row in enumerate(rows, start=1):
            if number > MOST_ROWS:
                expected = f"at most {MOST_ROWS - 1:,} predictions, as many as a sheet holds"
                raise InputError(output, expected, "more", "--output predictions.csv --excel")
            sheet.append([_in_sheet(value) for value in row])
    finally:
        sheet.close()
    atomic.remove_old_parts(output)
    with atomic.writing(output) as part:
        book.save(part)


@contextlib.contextmanager
def _text(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    atomic.remove_old_parts(output)
    with atomic.writing(output) as part, part.open("w", newline="", encoding="utf-8") as file:
        yield file
