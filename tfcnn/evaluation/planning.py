"""How many patients a test needs for a 95 % interval of a stated width, from how they differ now.

The interval of `intervals` with n patients has the margin, on the metric's own scale,

    t(freedom) x deviation x sqrt(n0 / n)

where n0 patients were measured, `deviation` is the standard deviation of the metric between
resamples of them, corrected for few, and `freedom` the degrees of freedom they gave. The margin is
carried to the logit scale as the interval's is. The smallest n is found whose whole width is no
larger than what is asked: n = (2 t x between-patient spread / width)**2 without the logit scale,
with spread = deviation x sqrt(n0). More patients have more degrees of freedom, but also more of the
rare large and hard ones, which few do not show. In simulation these cancel, so t stays.

What few patients say of their spread is itself uncertain: `low` and `high` are the n for the ends
of the 95 % interval of the deviation, by the chi-square distribution with these degrees of freedom.

`benchmarks/planned_width.py` simulates the width at the planned number.

References:
    Cochran, *Sampling Techniques* (1977), sections 4.4 and 9A.2, whole clusters as units;
    Satterthwaite, "An approximate distribution of estimates of variance components" (1946).
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.display.figures import percent
from tfcnn.display.panel import Panel, Shown
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.intervals import Distribution, logistic_ends, measure
from tfcnn.evaluation.labels import answers
from tfcnn.evaluation.metrics import bounds, metric_names, why_undefined
from tfcnn.evaluation.sample import Sample
from tfcnn.runs import Run

CONFIDENCE = 0.95
WIDTHS = (0.1, 0.05, 0.02, 0.01)  # that a report shows, where they are narrower than it has
MOST = 10_000_000  # patients: beyond, a plan says nothing


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """How many patients, or images where no groups are known, an interval needs.

    Attributes:
        path: of the run.
        split: whose patients were measured.
        metric: whose interval it is.
        width: from end to end, of the 95 % interval that is asked for.
        unit: what is counted: `patients` or another noun for groups, or `images`.
        now: how many were measured.
        value: of the metric, on these.
        width_now: the width of its interval on these.
        needed: for the width; None beyond ten millions.
        low: what `needed` could be if these differ more than patients do in general.
        high: and if they differ less.
        sentence: the result in one sentence.
    """

    path: Path
    split: str
    metric: str
    width: float
    unit: str
    now: int
    value: float
    width_now: float
    needed: int | None
    low: int | None
    high: int | None
    sentence: str

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        return Panel(self.sentence)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class Spread:
    """How much a metric varies between patients: what a plan is made of.

    Attributes:
        point: the metric.
        deviation: of the metric between resamples, corrected for few patients.
        freedom: degrees of freedom of that deviation.
        count: patients measured.
        ends: the lowest and the highest value of the metric.
    """

    point: float
    deviation: float
    freedom: float
    count: int
    ends: tuple[float, float]

    @classmethod
    def of(cls, distribution: Distribution, ends: tuple[float, float]) -> "Spread":
        """Return that of a metric's resampled values."""
        count = distribution.num_units
        deviation = float(np.nanstd(distribution.resampled)) * math.sqrt(count / (count - 1))
        return cls(distribution.point, deviation, distribution.freedom(), count, ends)

    def width(self, count: float) -> float:
        """Return the width of the interval that so many patients would give."""
        from scipy.special import stdtrit  # scipy.stats takes half a second to import

        t = float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2))
        low, high = logistic_ends(
            self.point, t * self.deviation * math.sqrt(self.count / count), self.ends
        )
        return high - low

    def needed(self, width: float) -> int | None:
        """Return the smallest number of patients for a width; None beyond ten millions."""
        low, high = 1, 2
        while self.width(high) > width:
            low, high = high, 2 * high
            if high > MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.width(middle) <= width else (middle, high)
        return high

    def scaled(self, chance: float) -> "Spread":
        """Return the spread at a quantile of what the true deviation may be."""
        from scipy.special import chdtri

        quantile = float(chdtri(self.freedom, chance))  # exceeded with this chance
        deviation = self.deviation * math.sqrt(self.freedom / quantile)
        return Spread(self.point, deviation, self.freedom, self.count, self.ends)


def spread(sample: Sample, metric: str) -> Spread | str:
    """Return how much a metric varies between the patients of a sample, or why that is unknown."""
    distribution = measure(sample, num_resamples=2000, seed=0, names=[metric])[metric]
    if np.isnan(distribution.point):
        return why_undefined(sample, metric)
    if reason := distribution.why_no_spread():
        return reason
    ends = bounds(sample, metric)
    if distribution.point in ends:
        return "at the end of its range: nothing shows how it varies"
    return Spread.of(distribution, ends)


def plan(run: Run, width: float, metric: str = "accuracy") -> Plan:
    """Return how many patients a run's test would need for an interval of a width.

    Args:
        run: with its predictions.
        width: of the 95 % interval, from end to end; in (0, 1).
        metric: any of the run's that lies in a range.

    Raises:
        InputError: if there are no predictions, the metric is none of the run's, or its spread
            cannot be measured.
    """
    table = predictions.read(run)
    split = "test" if (table.splits == "test").any() else "val"
    sample = predictions.sample_of(run, table.part(split))
    return _plan(run.path, split, sample, width, metric, run.card["data"]["nouns"])


def plan_of_crossval(folder: Path, width: float, metric: str = "accuracy") -> Plan:
    """Return the same from the out-of-fold predictions of a cross-validation.

    Args:
        folder: of a finished one.
        width: of the 95 % interval, from end to end; in (0, 1).
        metric: what counts decisions counts those of each fold's threshold.

    Raises:
        InputError: as `plan`.
        CheckError: if the predictions are not as they were written.
    """
    rows, first = runs.read_out_of_fold(folder), runs.open_run(folder / runs.fold_name(0))
    names, labels, probs = answers(rows, folder / runs.PREDICTIONS)
    decisions = np.array([names.index(row["decision"]) for row in rows])
    groups = [row["group"] for row in rows]
    sample = Sample(
        labels,
        probs,
        groups if all(groups) else None,
        positive=first.positive,
        decisions=decisions,
        class_names=names,
    )
    return _plan(folder, "out-of-fold", sample, width, metric, first.card["data"]["nouns"])


def _plan(
    path: Path, split: str, sample: Sample, width: float, metric: str, nouns: list[str]
) -> Plan:
    names = [name for name in metric_names(sample) if np.isfinite(bounds(sample, name)[1])]
    if metric not in names:
        raise InputError("--metric", f"one of {', '.join(names)}", metric, names[0])
    if not 0 < width < 1:
        raise InputError("--width", "a share in (0, 1)", f"{width:g}", "0.02")
    found = spread(sample, metric)
    if isinstance(found, str):
        raise InputError(path, f"a spread of {metric} on {split}", found, "another --metric")
    unit = nouns[1] if sample.is_grouped else nouns[0]
    numbers = _numbers(found, width)
    text = _sentence(metric, width, unit, split, found, numbers, is_grouped=sample.is_grouped)
    return Plan(
        path, split, metric, width, unit, found.count, found.point, found.width(found.count),
        *numbers, text,
    )  # fmt: skip


def describe(sample: Sample, unit: str) -> dict[str, Any]:
    """Return what `report.json` holds: how many patients some widths of accuracy would need.

    Args:
        sample: the predictions of one split.
        unit: what a group is, in the plural.

    Returns:
        `metric`, `unit`, `now`, `value`, `width_now`, and `rows` of `width`, `needed`, `low` and
        `high` for narrower ones; or `reason`, why the spread is unknown.
    """
    found = spread(sample, "accuracy")
    unit = unit if sample.is_grouped else "images"
    if isinstance(found, str):
        return {"metric": "accuracy", "unit": unit, "reason": found}
    rows = [
        dict(zip(("width", "needed", "low", "high"), (width, *_numbers(found, width)), strict=True))
        for width in WIDTHS
        if width < found.width(found.count)
    ]
    return {
        "metric": "accuracy", "unit": unit, "now": found.count, "value": found.point,
        "width_now": found.width(found.count), "rows": rows,
    }  # fmt: skip


def _numbers(found: Spread, width: float) -> tuple[int | None, int | None, int | None]:
    """Return how many are needed, and how few and how many that could be."""
    return (
        found.needed(width),
        found.scaled(0.025).needed(width),
        found.scaled(0.975).needed(width),
    )


def _sentence(
    metric: str,
    width: float,
    unit: str,
    split: str,
    found: Spread,
    numbers: tuple[int | None, int | None, int | None],
    *,
    is_grouped: bool,
) -> str:
    count, low, high = ("more than ten million" if n is None else f"{n:,}" for n in numbers)
    now = found.width(found.count)
    text = (
        f"For a 95 % interval of {metric.replace('_', ' ')} {percent(width)} wide from end to end: "
        f"about {count} {split} {unit}, as far as {found.count:,} tell ({low} to {high}); "
        f"with these it is {percent(now)} wide"
    )
    if is_grouped:
        return f"{text}."
    return f"{text}. No groups are known: every image counts as independent, which is too few."
