"""What a run answered on val, for a page on what a probability means."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.runs import PREDICTIONS, Run

DEMO = Path(__file__).with_name(
    "smears_val.json"
)  # val of `tfcnn train smears --set train.epochs=3`
MOST_IMAGES = 2000
DIGITS = 6  # of a probability


def val_answers(run: Run | None) -> dict[str, Any]:
    """Return labels and probabilities of val, JSON-ready.

    Args:
        run: whose val is meant. None, or a run that was shipped without its predictions, gives
            those of the demo `smears`.

    Returns:
        `run`, `class_names`, `positive` (an index or None), `threshold`, `temperature`, `labels`
        and `probs` of each image, `images`, how many val has, `is_demo`, and `instead_of`, the
        name of a run without predictions, or None.
    """
    if run is None or not (run.path / PREDICTIONS).exists():
        demo: dict[str, Any] = json.loads(DEMO.read_text(encoding="utf-8"))
        images = len(demo["labels"])
        return {**demo, "images": images, "is_demo": True, "instead_of": run.name if run else None}
    rows = [row for row in run.predictions if row["split"] == "val"]
    names = run.class_names
    rows = [row for row in rows if row["label"] in names and row[f"prob_{names[0]}"]]
    every = np.linspace(0, len(rows) - 1, min(len(rows), MOST_IMAGES)).round().astype(int)
    chosen = [rows[i] for i in every]
    return {
        "run": run.name,
        "class_names": list(names),
        "positive": run.positive,
        "threshold": run.threshold,
        "temperature": float(run.card["temperature"]),
        "labels": [names.index(row["label"]) for row in chosen],
        "probs": [[_short(row[f"prob_{name}"]) for name in names] for row in chosen],
        "images": len(rows),
        "is_demo": False,
        "instead_of": None,
    }


def _short(prob: str) -> float:
    return float(f"{float(prob):.{DIGITS}g}")
