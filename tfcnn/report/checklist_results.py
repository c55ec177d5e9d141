"""What a run says to the items of a reporting checklist on evaluation and results.

A filler is named as `fills` of an item in `templates/checklists.toml` names it.
"""

from collections.abc import Iterator

from tfcnn import runs
from tfcnn.base.errors import TfcnnError
from tfcnn.evaluation import stress
from tfcnn.evaluation.metrics import is_imbalanced
from tfcnn.report.checklist_reader import Fact, Filler, Reader, registering
from tfcnn.report.content import metric_label

MOST_NAMED = 5
METRICS_RELOADED = "Maier-Hein et al., Metrics reloaded, Nature Methods 21 (2024) 195-212"
FILLERS: dict[str, Filler] = {}
fills = registering(FILLERS)


@fills
def _metrics(r: Reader) -> Iterator[Fact]:
    names = map(metric_label, _names_of_metrics(r))
    yield r.fact(f"{', '.join(names)}; each is defined where it stands.", "metrics")
    if (usual := r.peek("baseline", r.split)) and is_imbalanced(usual):
        r.report("baseline", r.split)
        yield r.fact(
            f"{100 * usual['share']:.1f} % of the {r.images} are {usual['class']}: accuracy "
            "misleads under such imbalance, so balanced accuracy and the figures of each class "
            f"stand beside it ({METRICS_RELOADED}).",
            "metrics",
        )
    if r.content.run.positive is not None:
        yield r.fact(
            "PPV, NPV and accuracy depend on the prevalence; sensitivity, specificity and ROC AUC "
            "do not, and Brier score and calibration error say whether probabilities can be "
            f"believed ({METRICS_RELOADED}).",
            "metrics",
        )


def _names_of_metrics(r: Reader) -> list[str]:
    return list(r.content.run.report["splits"][r.split])


@fills
def _intervals(r: Reader) -> Iterator[Fact]:
    groups = r.report("counts", r.split, "groups")
    unit = f"whole {r.groups} ({groups:,})" if groups else r.images
    tests = r.peek("subgroups", "tests")
    tested = "No hypothesis was tested."
    if tests:
        r.report("subgroups", "tests")
        tested = f"Subgroups: permutation tests, {tests:,} in all, corrected together by Holm."
    yield r.fact(
        f"95 % intervals from 2,000 resamples of {unit}, on the logit scale, with Satterthwaite’s "
        f"degrees of freedom; calls per group have exact intervals (Clopper and Pearson). {tested}",
        "metrics",
    )


@fills
def _robustness(r: Reader) -> Iterator[Fact]:
    try:
        content = stress.read(r.content.run)
    except TfcnnError:  # the page says why it is not shown
        return
    if content:
        yield Fact(str(content["sentence"]), "stress", (f"{runs.STRESS}: sentence",))


@fills
def _explainability(r: Reader) -> Iterator[Fact]:
    yield r.fact(
        "LayerCAM maps of the surest errors (Jiang et al. 2021), a finer Grad-CAM, where the "
        "network has a convolution and the images are still there.",
        "errors",
    )


@fills
def _internal(r: Reader) -> Iterator[Fact]:
    on = {"test": "a test split that was scored once", "val": "val, which training looked at"}
    what = "folds that each had not seen" if r.content.run.num_folds else on[r.split]
    images = r.report("counts", r.split, "images")
    yield r.fact(f"Internal: {images:,} {r.images} of {what}.", "metrics")


@fills
def _performance(r: Reader) -> Iterator[Fact]:
    for name in _names_of_metrics(r):
        label = metric_label(name)
        label = f"{label[0].upper()}{label[1:]}"
        yield r.fact(f"{label} {r.metric('splits', r.split, name)}.", "metrics")


@fills
def _diagnosis(r: Reader) -> Iterator[Fact]:
    if r.content.run.positive is not None:
        names = ("sensitivity", "specificity", "ppv", "npv")
        own = [f"{metric_label(name)} {r.metric('splits', r.split, name)}"
               for name in names]  # fmt: skip
        yield r.fact(f"At the threshold, {', '.join(own)}.", "metrics")
    else:
        average = r.metric("splits", r.split, "balanced_accuracy")
        yield r.fact(f"Balanced accuracy {average}; the matrix shows each class.", "confusion")
    if r.peek("patients", "splits", r.split):
        own = [f"{name} {r.metric('patients', 'splits', r.split, name)}"
               for name in ("sensitivity", "specificity")]  # fmt: skip
        yield r.fact(f"Of whole {r.groups}: {', '.join(own)}.", "groups")


@fills
def _calibration(r: Reader) -> Iterator[Fact]:
    temperature, calibrate = r.card("temperature", default=1.0), r.recipe("evaluation", "calibrate")
    how = f"temperature {temperature:.2f}, fitted on val" if calibrate else "not calibrated"
    if calibrate and r.content.run.num_folds:
        how = "each fold has a temperature that its val gave"
    error = r.metric("splits", r.split, "ece")
    yield r.fact(f"Expected calibration error {error}; {how}.", "calibration")


@fills
def _threshold(r: Reader) -> Iterator[Fact]:
    if r.content.run.positive is None:
        yield r.fact("The answer is the most probable class.", "calibration")
        return
    keys = {"positive": "positive", "threshold": "threshold", "reason": "threshold_reason"}
    if r.peek("operating_point"):
        point = {key: r.report("operating_point", key) for key in keys}
    else:  # a run from before it was written
        point = {key: r.card(name) for key, name in keys.items()}
    why = "the default" if point["reason"] == "default" else point["reason"]
    yield r.fact(
        f"An image is called {point['positive']} from a probability of {point['threshold']:.3g} "
        f"upwards: {why}.",
        "threshold",
    )


@fills
def _unanswered(r: Reader) -> Iterator[Fact]:
    if r.peek("flags", r.split, "out-of-domain"):
        share = r.metric("flags", r.split, "out-of-domain")
        yield r.fact(f"Images unlike the training images are flagged: {share}.", "flags")
    band, why = r.card("abstention", default=None), r.card("abstention_reason", default="off")
    yield r.fact(f"Abstention: {why if band else 'off'}.", "flags")


@fills
def _failures(r: Reader) -> Iterator[Fact]:
    matrix = r.report("confusion", r.split)
    total, right = sum(map(sum, matrix)), sum(row[i] for i, row in enumerate(matrix))
    yield r.fact(
        f"{total - right:,} of {total:,} {r.images} are decided wrongly; the surest are shown.",
        "errors",
    )
    rows = [row for row in r.peek("groups", r.split) or [] if row["errors"]]
    if rows:
        r.report("groups", r.split)
        worst = ", ".join(
            f"{row['group']} ({row['errors']:,} of {row['images']:,})" for row in rows[:MOST_NAMED]
        )
        yield r.fact(f"The {r.groups} with the most errors: {worst}.", "groups")


@fills
def _clusters(r: Reader) -> Iterator[Fact]:
    if r.peek("groups", r.split):
        rows = r.report("groups", r.split)
        shares = sorted(row["accuracy"] for row in rows)
        yield r.fact(
            f"Accuracy of the {len(rows):,} {r.groups}: {100 * shares[0]:.1f} to "
            f"{100 * shares[-1]:.1f} %, median {100 * shares[len(shares) // 2]:.1f} %.",
            "groups",
        )


@fills
def _subgroups(r: Reader) -> Iterator[Fact]:
    sentence = r.report("subgroups", "sentence", default="")
    if sentence:
        yield r.fact(str(sentence), "subgroups")


@fills
def _warnings(r: Reader) -> Iterator[Fact]:
    for text in r.report("warnings"):
        r.report("warnings")
        yield r.fact(f"{text[0].upper()}{text[1:].rstrip('.')}.", "metrics")
