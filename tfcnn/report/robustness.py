"""What a report says of disturbed images and of subgroups, as plain values for the templates."""

from typing import Any

from tfcnn.base.errors import TfcnnError
from tfcnn.evaluation import stress, subgroups
from tfcnn.report.content import Content

FULL_DROP = 0.3  # a fall of accuracy by so much gets the deepest colour


def values(content: Content) -> dict[str, Any]:
    """Return `stress`, `stress_damage` and `subgroups`; each is empty where there is none.

    `stress_damage` says in a sentence why a stress test that is there is not shown, if so: the
    report of a sound run does not fail for it.
    """
    found, damage = {}, ""
    try:
        is_own = content.source is None  # that of other images is nowhere but in their report
        found = stress.read(content.run) if is_own else content.report.stress
    except TfcnnError as error:
        damage = f"The stress test in this folder is not shown ({error})."
    return {
        "stress": _with_tints(found),
        "stress_damage": damage,
        "subgroups": content.report.subgroups,
        "subgroup_remarks": subgroups.remarks(content.report.subgroups)[1:],
        "p_value": subgroups.p_value,
    }


def _with_tints(content: dict[str, Any]) -> dict[str, Any]:
    """Add to each figure of a stress test how deep its colour is, by what accuracy it costs."""
    if not content:
        return {}
    rows = [
        {**row, "levels": [{**level, "tint": _tint(level)} for level in row["levels"]]}
        for row in content["kinds"]
    ]
    return {**content, "kinds": rows}


def _tint(level: dict[str, Any]) -> float:
    fall = max(0.0, -float(level["difference"]["value"] or 0))
    return float(0.6 * min(1.0, fall / FULL_DROP) ** 0.7)
