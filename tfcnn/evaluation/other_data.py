"""Predict another labelled folder, after making sure that the run was not trained on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn import manifest
from tfcnn.base import atomic, own_files, records
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import LabelTable, open_any, open_folder
from tfcnn.decode import UnreadableImageError, open_image
from tfcnn.evaluation import extras, scoring
from tfcnn.evaluation.extras import Wanted
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.inputs.streamed import Streamed
from tfcnn.manifest import Manifest, groups
from tfcnn.prediction import NO_ANSWER, Predictor
from tfcnn.recipes import DataSettings
from tfcnn.runs import HINT, SEEN, SPLIT, Run

# Of a sha256's 32. The chance that one of 30,000 new images is taken for one of 30,000 seen images
# is 3 in a million.
PREFIX_BYTES = 6
NOTHING = Wanted()


@dataclass(frozen=True)
class TrainedOn:
    """What was in a run's train or val split.

    Attributes:
        pixels: the first bytes of each image's pixels' sha256, in hexadecimal.
        groups: the names of the groups.
    """

    pixels: frozenset[str]
    groups: frozenset[str]

    def holds_image(self, pixels_sha256: str) -> bool:
        """Say whether an image with these pixels is among them."""
        return pixels_sha256[: 2 * PREFIX_BYTES] in self.pixels


@dataclass(frozen=True)
class Measured:
    """What a run says of other images than its own.

    Attributes:
        report: their figures.
        table: the predictions, all of split "data".
        images: those that could be read.
        no_answer: the paths of those for which the network gives no number.
    """

    report: Report
    table: Table
    images: Manifest
    no_answer: list[str]


def read_trained_on(run: Run) -> TrainedOn:
    """Read what a run was trained or tuned on, from its split or from what is shipped instead.

    Raises:
        InputError: if the run has neither of the two files.
        CheckError: if the split is not the one that was written.
    """
    if (run.path / SPLIT).exists():
        # each fold of a cross-validation was trained on what others tested
        own = ("train", "val", "test") if run.num_folds else ("train", "val")
        rows = [row for row in run.split if row["split"] in own]
        return TrainedOn(
            frozenset(row["pixels_sha256"][: 2 * PREFIX_BYTES] for row in rows),
            frozenset(row["group"] for row in rows if row["group"]),
        )
    if (run.path / SEEN).exists():
        what = "the hashes of what the run was trained on"
        arrays = records.read_arrays(run.file(SEEN), ("pixels", "groups"), what, HINT)
        pixels, groups = arrays["pixels"], arrays["groups"]
        return TrainedOn(
            frozenset(row.tobytes().hex() for row in pixels), frozenset(map(str, groups.tolist()))
        )
    raise InputError(
        run.path, f"{SPLIT} or {SEEN}, which say what it was trained on", "neither",
        "the run folder as it was written",
    )  # fmt: skip


def pack_trained_on(run: Run, folder: Path) -> None:
    """Write what a run was trained or tuned on as `seen.npz`, small enough to be shipped."""
    trained_on = read_trained_on(run)
    pixels = np.frombuffer(bytes.fromhex("".join(sorted(trained_on.pixels))), dtype=np.uint8)
    groups = np.array(sorted(trained_on.groups), dtype=np.str_)
    with atomic.writing(folder / SEEN) as part:
        np.savez_compressed(part, pixels=pixels.reshape(-1, PREFIX_BYTES), groups=groups)


def evaluate(
    run: Run,
    folder: Path,
    group_regex: str | None = None,
    group_csv: str | None = None,
    *,
    group_from: str | None = None,
    columns: tuple[str | None, str | None] = (None, None),
    ignore: Sequence[str] | None = None,
    labels_csv: str | None = None,
    label_column: str | None = None,
    wanted: Wanted = NOTHING,
) -> Measured:
    """Score a run on a folder of labelled images, or a source, that it was not trained on.

    The warnings are those of that folder. Those of the training data are named as such.

    Args:
        run: an opened run.
        folder: the folder, or a Python file that lists images.
        group_regex: as `data.group_regex`; that of the file, or the run's own, where no other rule
            is given.
        group_csv: as `data.group_csv`.
        group_from: as `data.group_from`; the run's own if None.
        columns: as `data.path_column` and `data.group_column`.
        ignore: as `data.ignore`; the run's own if None.
        labels_csv: as `data.labels_csv`; a column `split` is not heeded.
        label_column: as `data.label_column`.
        wanted: what the report is to hold besides.

    Raises:
        InputError: if its classes are not the run's, or no group can be read though the run knows
            groups.
        CheckError: if an image or a group of it is in the run's train or val split, or the network
            gives no number for any image.
    """
    own = run.card["data"]
    labels = _labels(labels_csv, label_column, columns, group_csv, group_from)
    if group_from is None:
        has_rule = group_regex is not None or group_csv is not None or labels is not None
        group_from = "name" if has_rule else own.get("group_from", "name")
    ignore = run.ignore if ignore is None else ignore
    if own_files.is_own(str(folder)):
        data = DataSettings(source=str(folder), ignore=tuple(ignore), labels_csv=labels_csv)
        source = open_any(data, Reporter())
        if group_csv is None and group_regex is None:
            group_regex = source.group_regex
    else:
        source = open_folder(
            folder,
            ignore=ignore,
            group_from=group_from,
            is_ruled=True,  # the run knows its classes: no other folders are taken for them
            labels=labels,
        )
    images = _read_images(run, source, group_regex, group_csv, columns)
    notes = [*images.messages(), *(f"of the training data: {note}" for note in own["notes"])]
    predictor = Predictor(run, note=notes.append)
    whole = predict(run, images, predictor)
    table = _without_lost(run, whole, notes)
    report = scoring.score(run, table, {"engine": predictor.computed_by}, notes)
    decoded = _decoded(run, images, table)
    report = extras.of_data(report, run, table, decoded, predictor, wanted)
    return Measured(report, table, images, whole.paths[whole.flags == NO_ANSWER].tolist())


def _decoded(run: Run, images: Manifest, table: Table) -> Streamed:
    """Return the images of a table's rows, decoded when they are asked for."""
    rows = {row.path: row for row in images.rows}
    return Streamed(images.source, [rows[path] for path in table.paths.tolist()], run.decoder)


def _labels(
    labels_csv: str | None,
    label_column: str | None,
    columns: tuple[str | None, str | None],
    group_csv: str | None,
    group_from: str | None,
) -> LabelTable | None:
    """Return which table names the labels, None where class folders do; see `evaluate`."""
    if labels_csv is None:
        if label_column is not None:
            expected, hint = "--labels-csv beside it", "--labels-csv labels.csv"
            raise InputError("--label-column", expected, "none", hint)
        return None
    if group_from not in (None, "name"):
        hint = "a column group in the table, or --group-regex"
        raise InputError("--group-from", "it or --labels-csv", "both", hint)
    path_column, group_column = columns
    group_column = None if group_csv else group_column
    return LabelTable(labels_csv, path_column, label_column, group_column, has_splits=False)


def _without_lost(run: Run, table: Table, notes: list[str]) -> Table:
    """Leave out the images for which the network gives no number, and note how many these are."""
    lost = table.flags == NO_ANSWER
    count, total = int(np.sum(lost)), len(table.labels)
    if not count:
        return table
    first = table.paths[lost][0]
    if count == total:
        received = f"none for any of the {total:,} images, such as {first}"
        raise CheckError(run.path, "numbers as answers", received, "training it again")
    notes.append(
        f"the network gives no number for {count:,} of {total:,} images, such as {first}: they "
        "are not counted, which flatters the figures"
    )
    return table.take(np.flatnonzero(~lost))


def predict(run: Run, images: Manifest, predictor: Predictor) -> Table:
    """Predict every image of a manifest whose labels are the run's classes, as the split "data"."""
    index = {name: i for i, name in enumerate(run.class_names)}
    streamed: Any = Streamed(images.source, images.rows, run.decoder)  # each is needed once only
    probs, flags = predictor.answers(streamed)
    return Table(
        paths=np.array([row.path for row in images.rows], dtype=np.str_),
        splits=np.full(len(images.rows), "data"),
        groups=np.array([row.group for row in images.rows], dtype=np.str_),
        labels=np.array([index[row.label] for row in images.rows], dtype=np.int32),
        probs=probs,
        flags=np.array([flag for flag, _ in flags], dtype=np.str_),
    )


def _read_images(
    run: Run,
    source: Source,
    group_regex: str | None,
    group_csv: str | None,
    columns: tuple[str | None, str | None],
) -> Manifest:
    """Read the images, by the run's own group regex where there is no other rule."""
    source, trained_on = _with_run_classes(source, run), read_trained_on(run)
    has_own = source.group_from != "name" or any(item.group for item in source.items)
    if group_regex is None and group_csv is None and not has_own:
        group_regex = _own_regex(run, source, trained_on)
    images = manifest.build(
        source,
        group_regex=group_regex,
        group_csv=group_csv,
        columns=columns,
        background=run.decoder.background,
    )
    _refuse_seen(trained_on, images)
    return images


def _with_run_classes(source: Source, run: Run) -> Source:
    """Match the labels to the run's classes, where need be without regard to case."""
    by_case = {name.casefold(): name for name in run.class_names}
    items = []
    for item in source.items:
        label = item.label if item.label in run.class_names else by_case.get(item.label.casefold())
        if label is None:
            what, hint = "class folders", ", or --group-from folder-above if it is a group"
            if source.labels_csv:
                what, hint = "labels", ", or --label-column to name another column"
            raise InputError(
                source.labels_csv or source.root,
                f"{what} {', '.join(run.class_names)}",
                item.label,
                f"renaming it to the class it holds{hint}",
            )
        items.append(replace(item, label=label))
    return replace(source, items=tuple(items))


def _own_regex(run: Run, source: Source, trained_on: TrainedOn) -> str | None:
    """Return the regex that read the run's groups, where it fits these file names too."""
    regex: str | None = run.card["data"]["group_regex"]
    if (
        trained_on.groups and not regex
    ):  # a table named them: nobody can tell whether they come again
        column = f"a column group in {source.labels_csv}, or " if source.labels_csv else ""
        raise InputError(
            source.root,
            f"who its {run.card['data']['nouns'][1]} are, as the run knows those it was trained on",
            "no --group-csv",
            f"{column}--group-csv with columns path,group, or --group-regex '' where all are "
            "surely others",
        )
    if regex:
        by_path = groups.search(source, regex).by_path
        strange = [item.path for item in source.items if item.path not in by_path]
        if any(_is_readable(source, path) for path in strange):
            raise InputError(
                source.root,
                f"file names that the run's group regex {regex!r} matches",
                strange[0].rpartition("/")[2],
                "--group-regex with another, or with '' where no groups are known, or --group-csv",
            )
    return regex


def _is_readable(source: Source, path: str) -> bool:
    try:
        open_image(source.read(path), path)
    except (OSError, UnreadableImageError):
        return False
    return True


def _refuse_seen(trained_on: TrainedOn, images: Manifest) -> None:
    for row in images.rows:
        if trained_on.holds_image(row.pixels_sha256):
            raise CheckError(
                row.path,
                "an image the run has not seen",
                "one with the pixels of one it was trained or tuned on",
                "other images, or `tfcnn evaluate` without --data for its own test split",
            )
        if row.group in trained_on.groups:
            raise CheckError(
                row.path,
                "a group the run has not seen",
                f"group {row.group}, on which it was trained or tuned",
                "other groups, or --group-regex where the same name means another group",
            )
