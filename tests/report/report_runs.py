"""Run folders as `train` leaves them, from synthetic predictions, by the project's own writers."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfcnn import recipes
from tfcnn.datasets import Source
from tfcnn.evaluation import scoring, table
from tfcnn.evaluation.table import Table
from tfcnn.manifest import Manifest, Row, splits
from tfcnn.runs import Run

NOUNS = {True: ["cells", "patients"], False: ["images", "groups"]}


def draw(
    class_names: list[str], num_images: dict[str, int], num_groups: int, skill: float
) -> Table:
    """Return val and test predictions of a fair model, harder groups among easier ones."""
    rng = np.random.default_rng(7)
    parts = []
    for number, (split, count) in enumerate(num_images.items()):
        labels = rng.integers(0, len(class_names), count).astype(np.int32)
        groups = np.full(count, "", dtype="U8")
        ease = np.full(count, skill)
        if num_groups:
            share = rng.lognormal(0, 0.8, num_groups)
            chosen = rng.choice(num_groups, count, p=share / share.sum())
            groups = np.array([f"C{100 * number + g}" for g in chosen])
            ease = skill * rng.uniform(0.55, 1.25, num_groups)[chosen]
        logits = rng.normal(0, 1.6, (count, len(class_names)))
        logits[np.arange(count), labels] += ease
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
        paths = [f"{class_names[k]}/{g or 'img'}P{i:05d}.png" for i, (k, g) in
                 enumerate(zip(labels, groups, strict=True))]  # fmt: skip
        parts.append((np.array(paths), np.full(count, split), groups, labels, probs))
    return Table(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def draw_images(predictions: Table, root: Path) -> dict[str, str]:
    """Draw a small picture for every prediction, its colour its label; return their sha256."""
    hashes = {}
    rng = np.random.default_rng(5)
    for path, label in zip(predictions.paths.tolist(), predictions.labels.tolist(), strict=True):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (28, 28, 3), dtype=np.uint8)
        pixels[4 + 2 * label :, :, label % 3] += 100
        Image.fromarray(pixels).save(file)
        hashes[path] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashes


def write_split(
    predictions: Table, class_names: list[str], num_train: int, path: Path, hashes: dict[str, str]
) -> None:
    """Write split.csv: the rows of the table, and training rows of groups of their own."""
    grouped = bool((predictions.groups != "").any())
    rows = [
        (f"{class_names[i % len(class_names)]}/T{i:05d}.png", class_names[i % len(class_names)],
         f"T{i % 90}" if grouped else "", "train")
        for i in range(num_train)
    ]  # fmt: skip
    rows += [
        (
            str(predictions.paths[i]),
            class_names[predictions.labels[i]],
            str(predictions.groups[i]),
            str(predictions.splits[i]),
        )
        for i in range(len(predictions.paths))
    ]
    rows.sort()
    rows_of_split = tuple(
        Row(p, label, group, "", hashes.get(p, f"{i:064x}"), f"{i:064x}", 0, 0)
        for i, (p, label, group, _) in enumerate(rows)
    )
    source = Source("fixture", path.parent, ())
    splits.write(Manifest(source, rows_of_split, (), ()), [row[3] for row in rows], path)


def write_history(epochs: int, path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = []
    for epoch in range(1, epochs + 1):
        val_loss = 0.11 + 0.5 * np.exp(-epoch / 2) + rng.uniform(0, 0.03)
        rows.append(
            {
                "epoch": epoch,
                "loss": 0.13 + 0.6 * np.exp(-epoch / 2),
                "sparse_categorical_accuracy": 0.95 - 0.4 * np.exp(-epoch / 2),
                "val_loss": val_loss,
                "val_sparse_categorical_accuracy": 0.965 - 0.4 * np.exp(-epoch / 2),
                "learning_rate": 1e-3,
                "seconds": 9.1,
                "images_per_second": 702.4,
                "waiting_fraction": 0.013,
            }
        )
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def card_of(settings: dict[str, Any], recipe: recipes.Recipe, summary: str) -> dict[str, Any]:
    return {
        "version": 1,
        "class_names": settings["class_names"],
        "positive": recipe.data.positive,
        "decoder": {"image_size": [64, 64], "channels": 3, "fit": "stretch"},
        "threshold": settings["threshold"],
        "threshold_reason": settings["reason"],
        "temperature": 1.23,
        "domain": None,
        "leaky": recipe.data.split.unit == "image",
        "data": {
            "source": recipe.data.source,
            "summary": summary,
            "notes": settings["notes"],
            "nouns": NOUNS[bool(settings["num_groups"])],
            "group_regex": recipe.data.group_regex,
        },
        "network": {"name": "compact", "options": {"dropout": 0.1}},
        "sha256": {"model.keras": "c" * 64, "model.tflite": "d" * 64},
        "record": {
            "versions": {"tfcnn": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1"},
            "python": "3.11.7",
            "machine": "x86_64, 2 cores, Linux",
            "precision": "mixed_bfloat16",
            "devices": ["/device:CPU:0"],
        },
    }


FACTS: dict[str, Any] = {
    "decode_seconds": 6.2,
    "train_seconds": 93.4,
    "images_per_second": 679.3,
    "waiting_fraction": 0.0131,
    "epochs": 10,
    "agreement": {
        "forms_mean_difference": 0.0011,
        "twin_difference": 2.4e-7,
        "keras_evaluate": 0.96,
    },
    "quarantined": [{"path": "Uninfected/empty.png", "reason": "an empty file"}],
    "ignored_files": 2,
}
BINARY: dict[str, Any] = {
    "class_names": ["Parasitized", "Uninfected"],
    "num_images": {"val": 430, "test": 422},
    "num_train": 1633,
    "num_groups": 21,
    "skill": 5.0,
    "data": {"source": "malaria", "positive": "Parasitized", "image_size": 64},
    "threshold": 0.37,
    "reason": "sensitivity at least 0.97 on 430 val images (there: sensitivity 0.970, "
    "specificity 0.941)",
    "notes": ["9,065 cells of 140 patients; not the official archive of 27,558"],
}
KINDS: dict[str, dict[str, Any]] = {
    "binary": {},
    "ten_classes": {
        "class_names": ["ankle boot", "bag", "coat", "dress", "pullover", "sandal", "shirt",
                        "sneaker", "t-shirt/top", "trouser"],
        "num_images": {"val": 200, "test": 400},
        "num_groups": 0,
        "data": {"source": "fashion_mnist", "image_size": 64},
        "threshold": 0.5, "reason": "default", "notes": [],
    },
    "no_test": {
        "num_images": {"val": 430},
        "data": {**BINARY["data"], "split": {"test": "none"}},
    },
    "leaky": {
        "skill": 6.5,
        "data": {**BINARY["data"], "split": {"unit": "image", "demonstration": True}},
    },
}  # fmt: skip


def write_run(
    folder: Path, kind: str = "binary", *, pictures: Path | None = None, **changes: Any
) -> Path:
    """Write a run folder: a kind of `KINDS`, with changes to it, and its images where asked for."""
    settings = {**BINARY, **KINDS[kind], **changes}
    if pictures:
        settings["data"] = {**settings["data"], "source": str(pictures)}
    folder.mkdir(parents=True, exist_ok=True)
    content = {"name": folder.name, "data": settings["data"], "inputs": settings.get("inputs", {})}
    recipe = recipes.parse(content, subject="fixture")
    recipes.write(recipe, folder / "recipe.toml")
    names = settings["class_names"]
    predictions = draw(names, settings["num_images"], settings["num_groups"], settings["skill"])
    images, groups = NOUNS[bool(settings["num_groups"])]
    summary = f"{settings['num_train'] + len(predictions.paths):,} {images}"
    if settings["num_groups"]:
        summary += f" of {90 + len(set(predictions.groups))} {groups}"
    card = card_of(settings, recipe, summary)
    run = Run(folder, card)
    (folder / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    table.write(run, predictions)
    scoring.write(scoring.score(run, predictions, FACTS), folder)
    hashes = draw_images(predictions, pictures) if pictures else {}
    write_split(predictions, names, settings["num_train"], folder / "split.csv", hashes)
    write_history(10, folder / "history.csv")
    return folder
