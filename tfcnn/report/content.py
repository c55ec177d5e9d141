"""What a report says, gathered from the files of a run folder as plain values for the templates."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from tfcnn.base import naming
from tfcnn.datasets import Source
from tfcnn.display.figures import SHARES
from tfcnn.evaluation import calibration, scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.curves import measure
from tfcnn.evaluation.metrics import BOUNDS, DESCRIPTIONS
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.inputs import pipeline
from tfcnn.recipes import Recipe
from tfcnn.report import curve_plots, plots
from tfcnn.runs import Run

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
METRIC_LABELS = {
    "ppv": "PPV", "npv": "NPV", "f1": "F1", "macro_f1": "macro F1", "mcc": "MCC",
    "roc_auc": "ROC AUC", "macro_roc_auc": "macro ROC AUC", "pr_auc": "PR AUC",
    "brier": "Brier score", "ece": "ECE",
}  # fmt: skip
FLAG_LABELS = {
    "out-of-domain": "out of domain",
    "abstain": "left unanswered",
    "answered": "answered",
    "accuracy": "right among the answered",
    "sensitivity": "sensitivity among the answered",
    "specificity": "specificity among the answered",
}
SPLITS = ("train", "val", "test", "data", "")
MAX_GROUP_ROWS = 10
MAX_CLASS_ROWS = 10
MAX_CLASS_COLUMNS = 3  # in the table of groups, which has to fit a phone
THRESHOLDS = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Content:
    """The files of a run folder, read.

    Attributes:
        run: with `model.json`.
        report: `report.json`.
        table: `predictions.csv`.
        rows: the rows of `split.csv`.
        epochs: per column of `history.csv` a value per epoch; empty where a linear model was fitted
            to features, in no epochs.
        recipe: `recipe.toml`.
        split: the split whose figures stand for the run: test, or val where there is none.
        source: the images, where they are not those of the run; else None.
    """

    run: Run
    report: Report
    table: Table
    rows: list[dict[str, str]]
    epochs: dict[str, list[float]]
    recipe: Recipe
    split: str
    source: Source | None = None

    @property
    def predictions(self) -> Table:
        """The predictions of the split that stands for the run."""
        return self.table.part(self.split)


def read(run: Run) -> Content:
    """Read all files of a run folder that a report is made of.

    Raises:
        InputError: if one is missing, or is something else.
        CheckError: if one is not as it was written.
    """
    report = scoring.load(run)
    return Content(
        run,
        report,
        predictions.read(run),
        run.split,
        run.history if report.facts.get("epochs", 1) and not run.num_folds else {},
        run.recipe,
        report.main_split,
    )


def split_rows(content: Content) -> list[dict[str, Any]]:
    """Return images and groups of every split, and images of every class: a row each.

    The split "" holds the images that were left out. It has a column only where it is not empty.
    """
    rows = content.rows
    usual = () if content.run.num_folds or content.source else ("train", "val", "test")
    names = [name for name in SPLITS if name in usual or _in(rows, name)]
    counts = Counter((row["split"], row["label"]) for row in rows)
    images, groups = content.run.card["data"]["nouns"]
    table = [{"name": images, "counts": [len(_in(rows, name)) for name in names], "is_sum": True}]
    if any(row["group"] for row in rows):
        of_groups = [len({row["group"] for row in _in(rows, name)}) for name in names]
        table.append({"name": groups, "counts": of_groups, "is_sum": True})
    for label in content.run.class_names:
        table.append(
            {"name": label, "counts": [counts[name, label] for name in names], "is_sum": False}
        )
    return [{"name": "", "counts": [name or "left out" for name in names]}, *table]


def audit(content: Content) -> dict[str, int]:
    """Return what the audit counted besides classes and splits.

    Returns:
        Images whose pixels another image has too (`duplicates`), files set aside (`quarantined`)
        and passed over (`ignored`), images in no split (`left_out`), and, where there are groups,
        how many (`groups`) and how many of these have images of one class only (`one_class`).
    """
    pixels = Counter(row["pixels_sha256"] for row in content.rows)
    classes: dict[str, set[str]] = {}
    for row in content.rows:
        if row["group"]:
            classes.setdefault(row["group"], set()).add(row["label"])
    return {
        "duplicates": sum(count for count in pixels.values() if count > 1),
        "quarantined": len(content.report.facts["quarantined"]),
        "ignored": content.report.facts["ignored_files"],
        "left_out": len(_in(content.rows, "")),
        "groups": len(classes),
        "one_class": sum(len(labels) == 1 for labels in classes.values()),
    }


def metric_label(name: str) -> str:
    """Return a metric's name for a reader: "ROC AUC"."""
    return METRIC_LABELS.get(name, name.replace("_", " "))


def metric_rows(content: Content) -> list[dict[str, Any]]:
    """Return a row per metric: its label, its meaning, and its figures, test before val."""
    splits = content.report.splits
    order = [name for name in ("test", "data", "val") if name in splits]
    return [
        {
            "name": name,
            "label": metric_label(name),
            "meaning": DESCRIPTIONS[name],
            "is_share": name in SHARES,
            # the Brier score of all classes ends at 2
            "is_unit": name not in BOUNDS and (name != "brier" or content.run.positive is not None),
            "is_lower_better": name in LOWER_IS_BETTER,
            "cells": [{"split": split, **splits[split][name]} for split in order],
        }
        for name in splits[order[0]]
    ]


def classes(content: Content) -> dict[str, list[dict[str, Any]]]:
    """Return precision, recall and F1 of each class, the lowest F1 first.

    Returns:
        The `first` rows and the `others`; both empty where there is a positive class, and for a
        run whose report has no such figures.
    """
    rows = sorted(
        content.report.classes.get(content.split, []),
        key=lambda row: -1.0 if row["f1"]["value"] is None else float(row["f1"]["value"]),
    )
    return {"first": rows[:MAX_CLASS_ROWS], "others": rows[MAX_CLASS_ROWS:]}


def groups(content: Content) -> dict[str, Any]:
    """Return accuracy by group with its plot; empty where there are no groups."""
    rows = content.report.groups[content.split]
    if not rows:
        return {}
    by_accuracy = sorted(rows, key=lambda row: (row["accuracy"], -row["images"], row["group"]))
    overall = content.report.splits[content.split]["accuracy"]["value"]
    visible = [{**row, "group": naming.visible(row["group"])} for row in by_accuracy]
    drawing = plots.groups(visible, overall)
    names = content.run.class_names
    return {
        "count": len(rows),
        "num_dots": min(len(rows), plots.MAX_GROUPS),
        "svg": Markup(drawing.svg()),
        "drawing": drawing,
        "lowest": by_accuracy[0],
        "highest": by_accuracy[-1],
        "rows": [row for row in rows[:MAX_GROUP_ROWS] if row["errors"]],
        "classes": names if len(names) <= MAX_CLASS_COLUMNS else (),
    }


def group_rule(content: Content) -> dict[str, Any]:
    """Return the rule that decides for a whole group, and how often it is right.

    Returns:
        `least_share`, `reason`, `sensitivity`, `specificity` and the `caveat` in words, if any;
        empty where there are no groups or no positive class.
    """
    patients = content.report.patients
    part = patients.get("splits", {}).get(content.split)
    if not part:
        return {}
    return {
        **patients["rule"],
        "sensitivity": part["sensitivity"],
        "specificity": part["specificity"],
        "caveat": part.get("caveat", {}).get("sentence", ""),
    }


def flags(content: Content) -> dict[str, Any]:
    """Return how many images were flagged, and how right the run is on the others.

    Returns:
        `splits`, test before val; `rows`, each a `label` and a cell per split; and whether the
        run `abstains`. Empty for a run whose report has no flags.
    """
    by_split = content.report.flags
    parts = {
        split: {**by_split[split], **by_split[split].get("of_answered", {})}
        for split in ("test", "data", "val")
        if split in by_split
    }
    rows = [
        {"label": label, "cells": [part[name] for part in parts.values()]}
        for name, label in FLAG_LABELS.items()
        if parts and all(name in part for part in parts.values())
    ]
    if not any(cell["value"] is not None for row in rows for cell in row["cells"]):
        return {}
    abstains = any("abstain" in part for part in parts.values())
    return {"splits": list(parts), "rows": rows, "abstains": abstains}


def history(content: Content) -> dict[str, Any]:
    """Return the training curves with their plots, and which epoch's weights were kept."""
    epochs, train = content.epochs, content.recipe.train
    if not epochs:
        return {}
    loss = {"train": epochs["loss"], "val": epochs["val_loss"]}
    accuracy = {"val": epochs["val_sparse_categorical_accuracy"]}
    drawings = {
        "loss": plots.curves(loss, label="loss", is_share=False, colours=("muted", "blue")),
        "accuracy": plots.curves(
            accuracy, label="accuracy on val", is_share=True, colours=("blue",)
        ),
    }
    return {
        "loss": loss,
        "accuracy": accuracy,
        "loss_svg": Markup(drawings["loss"].svg()),
        "accuracy_svg": Markup(drawings["accuracy"].svg()),
        "drawings": drawings,
        "kept_epoch": 1 + int(np.argmin(loss["val"])) if train.best_weights else len(loss["val"]),
        "is_best": train.best_weights,
        "is_augmented": pipeline.describe(content.recipe.inputs) != "none" or train.mixup > 0,
    }


def beginning(content: Content) -> dict[str, Any]:
    """Return what the training began from, and, where val chose that, what else was tried.

    Returns:
        Empty for a network that was trained from random weights, without a choice, at once.
    """
    network, facts = content.run.card["network"], content.report.facts
    start, tries = network.get("start"), network.get("tries", [])
    continues = facts.get("continues", {})
    if start in (None, "scratch") and not tries and not continues:
        return {}
    return {
        "start": start,
        "network": network["name"],
        "origin": network.get("origin"),
        "pixels": network.get("pixels"),
        "trained_on": network.get("trained_on"),
        "head": facts.get("head", {}),
        "layers": content.recipe.train.finetune_layers,
        "continues": continues,
        "further": facts.get("epochs", 0) - continues.get("epochs", 0),
        "tries": [{**one, "is_kept": one["start"] == start} for one in tries],
        "not_tried": facts.get("not_tried", []),
        "unit": "groups" if audit(content)["groups"] else "images",
    }


def reliability(content: Content) -> dict[str, Any]:
    """Return the reliability diagram, with ECE and Brier score before and after calibration."""
    part, positive = content.predictions, content.run.positive
    temperature = content.run.card["temperature"]
    whole = calibration.describe(part.labels, part.probs, temperature, positive=positive)
    has_before = content.recipe.evaluation.calibrate and temperature != 1
    bins, event = whole["bins"], "predicted class right"
    if positive is not None:
        event = f"share that is {naming.visible(content.run.class_names[positive])}"
    drawing = plots.reliability(bins["after"], event, bins["before"] if has_before else [])
    return {
        "svg": Markup(drawing.svg()),
        "drawing": drawing,
        "bins": bins["after"],
        "event": event,
        "ece": content.report.splits[content.split]["ece"],
        "scores": {key: tuple(whole[key].values()) for key in ("ece", "brier") if has_before},
        "temperature": temperature,
        "is_at_limit": temperature in calibration.TEMPERATURES,
        "is_calibrated": content.recipe.evaluation.calibrate,
    }


def operating_point(content: Content) -> dict[str, Any]:
    """Return what every threshold would give, with its plot, and the figures at the stored one.

    Returns:
        The counts at each threshold, `found` of `positives` and `alarms` among `negatives`;
        `prevalence`; `stored`, the figures at the stored threshold; `svg`, and where its axis
        lies. Empty where there is no positive class, or where the split lacks a class.
    """
    positive, part = content.run.positive, content.predictions
    if positive is None:
        return {}
    is_positive, score = part.labels == positive, part.probs[:, positive].astype(np.float64)
    if is_positive.all() or not is_positive.any():
        return {}
    own, other = np.sort(score[is_positive]), np.sort(score[~is_positive])
    hits = len(own) - np.searchsorted(own, THRESHOLDS)
    alarms = len(other) - np.searchsorted(other, THRESHOLDS)
    threshold = content.run.threshold
    drawing = plots.operating_point(THRESHOLDS, hits / len(own), 1 - alarms / len(other), threshold)
    left, right = plots.AXIS
    return {
        "found": hits.tolist(),
        "alarms": alarms.tolist(),
        "positives": len(own),
        "negatives": len(other),
        "prevalence": len(own) / len(part.labels),
        "stored": _at_threshold(
            int((own >= threshold).sum()), int((other >= threshold).sum()), len(own), len(other)
        ),
        "svg": Markup(drawing.svg()),
        "drawing": drawing,
        "left": left,
        "right": 1 - right,
        "axis_width": plots.WIDTH * (right - left),
    }


def curves(content: Content) -> dict[str, Any]:
    """Return ROC, precision-recall and decision curve, as the report holds them.

    A run from before they were kept has them measured anew. Empty where a class has no image.
    """
    if content.report.curves:
        found = content.report.curves
    else:
        found = measure(predictions.sample_of(content.run, content.predictions))
    return found if "roc" in found else {}


def curve_figures(content: Content) -> dict[str, Any]:
    """Return the curves with their plots; empty where a class has no image."""
    found = curves(content)
    if not found:
        return {}
    drawn = {"roc": curve_plots.roc, "precision_recall": curve_plots.precision_recall}
    if "net_benefit" in found:
        drawn["net_benefit"] = curve_plots.net_benefit
    return found | {"svg": {name: Markup(draw(found).svg()) for name, draw in drawn.items()}}


def _at_threshold(hits: int, alarms: int, positives: int, negatives: int) -> dict[str, Any]:
    """Return the figures at one threshold; `report.js` computes the same for the others."""
    return {
        "found": hits,
        "alarms": alarms,
        "missed": positives - hits,
        "sensitivity": hits / positives,
        "specificity": 1 - alarms / negatives,
        "ppv": hits / (hits + alarms) if hits + alarms else None,
    }


def _in(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    return [row for row in rows if row["split"] == split]
