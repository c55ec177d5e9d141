"""Runs without a model, and predictions made at random."""

import numpy as np

from tfcnn.evaluation.table import Table
from tfcnn.runs import Run

NAMES = ("healthy", "infected", *"abcdefgh")


def make_run(path, num_classes=2, *, positive=True, domain=True, band=None, **changes):
    """A run's card, without a model."""
    card = {
        "class_names": list(NAMES[:num_classes]),
        "positive": "infected" if positive and num_classes == 2 else None,
        "decoder": {"image_size": [8, 8], "channels": 3, "fit": "stretch"},
        "threshold": 0.5, "threshold_reason": "default", "temperature": 1.5, "leaky": False,
        "abstention": band, "abstention_reason": "off", "group_rule": None,
        "domain": {"threshold": 1.0} if domain else None,
        "domain_reason": "fitted" if domain else "not fitted: 9 val images, 99 are needed",
        "data": {"source": "malaria", "summary": "cells", "notes": [],
                 "nouns": ["cells", "patients"], "group_regex": None},
    }  # fmt: skip
    return Run(path, {**card, **changes})


def random_table(num_classes=2, num_groups=20, seed=0, count=600, splits=("val", "test")):
    """Predictions right about four times of five; a third of the groups has no positive."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, num_groups, count)
    labels = rng.integers(0, num_classes, count)
    labels[group % 3 == 0] *= labels[group % 3 == 0] != 1
    logits = rng.normal(size=(count, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Table(
        paths=np.array([f"{i}.png" for i in range(count)]),
        splits=np.array(splits)[np.arange(count) % len(splits)],
        groups=np.char.add("C", group.astype(str)),
        labels=labels.astype(np.int32),
        probs=probs.astype(np.float32),
        flags=np.where(rng.random(count) < 0.05, "out-of-domain", ""),
    )
