"""What the folds of a cross-validation say together: their spread, and all predictions pooled."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.base import atomic, records
from tfcnn.base.errors import TfcnnError
from tfcnn.display import figures
from tfcnn.display.metric_tables import as_words
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.evaluation import by_group, intervals, rules
from tfcnn.evaluation.metrics import (
    against_baseline,
    commonest_class,
    never_answered,
    percents,
    telling_metrics,
)
from tfcnn.evaluation.sample import Sample
from tfcnn.manifest import Manifest
from tfcnn.manifest.corrections import TEST_IS_CORRECTED
from tfcnn.recipes import Guarantee
from tfcnn.runs import PREDICTIONS, SUMMARY, Run


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """What the folds of a cross-validation say together.

    Attributes:
        path: the folder of the runs.
        metrics: per metric `mean` and `sd` over the folds, `folds` with each one's value, and
            `pooled`, `{"value", "low", "high"}` of all predictions together. The sd is that of a
            fold, not of the mean: folds share most of their training images.
        counts: images and groups that were tested, each once.
        folds: a row per fold: its run, counts, threshold, temperature, seconds and metrics.
        warnings: what a reader must know before believing a figure.
        leaky: whether this was a stamped demonstration of a leak.
        sentence: the result in one sentence.
        baseline: the commonest `class` of all images, and its `share`.
        left_out: how many files are no images of these, by class and kind, and which are
            unreadable.
        guarantee: what the recipe wants promised, as `Promise.to_dict` has it, with the `threshold`
            of all out-of-fold predictions that does, None without one, and the `reason` in words.
        no_mean: why the mean of the folds cannot be used as a run; "" where it can.
    """

    path: Path
    metrics: dict[str, dict[str, Any]]
    counts: dict[str, int]
    folds: list[dict[str, Any]]
    warnings: list[str]
    leaky: bool
    sentence: str
    baseline: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    guarantee: dict[str, Any] = field(default_factory=dict)
    no_mean: str = ""

    @property
    def by_class(self) -> tuple[str, ...]:
        """The metrics to show beside accuracy, which hides how much of each class is found."""
        has_positive = "sensitivity" in self.metrics
        return telling_metrics(self.baseline, has_positive=has_positive) if self.baseline else ()

    def grid(self) -> Grid:
        """Return a row per fold, their mean and sd, and all predictions pooled."""
        titles = {
            "accuracy": "accuracy", "roc_auc": "AUC", "macro_roc_auc": "macro AUC",
            **{name: as_words(name) for name in self.by_class},
        }  # fmt: skip
        names = [name for name in titles if name in self.metrics]
        counted = ["images", "groups"] if self.counts["groups"] else ["images"]

        def cells(values: dict[str, float | None]) -> list[str]:
            return [figures.metric(name)(values[name]) for name in names]

        rows = []
        for fold in self.folds:
            counts = [f"{fold[key]:,}" for key in counted]
            seconds = f"{fold['train_seconds']:,.1f}"
            rows.append([fold["run"], *counts, *cells(fold["metrics"]), seconds])
        for key in ("mean", "sd"):
            values = {name: self.metrics[name][key] for name in names}
            rows.append([key, *("" for _ in counted), *cells(values), ""])
        total = f"{sum(fold['train_seconds'] for fold in self.folds):,.1f}"
        pooled = {name: self.metrics[name]["pooled"]["value"] for name in names}
        rows.append(["pooled", *(f"{self.counts[k]:,}" for k in counted), *cells(pooled), total])
        usual = self.baseline
        return Grid(
            ["run", *counted, *(titles[name] for name in names), "train s"],
            rows,
            f"{len(self.folds)} folds, every image tested in one",
            caption=f"always saying {usual['class']}: {figures.percent(usual['share'])}"
            if usual
            else "",
            rules=(len(self.folds),),
        )

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        return Panel(self.path.name, [self.sentence], self.warnings, [self.grid()])

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `summary.json`."""
        content = asdict(self)
        del content["path"]
        return content


def summarise(
    folder: Path,
    runs: list[Run],
    tested: Manifest,
    wish: Guarantee | None = None,
    no_mean: str = "",
) -> Summary:
    """Write `predictions.csv` and `summary.json` from the runs of all folds.

    Args:
        folder: where they go.
        runs: one per fold, finished.
        tested: the images that the folds tested.
        wish: what all out-of-fold predictions are to promise.
        no_mean: see `Summary`.

    Raises:
        TfcnnError: if an image was not tested, or twice.
    """
    rows = _out_of_fold(runs)
    if [row["path"] for row in rows] != sorted(row.path for row in tested.rows):
        received = f"{len(rows)} predictions of {len(tested.rows)} images"
        raise TfcnnError(folder, "every image tested once", received, "reporting this as a bug")
    lines = (row.values() for row in rows)
    atomic.write_text(folder / PREDICTIONS, atomic.csv_text(rows[0], lines))
    folds = [_fold(i, run) for i, run in enumerate(runs)]
    metrics = {
        name: {**_over_folds([fold["metrics"][name] for fold in folds]), "pooled": pooled}
        for name, pooled in _pooled(runs[0], rows).items()
    }
    confusion = _confusion(rows, runs[0].class_names)
    usual = commonest_class(confusion.sum(axis=1), runs[0].class_names)
    promise = _promise(runs[0], rows, wish, folder.name)
    refused = [promise["reason"]] if promise and promise["threshold"] is None else []
    summary = Summary(
        folder,
        metrics,
        {"images": len(rows), "groups": len({row["group"] for row in rows if row["group"]})},
        folds,
        _warnings(runs[0], tested, rows, metrics, confusion) + refused,
        runs[0].is_leaky,
        "",
        usual,
        tested.left_out_lines(),
        promise,
        no_mean,
    )
    summary = replace(summary, sentence=_sentence(summary, tested))
    vouched = {"sha256": {PREDICTIONS: records.sha256_of(folder / PREDICTIONS)}}
    content = records.sealed({**summary.to_dict(), **vouched}, SUMMARY)
    atomic.write_text(folder / SUMMARY, records.to_json(content, indent=2) + "\n")
    return summary


def _out_of_fold(runs: list[Run]) -> list[dict[str, str]]:
    """Return the test predictions of all folds as they were written, sorted by path."""
    rows = []
    for i, run in enumerate(runs):
        rows += [
            {**row, "flag": row.get("flag", ""), "fold": str(i)}  # an old run has no flags
            for row in run.predictions
            if row["split"] == "test"
        ]
    return sorted(rows, key=lambda row: row["path"])


def _fold(number: int, run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "fold": number,
        "run": run.name,
        **report["counts"]["test"],
        "threshold": run.threshold,
        "temperature": run.card["temperature"],
        "epochs": report["epochs"],
        "decode_seconds": report["decode_seconds"],
        "train_seconds": report["train_seconds"],
        "metrics": {name: row["value"] for name, row in report["splits"]["test"].items()},
    }


def _over_folds(values: list[float | None]) -> dict[str, Any]:
    defined = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(defined)) if defined else None,
        "sd": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        "folds": values,
    }


def _pooled(run: Run, rows: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Return every metric of all predictions together, with intervals from resampled groups."""
    names = run.class_names
    labels, probs, groups = _arrays(run, rows)
    decisions = np.array([names.index(row["decision"]) for row in rows])  # each fold has its own
    sample = Sample(
        labels, probs, groups, positive=run.positive, decisions=decisions, class_names=names
    )
    return intervals.rows(sample)


def _arrays(
    run: Run, rows: list[dict[str, str]]
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[str] | None]:
    """Return labels `(images,)`, probabilities `(images, classes)`, and groups where all have."""
    names = run.class_names
    labels = np.array([names.index(row["label"]) for row in rows])
    probs = np.array([[float(row[f"prob_{name}"]) for name in names] for row in rows])
    groups = [row["group"] for row in rows]
    return labels, probs, groups if all(groups) else None


def _promise(
    run: Run, rows: list[dict[str, str]], wish: Guarantee | None, name: str
) -> dict[str, Any]:
    """Return what all out-of-fold predictions promise, or why nothing; empty for no wish."""
    if wish is None or run.is_leaky:
        return {}
    labels, probs, groups = _arrays(run, rows)
    point = rules.promise_threshold(
        labels, probs, groups, run.positive, wish, unit=run.card["data"]["nouns"][1], source=name
    )
    promise = {} if point.promise is None else point.promise.to_dict()
    threshold = point.threshold if point.is_reached else None
    return {**promise, "threshold": threshold, "reason": point.reason}


def _confusion(rows: list[dict[str, str]], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Count true class by decision, each by the threshold of its fold."""
    matrix = np.zeros((len(names), len(names)), dtype=np.int64)
    for row in rows:
        matrix[names.index(row["label"]), names.index(row["decision"])] += 1
    return matrix


def _warnings(
    run: Run,
    tested: Manifest,
    rows: list[dict[str, str]],
    metrics: dict[str, dict[str, Any]],
    confusion: NDArray[np.int64],
) -> list[str]:
    warnings = list(tested.notes)
    never = never_answered(confusion.tolist(), run.class_names)
    warnings += [never] if never else []
    groups = [row["group"] for row in rows] if rows[0]["group"] else None
    few_groups = by_group.warning(groups, noun=run.card["data"]["nouns"][1])
    warnings += [few_groups] if few_groups else []
    for name, row in metrics.items():
        without = [str(i) for i, value in enumerate(row["folds"]) if value is None]
        if without:
            warnings.append(
                f"{name}: mean and sd leave out fold {', '.join(without)}, which has none"
            )
    return warnings


def _sentence(summary: Summary, tested: Manifest) -> str:
    groups, metrics = tested.source.nouns[1], summary.metrics
    how = f"by a model of other {groups}" if tested.has_groups else "by a model of the others"
    if summary.leaky:
        how = f"by a model of the same {groups} (a demonstrated leak)"
    if any(note.startswith(TEST_IS_CORRECTED) for note in summary.warnings):
        how = f"{how} ({TEST_IS_CORRECTED})"
    figures = [f"accuracy {_spread(metrics['accuracy'], 100, 1)} %"]
    figures += [
        f"{title} {_spread(metrics[name], 1, 3)}"
        for name, title in (("roc_auc", "ROC AUC"), ("macro_roc_auc", "macro ROC AUC"))
        if name in metrics
    ]
    first = f"{tested.summary()}, each predicted {how}: {', '.join(figures)}"
    pooled = {name: row["pooled"] for name, row in metrics.items()}
    by_class = percents(pooled, summary.by_class)
    beside = against_baseline(pooled["accuracy"], summary.baseline)
    beside += [f"pooled {', '.join(by_class)}"] if by_class else []
    if summary.guarantee.get("threshold") is not None:
        promise = summary.guarantee
        beside += [f"at a threshold of {promise['threshold']:.3g}, {promise['reason']}"]
    return "; ".join([f"{first} (mean ± sd over {len(summary.folds)} folds)", *beside]) + "."


def _spread(row: dict[str, Any], scale: float, digits: int) -> str:
    if row["mean"] is None:
        return "–"
    sd = "–" if row["sd"] is None else f"{scale * row['sd']:.{digits}f}"
    return f"{scale * row['mean']:.{digits}f} ± {sd}"
