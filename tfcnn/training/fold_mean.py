"""Make one run of the folds of a cross-validation: the mean of their logits answers.

The log loss is convex in the logits. On images that no fold saw, that of the mean is therefore at
most the mean of theirs (Jensen's inequality). No such image is left in a cross-validation: the
figures of the run are out of fold, of each fold's model alone.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from tfcnn import runs
from tfcnn.base import atomic, quiet, sampling
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import by_group, extras, rules, scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.metrics import percent, percents
from tfcnn.evaluation.out_of_fold import Summary
from tfcnn.evaluation.scoring import Report
from tfcnn.inputs.streamed import Streamed
from tfcnn.manifest import Manifest, splits
from tfcnn.manifest.corrections import TEST_IS_CORRECTED
from tfcnn.prediction import two_columns
from tfcnn.prediction.domain import DomainFit
from tfcnn.recipes import Recipe
from tfcnn.runs import Run, keras_file
from tfcnn.training import measure, twin
from tfcnn.training.save import TWIN_IMAGES, write_keras

Floats = npt.NDArray[np.float32]

TOLERANCE = 1e-3  # of a probability: that of a fold may have been rounded to 0
SMALLEST = 1e-38
UNMEASURED = (
    "these are figures of the folds' models, each alone on what it has not seen; predictions are "
    "made by the mean of their logits, which is likely at least as good and is not measured here, "
    "as each image was trained on by some of them: evaluate --data measures it on others"
)
WRITTEN = (
    runs.MODEL, runs.TWIN, runs.DOMAIN, runs.SPLIT, runs.RECIPE, runs.PREDICTIONS, runs.REPORT,
)  # fmt: skip


def why_none(trained: Sequence[Run]) -> str:
    """Return why the folds have no mean, in words; "" where they have one."""
    first = trained[0]
    for run in trained[1:]:
        if run.decoder != first.decoder:
            return f"{run.name} takes other pixels than {first.name}"
    return ""


def united(models: Sequence[Any]) -> Any:
    """Return a model that gives the mean of several models' logits, as probabilities.

    Args:
        models: in their saved form, of the same input and output, each with a layer "head".

    Returns:
        A model of plain Keras layers. Its layer "head" is that of the first model, so that what
        enters it is what the first model finds in an image.
    """
    images = keras.Input(models[0].input_shape[1:], name="image")
    logits = []
    for number, model in enumerate(models):
        own = model.get_layer("head")
        trunk = keras.Model(model.inputs, own.input, name=runs.fold_name(number))
        settings = own.get_config() | {"activation": "linear"}
        settings["name"] = f"head_{number}" if number else "head"
        head = type(own).from_config(settings)
        logits.append(head(trunk(images)))
        head.set_weights(own.get_weights())
    mean = keras.layers.Average(name="mean_logits")(logits)
    kind = "sigmoid" if models[0].output_shape[-1] == 1 else "softmax"
    return keras.Model(images, keras.layers.Activation(kind, name="probs")(mean), name="mean")


def write(
    folder: Path,
    trained: Sequence[Run],
    whole: Manifest,
    summary: Summary,
    recipe: Recipe,
    reporter: Reporter,
) -> Run:
    """Write the mean of the folds into their folder, with a card and a report of its own.

    Args:
        folder: of the cross-validation, with `predictions.csv`.
        trained: one run per fold, finished, that `why_none` has nothing against.
        whole: all images, also those of an official test set.
        summary: of the folds.
        recipe: of all folds.
        reporter: hears if there is no LiteRT twin.

    Raises:
        TfcnnError: if the model does not give the mean of the folds' answers.
    """
    reporter.stage("the mean of the folds")
    tested = {row["path"] for row in runs.read_out_of_fold(folder)}
    splits.write(whole, ["test" if row.path in tested else "" for row in whole.rows],
                 folder / runs.SPLIT)  # fmt: skip
    model, agreement = _write_model(folder, trained, whole, tested, reporter)
    run = Run(folder, _card(trained, model, recipe, whole))
    table = predictions.read(run)
    run = Run(folder, run.card | _rules(run, table, trained, recipe))
    scoring.write(_report(run, table, trained, summary, whole, agreement), folder)
    there = (name for name in WRITTEN if (folder / name).exists())
    runs.write_card(run.recorded(*there))
    return runs.read(folder)


def _write_model(
    folder: Path, trained: Sequence[Run], whole: Manifest, tested: set[str], reporter: Reporter
) -> tuple[Any, dict[str, float | None]]:
    """Write `model.keras`, its twin and `domain.npz`; return the model and how files agree."""
    models = [keras_file.load(run.model_path) for run in trained]
    model = united(models)
    rows = [row for row in whole.rows if row.path in tested]
    few = sampling.evenly([row.label for row in rows], TWIN_IMAGES)
    images = Streamed(whole.source, [rows[place] for place in few], trained[0].decoder)[:]
    probs = _probs(model, images)
    logs = [np.log(np.maximum(_probs(one, images), SMALLEST)) for one in models]
    difference = float(np.abs(softmax(np.mean(logs, axis=0), axis=1) - probs).max())
    if not difference <= TOLERANCE:
        expected = f"the mean of its folds' logits within {TOLERANCE} of a probability"
        raise TfcnnError(folder / runs.MODEL, expected, f"{difference:.2g}", "reporting this")
    write_keras(model, folder / runs.MODEL)
    (folder / runs.TWIN).unlink(missing_ok=True)
    twin_difference = twin.write(model, folder / runs.TWIN, images, probs)
    if twin_difference is None:
        reporter.note(f"note: no LiteRT twin of the mean (why: {quiet.log_path()}): Keras answers")
    (folder / runs.DOMAIN).unlink(missing_ok=True)
    if (trained[0].path / runs.DOMAIN).exists():
        content = trained[0].file(runs.DOMAIN).read_bytes()
        atomic.write_bytes(folder / runs.DOMAIN, content)
    return model, {"forms_mean_difference": difference, "twin_difference": twin_difference}


def _probs(model: Any, images: Any) -> Floats:
    return two_columns(model.predict(np.asarray(images, np.float32), verbose=0))


def _card(trained: Sequence[Run], model: Any, recipe: Recipe, whole: Manifest) -> dict[str, Any]:
    """Return the card without the rules."""
    first = trained[0]
    names = [run.card["network"].get("name", recipe.model.network) for run in trained]
    network = {
        **first.card["network"],
        "name": " and ".join(dict.fromkeys(names)),
        "tries": [],
        "parameters": int(model.count_params()),
    }
    # the head's input is the first fold's, and so is what is usual of it
    reason = f"of {first.name}: {first.card.get('domain_reason')}"
    settings = first.card.get("domain")
    empty = measure.RuleSet(1.0, {"threshold": 0.5}, DomainFit(None, settings, reason), [])
    content = measure.card(
        class_names=first.class_names,
        positive=first.card["positive"],
        decoder=first.decoder,
        rule_set=empty,
        is_leaky=first.is_leaky,
        data=_data(first, whole),
        network=network,
        record=first.card["record"],
    )
    return content | {"folds": len(trained)}


def _data(first: Run, whole: Manifest) -> dict[str, Any]:
    """Return what a fold says of the images, with the corrections of all folds in place of its."""
    content = {key: value for key, value in first.card["data"].items() if key != "corrections"}
    corrected = {"corrections": whole.corrections} if whole.corrections else {}
    return {**content, "notes": list(whole.notes), **corrected}


def _rules(
    run: Run, table: predictions.Table, trained: Sequence[Run], recipe: Recipe
) -> dict[str, Any]:
    """Choose the rules from the out-of-fold answers, as a run's are from those on val."""
    wishes, unit = recipe.evaluation, run.card["data"]["nouns"][1]
    answers = (table.labels, table.probs, table.known_groups, run.positive)
    point = None
    if wishes.guarantee is not None and not run.is_leaky:
        point = rules.promise_threshold(*answers, wishes.guarantee, unit=unit, source=run.name)
    entries = rules.choose(*answers, wishes, point, unit=unit, is_leaky=run.is_leaky)
    promised = [] if point is None else [point.reason]  # it names its source
    unmet = [text if text in promised else _of_folds(text) for text in entries.pop("unmet")]
    of_folds: dict[str, list[str]] = {}
    for one in trained:
        for text in one.card.get("unmet", []):
            of_folds.setdefault(text, []).append(one.name)
    unmet += [f"{', '.join(names)}: {text}" for text, names in of_folds.items()]
    for key in ("threshold_reason", "abstention_reason"):
        if entries[key] not in promised:
            entries[key] = _of_folds(entries[key])
    entries["group_rule"]["reason"] = _of_folds(entries["group_rule"]["reason"])
    return entries | {"unmet": unmet}


def _of_folds(reason: str) -> str:
    """Return a reason of `rules.choose`, which speaks of val, in words for out-of-fold answers."""
    reason = re.sub(r"\b(\d+) val images", r"\1 out-of-fold images", reason)
    reason = re.sub(r"\bval's\b", "the out-of-fold", reason)
    reason = re.sub(r"\bval has\b", "the out-of-fold images have", reason)
    return re.sub(r"\bval\b", "the out-of-fold images", reason)


def _report(
    run: Run,
    table: predictions.Table,
    trained: Sequence[Run],
    summary: Summary,
    whole: Manifest,
    agreement: dict[str, float | None],
) -> Report:
    facts = {
        "epochs": sum(fold["epochs"] for fold in summary.folds),
        "train_seconds": sum(fold["train_seconds"] for fold in summary.folds),
        "decode_seconds": sum(fold["decode_seconds"] for fold in summary.folds),
        "images_per_second": None,
        "waiting_fraction": None,
        "agreement": agreement,
        "engine": run.card["record"].get("engine"),
        **whole.set_aside(),
    }
    report = scoring.score(run, table, facts, [*run.card["data"]["notes"], UNMEASURED])
    report = extras.after_training(report, run, table, run.recipe.evaluation.subgroups_csv)
    return replace(
        report, sentence=_sentence(run, report, summary), patients=_patients(report, trained)
    )


def _patients(report: Report, trained: Sequence[Run]) -> dict[str, Any]:
    """Return what the rules of the folds said of their groups, each of its own test split."""
    parts = [run.report.get("patients", {}).get("splits", {}).get("test") for run in trained]
    own = report.patients["splits"].get("test")
    if own is None or not all(parts):
        return report.patients
    caveat = {"caveat": own["caveat"]} if "caveat" in own else {}
    pooled = by_group.pooled([part for part in parts if part])
    return {**report.patients, "splits": {"test": {**pooled, **caveat}}}


def _sentence(run: Run, report: Report, summary: Summary) -> str:
    images, groups = run.card["data"]["nouns"]
    counts, rows = report.counts["test"], report.splits["test"]
    on, other = f"{counts['images']:,} {images}", "was not trained on it"
    if counts["groups"]:
        on, other = f"{counts['groups']:,} {groups}", f"saw none of its {images}"
    if run.is_leaky:
        on, other = (
            f"{counts['images']:,} {images}",
            f"saw others of its {groups} (a demonstrated leak)",
        )
    if run.is_test_corrected:
        on = f"{on} ({TEST_IS_CORRECTED})"
    accuracy = summary.metrics["accuracy"]
    spread = f"{100 * accuracy['mean']:.1f} % over {len(summary.folds)} folds"
    if accuracy["sd"] is not None:
        spread += f" (sd {100 * accuracy['sd']:.1f})"
    parts = [f"On {on}, each tested by a model that {other}: {percent(rows['accuracy'])}"]
    return "; ".join([*parts, f"mean {spread}", *percents(rows, summary.by_class)]) + "."
