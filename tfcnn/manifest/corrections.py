"""Labels that a person has corrected: the judgements in a table, and what they change.

A split is drawn from the labels as they were given, and corrected after that: no group changes
sides for a correction, and a run with corrections has the test images of a run without. Labels of a
test split stay as they were given unless the recipe says otherwise: labels that somebody corrected
where a model doubted them may flatter the model.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfcnn.base import files, records, tables
from tfcnn.base.errors import CheckError, InputError
from tfcnn.manifest.rows import Manifest, Row, contradiction_notes
from tfcnn.recipes import DataSettings

COLUMNS = ("path", "sha256", "label", "judgement", "corrected_label", "shown_as", "saw_opinion")
KEEP, FLIP, DROP, UNSURE = "keep", "flip", "drop", "unsure"
JUDGEMENTS = (KEEP, FLIP, DROP, UNSURE)
HINT = "corrections.csv as the page of `tfcnn labels` saves it"
TEST_IS_CORRECTED = "labels of the test split were corrected"
SHOWN_SHA = 12  # digits of a hash that a person reads


@dataclass(frozen=True)
class Judgement:
    """What a person says of one label.

    Attributes:
        path: of the image, as the table names it.
        sha256: of its file when it was judged; "" where the table has none.
        label: the class it had; "" where the table does not say.
        judgement: one of `JUDGEMENTS`.
        corrected_label: the class it should have, of a flip; "" of any other.
        shown_as: "suspect", or "random" where it was mixed in blind; "" where the table says
            nothing.
        saw_opinion: whether the person had seen what the models say.
    """

    path: str
    sha256: str
    label: str
    judgement: str
    corrected_label: str
    shown_as: str = ""
    saw_opinion: bool = False


@dataclass(frozen=True)
class Corrections:
    """The judgements of a table on the images of a manifest.

    Attributes:
        file: the name of the table.
        sha256: of its content.
        by_path: the judgement on each image that it names.
        left_out: paths of the table that the data leave out already.
        strangers: its paths that are no image here.
    """

    file: str
    sha256: str
    by_path: Mapping[str, Judgement]
    left_out: tuple[str, ...]
    strangers: tuple[str, ...]


def read(file: Path) -> list[Judgement]:
    """Return the judgements in a table.

    Raises:
        InputError: if it is no such table, or a judgement is none of `JUDGEMENTS`, or a flip
            names no other class.
    """
    rows = tables.read(file, ("path", "judgement"), HINT, optional=COLUMNS).rows
    return [_judgement(file, row) for row in rows if row["path"].strip()]


def _judgement(file: Path, row: tables.Row) -> Judgement:
    subject = f"{file}: {row['path']}"
    word, label = row["judgement"].strip().lower(), row.get("label", "")
    new = row.get("corrected_label", "")
    if word not in JUDGEMENTS:
        raise InputError(subject, f"one of {', '.join(JUDGEMENTS)}", repr(word), "one of these")
    if word == FLIP and (not new or new == label):
        received = "none" if not new else f"{new}, which it has"
        raise InputError(subject, "another class as corrected_label", received, "keep, or a class")
    return Judgement(
        row["path"], row.get("sha256", "").strip().lower(), label, word,
        new if word == FLIP else "", row.get("shown_as", "").strip(),
        row.get("saw_opinion", "").strip().lower() == "yes",
    )  # fmt: skip


def find(data: DataSettings, manifest: Manifest) -> Corrections | None:
    """Match the table that a recipe names with the images, by path and by hash.

    Args:
        data: the settings; without `corrections_csv` there is nothing to correct.
        manifest: the images, with their labels as they were given.

    Raises:
        InputError: if the table cannot be used, or names a class that is none of the data.
        CheckError: if an image, or its label, is not the one that was judged.
    """
    if not data.corrections_csv:
        return None
    file = files.own_path(data.corrections_csv)
    rows = {row.path: row for row in manifest.rows}
    by_path: dict[str, Judgement] = {}
    for one in read(file):  # by whole paths: a part of one may be that of another image
        other = by_path.setdefault(tables.whole_path(one.path, rows), one)
        if (other.judgement, other.corrected_label) != (one.judgement, one.corrected_label):
            received = f"{other.judgement} and {one.judgement}"
            raise InputError(f"{file}: {one.path}", "one judgement", received, "one row for it")
    strangers = [path for path in by_path if path not in rows]
    for path in strangers:
        del by_path[path]
    for path, one in by_path.items():
        _check(file, one, rows[path], manifest.class_names)
    gone = {lost.path for lost in manifest.source.left_out}
    gone |= {row.path for row in manifest.quarantined}
    return Corrections(
        file.name,
        records.sha256_of(file),
        by_path,
        tuple(path for path in strangers if path in gone),
        tuple(path for path in strangers if path not in gone),
    )


def _check(file: Path, judgement: Judgement, row: Row, class_names: Sequence[str]) -> None:
    """Check that a judgement is on this image with this label."""
    subject, new = f"{file}: {judgement.path}", judgement.corrected_label
    if judgement.sha256 and judgement.sha256 != row.sha256:
        raise CheckError(
            subject, "the image that was judged", "one with another sha256",
            "the file as it was, or judging it again",
        )  # fmt: skip
    if new and new not in class_names:
        some = f"{', '.join(class_names[:20])}{' and more' if len(class_names) > 20 else ''}"
        raise InputError(subject, f"a class as corrected_label: {some}", repr(new), "one of these")
    if judgement.label and row.label not in (judgement.label, new):
        raise CheckError(
            subject, f"the label that was judged, {judgement.label}", row.label, "judging it again"
        )


def apply(
    found: Corrections | None,
    manifest: Manifest,
    splits: Sequence[str],
    *,
    with_test: bool,
) -> tuple[Manifest, list[str]]:
    """Correct the labels of the images that are in a split.

    Args:
        found: the judgements; None for none.
        manifest: the images, with their labels as they were given.
        splits: a split per row, drawn from these labels; "" for an image in none.
        with_test: whether labels of test are corrected too.

    Returns:
        The manifest with corrected labels, and the splits: an image that is dropped stays a row,
        in no split. The manifest says in its notes and in `corrections` what was done.

    Raises:
        InputError: if no image of a class is left.
    """
    if found is None:
        return manifest, list(splits)
    reached = ("train", "val", "test") if with_test else ("train", "val")
    rows, kept = list(manifest.rows), list(splits)
    counts: Counter[str] = Counter()
    for i, row in enumerate(manifest.rows):
        judgement = found.by_path.get(row.path)
        if judgement is None:
            continue
        what = _effect(judgement, row, splits[i], reached)
        counts[what] += 1
        if what == FLIP:
            rows[i] = replace(row, label=judgement.corrected_label)
        elif what == DROP:
            kept[i] = ""
        counts["of_test"] += what in (FLIP, DROP) and splits[i] == "test"
    _require_classes(found, _in_splits(manifest.rows, splits) - _in_splits(rows, kept))
    return _recorded(found, replace(manifest, rows=tuple(rows)), manifest, counts), kept


def _effect(judgement: Judgement, row: Row, split: str, reached: Sequence[str]) -> str:
    """Return what a judgement does to a row: it may be one of `JUDGEMENTS`, or why it does nothing.

    An image that was dropped when a run was begun is in no split of it when that goes on.
    """
    what = judgement.judgement
    if what == FLIP and row.label == judgement.corrected_label:
        return "already"
    if what == FLIP and not split:
        return "in_none"
    return "held_back" if what in (FLIP, DROP) and split not in ("", *reached) else what


def _in_splits(rows: Sequence[Row], splits: Sequence[str]) -> set[str]:
    return {row.label for row, split in zip(rows, splits, strict=True) if split}


def _require_classes(found: Corrections, lost: set[str]) -> None:
    if lost:
        expected = "images of every class after the corrections"
        raise InputError(found.file, expected, f"none of {min(lost)}", "looking at them again")


def over_folds(
    found: Corrections | None,
    manifest: Manifest,
    pool: Sequence[int],
    *,
    with_test: bool,
    tested: Sequence[Row],
) -> Manifest:
    """Return what a cross-validation tests, with notes on the corrections of all its folds.

    Each image is trained on in some folds, with its corrected label, and tested in one.

    Args:
        found: the judgements; None for none.
        manifest: the images, with their labels as they were given.
        pool: the numbers of the rows that are in folds.
        with_test: whether labels are corrected where they are tested too.
        tested: the rows that are tested, with the labels they are tested with.
    """
    if found is None:
        return replace(manifest, rows=tuple(tested))
    inside = set(pool)
    splits = ["train" if i in inside else "" for i in range(len(manifest.rows))]
    whole, _ = apply(found, manifest, splits, with_test=with_test)
    facts = whole.corrections
    count = facts["changed"] + facts["dropped"]
    facts = {**facts, "of_test": count} if with_test else {**facts, "as_tested": count}
    notes = whole.notes[: len(whole.notes) - len(notes_on(whole.corrections, found))]
    notes = (*notes, *notes_on(facts, found))
    return replace(manifest, rows=tuple(tested), notes=notes, corrections=facts)


def _recorded(
    found: Corrections, corrected: Manifest, before: Manifest, counts: Mapping[str, int]
) -> Manifest:
    facts: dict[str, Any] = {
        "file": found.file,
        "sha256": found.sha256,
        "changed": counts[FLIP],
        "dropped": counts[DROP],
        "kept": counts[KEEP],
        "unsure": counts[UNSURE],
        "already": counts["already"],
        "held_back": counts["held_back"],
        "of_test": counts["of_test"],
        "left_out": len(found.left_out) + counts["in_none"],
        "unmatched": len(found.strangers),
    }
    old = contradiction_notes(before)
    notes = [note for note in before.notes if note not in old]
    notes += [*contradiction_notes(corrected), *notes_on(facts, found)]
    return replace(corrected, notes=tuple(notes), corrections=facts)


def notes_on(facts: Mapping[str, Any], found: Corrections) -> list[str]:
    """Say what was corrected, in words that stand beside every figure of a run."""
    text = (
        f"{facts['file']} (sha256 {facts['sha256'][:SHOWN_SHA]}) changed "
        f"{_counted(facts['changed'], 'label')} and left out {_counted(facts['dropped'], 'image')}"
    )
    beside = {
        "held_back": "of test left as given (data.corrections_test is false)",
        "as_tested": "tested with the label as given (data.corrections_test is false)",
        "unsure": "unsure, left as given",
        "already": "as corrected already",
        "left_out": "on images that are left out anyway",
    }
    more = [f"{facts[key]:,} {words}" for key, words in beside.items() if facts.get(key)]
    notes = ["; ".join([text, *more])]
    if facts["of_test"]:
        notes.insert(0, f"{TEST_IS_CORRECTED}: {facts['of_test']:,} of them, so the figures are "
                        "not of the labels as given")  # fmt: skip
    if found.strangers:
        count = len(found.strangers)
        paths = "a path that is" if count == 1 else f"{count:,} paths that are"
        notes.append(f"{found.file} names {paths} no image here, such as {found.strangers[0]}")
    return notes


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
