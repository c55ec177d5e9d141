"""What the saved model says of val and test, and the rules that val gives: the rest of the card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.base.errors import CheckError
from tfcnn.base.progress import Reporter
from tfcnn.base.records import sha256_of
from tfcnn.evaluation import calibration, metrics, rules
from tfcnn.evaluation.table import Table
from tfcnn.prediction import Predictor, domain, flags
from tfcnn.prediction.domain import Domain
from tfcnn.recipes import InputSettings
from tfcnn.runs import Run
from tfcnn.training.prepare import Prepared

__all__ = ["predict", "refuse_no_answer"]

Floats = npt.NDArray[np.float32]
PART = 1024


def predict(prepared: Prepared, run: Run, reporter: Reporter | None = None) -> Table:
    """Predict val and test with the saved model, as `predict` will, and complete the run's card.

    Operating point, abstention band, domain and the rule for groups come from val alone. Writes
    `domain.npz` where val is large enough for one.
    """
    names = [name for name in ("val", "test") if len(prepared.rows[name])]
    rows = np.concatenate([prepared.rows[name] for name in names])
    predictor = Predictor(run, note=reporter.note if reporter else None)
    usual = _usual(prepared, predictor)
    probs, logs = _answers(prepared, predictor, rows, usual)
    refuse_no_answer(run.path, probs, [prepared.manifest.rows[row].path for row in rows])
    groups = prepared.groups[rows]
    is_val = np.arange(len(rows)) < len(prepared.rows["val"])
    labels, known = prepared.labels[rows], groups if (groups != "").all() else None
    val_groups = None if known is None else known[is_val]
    _decide(prepared, run, labels[is_val], probs[is_val], val_groups)
    fitted = domain.calibrate(usual, None if logs is None else logs[is_val], val_groups)
    _keep(run, fitted)
    run.card["record"]["engine"] = predictor.computed_by
    scaled = None if logs is None or not fitted.domain else fitted.domain.scaled(logs)
    rows_flags = flags(probs, run.positive, run.abstention, fitted.domain, scaled)
    return Table(
        paths=np.array([prepared.manifest.rows[row].path for row in rows], dtype=np.str_),
        splits=np.array([prepared.splits[row] for row in rows], dtype=np.str_),
        groups=groups,
        labels=labels,
        probs=probs,
        flags=np.array([flag for flag, _ in rows_flags], dtype=np.str_),
    )


def refuse_no_answer(folder: Path, probs: Floats, paths: Sequence[str]) -> None:
    """Refuse a network that gives NaN or infinity: nothing can be chosen or measured by it.

    Args:
        folder: of the run.
        probs: float `(images, classes)`.
        paths: of the images.

    Raises:
        CheckError: naming the first image without an answer.
    """
    lost = np.flatnonzero(~np.isfinite(probs).all(axis=1))
    if len(lost):
        count = f"none for {len(lost):,} of {len(probs):,} images"
        hint = "--fresh with a lower train.learning_rate, or train.precision=float32"
        received = f"{count}, such as {paths[lost[0]]}"
        raise CheckError(folder, "a network that answers with numbers", received, hint)


def _usual(prepared: Prepared, predictor: Predictor) -> Domain | None:
    """Fit to training images, some of them where there are many."""
    train = prepared.rows["train"]
    drawn = np.random.default_rng(0).permutation(len(train))[: domain.TRAIN_IMAGES]
    rows = np.sort(train[drawn])
    if not len(rows):
        return None
    parts = [
        predictor.probs_and_features(prepared.images[part])[1]
        for part in np.array_split(rows, -(-len(rows) // PART))
    ]
    return domain.fit(prepared.images[rows], np.concatenate(parts))


def _answers(
    prepared: Prepared, predictor: Predictor, rows: npt.NDArray[np.int64], usual: Domain | None
) -> tuple[Floats, Floats | None]:
    """Return probabilities and, with a domain, log distances, a part of the images at a time."""
    probs, logs = [], []
    for start in range(0, len(rows), PART):  # the array may be larger than memory
        images = prepared.images[rows[start : start + PART]]
        answered, features = predictor.probs_and_features(images)
        probs.append(answered)
        if usual is not None:
            logs.append(usual.log_distances(images, features))
    return np.concatenate(probs), np.concatenate(logs) if logs else None


def _decide(
    prepared: Prepared,
    run: Run,
    labels: npt.NDArray[np.int32],
    probs: Floats,
    groups: npt.NDArray[np.str_] | None,
) -> None:
    """Choose on val, and put on the card, what turns probabilities into decisions."""
    wishes, positive = prepared.recipe.evaluation, prepared.positive
    run.card.update(rules.choose(labels, probs, groups, positive, wishes))
    if wishes.calibrate:
        run.card["unmet"] += _uncalibrated(labels, run.card["temperature"])
    run.card["unmet"] += _learnt_nothing(prepared, labels, probs)


def _uncalibrated(labels: npt.NDArray[np.int32], temperature: float) -> list[str]:
    """Say why probabilities may not be honest, where val could not make them so."""
    if len(np.unique(labels)) < 2:
        return ["probabilities are not calibrated: val has images of one class only"]
    if temperature in calibration.TEMPERATURES:
        return [f"probabilities may not be calibrated: the search ended at its limit {temperature}"]
    return []


def _learnt_nothing(prepared: Prepared, labels: npt.NDArray[np.int32], probs: Floats) -> list[str]:
    """Say where val is answered no better than luck would, and what of the recipe may be why."""
    names = prepared.manifest.class_names
    usual = metrics.commonest_class(np.bincount(labels, minlength=len(names)), names)
    right = int((probs.argmax(axis=1) == labels).sum())
    if usual["share"] == 1 or not metrics.may_be_luck(right, len(labels), usual):
        return []
    said = (
        f"val: {right:,} of {len(labels):,} right may be no better than luck: always saying "
        f"{usual['class']} gives {100 * usual['share']:.1f} %. Try more images or epochs "
        f"(--set train.epochs={2 * prepared.recipe.train.epochs}), or a larger data.image_size"
    )
    if metrics.is_imbalanced(usual) and prepared.recipe.train.class_weights == "none":
        said += ", or --set train.class_weights=balanced"
    turned = _turned(prepared.recipe.inputs)
    if turned:
        off = " ".join(f"--set {key}=false" for key in turned)
        said += f". Training images are mirrored or turned: where direction tells classes, {off}"
    return [said]


def _turned(inputs: InputSettings) -> list[str]:
    """Return the settings by which training images are mirrored or turned."""
    own = [f"augment.{key}" for key in ("flip_horizontal", "flip_vertical", "rotate90")
           if getattr(inputs.augment, key)]  # fmt: skip
    keras = [f"generator.{key}" for key in ("horizontal_flip", "vertical_flip")
             if inputs.generator.get(key)]  # fmt: skip
    return [f"inputs.{key}" for key in own + keras]


def _keep(run: Run, fitted: domain.Fitted) -> None:
    """Write the domain beside the model and its numbers on the card."""
    settings: dict[str, Any] | None = fitted.settings
    run.card.update(domain=settings, domain_reason=fitted.reason)
    path = run.path / runs.DOMAIN
    if fitted.domain is None:
        path.unlink(missing_ok=True)  # of a run that was cut here and resumed
        return
    atomic.write_bytes(path, domain.to_bytes(fitted.domain))
    run.card["sha256"][runs.DOMAIN] = sha256_of(path)
