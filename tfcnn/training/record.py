"""What a run keeps on record: `model.json`, the contract for use, and how the training went."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfcnn import runs
from tfcnn.base import threads
from tfcnn.base.records import sha256_of
from tfcnn.training.prepare import Prepared
from tfcnn.training.resume import State

__all__ = ["card", "facts"]


def card(prepared: Prepared, folder: Path, state: State, temperature: float) -> dict[str, Any]:
    """Return the content of `model.json`, before val has set its rules."""
    recipe = prepared.recipe
    files = (runs.MODEL, runs.TWIN, runs.SPLIT)
    return {
        "version": runs.CARD_VERSION,
        "class_names": list(prepared.manifest.class_names),
        "positive": recipe.data.positive or None,
        "decoder": prepared.decoder.to_dict(),
        "threshold": 0.5,
        "threshold_reason": "default",
        "asked": {},
        "temperature": temperature,
        "abstention": None,
        "abstention_reason": "off",
        "group_rule": None,
        "unmet": [],
        "domain": None,
        "domain_reason": "not fitted",
        "leaky": recipe.data.split.unit == "image",
        "data": {
            "source": prepared.manifest.source.name,
            "summary": prepared.manifest.summary(),
            "notes": list(prepared.manifest.notes),
            "nouns": list(prepared.manifest.source.nouns),
            "group_regex": recipe.data.group_regex,
            "group_from": recipe.data.group_from,
            "ignore": list(recipe.data.ignore),
        },
        "network": {"name": recipe.model.network, "options": recipe.model.options},
        "sha256": {name: sha256_of(folder / name) for name in files if (folder / name).exists()},
        "record": {
            "versions": {
                name: version(name)
                for name in ("tfcnn", "tensorflow", "keras", "numpy", "pillow", "ai-edge-litert")
            },
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {threads.cores()} cores, {platform.system()}",
            "precision": state.precision,
            "devices": [device.name for device in tf.config.list_logical_devices()],
        },
    }


def facts(
    prepared: Prepared, state: State, agreement: dict[str, Any], engine: dict[str, str]
) -> dict[str, Any]:
    """Return what `report.json` says of the training besides metrics.

    Args:
        prepared: the images.
        state: of the training, at its end.
        agreement: between the forms and files of the model.
        engine: what computed the predictions; see `Predictor.computed_by`.
    """
    seconds = state.train_seconds
    trained = len(prepared.rows["train"]) * len(state.history)
    return {
        "decode_seconds": prepared.decode_seconds,
        "train_seconds": seconds,
        "train_cpu_seconds": state.train_cpu_seconds,
        "images_per_second": trained / seconds if seconds else None,
        "waiting_fraction": float(np.mean([row["waiting_fraction"] for row in state.history])),
        "epochs": len(state.history),
        "phase_start": state.phase_start,
        "agreement": agreement,
        "engine": engine,
        "quarantined": [
            {"path": row.path, "reason": row.unreadable} for row in prepared.manifest.quarantined
        ],
        "ignored_files": prepared.manifest.source.ignored,
        "left_out": prepared.manifest.source.left_out_lines(),
    }
