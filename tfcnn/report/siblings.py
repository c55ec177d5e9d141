"""What runs beside this one measured: the worth of a leak, the spread over folds, the labels."""

import os
import shlex
from pathlib import Path
from typing import Any

from tfcnn import recipes, runs
from tfcnn.base.errors import TfcnnError
from tfcnn.inputs import direction
from tfcnn.recipes import Recipe
from tfcnn.report.content import Content

__all__ = ["crossval", "leak", "other_split", "recipe_path", "suspects"]

MAX_SUSPECTS = 8


def recipe_path(content: Content) -> str:
    """Return how a command names the recipe of a run: every setting that it was trained with."""
    return shlex.quote(os.fspath(content.run.path / runs.RECIPE))


def other_split(content: Content) -> str:
    """Return the command that trains the same recipe split by image, or by group if this is."""
    if content.run.is_leaky:
        changes, suffix = "--set data.split.unit=group", "by-group"
    else:
        changes = "--set data.split.unit=image --set data.split.demonstration=true"
        suffix = "by-image"
    run = shlex.quote(f"{content.run.name}-{suffix}")
    return f"tfcnn train {recipe_path(content)} {changes} --run {run}"


def leak(content: Content) -> dict[str, Any]:
    """Return the accuracy split by group and split by image, all else equal.

    Returns:
        `by_group` and `by_image`, `{"run", "value", "low", "high"}`, and `points`, the second
        minus the first in points of percent; where no sibling run measured the other, only the
        `command` that would. Empty where no groups are known.
    """
    run, report = content.run, content.report
    if content.shown != "test" or not any(row["group"] for row in content.split):
        return {}
    own = {"run": run.name, **report.splits["test"]["accuracy"]}
    other = _counterpart(content)
    if other is None:
        return {"command": other_split(content), "by_image": None}
    first, second = (other, own) if run.is_leaky else (own, other)
    if first["value"] is None or second["value"] is None:
        return {}
    points = 100 * (second["value"] - first["value"])
    return {"by_group": first, "by_image": second, "points": points}


def crossval(content: Content) -> dict[str, Any]:
    """Return what a cross-validation of this recipe said, or the command that would make one.

    Of a fold, `part_of` names its cross-validation, which is seldom done when a fold is.
    """
    part_of = _part_of(content)
    if part_of:
        return {"folder": None, "part_of": part_of}
    folder = _crossval_folder(content)
    if folder is None:
        command = f"tfcnn crossval {recipe_path(content)}"
        if content.run.name != content.recipe.name:  # else another run's would be replaced
            command += f" --run {shlex.quote(content.run.name)}-crossval"
        return {"folder": None, "part_of": "", "command": command}
    try:
        sentence = str(runs.read_summary(folder)["sentence"])
    except (TfcnnError, KeyError) as error:  # it takes no report of a sound run with it
        sentence = f"Its summary cannot be read ({error})."
    return {"folder": folder.name, "sentence": sentence}


def suspects(content: Content) -> dict[str, Any]:
    """Return the labels that a cross-validation doubts, or the command that would rank them.

    Returns:
        `count` of `images`, the first `rows`, `ranks` by path, and `page`; else `command`.
    """
    folder = _crossval_folder(content)
    rows = _ranked(folder) if folder else []
    if folder is None or not rows:
        name = _part_of(content) or (content.run if folder is None else folder).name
        return {"command": f"tfcnn labels {shlex.quote(name)}", "ranks": {}, "folder": None}
    doubted = [row for row in rows if row["is_suspect"] == "True"]
    return {
        "count": len(doubted),
        "images": len(rows),
        "rows": doubted[:MAX_SUSPECTS],
        "ranks": {row["path"]: int(row["rank"]) for row in doubted},
        "folder": folder.name,
    }


def _ranked(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `labels.csv`; none where it is absent or damaged, to be made again."""
    try:
        rows = runs.read_labels(folder)
        return rows if all(row["rank"].isdecimal() for row in rows) else []
    except TfcnnError:
        return []


def _counterpart(content: Content) -> dict[str, Any] | None:
    """Return the accuracy of the run beside this one that differs in nothing but the split."""
    mine = content.recipe
    found = []
    for folder in sorted(content.run.path.parent.glob(f"*/{runs.DONE}")):
        try:
            run = runs.open_run(folder.parent.resolve())
            recipe = run.recipe
            test = run.report.get("splits", {}).get("test")
        except (TfcnnError, OSError, AttributeError):  # a damaged one is not compared with
            continue
        if test and run.is_leaky != content.run.is_leaky and _essence(recipe) == _essence(mine):
            is_other_seed = recipe.data.split.seed != mine.data.split.seed
            is_other_start = recipe.train.seed != mine.train.seed
            row = {"run": run.name, **test["accuracy"]}
            found.append((is_other_seed, is_other_start, run.name, row))
    return min(found)[-1] if found else None


def _essence(recipe: Recipe) -> dict[str, Any]:
    """Return what two recipes must share to be compared: all but name, split and seed."""
    settings = recipe.model_dump()
    del settings["name"], settings["data"]["split"], settings["train"]["seed"]
    return settings


def _part_of(content: Content) -> str:
    """Return the name of the cross-validation that this run is a fold of; "" if of none."""
    folder = content.run.path.parent
    return folder.name if runs.is_crossval(folder) else ""


def _crossval_folder(content: Content) -> Path | None:
    """Return the finished cross-validation of this run's recipe, by the same unit, if any."""
    for name in dict.fromkeys((content.run.name, content.recipe.name)):
        folder = content.run.path.parent / f"{name}-crossval"
        if not (runs.is_crossval(folder) and runs.is_done(folder)):
            continue
        try:
            recipe, mine = recipes.load(str(folder / runs.RECIPE)), content.recipe
        except TfcnnError:  # nobody can tell of what it is
            continue
        settled = direction.as_in(recipe.inputs, mine.inputs)  # each fold settles it for itself
        recipe = recipe.model_copy(update={"inputs": settled})
        if _essence(recipe) == _essence(mine) and recipe.data.split.unit == mine.data.split.unit:
            return folder
    return None
