"""How many images were flagged, and how right a run is on the others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.evaluation import intervals, metrics
from tfcnn.evaluation.intervals import undefined
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table, sample_of
from tfcnn.prediction import ABSTAIN, OUT_OF_DOMAIN
from tfcnn.runs import Run


def measure(run: Run, part: Table) -> dict[str, Any]:
    """Return the share of each flag in a split, and what is right of the answered.

    Args:
        run: whose flags they are.
        part: one split, with its flags.

    Returns:
        `out-of-domain`, `abstain` and `answered` (no flag), each `{"count", "value", "low",
        "high"}`; with an abstention band, `of_answered`: the share decided right (`accuracy`)
        and, with a positive, sensitivity and specificity of the answered images.
    """
    flags, groups = part.flags, part.known_groups
    if flags is None:
        return {OUT_OF_DOMAIN: undefined("measured before flags were")}
    outside, abstained = flags == OUT_OF_DOMAIN, flags == ABSTAIN
    content: dict[str, Any] = {OUT_OF_DOMAIN: _share(outside, groups)}
    if not run.card.get("domain"):
        reason = run.card.get("domain_reason", "trained before this was fitted")
        content[OUT_OF_DOMAIN] = undefined(reason)
    if run.abstention is None:
        return content
    answered = ~(outside | abstained)
    content[ABSTAIN], content["answered"] = _share(abstained, groups), _share(answered, groups)
    content["of_answered"] = _answered(run, part, groups, answered)
    return content


def _share(hits: NDArray[np.bool_], groups: NDArray[np.str_] | None) -> dict[str, Any]:
    """Return the count of some images beside their share."""
    return {"count": int(hits.sum()), **intervals.of_share(hits, groups)}


def sentences(content: dict[str, Any]) -> list[str]:
    """Return in words what `measure` returned; nothing for a run without flags."""
    lines = []
    outside = content.get(OUT_OF_DOMAIN)
    if outside and outside["value"] is None:
        lines.append(f"Out of domain: {outside['reason']}.")
    elif outside:
        lines.append(f"Flagged as out of domain: {outside['count']:,}, {percent(outside)}.")
    if ABSTAIN in content:
        lines.append(
            f"Left unanswered: {percent(content[ABSTAIN])}; "
            f"of the answered {percent(content['of_answered']['accuracy'])} are right."
        )
    return lines


def _answered(
    run: Run, part: Table, groups: NDArray[np.str_] | None, answered: NDArray[np.bool_]
) -> dict[str, Any]:
    names = metrics.of_parts(run.positive)
    if not answered.any():
        return {name: undefined("no image is answered") for name in names}
    sample = sample_of(run, part.take(np.flatnonzero(answered)))
    decided = np.eye(sample.num_classes)[sample.decision]  # certain: the decision, not the odds
    own = None if groups is None else groups[answered]
    certain = Sample(
        sample.labels, decided, own, positive=run.positive, class_names=run.class_names
    )
    return intervals.rows(certain, names)
