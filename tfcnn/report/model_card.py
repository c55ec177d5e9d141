"""The words of a model card: what a model is for, and what it must not be taken for."""

from typing import Any

from tfcnn import datasets
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.scoring import Report
from tfcnn.manifest.corrections import TEST_IS_CORRECTED
from tfcnn.runs import Run


def intended_use(run: Run) -> str:
    """Say in one or two sentences what a model may be used for."""
    data = run.card["data"]
    classes = _list(run.class_names)
    if known := data.get("intended_use"):  # of a user's own source, which is not run here
        return str(known)
    if own := datasets.part(data["source"], "intended_use"):
        return str(own(data["summary"]))
    return (
        f"Telling {classes} apart in images like those it was measured on ({data['source']}: "
        f"{data['summary']}), for research and teaching, where a person looks at what matters."
    )


def limits(run: Run, report: Report, split: str) -> list[str]:
    """Return the limits of use, the gravest first.

    Args:
        run: the run.
        report: its figures.
        split: the split they are taken from.
    """
    data, metrics = run.card["data"], report.splits[split]
    texts = []
    if run.is_leaky:
        texts.append("A demonstration of a leak: its figures flatter, and it is not to be used.")
    if run.is_test_corrected:
        texts.append(f"{TEST_IS_CORRECTED.capitalize()}: its figures are not of labels as given.")
    if run.positive is not None:
        texts.append("Not a medical device: no diagnosis may rest on it.")
    if on_positive := datasets.part(data["source"], "positive_limit", run.card["positive"]):
        texts.append(on_positive(metrics.get("specificity", {}).get("value")))
    texts += data.get("limits") or datasets.part(data["source"], "LIMITS") or ()
    if not report.counts[split]["groups"]:
        texts.append(
            "No groups are known: pictures of one patient, slide or video may be in training and "
            "here alike, which flatters."
        )
    texts += [
        "Measured on one source. Another microscope, stain, camera or population can do much "
        "worse.",
        f"It knows {_list(run.class_names)} only, and gives one of these for any picture, also "
        "for one that shows none of them.",
    ]
    if run.doubt:
        texts.append(f"{run.doubt[0].upper()}{run.doubt[1:]}.")
    if origin := run.card["network"].get("origin"):
        texts.append(
            f"What it sees, it learnt from {origin}: colours, textures and shapes of everyday "
            "things. Pictures of another kind, such as X-rays, may need another network."
        )
    if run.positive is not None:
        texts.append(_prevalence(run, report, split))
    if run.card.get("guarantee"):  # kept or not, its reason says so
        reason = run.card["threshold_reason"].removeprefix("default, as ")
        texts.append(f"Of its threshold: {reason}.")
    return texts


def readme(
    run: Run,
    report: Report,
    crossval: dict[str, Any] | None = None,
    stress: dict[str, Any] | None = None,
) -> str:
    """Return the model card of a run that is shipped without its report, as Markdown.

    Args:
        run: the run.
        report: its figures.
        crossval: the `summary.json` of its recipe's cross-validation, where all images were
            trained on and none is left to test.
        stress: its stress test, where one was measured.
    """
    data, split = run.card["data"], report.main_split
    figures = [report.sentence]
    if crossval and split == "val":
        images, groups = data["nouns"]
        others = (
            f"other {groups}' {images}" if report.counts[split]["groups"] else f"other {images}"
        )
        figures = [
            f"{crossval['sentence']} Those were trained as this one was, on {others}. "
            "**This one was trained on all but val: no image is left to test it.** On val, which "
            "chose its temperature and its rules, it has an accuracy of "
            f"{percent(report.splits[split]['accuracy'])}.",
        ]
    record = run.card["record"]
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    disturbed = [f"On disturbed {stress['split']} images: {stress['sentence']}"] if stress else []
    notes = (f"{note}." for note in data["notes"])
    bullets = [*limits(run, report, split), *disturbed, *notes]
    parts = [
        f"# {run.name}: {run.card['network']['name']} on {data['source']}",
        intended_use(run),
        f"    tfcnn predict {run.name} images/     # a run of that name in models/ goes before it",
        "## How good",
        *figures,
        "## Limits",
        "\n".join(f"- {bullet}" for bullet in bullets),
        "## How it was made",
        f"`recipe.toml`, trained in {record['precision']} on {record['machine']} with {versions}. "
        "`history.csv` has its epochs, `seen.npz` the hashes and groups of what it was trained and "
        "tuned on, so that `tfcnn evaluate` refuses to test it on that.",
    ]
    return "\n\n".join(parts) + "\n"


def _prevalence(run: Run, report: Report, split: str) -> str:
    rows, positive = report.confusion[split], run.positive or 0
    share = sum(rows[positive]) / sum(map(sum, rows))
    return (
        f"PPV and NPV hold where {100 * share:.1f} % of the images are "
        f"{run.class_names[positive]}, as here; where fewer are, PPV falls."
    )


def _list(names: tuple[str, ...]) -> str:
    most = 12
    parts = [*names[:most], f"{len(names) - most} others"] if len(names) > most else list(names)
    return " and ".join([", ".join(parts[:-1]), parts[-1]])
