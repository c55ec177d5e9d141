"""Measure a saved model: its answers on val and test, the rules that val gives, the run's card.

The answers give the rules, and the rules give the card. The card is made once, from values.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn import runs
from tfcnn.base import atomic, threads
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.decode import Decoder
from tfcnn.evaluation import calibration, extras, metrics, rules, scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.table import Table
from tfcnn.prediction import Model, ModelFiles, domain, flags
from tfcnn.prediction.domain import Domain, DomainFit
from tfcnn.recipes import InputSettings, Recipe
from tfcnn.runs import Run
from tfcnn.training import own_parts
from tfcnn.training.batches import val_batches
from tfcnn.training.fit import checked_places
from tfcnn.training.making import Making
from tfcnn.training.prepare import Prepared
from tfcnn.training.save import Saved, refuse_no_answer

Floats = npt.NDArray[np.float32]
PART = 1024
FEW = 16
NO_FEATURES = "not fitted: the network does not end in a Dense layer, which would take features"
MEASURED = (runs.MODEL, runs.TWIN, runs.SPLIT, runs.DOMAIN)
WRITTEN = (runs.RECIPE, runs.HISTORY, runs.PREDICTIONS, runs.REPORT)
PACKAGES = ("tfcnn", "tensorflow", "keras", "numpy", "pillow", "ai-edge-litert")


@dataclass(frozen=True)
class Answers:
    """What a saved model says of images.

    Attributes:
        probs: float32 `(images, classes)`, each row sums to 1.
        log_distances: float32 `(images, 2)` from what is usual in train, None where that is not
            known; see `Domain.log_distances`.
        usual: what is usual in train, without a threshold yet.
        engine: what computed them; see `Model.computed_by`.
    """

    probs: Floats
    log_distances: Floats | None
    usual: Domain | None
    engine: dict[str, str]


@dataclass(frozen=True)
class RuleSet:
    """What turns answers into decisions and flags; chosen on val alone.

    Attributes:
        temperature: that is folded into the model.
        entries: of `model.json`: threshold, abstention, the rule for groups, and why.
        fitted: the domain with its threshold.
        unmet: what a reader must know of these rules, and of val.
    """

    temperature: float
    entries: dict[str, Any]
    fitted: DomainFit
    unmet: list[str]


def measure(
    prepared: Prepared, making: Making, saved: Saved, folder: Path, reporter: Reporter
) -> None:
    """Predict val and test with the saved model, and write all that follows from it.

    Writes `domain.npz`, where val is large enough for one, `predictions.csv`, `report.json` and
    `model.json`.

    Args:
        prepared: the images.
        making: how the model came about.
        saved: the model.
        folder: of the run.
        reporter: hears what computes, where that is not LiteRT.

    Raises:
        CheckError: if the network gives NaN or infinity.
        TfcnnError: if Keras' own evaluation disagrees.
    """
    rows = np.concatenate([prepared.rows["val"], prepared.rows["test"]])
    answers = _answer(prepared, rows, making, folder, reporter)
    table = _table(prepared, rows, answers.probs)
    rule_set = _choose(prepared, making, table, answers, saved.temperature)
    _write_domain(rule_set.fitted, folder / runs.DOMAIN)
    content = card(
        class_names=prepared.manifest.class_names,
        positive=prepared.recipe.data.positive,
        decoder=prepared.decoder,
        rule_set=rule_set,
        is_leaky=prepared.recipe.data.split.unit == "image",
        data=_data(prepared),
        network=making.network,
        record=record(making.precision, answers.engine),
    )
    run = Run(folder, content)
    table = replace(table, flags=_flags(run, answers, rule_set.fitted.domain))
    agreement = saved.agreement | {"keras_evaluate": _cross_check(saved.model, prepared, table)}
    predictions.write(run, table)
    facts = {
        **making.facts,
        "decode_seconds": prepared.decode_seconds,
        "agreement": agreement,
        "engine": answers.engine,
        **prepared.manifest.set_aside(),
    }
    report = scoring.score(run, table, facts)
    csv = prepared.recipe.evaluation.subgroups_csv
    scoring.write(extras.after_training(report, run, table, csv), folder)
    names = (*MEASURED, *WRITTEN, *runs.copies(folder))
    there = (name for name in names if (folder / name).exists())
    runs.write_card(run.recorded(*there))


def card(
    *,
    class_names: Sequence[str],
    positive: str | None,
    decoder: Decoder,
    rule_set: RuleSet,
    is_leaky: bool,
    data: dict[str, Any],
    network: dict[str, Any],
    record: dict[str, Any],
) -> dict[str, Any]:
    """Return the content of `model.json`, the contract for use, without the hashes of files.

    Args:
        class_names: in the order of the model's outputs.
        positive: the class that is looked for; None or "" for none.
        decoder: how an image becomes the model's input.
        rule_set: chosen on val.
        is_leaky: whether the split was a stamped demonstration of a leak.
        data: what the model was trained on.
        network: its name, its options and what it began from; see `Making.network`.
        record: how it came about; see `record`.
    """
    return {
        "version": runs.CARD_VERSION,
        "class_names": list(class_names),
        "positive": positive or None,
        "decoder": decoder.to_dict(),
        **rule_set.entries,
        "temperature": rule_set.temperature,
        "unmet": rule_set.unmet,
        "domain": rule_set.fitted.settings,
        "domain_reason": rule_set.fitted.reason,
        "leaky": is_leaky,
        "data": data,
        "network": network,
        "sha256": {},
        "record": record,
    }


def record(precision: str, engine: dict[str, str]) -> dict[str, Any]:
    """Return what computed a model and its answers: versions, machine, devices."""
    return {
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {threads.cores()} cores, {platform.system()}",
        "precision": precision,
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "engine": engine,
    }


def _answer(
    prepared: Prepared,
    rows: npt.NDArray[np.int64],
    making: Making,
    folder: Path,
    reporter: Reporter,
) -> Answers:
    """Ask the files that were saved, as `predict` will; features that are known are not asked."""

    def find(name: str) -> Path | None:
        return folder / name if (folder / name).exists() else None

    shape, num_classes = prepared.decoder.shape, len(prepared.manifest.class_names)
    # which engine is sooner is measured, and may differ from run to run
    is_steady = prepared.recipe.train.deterministic
    files = ModelFiles(folder, find, shape, num_classes)
    model = Model(files, note=reporter.note, seeks_faster=not is_steady)
    usual = _usual(prepared, model, making.features) if making.has_features else None
    probs, logs = [], []
    for start in range(0, len(rows), PART):  # the array may be larger than memory
        images = prepared.images[rows[start : start + PART]]
        part, features = model.probs_and_features(images)
        probs.append(part)
        if usual is not None:
            logs.append(usual.log_distances(images, features))
    whole = np.concatenate(probs)
    refuse_no_answer(folder, whole, prepared.paths(rows))
    return Answers(whole, np.concatenate(logs) if logs else None, usual, model.computed_by)


def _usual(prepared: Prepared, model: Model, known: Floats | None) -> Domain | None:
    """Fit to training images, some of them where there are many.

    Args:
        prepared: the images.
        model: as it was saved.
        known: the features of all images; those of a few are compared with the model's.
    """
    train = prepared.rows["train"]
    order = np.random.default_rng(0).permutation(len(train))[: domain.TRAIN_IMAGES]
    rows = np.sort(train[order])
    if not len(rows):
        return None
    few = rows[:FEW]
    if known is not None:
        expected = model.probs_and_features(prepared.images[few])[1]
        if np.allclose(known[few], expected, rtol=0, atol=1e-3 * float(np.abs(expected).max())):
            return domain.fit(prepared.images[rows], known[rows])
    parts = [
        model.probs_and_features(prepared.images[part])[1]
        for part in np.array_split(rows, -(-len(rows) // PART))
    ]
    return domain.fit(prepared.images[rows], np.concatenate(parts))


def _table(prepared: Prepared, rows: npt.NDArray[np.int64], probs: Floats) -> Table:
    return Table(
        paths=np.array(prepared.paths(rows), dtype=np.str_),
        splits=np.array([prepared.splits[row] for row in rows], dtype=np.str_),
        groups=prepared.groups[rows],
        labels=prepared.labels[rows],
        probs=probs,
    )


def _choose(
    prepared: Prepared, making: Making, table: Table, answers: Answers, temperature: float
) -> RuleSet:
    """Choose all rules on val."""
    wishes, positive, val = prepared.recipe.evaluation, prepared.positive, table.part("val")
    groups = None if table.known_groups is None else val.groups
    unit = prepared.manifest.source.nouns[1]
    is_leaky = prepared.recipe.data.split.unit == "image"
    entries = rules.choose(
        val.labels, val.probs, groups, positive, wishes, unit=unit, is_leaky=is_leaky
    )
    unmet = [*making.remarks, *entries.pop("unmet")]
    if wishes.calibrate:
        unmet += _calibration_warnings(val.labels, temperature)
    unmet += _luck_warnings(prepared.recipe, prepared.manifest.class_names, val.labels, val.probs)
    logs = None if answers.log_distances is None else answers.log_distances[: len(val.labels)]
    fitted = domain.calibrate(answers.usual, logs, groups)
    if not making.has_features:
        fitted = replace(fitted, reason=NO_FEATURES)
    return RuleSet(temperature, entries, fitted, unmet)


def _calibration_warnings(labels: npt.NDArray[np.int32], temperature: float) -> list[str]:
    """Return why probabilities may not be honest, where val could not calibrate them."""
    if len(np.unique(labels)) < 2:
        return ["probabilities are not calibrated: val has images of one class only"]
    if temperature in calibration.TEMPERATURES:
        return [f"probabilities may not be calibrated: the search ended at its limit {temperature}"]
    return []


def _luck_warnings(
    recipe: Recipe, names: Sequence[str], labels: npt.NDArray[np.int32], probs: Floats
) -> list[str]:
    """Return a warning where val is answered no better than by luck, and what to try."""
    usual = metrics.commonest_class(np.bincount(labels, minlength=len(names)), names)
    right = int((probs.argmax(axis=1) == labels).sum())
    if usual["share"] == 1 or not metrics.may_be_luck(right, len(labels), usual):
        return []
    text = (
        f"val: {right:,} of {len(labels):,} right may be no better than luck: always saying "
        f"{usual['class']} gives {100 * usual['share']:.1f} %. Try more images{_more(recipe)}"
    )
    if metrics.is_imbalanced(usual) and recipe.train.class_weights == "none":
        text += ", or --set train.class_weights=balanced"
    keys = _mirror_settings(recipe.inputs) if recipe.model.network != runs.ADOPTED else []
    if keys and recipe.model.start != "frozen":
        off = " ".join(f"--set {key}=false" for key in keys)
        text += f". Training images are mirrored or turned: where direction tells classes, {off}"
    return [text]


def _more(recipe: Recipe) -> str:
    """Return what more may help, after more images, by what the training began from."""
    start, train = recipe.model.start, recipe.train
    if recipe.model.network == runs.ADOPTED:
        return ", or another network"
    if start == "frozen":
        return ", or --set model.start=finetune"
    key = "finetune_epochs" if start == "finetune" else "epochs"
    return f" or epochs (--set train.{key}={2 * getattr(train, key)}), or a larger data.image_size"


def _mirror_settings(inputs: InputSettings) -> list[str]:
    """Return the settings by which training images are mirrored or turned."""
    own = [f"augment.{key}" for key in ("flip_horizontal", "flip_vertical", "rotate90")
           if getattr(inputs.augment, key)]  # fmt: skip
    keras = [f"generator.{key}" for key in ("horizontal_flip", "vertical_flip")
             if inputs.generator.get(key)]  # fmt: skip
    return [f"inputs.{key}" for key in own + keras]


def _write_domain(fitted: DomainFit, path: Path) -> None:
    if fitted.domain is None:
        path.unlink(missing_ok=True)  # of a run that was cut here and resumed
    else:
        atomic.write_bytes(path, domain.to_bytes(fitted.domain))


def _flags(run: Run, answers: Answers, usual: Domain | None) -> npt.NDArray[np.str_]:
    """Return the flag of each image by the rules of a run, str `(images,)`."""
    logs = answers.log_distances
    distances = None if logs is None or usual is None else usual.scaled(logs)
    rows = flags(answers.probs, run.positive, run.abstention, usual, distances)
    return np.array([flag for flag, _ in rows], dtype=np.str_)


def _data(prepared: Prepared) -> dict[str, Any]:
    """Return what `model.json` says of the images."""
    source, settings = prepared.manifest.source, prepared.recipe.data
    return {
        "source": source.name,
        "summary": prepared.manifest.summary(),
        "notes": list(prepared.manifest.notes),
        "nouns": list(source.nouns),
        "group_regex": settings.group_regex,
        "group_from": settings.group_from,
        "groups": prepared.manifest.group_rule,
        "labels": source.labels_csv,
        "ignore": list(settings.ignore),
        **({"corrections": corrected} if (corrected := prepared.manifest.corrections) else {}),
        **own_parts.source_facts(prepared.manifest, settings.source),
    }


def _cross_check(plain: Any, prepared: Prepared, table: Table) -> float:
    """Compare the accuracy from predictions with `model.evaluate`'s, on `checked_places`.

    Raises:
        TfcnnError: if they differ by more than two images on the edge between two classes.
    """
    part, places = table.part("val"), checked_places(prepared)
    kind = "binary" if plain.output_shape[-1] == 1 else "sparse_categorical"
    # to trace it would take longer than these few images do
    plain.compile(loss=f"{kind}_crossentropy", metrics=[f"{kind}_accuracy"], run_eagerly=True)
    evaluated = plain.evaluate(val_batches(prepared, places), verbose=0, return_dict=True)
    value = float(evaluated[f"{kind}_accuracy"])
    counted = float(np.mean((part.probs.argmax(axis=1) == part.labels)[places]))
    if abs(value - counted) > 2 / len(places):
        raise TfcnnError(
            "val accuracy", f"{counted:.5f}, from predictions", f"{value:.5f}, from evaluate()",
            "reporting this as a bug",
        )  # fmt: skip
    return value
