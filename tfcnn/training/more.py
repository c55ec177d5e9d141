"""Continue a finished run for more epochs, as a new run that begins with its weights.

Images, split and recipe are those of the finished run, which is not changed. The epochs are counted
on from its last one, so that no image is changed again as it was before. A finished run keeps no
optimizer, and its rate has mostly fallen to 0. So optimizer and schedule begin anew, over the
further epochs alone; a rate that was lowered at a plateau stays as low.

`recipe_of` refuses what can be refused before an image is read. `begin_with` needs TensorFlow.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn import recipes, runs
from tfcnn.base.errors import InputError
from tfcnn.manifest import Manifest
from tfcnn.recipes import Recipe
from tfcnn.runs import Run, keras_file
from tfcnn.training import resume

if TYPE_CHECKING:
    from tfcnn.training.learn import Begun

COUNTED = ("train.epochs", "train.finetune_epochs")


def recipe_of(run: Run, more: int, settings: Sequence[str]) -> Recipe:
    """Return the recipe of a run, with more epochs, and begun as the run was.

    Args:
        run: a finished one.
        more: how many epochs.
        settings: assignments that change `[train]`, such as its rate.

    Raises:
        InputError: if the run cannot be continued, or a setting would change more than `[train]`.
    """
    if isinstance(more, bool) or not isinstance(more, int) or more < 1:
        raise InputError("--more", "a whole number of epochs, at least 1", repr(more), "--more 10")
    for key, _ in map(recipes.read_assignment, settings):
        if key in COUNTED or not key.startswith("train."):
            hint = "--more N for epochs, or a new run"
            raise InputError(f"--set {key}", "another key of [train] beside --more", key, hint)
    _refuse(run)
    content, network = run.recipe.model_dump(), run.card["network"]
    start = network.get("start") or run.recipe.model.start or "scratch"
    name = "finetune_" if start == "finetune" else ""
    train = content["train"] | {f"{name}epochs": _epochs(run) + more, "warmup_epochs": 0.0}
    if run.recipe.train.schedule == "reduce_on_plateau":
        train[f"{name}learning_rate"] = run.history["learning_rate"][-1]
    content["train"] = train
    content["data"]["image_size"] = run.decoder.image_size
    content["model"] |= {"options": network["options"], "start": start}
    if Path(run.recipe.model.network).name != network["name"]:  # val chose another one
        content["model"]["network"] = network["name"]
    recipe = recipes.override(recipes.parse(content, str(run.path)), list(settings))
    if recipe.train.warmup_epochs >= more:
        received = f"{recipe.train.warmup_epochs:g}"
        raise InputError("train.warmup_epochs", f"less than the {more} of --more", received, "1")
    return recipe


def _refuse(run: Run) -> None:
    """Refuse a run that has no epochs to be continued, or has not kept what that needs."""
    start = run.card["network"].get("start")
    if start == "frozen":
        received = "a linear model of features (frozen), which has no epochs"
        hint = "a new run with --set model.start=finetune"
        raise InputError(run.path, "a run that was trained in epochs", received, hint)
    if run.num_folds:
        received, hint = "the mean of a cross-validation", f"a fold: {run.path / runs.fold_name(0)}"
        raise InputError(run.path, "a run of one network", received, hint)
    if start == runs.ADOPTED:
        received, hint = "an adopted model", "adopting it again after its own code has trained it"
        raise InputError(run.path, "a run that tfcnn trained", received, hint)
    for name in (runs.RECIPE, runs.SPLIT, runs.HISTORY, runs.REPORT):
        if not (run.path / name).exists():
            received = f"one without {name}, as a shipped model is"
            hint = "a new run: tfcnn train FOLDER"
            raise InputError(run.path, "a run with all that it was trained with", received, hint)


def _epochs(run: Run) -> int:
    """Return how many epochs a run had, with those of the runs that it continued."""
    return len(run.history["epoch"])


def refuse_other_images(run: Run, manifest: Manifest) -> None:
    """Refuse images that are not those of a run.

    Raises:
        CheckError: if there are others.
    """
    resume.refuse_other_images(manifest, run.file(runs.SPLIT), "the images as they were")


def describe(run: Run, recipe: Recipe) -> str:
    """Return in words what is continued, and how."""
    train = recipe.train
    epochs = train.finetune_epochs if recipe.model.start == "finetune" else train.epochs
    return (
        f"{run.name} had {_epochs(run)} epochs: it goes on for {epochs - _epochs(run)} more, over "
        f"which the schedule ({train.schedule}) begins anew"
    )


def begin_with(run: Run, begun: "Begun") -> "Begun":
    """Return a training that begins with the weights of a run, after its last epoch.

    Args:
        run: a finished one.
        begun: a training of the recipe of `recipe_of`, which has learnt nothing yet.

    Raises:
        InputError: if the saved model lacks what the training needs.
        CheckError: if the saved model is not the one that was measured.
    """
    from tfcnn.training import form
    from tfcnn.training.checkpoint import Start

    prepared, state, report = begun.prepared, begun.state, run.report
    weights = form.training_weights(
        prepared.recipe.model,
        prepared.decoder.shape,
        len(run.class_names),
        keras_file.load(run.file(runs.MODEL)),
        run.card["temperature"],
    )
    if weights is None:
        received = f"{run.card['network']['name']}, whose auxiliary classifiers are not saved"
        raise InputError(run.path, "a network with one head", received, "a new run")
    state.history = _rows(run)
    state.epoch, state.head = _epochs(run), report.get("head", {})
    state.train_seconds = report["train_seconds"]
    state.train_cpu_seconds = report["train_cpu_seconds"]
    before = report.get("continues")  # an earlier tfcnn did not count the runs
    runs_before = before.get("runs", 2) if before else 1
    state.continues = {"run": run.name, "epochs": state.epoch, "runs": runs_before + 1}
    return replace(begun, start=Start(state, tuple(weights)))


def _rows(run: Run) -> list[dict[str, Any]]:
    history = run.history
    rows = [dict(zip(history, row, strict=True)) for row in zip(*history.values(), strict=True)]
    return [{**row, "epoch": int(row["epoch"])} for row in rows]
