"""What `model.json` and `report.json` of a run must hold: a run may be a stranger's."""

from typing import Any

from tfcnn.base import shapes

MOST_SIDE = 4096  # px
NONE = type(None)
TEXTS, TEXT_OR_NONE = [str], (str, NONE)
CARD = {
    "version?": int, "class_names": TEXTS, "positive": TEXT_OR_NONE, "threshold": float,
    "threshold_reason?": str, "guarantee?": dict, "temperature?": float,
    "decoder": {
        "image_size": [int], "channels": int, "fit": str, "background?": str, "version?": int,
    },
    "abstention?": ({"low": float, "high": float}, NONE), "abstention_reason?": TEXT_OR_NONE,
    "group_rule?": ({"least_share": (float, NONE), "reason": str}, NONE),
    "unmet?": TEXTS, "domain?": (dict, NONE), "domain_reason?": TEXT_OR_NONE, "leaky": bool,
    "folds?": int,
    "data": {"source?": str, "summary?": str, "notes": TEXTS, "nouns": TEXTS,
             "group_regex": TEXT_OR_NONE, "group_from?": str, "ignore?": TEXTS,
             "corrections?": {"file?": str, "sha256?": str, "of_test?": int}},
    "network?": {"name?": str, "options?": dict}, "sha256": {"*": str},
    "record?": {"versions?": {"*": str}, "precision?": str, "devices?": TEXTS},
}  # fmt: skip
# of a metric that cannot be computed the value is null
METRIC = {"value": (float, NONE), "low": (float, NONE), "high": (float, NONE)}
SUBGROUP = {
    "value": str, "images": int, "groups": int, "accuracy": METRIC, "sensitivity?": METRIC,
    "specificity?": METRIC, "difference": float, "p_corrected": float, "differs": bool,
    "is_few": bool,
}  # fmt: skip
SUBGROUPS = {
    "csv": str, "split": str, "tests": int, "sentence": str, "notes": TEXTS,
    "columns": [{"name": str, "note": str, "refusal": str, "rows": [SUBGROUP]}],
}  # fmt: skip
REPORT = {
    "sentence": str, "warnings": TEXTS, "splits": {"*": {"*": METRIC}},
    "counts": {"*": {"images": int, "groups": int}}, "confusion": {"*": [[int]]},
    "confusion_rule?": str, "operating_point?": dict, "epochs?": int,
    "curves?": dict, "plan?": dict,
    "subgroups?": SUBGROUPS,
}  # fmt: skip


def check_card(card: dict[str, Any]) -> None:
    """Check the content of a `model.json`.

    Raises:
        ValueError: naming what is wrong.
    """
    shapes.check(card, CARD)
    names, decoder = card["class_names"], card["decoder"]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError("class_names are not at least two, each once")
    if card["positive"] is not None and card["positive"] not in names:
        raise ValueError(f"positive is {card['positive']!r}, not one of class_names")
    if not 0 <= card["threshold"] <= 1:
        raise ValueError(f"threshold is {card['threshold']}, not in 0 to 1")
    sides = decoder["image_size"]
    if len(sides) != 2 or not all(1 <= side <= MOST_SIDE for side in sides):
        raise ValueError(f"decoder.image_size is {sides}, not a height and width up to {MOST_SIDE}")
    choices = {"channels": (1, 3), "fit": ("stretch", "pad", "crop"),
               "background": ("black", "white")}  # fmt: skip
    for key, allowed in choices.items():
        if decoder.get(key, allowed[0]) not in allowed:
            raise ValueError(f"decoder.{key} is {decoder[key]!r}, not one of {allowed}")
    if len(card["data"]["nouns"]) != 2:
        raise ValueError("data.nouns are not two")


def check_report(report: dict[str, Any], num_classes: int) -> None:
    """Check the content of a `report.json`.

    Raises:
        ValueError: naming what is wrong.
    """
    shapes.check(report, REPORT)
    if not report["splits"]:
        raise ValueError("splits are empty")
    for split in report["splits"]:
        rows = report["confusion"].get(split, [])
        if split not in report["counts"] or {len(rows), *map(len, rows)} != {num_classes}:
            raise ValueError(f"no counts or confusion of {split} with {num_classes} classes")
    split = report.get("subgroups", {}).get("split")
    if split and split not in report["splits"]:
        raise ValueError(f"subgroups of {split!r}, which is none of its splits")
    point = report.get("operating_point")
    if point:
        shapes.check(point, {"positive": str, "threshold": float}, "operating_point")
