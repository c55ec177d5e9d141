"""Write what a run says of other images than its own: predictions, figures and a page."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tfcnn import runs
from tfcnn.base import atomic, files, records
from tfcnn.base.errors import InputError
from tfcnn.base.replacing import replacing
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.other_data import Measured
from tfcnn.manifest import Manifest
from tfcnn.report import page
from tfcnn.report.content import Content
from tfcnn.runs import Run

WRITTEN = frozenset({runs.PREDICTIONS, runs.REPORT, runs.PAGE})


def check(target: Path, images: Path) -> None:
    """Refuse a folder that holds something else than an earlier evaluation.

    Args:
        target: where the files are to go.
        images: the folder that is measured.

    Raises:
        InputError: if it does, or if the images are in it.
    """
    expected, hint = "a new folder, or an earlier evaluation", "--output FOLDER"
    kind, place = files.what(target), target.resolve()
    if place in (Path.cwd(), *Path.cwd().parents, images.resolve(), *images.resolve().parents):
        raise InputError(target, expected, "the folder of the images, or one above", hint)
    if kind == files.NOTHING:
        return
    if kind != files.FOLDER:
        raise InputError(target, expected, kind or "a file", hint)
    if {path.name for path in target.iterdir()} not in (set(), WRITTEN):
        raise InputError(target, expected, "a folder of other files", hint)


def write(run: Run, measured: Measured, images: Path, target: Path) -> None:
    """Write `predictions.csv`, `report.json` and `report.html`, all of them or none.

    Args:
        run: whose model answered.
        measured: what it said.
        images: the folder that was measured, as it was named.
        target: that `check` has nothing against; an earlier evaluation there is replaced.
    """
    manifest = measured.images
    facts = {**measured.report.facts, **manifest.set_aside(), "no_answer": measured.no_answer}
    report = replace(measured.report, facts=facts)
    other = {
        "folder": str(images),
        "name": images.resolve().name,
        "summary": _summary(run, manifest),
        "labels": manifest.source.labels_csv,
        "no_answer": measured.no_answer,
    }
    answered = set(measured.table.paths.tolist())
    rows = [_row(row, "data" if row.path in answered else "") for row in manifest.rows]
    content = Content(
        run, report, measured.table, rows, {}, run.recipe, report.main_split, manifest.source
    )
    text = page.render_content(content, other=other)
    origin = {"run": run.name, "card_sha256": run.card_sha256, **other}
    figures = {**report.to_dict(), "other_data": origin}
    with replacing(target) as part:
        atomic.make_folder(part)
        predictions.write(run, measured.table, part)
        atomic.write_text(part / runs.REPORT, records.to_json(figures, indent=2) + "\n")
        atomic.write_text(part / runs.PAGE, text)


def _summary(run: Run, manifest: Manifest) -> str:
    """Say how much there is, in the words of the run: a folder does not know what it holds."""
    images, groups = run.card["data"]["nouns"]
    count = len({row.group for row in manifest.rows if row.group})
    return f"{len(manifest.rows):,} {images}" + (f" of {count:,} {groups}" if count else "")


def _row(row: Any, split: str) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(row).items()} | {"split": split}
