"""Stress a run: what becomes of its accuracy when the images are disturbed, and does it say so?

Each image of the test split is disturbed and predicted, with the flags that `predict` gives. The
disturbed answers are compared with the undisturbed ones on the same images, by a paired bootstrap
over groups: so what makes a group hard is hard for both.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfcnn import runs
from tfcnn.base import atomic, records, shapes, threads
from tfcnn.base.errors import CheckError, InputError
from tfcnn.decode import Pixels
from tfcnn.display import figures
from tfcnn.display.panel import Grid
from tfcnn.display.thumbnail import data_uri
from tfcnn.evaluation import by_group, intervals, metrics
from tfcnn.evaluation.disturbances import KINDS, SEVERITIES, Kind, disturb, kinds_for
from tfcnn.evaluation.intervals import Distribution, undefined
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table, sample_of
from tfcnn.inputs.streamed import Streamed
from tfcnn.prediction import NO_ANSWER, Predictor
from tfcnn.runs import Run

SEED = 0
RESAMPLES = 2000
AT_ONCE = 512  # images in memory, of each disturbance
PICTURE_PX = 96
HARMLESS = 0.02  # a fall of accuracy that nobody minds
EXPECTED = "the stress test of a run"
HINT = "`tfcnn evaluate RUN --stress`, which measures it anew"
FIGURE = {"value": (float, type(None)), "low": (float, type(None)), "high": (float, type(None))}
SHARE = {**FIGURE, "value": float}
LEVEL = {
    "severity": int, "how_much": str, "accuracy": SHARE, "difference": SHARE, "new_errors": int,
    "flagged_new_errors": FIGURE, "flagged": float,
}  # fmt: skip
SHAPE = {
    "sentence": str, "split": str, "images": int, "groups": int, "seed": int, "warnings": [str],
    "undisturbed": {"accuracy": SHARE, "flagged": float}, "card": str,
    "kinds": [{"kind": str, "what": str, "levels": [LEVEL]}], "not_done": [str],
    "pictures": {"*": [str]},
}  # fmt: skip

Progress = Callable[[int, int], None]
Content = dict[str, Any]
Resampled = tuple[Sample, dict[str, Distribution]]


class _Answers:
    """What a model says of images, collected part by part."""

    def __init__(self) -> None:
        self._probs: list[NDArray[np.float32]] = []
        self._flags: list[str] = []

    def add(self, predictor: Predictor, images: Pixels) -> None:
        probs, flags = predictor.answers(images)
        self._probs.append(probs)
        self._flags += [flag for flag, _ in flags]

    def to(self, table: Table) -> Table:
        """Return the table with these answers; what has no answer counts as an error."""
        probs, flags = np.concatenate(self._probs), np.array(self._flags, dtype=np.str_)
        lost = np.flatnonzero(flags == NO_ANSWER)
        probs[lost] = np.eye(probs.shape[1])[(table.labels[lost] + 1) % probs.shape[1]]
        columns = {**vars(table), "probs": probs, "flags": flags}
        return Table(**columns)


def measure(
    run: Run,
    table: Table,
    images: Streamed | Pixels,
    predictor: Predictor,
    warnings: Sequence[str] = (),
    progress: Progress | None = None,
) -> Content:
    """Disturb images in every way, predict them, and compare with the undisturbed ones.

    Args:
        run: an opened run.
        table: its predictions of one split.
        images: uint8 `(images, height, width, channels)` in [0, 255], decoded: the table's rows.
        predictor: of that run.
        warnings: what a reader must know of the run or of the images.
        progress: called with (images predicted, of how many).

    Returns:
        What `stress.json` holds; see `SHAPE`. The kind that costs most accuracy comes first.
    """
    kinds = kinds_for(run.decoder.channels)
    plain, disturbed = _answer(table, images, predictor, kinds, progress)
    resampled = _resampled(run, plain)
    rows = [
        {
            "kind": kind.name,
            "what": kind.what,
            "levels": [
                {"severity": severity, "how_much": kind.describe(severity),
                 **_level(run, plain, resampled, disturbed[kind.name, severity])}
                for severity in SEVERITIES
            ],
        }
        for kind in kinds
    ]  # fmt: skip
    rows.sort(key=_mean_accuracy)
    accuracy = intervals.of_measured(*resampled)["accuracy"].to_dict()
    groups = plain.known_groups
    return {
        "sentence": _sentence(rows, accuracy),
        "split": str(table.splits[0]),
        "images": len(table.labels),
        "groups": 0 if groups is None else len(np.unique(groups)),
        "seed": SEED,
        "warnings": list(warnings),
        "undisturbed": {"accuracy": accuracy, "flagged": _share_flagged(plain)},
        "kinds": rows,
        "not_done": [f"{k.name}: grey images have no colour" for k in KINDS if k not in kinds],
        "card": run.card_sha256,
        "pictures": _pictures(run, plain, images),
    }


def _answer(
    table: Table,
    images: Any,
    predictor: Predictor,
    kinds: Sequence[Kind],
    progress: Progress | None,
) -> tuple[Table, dict[tuple[str, int], Table]]:
    """Return the table with the answers for the images as they are, and per kind and severity."""
    plain, answers = _Answers(), {(kind.name, s): _Answers() for kind in kinds for s in SEVERITIES}
    total, done = len(table.labels) * len(answers), 0
    predictor.expect(total)
    with ThreadPoolExecutor(threads.cores()) as pool:
        for start in range(0, len(table.labels), AT_ONCE):
            part = np.asarray(images[start : start + AT_ONCE])
            names = table.paths[start : start + AT_ONCE].tolist()
            plain.add(predictor, part)
            for kind, severity in product(kinds, SEVERITIES):
                changed = pool.map(partial(_disturbed, kind, severity), part, names)
                answers[kind.name, severity].add(predictor, np.stack(list(changed)))
                done += len(part)
                if progress:
                    progress(done, total)
    return plain.to(table), {key: found.to(table) for key, found in answers.items()}


def _mean_accuracy(row: Content) -> float:
    return float(np.mean([level["accuracy"]["value"] for level in row["levels"]]))


def _disturbed(kind: Kind, severity: int, image: Pixels, name: str) -> Pixels:
    return disturb(image, kind, severity, SEED, name)


def _resampled(run: Run, table: Table) -> Resampled:
    """Return a sample, and its metrics on resampled groups: the same groups for every table."""
    sample = sample_of(run, table)
    names = metrics.of_parts(run.positive)
    return sample, intervals.measure(sample, num_resamples=RESAMPLES, seed=SEED, names=names)


def _level(run: Run, plain: Table, resampled: Resampled, disturbed: Table) -> Content:
    """Return the figures of one kind at one severity, beside those of the undisturbed images."""
    own = _resampled(run, disturbed)
    difference = intervals.differences_of(own, resampled)["accuracy"]
    new = np.flatnonzero(_is_right(plain) & ~_is_right(disturbed))
    return {
        **{name: interval.to_dict() for name, interval in intervals.of_measured(*own).items()},
        "difference": difference.to_dict(),
        "new_errors": len(new),
        "flagged_new_errors": _flagged(disturbed.take(new)),
        "flagged": _share_flagged(disturbed),
    }


def _is_right(table: Table) -> NDArray[np.bool_]:
    return np.asarray(table.probs.argmax(axis=1) == table.labels)


def _share_flagged(table: Table) -> float:
    return float(np.mean(table.flags != ""))


def _flagged(errors: Table) -> dict[str, Any]:
    """Return the share of some errors that carry a flag, with its interval."""
    if not len(errors.labels):
        return undefined("no new error")
    return intervals.of_share(np.asarray(errors.flags != ""), errors.known_groups)


def _pictures(run: Run, table: Table, images: Any) -> dict[str, list[str]]:
    """Return an image as it is, and at each severity of each kind, as data URIs."""
    shown = _shown(run, table)
    image, name = np.asarray(images[shown : shown + 1])[0], str(table.paths[shown])
    pictures = {"": [_uri(image)]}
    for kind in kinds_for(image.shape[2]):
        pictures[kind.name] = [_uri(disturb(image, kind, s, SEED, name)) for s in SEVERITIES]
    return pictures


def _shown(run: Run, table: Table) -> int:
    """Return which image is shown: the first that is answered rightly, of the class looked for."""
    is_right = _is_right(table)
    wanted = is_right & (table.labels == (run.positive or 0))
    return int(np.flatnonzero(wanted if wanted.any() else np.ones(len(is_right), dtype=bool))[0])


def _uri(pixels: Pixels) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return data_uri(image, PICTURE_PX)


def _sentence(rows: list[Content], plain: dict[str, Any]) -> str:
    """Say what harms the model most, whether that may be chance, and what hardly harms it."""
    pairs = [(row, level) for row in rows for level in row["levels"]]
    row, level = min(pairs, key=lambda pair: float(pair[1]["difference"]["value"]))
    value = level["difference"]["value"]
    if value >= 0:
        return "None of these disturbances lowers the accuracy."
    low, high = level["difference"]["low"], level["difference"]["high"]
    verb = "What harms it most is" if high is not None and high < 0 else "The largest fall is by"
    before, after = (figures.percent(one["value"]) for one in (plain, level["accuracy"]))
    text = f"{verb} {row['kind']} ({row['what']}, {level['how_much']}): accuracy falls "
    text += f"from {before} to {after}"
    if high is not None:
        chance = "" if high < 0 else ", which may be chance"
        text += f", by {-100 * value:.1f} points ({-100 * high:.1f} to {-100 * low:.1f}){chance}"
    if level["new_errors"]:
        flagged = figures.percent(level["flagged_new_errors"]["value"])
        text += f"; {flagged} of the {level['new_errors']:,} new errors are flagged"
    spared = [row["kind"] for row in rows if all(_is_spared(one) for one in row["levels"])]
    cost = f"{100 * HARMLESS:.0f} points at any strength"
    end = f" Less than {cost}, by the intervals, is lost by {_listed(spared)}." if spared else ""
    return f"{text}.{end}"


def _is_spared(level: Content) -> bool:
    low = level["difference"]["low"]
    return low is not None and low > -HARMLESS


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def grids(content: Content) -> list[Grid]:
    """Return a row per kind and severity, the most harmful kind first; none of no content."""
    if not content:
        return []
    rows: list[list[str]] = []
    rules = []
    for row in content["kinds"]:
        rules.append(len(rows))
        for level in row["levels"]:
            own, change = level["accuracy"], level["difference"]
            flagged = level["flagged_new_errors"]["value"]
            rows.append([
                f"{row['kind']} {level['severity']}",
                f"{100 * own['value']:.1f}{_brackets(own, '.1f')}",
                f"{100 * change['value']:+.1f}{_brackets(change, '.1f')}",
                f"{level['new_errors']:,}",
                figures.NONE if flagged is None else f"{100 * flagged:.0f} %",
            ])  # fmt: skip
    accuracy = figures.percent(content["undisturbed"]["accuracy"]["value"])
    title = f"{content['split']}, disturbed: {content['images']:,} images, {accuracy} undisturbed"
    columns = ["", "accuracy, %", "change, points", "new", "flagged"]
    caption = "In brackets 95 % intervals; new errors, and the share of them that is flagged."
    return [Grid(columns, rows, title, rules=rules[1:], caption=caption)]


def _brackets(row: dict[str, Any], form: str) -> str:
    if row["low"] is None:
        return ""
    return f" ({format(100 * row['low'], form)} to {format(100 * row['high'], form)})"


def remarks(content: Content) -> list[str]:
    """Return sentences on a stress test, the result first; none of no content."""
    if not content:
        return []
    return [content["sentence"], *(f"{text}." for text in content["not_done"])]


def write(run: Run, content: Content) -> Path:
    """Write `stress.json` of a run, and return its path."""
    path = run.path / runs.STRESS
    sealed = records.sealed(content, runs.STRESS)
    atomic.write_text(path, records.to_json(sealed, indent=2) + "\n")
    return path


def read(run: Run) -> Content:
    """Read `stress.json` of a run; empty where it was never measured.

    Raises:
        InputError: if it is no such file.
        CheckError: if it is not as it was written, or of the run as it was before a change.
    """
    path = run.path / runs.STRESS
    if not path.exists():
        return {}
    content = records.read_json(path, EXPECTED, HINT)
    records.check_seal(content, path, EXPECTED, HINT)
    try:
        shapes.check(content, SHAPE)
        _check_pictures(content)
    except ValueError as error:
        raise InputError(path, EXPECTED, str(error), HINT) from error
    if content["card"] != run.card_sha256:
        raise CheckError(path, f"{EXPECTED} as it is now", "one of before it was changed", HINT)
    return content


def _check_pictures(content: Content) -> None:
    """Check that there is a picture for each strength, and that each is in the file itself.

    Raises:
        ValueError: if not.
    """
    for name in ("", *(row["kind"] for row in content["kinds"])):
        uris = content["pictures"].get(name, [])
        count = len(SEVERITIES) if name else 1
        if len(uris) != count or not all(uri.startswith("data:image/") for uri in uris):
            raise ValueError(f"no {count} pictures of {name or 'an undisturbed image'}")
    if any(len(row["levels"]) != len(SEVERITIES) for row in content["kinds"]):
        raise ValueError("not three levels of each kind")


def warnings_of(run: Run, table: Table) -> list[str]:
    """Return what a reader must know of a stress test on these images."""
    images, groups = run.card["data"]["nouns"]
    found = []
    if run.is_leaky and str(table.splits[0]) != "data":
        found.append(f"LEAKY: {groups} of these {images} were also trained on")
    if str(table.splits[0]) == "val":
        found.append("these are val images, which training looked at: there is no test split")
    few = by_group.warning(table.known_groups, noun=groups)
    return [*found, *([few] if few else [])]
