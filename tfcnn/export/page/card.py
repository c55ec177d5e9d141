"""The model card in a page: what the model is for, how good it is, and its limits."""

from typing import Any

from tfcnn.evaluation import scoring
from tfcnn.report import model_card
from tfcnn.runs import Run

NOT_MEDICAL = "Not a medical device: no diagnosis may rest on it."


def content(run: Run) -> dict[str, Any]:
    """Return the words of the card, JSON-ready.

    Returns:
        `use` and `result`, each a text; `limits`, a list; `facts`, pairs of a name and a text.
    """
    use, result, limits = _of_report(run) if run.report else _of_readme(run)
    limits = [NOT_MEDICAL, *(one for one in limits if one != NOT_MEDICAL)]
    if run.doubt and not any(run.doubt[1:] in one for one in limits):
        limits.append(f"{run.doubt[0].upper()}{run.doubt[1:]}.")
    return {"use": use, "result": result, "limits": limits, "facts": _facts(run)}


def _of_report(run: Run) -> tuple[str, str, list[str]]:
    report = scoring.load(run)
    limits = model_card.limits(run, report, report.main_split)
    return model_card.intended_use(run), report.sentence.replace("`", ""), limits


def _of_readme(run: Run) -> tuple[str, str, list[str]]:
    """Return the words of a model that was shipped with a README in place of its report."""
    path = run.path / "README.md"
    if not path.is_file():
        return model_card.intended_use(run), "", []
    text = path.read_text(encoding="utf-8")
    use = text.split("\n\n")[1]
    result = _section(text, "How good").replace("**", "").replace("\n\n", " ")
    limits = [line.removeprefix("- ") for line in _section(text, "Limits").splitlines()]
    return use, result, limits


def _section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n\n")[2].partition("\n\n## ")[0].strip()


def _facts(run: Run) -> list[list[str]]:
    card, names = run.card, run.class_names
    height, width, channels = run.decoder.shape
    facts = [
        ["Learnt from", f"{card['data']['source']}: {card['data']['summary']}"],
        ["Network", card["network"]["name"]],
        ["Takes", f"{height} x {width} px, {'grey' if channels == 1 else 'colour'}, {_fit(run)}"],
    ]
    if run.positive is not None:
        threshold = f"{names[run.positive]} from a probability of {run.threshold:.4g} on"
        facts.append(["Decision", f"{threshold} ({card['threshold_reason']})"])
    band = run.abstention
    if band is not None:
        facts.append(["Abstains", f"between {band[0]:.4g} and {band[1]:.4g}"])
    facts.append(["Unlike the training images", card.get("domain_reason", "not looked for")])
    return facts


def _fit(run: Run) -> str:
    words = {"stretch": "stretched to that size", "pad": "padded with the background"}
    return words.get(run.decoder.fit, "the middle of the picture")
