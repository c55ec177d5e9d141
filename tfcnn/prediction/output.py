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
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

from tfcnn.base import atomic, naming
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.decode import remarks
from tfcnn.prediction.answers import NO_ANSWER, UNREADABLE, Prediction
from tfcnn.prediction.paths import group_rule
from tfcnn.prediction.predictor import Stream
from tfcnn.prediction.work import WHOLE, Shard
from tfcnn.runs import Run

Row = list[str | float]
Format = Literal["csv", "jsonl", "xlsx"]
FORMATS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".xlsx": "xlsx"}
DIGITS = (6, 7, 8, 9)
MOST_ROWS, MOST_TITLE = 1_048_576, 31  # of a sheet
REASONS = 3  # said of images that could not be read; a folder of others would fill the screen
BREAKS = str.maketrans(naming.BREAKS)
NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True)
class WriteResult:
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
    name = FORMATS[suffix]
    if excel and name == "jsonl":
        raise InputError("--excel", "a CSV", "JSON lines", "--output predictions.csv, or .xlsx")
    if name == "xlsx" and importlib.util.find_spec("openpyxl") is None:
        hint = "pip install 'tfcnn[excel]', or --output predictions.csv --excel"
        raise InputError(output, "the package openpyxl for .xlsx", "none", hint)
    return name


def write(
    predictions: Iterable[Prediction],
    run: Run,
    format_name: Format,
    output: Path | None,
    excel: bool = False,
    shard: Shard = WHOLE,
) -> WriteResult:
    """Write predictions as they come; a file appears only when it is whole.

    Where the group of any image is known, a table of the groups is written beside a file, as
    `NAME-groups.csv`, or `.xlsx`. A shard has none, for it has not all images of its groups; and
    only the first shard has a header, so that the files of all need only be joined.

    Args:
        predictions: of the run; a `Stream` tells whether the column `group` is needed.
        run: whose classes, threshold and rule for groups they are.
        format_name: see `format_of`.
        output: None for standard output.
        excel: begin a CSV with a byte-order mark, by which a spreadsheet knows UTF-8.
        shard: which part of the predictions they are.

    Raises:
        InputError: if there are more rows than a sheet holds.
    """
    groups, remarked, flags = GroupTable(run), remarks.Tally(), Counter[str]()
    has_groups, reasons = isinstance(predictions, Stream) and predictions.has_groups, list[str]()

    def counted() -> Iterator[Prediction]:
        for prediction in predictions:
            flags[prediction.flag] += 1
            groups.add(prediction)
            remarked.add(prediction.path, prediction.remark)
            if prediction.flag == UNREADABLE and len(reasons) < REASONS:
                reasons.append(f"{prediction.path}: {prediction.reason}")
            yield prediction

    if format_name == "jsonl":
        with _text(output) as file:
            for prediction in counted():
                file.write(_json(prediction) + "\n")
    else:
        rows, is_first = _rows(counted(), run, has_groups), shard.number == 1
        # what comes before the first row is there once in the file that is joined
        _write_rows(
            islice(rows, 0 if is_first else 1, None), format_name, output, excel and is_first
        )
    notes = (*remarked.notes(), *reasons)
    if output is None:
        return WriteResult(groups.total, flags[UNREADABLE], notes, flags[NO_ANSWER])
    lines = [*notes, f"{groups.total:,} predictions in {output}"]
    if shard != WHOLE:
        lines[-1] += f", shard {shard}"
    elif has_groups:
        lines += write_groups(groups, output, format_name, excel)
    else:
        lines += _without_groups(run)
    return WriteResult(groups.total, flags[UNREADABLE], tuple(lines), flags[NO_ANSWER])


def write_groups(groups: "GroupTable", output: Path, format_name: Format, excel: bool) -> list[str]:
    """Write the table of groups beside that of the predictions; return what to say of it."""
    table_format: Format = "xlsx" if format_name == "xlsx" else "csv"
    beside = output.with_name(f"{output.stem}-groups.{table_format}")
    _write_rows(groups.rows(), table_format, beside, excel)
    return groups.lines(beside)


def _without_groups(run: Run) -> list[str]:
    """Return why predictions have no groups though the run knows some."""
    if rule := group_rule(run):
        return [f"no groups: none of these names fits the run's rule for them, {rule}"]
    words = run.card["data"].get("groups")
    return [f"no groups: the run has those of a table, {words}"] if words else []


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


def header(run: Run, has_groups: bool) -> list[str]:
    """Return the names of the columns."""
    columns = [f"prob_{name}" for name in run.class_names]
    return ["path", "predicted", *columns, "decision", "flag", *["group"] * has_groups]


def _rows(predictions: Iterable[Prediction], run: Run, has_groups: bool) -> Iterator[Row]:
    """Yield the header and a row per prediction."""
    yield [*header(run, has_groups)]
    for p in predictions:
        probs = in_digits(p, run) if p.probs else [""] * len(run.class_names)
        yield [p.path, p.predicted, *probs, p.decision, p.flag, *([p.group] if has_groups else [])]


def to_dict(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as the values of a JSON line."""
    rare = ("remark", "group")  # which most images have not
    return {key: value for key, value in asdict(prediction).items() if value or key not in rare}


def _json(prediction: Prediction) -> str:
    content = to_dict(prediction)
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
        lines = (map(_on_one_line, row) for row in rows) if file.isatty() else rows
        atomic.write_rows(file, lines)


def _on_one_line(value: str | float) -> str | float:
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


@dataclass
class _Count:
    images: int = 0
    flagged: int = 0
    predicted: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)


class GroupTable:
    """Counts predictions by group as they are made.

    Args:
        run: whose classes, and whose rule for groups, they are.

    Attributes:
        total: images of any group or none.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._counts: dict[str, _Count] = {}
        self.total = 0

    def add(self, prediction: Prediction) -> None:
        """Count one prediction."""
        count = self._counts.setdefault(prediction.group, _Count())
        self.total += 1
        count.images += 1
        count.flagged += bool(prediction.flag)
        if prediction.probs:
            count.predicted[prediction.predicted] += 1
            count.decided[prediction.decision] += 1

    @property
    def named(self) -> int:
        """How many groups there are."""
        return len(self._counts.keys() - {""})

    def rows(self) -> Iterator[Row]:
        """Yield the header and a row per group, in the order of their names; no group comes last.

        Columns: `group`; `images`; `flagged`, those with any flag, also without an answer;
        `predicted_<class>`, images of which a class is the most probable; with a positive class
        `share_<class>`, its share of the decisions; with a rule of the run `call`, what the rule
        says of the group, "" where no image has an answer.
        """
        names, looked_for = self._run.class_names, self._looked_for
        shares = [] if looked_for is None else [f"share_{looked_for}"]
        calls = ["call"] if self._least_share is not None else []
        columns = [f"predicted_{name}" for name in names]
        yield ["group", "images", "flagged", *columns, *shares, *calls]
        for group in sorted(self._counts, key=lambda name: (not name, name)):
            count = self._counts[group]
            row: Row = [group, count.images, count.flagged]
            row += [count.predicted[name] for name in names]
            if looked_for is not None:
                row += self._answer(group, count, looked_for)
            yield row

    def lines(self, path: Path) -> list[str]:
        """Return what to say of the table: where it is, what calls a group, and what that means."""
        groups, nameless = self._run.card["data"]["nouns"][1], self._counts.get("")
        line = f"{self.named:,} {groups} in {path}"
        if nameless:
            line += f"; of {nameless.images:,} images the group is not known"
        rule = self._run.card.get("group_rule") or {}
        if self._least_share is None:
            return [line, *([f"no call per group: {rule['reason']}"] if rule else [])]
        caveat = (
            f"a group is called {self._looked_for} from {self._least_share:.1%} of its decisions "
            f"on; why: {rule['reason']}. Other groups than val's do worse: it is no diagnosis."
        )
        return [line, caveat, *self._measured()]

    @property
    def _looked_for(self) -> str | None:
        place = self._run.positive
        return None if place is None else self._run.class_names[place]

    @property
    def _least_share(self) -> float | None:
        share: float | None = (self._run.card.get("group_rule") or {}).get("least_share")
        return share if self._looked_for is not None else None

    def _answer(self, group: str, count: _Count, looked_for: str) -> Row:
        """Return the share of positive decisions and, with a rule, the call."""
        decided = count.decided.total()
        share = count.decided[looked_for] / decided if decided else None
        row: Row = ["" if share is None else float(f"{share:.6g}")]
        if self._least_share is None:
            return row
        (other,) = set(self._run.class_names) - {looked_for}
        if share is None or not group:
            return [*row, ""]
        return [*row, looked_for if share >= self._least_share else other]

    def _measured(self) -> list[str]:
        """Return the run's own caveat on its rule, where its report has one."""
        try:
            splits = self._run.report.get("patients", {}).get("splits", {})
        except TfcnnError as error:  # the predictions are written, and are what was asked for
            return [f"what the run measured of that rule cannot be read: {error}"]
        part = splits.get("test") or splits.get("val") or {}
        return [part["caveat"]["sentence"]] if "caveat" in part else []
