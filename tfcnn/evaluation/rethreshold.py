"""Give a finished run another threshold, chosen on val from its stored predictions.

The model stays as it is. What follows from the threshold is made anew: abstention, flags, the rule
for groups, figures and report. `model.json` is written first, with the entry `changing`, and again
last, without it; so a change that was cut is known by that entry. Meanwhile it holds no hashes of
what is written anew.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import extras, intervals, rules, scoring, unseen
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.rules import DEFAULT_THRESHOLD, OperatingPoint
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.prediction import ABSTAIN, abstains
from tfcnn.recipes import Guarantee
from tfcnn.runs import Run

COMPARED_METRICS = ("sensitivity", "specificity", "ppv")


@dataclass(frozen=True)
class Change:
    """What another threshold does to a run.

    Attributes:
        run: as it is now.
        before: the threshold it had, of the same positive class.
        after: the one it has.
        reason: why this one.
        splits: per split and metric the figures `before` and `after`, `{"value", "low", "high"}`.
        report: the run's report as it is now.
    """

    run: Run
    before: float
    after: float
    reason: str
    splits: dict[str, dict[str, dict[str, dict[str, Any]]]]
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "run": str(self.run.path),
            "positive": self.run.card["positive"],
            "threshold": {"before": self.before, "after": self.after},
            "reason": self.reason,
            "splits": self.splits,
            "warnings": self.report.warnings,
            "sentence": self.report.sentence,
        }


def change(
    run: Run,
    render: Callable[[Run], str],
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
    value: float | None = None,
    confidence: float | None = None,
    crossval: str | Path | None = None,
    positive: str | None = None,
) -> Change:
    """Choose a threshold on val and make all anew that follows from it.

    Args:
        run: a finished run with its predictions.
        render: writes `report.html` of a run whose other files are there.
        sensitivity: the least share of positive images to be called positive on val, in (0, 1].
        specificity: the least share of negative images to be called negative on val, in (0, 1].
        value: the threshold itself, in [0, 1].
        confidence: with which the sensitivity or specificity, as a mean over new groups, is
            promised; None for no promise.
        crossval: whose out-of-fold predictions promise it; val's if None.
        positive: the class that is looked for; the run's own if None.

    Raises:
        InputError: if not one of the three is given, it is out of range or val cannot give it, or
            the run has no predictions, no two classes, or no positive one.
        CheckError: if the run is a demonstrated leak.
    """
    options = {"--sensitivity": sensitivity, "--specificity": specificity, "--value": value}
    words = _words(options, confidence, crossval)
    refuse(run, positive)
    name = run.card["positive"] if positive is None else positive
    table = predictions.read(run)
    part, index = table.part("val"), run.class_names.index(name)
    if confidence is not None:
        wish = Guarantee(sensitivity=sensitivity, specificity=specificity, confidence=confidence)
        point = _promised(run, part, index, wish, crossval)
    elif value is not None:
        point = rules.threshold_at(part.labels, part.probs, index, value)
    else:
        point = rules.choose_threshold(
            part.labels, part.probs, index, sensitivity=sensitivity, specificity=specificity
        )
        if not point.is_reached:
            raise InputError(run.path, "a threshold that val can give", point.reason, "--value")
    card = {key: value for key, value in run.card.items() if key != "changing"}
    card |= {"positive": name, **_rules(run, table, index, point)}
    asked = rules.wish_of(sensitivity, specificity) if confidence is None else {}
    after = Run(run.path, card | {"asked": asked})
    table = replace(table, flags=_flags(after, table))
    report = scoring.score(after, table, scoring.facts(run))
    report = extras.after_training(report, after, table, run.recipe.evaluation.subgroups_csv)
    before = _before(run, name)
    result = Change(
        after, before, point.threshold, after.card["threshold_reason"],
        _figures(table, index, before, report), report,
    )  # fmt: skip
    words += [] if positive is None else [f"--positive {shlex.quote(positive)}"]
    return replace(result, run=_write(run, result, table, " ".join(words), render))


def refuse(run: Run, positive: str | None = None) -> None:
    """Refuse a run that can be given no threshold, before anything is read or written.

    Raises:
        InputError: if it has no predictions, no two classes, or no positive one.
        CheckError: if it is a demonstrated leak.
    """
    _check_positive(run, positive)
    _check_val(run)


def _words(
    options: dict[str, float | None], confidence: float | None, crossval: str | Path | None
) -> list[str]:
    """Return the options as they are typed; refuse those that do not go together."""
    words = [f"{option} {number:g}" for option, number in options.items() if number is not None]
    if confidence is None and crossval is not None:
        raise InputError("--crossval", "--confidence beside it", "none", "--confidence 0.9")
    if confidence is not None and not 0 < confidence < 1:
        raise InputError("--confidence", "a share in (0, 1)", f"{confidence:g}", "0.9")
    if confidence is not None and options["--value"] is not None:
        expected = "--sensitivity or --specificity to promise"
        raise InputError("--confidence", expected, words[-1], "--sensitivity 0.95")
    if len(words) != 1:
        one_of = "one of --sensitivity, --specificity and --value"
        raise InputError("threshold", one_of, " ".join(words) or "none", "--sensitivity 0.95")
    words += [] if confidence is None else [f"--confidence {confidence:g}"]
    return words + ([] if crossval is None else [f"--crossval {shlex.quote(str(crossval))}"])


def _promised(
    run: Run, val: Table, positive: int, wish: Guarantee, crossval: str | Path | None
) -> OperatingPoint:
    """Return the threshold of a promise, by val or by a cross-validation; refuse without one."""
    if crossval is not None:
        point = unseen.promise(run, positive, wish, crossval)
    else:
        groups, unit = val.known_groups, run.card["data"]["nouns"][1]
        point = rules.promise_threshold(val.labels, val.probs, groups, positive, wish, unit=unit)
    if not point.is_reached:
        hint = "--sensitivity or --specificity without --confidence, which promises nothing"
        if crossval is None:
            hint = f"--crossval, after `tfcnn crossval {run.path / runs.RECIPE}`; or {hint}"
        raise InputError(run.path, "a promise that can be made", point.reason, hint)
    return point


def _check_positive(run: Run, positive: str | None) -> None:
    names = run.class_names
    if len(names) != 2:
        hint = "nothing: its answer is the most probable class"
        raise InputError(run.path, "a run of two classes", f"{len(names)} classes", hint)
    name = positive if positive is not None else run.card["positive"]
    either = f"{names[0]} or {names[1]}"
    if name is None:
        hint = f"--positive {names[0]}, or --positive {names[1]}"
        raise InputError(run.path, "a positive class", "none", hint)
    if name not in names:
        raise InputError("--positive", either, name or "an empty name", names[0])


def _check_val(run: Run) -> None:
    """Refuse runs whose val must not choose anything, or is not there."""
    if run.is_leaky:
        hint = "`tfcnn train` of its recipe, split by group"
        raise CheckError(run.path, "a run that does not leak", "a demonstrated leak", hint)
    if runs.is_crossval(run.path.parent):
        hint = "`tfcnn crossval` with --set evaluation.sensitivity"
        raise InputError(run.path, "a run of its own", "a fold of a cross-validation", hint)
    if run.num_folds:
        hint = "`tfcnn crossval` with --set evaluation.sensitivity"
        raise InputError(run.path, "a run with a val split", "the mean of a cross-validation", hint)
    path = run.path / runs.PREDICTIONS
    if not path.exists():
        hint = "training it here, or another limit for prob_... in what `predict` writes"
        received = "a model shipped without them, or a run that lost them"
        raise InputError(path, "predictions on val", received, hint)


def _rules(run: Run, table: Table, positive: int, point: OperatingPoint) -> dict[str, Any]:
    """Return what the card says of the threshold and of all that follows from it."""
    wishes = run.recipe.evaluation
    val = table.part("val")
    unit = run.card["data"]["nouns"][1]
    chosen = rules.choose(
        val.labels, val.probs, val.known_groups, positive, wishes, point, unit=unit
    )
    is_tested = bool((table.splits == "test").any())
    when = "after test was scored" if is_tested else "after training"
    replaced = (run.card["threshold_reason"], run.card.get("abstention_reason"))
    unmet = [reason for reason in run.card.get("unmet", []) if reason not in replaced]
    return chosen | {
        "threshold_reason": f"{point.reason}; set {when}",
        "threshold_set_after_test": is_tested,
        "unmet": unmet + chosen["unmet"],
    }


def _flags(run: Run, table: Table) -> Any:
    """Return the flags with the new band's; out of the domain does not depend on it."""
    if table.flags is None:
        return None
    other_flags = np.where(table.flags == ABSTAIN, "", table.flags)
    unsure = abstains(table.probs, run.abstention, run.positive)
    return np.where((other_flags == "") & unsure, ABSTAIN, other_flags)


def _before(run: Run, positive: str) -> float:
    """Return the threshold that a run had, as one of the class that is positive now."""
    if run.positive is None:
        return DEFAULT_THRESHOLD
    return run.threshold if run.card["positive"] == positive else 1 - run.threshold


def _figures(
    table: Table, positive: int, before: float, report: Report
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    figures = {}
    for split, rows in report.splits.items():
        part = table.part(split)
        sample = Sample(
            part.labels, part.probs, part.known_groups, positive=positive, threshold=before
        )
        earlier = intervals.bootstrap(sample, names=COMPARED_METRICS)
        figures[split] = {
            name: {"before": earlier[name].to_dict(), "after": rows[name]}
            for name in COMPARED_METRICS
        }
    return figures


def _write(run: Run, change: Change, table: Table, words: str, render: Callable[[Run], str]) -> Run:
    path, names = run.path, (runs.PREDICTIONS, runs.REPORT)
    unfinished = run.unrecorded(*names)
    runs.write_card(Run(path, unfinished.card | {"changing": words}))
    predictions.write(change.run, table)
    scoring.write(change.report, path)
    after = change.run.recorded(*names)
    atomic.write_text(path / runs.PAGE, render(after))
    runs.write_card(after)
    return after
