"""What runs beside this one measured: the worth of a leak, the spread over folds, the labels."""

import os
import shlex
from pathlib import Path
from typing import Any

from tfcnn import recipes, runs
from tfcnn.base.errors import TfcnnError
from tfcnn.inputs import direction
from tfcnn.recipes import essence
from tfcnn.report.content import Content

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


def is_adopted(content: Content) -> bool:
    """Say whether somebody else's code trained the run, so that no command can train it again."""
    return content.recipe.model.network == runs.ADOPTED


def leak(content: Content) -> dict[str, Any]:
    """Return the accuracy split by group and split by image, all else equal.

    Returns:
        `by_group` and `by_image`, `{"run", "value", "low", "high"}`, and `points`, the second
        minus the first in points of percent. Where no sibling run measured the other split,
        `by_image` is None and `command` would measure it. `damage` says in a sentence each which
        runs could not be read. Empty where there are no groups.
    """
    run, report = content.run, content.report
    if run.num_folds or content.split != "test" or not any(row["group"] for row in content.rows):
        return {}
    if is_adopted(content):
        return {}
    own = {"run": run.name, **report.splits["test"]["accuracy"]}
    other, damage = _counterpart(content)
    if other is None:
        return {"command": other_split(content), "by_image": None, "damage": damage}
    first, second = (other, own) if run.is_leaky else (own, other)
    if first["value"] is None or second["value"] is None:
        return {}
    points = 100 * (second["value"] - first["value"])
    return {"by_group": first, "by_image": second, "points": points, "damage": damage}


def crossval(content: Content) -> dict[str, Any]:
    """Return what a cross-validation of this recipe found, or the command that would make one.

    For a fold, `part_of` names its cross-validation, which is seldom finished when a fold is. Of an
    adopted model `command` is "". `damage` says in a sentence what could not be read, if anything.
    """
    if content.run.num_folds:
        return {"folder": content.run.name, "part_of": ""}
    part_of = _part_of(content)
    if part_of:
        return {"folder": None, "part_of": part_of}
    if is_adopted(content):
        return {"folder": None, "part_of": "", "command": ""}
    folder, damage = _crossval_folder(content)
    if folder is None:
        command = f"tfcnn crossval {recipe_path(content)}"
        if content.run.name != content.recipe.name:  # else another run's would be replaced
            command += f" --run {shlex.quote(content.run.name)}-crossval"
        return {"folder": None, "part_of": "", "command": command, "damage": damage}
    try:
        sentence = str(runs.read_summary(folder)["sentence"])
    except (TfcnnError, KeyError) as error:  # the report of a sound run does not fail for it
        sentence = f"Its summary cannot be read ({error})."
    return {"folder": folder.name, "sentence": sentence}


def suspects(content: Content) -> dict[str, Any]:
    """Return the labels that a cross-validation doubts, or the command that would rank them.

    Returns:
        `count` of `images`, the first `rows`, and `ranks` by path, of the cross-validation
        `folder`. Without a ranking `folder` is None, `command` would make one, and `damage` says
        what is wrong with the one that is there, if any.
    """
    folder, _ = _crossval_folder(content)
    rows: list[dict[str, str]] = []
    damage = ""
    if folder is not None and (folder / runs.LABELS).exists():
        try:
            rows = runs.read_labels(folder)
        except TfcnnError as error:
            damage = f"The ranking there cannot be read ({error})."
    if folder is None or not rows:
        name = _part_of(content) or (content.run if folder is None else folder).name
        command = f"tfcnn labels {shlex.quote(name)}"
        return {"command": command, "ranks": {}, "folder": None, "damage": damage}
    doubtful = [row for row in rows if row["is_suspect"] == "True"]
    return {
        "count": len(doubtful),
        "images": len(rows),
        "rows": doubtful[:MAX_SUSPECTS],
        "ranks": {row["path"]: int(row["rank"]) for row in doubtful},
        "folder": folder.name,
    }


def _counterpart(content: Content) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the accuracy of the run that differs in nothing but the split, and what is damaged."""
    mine = content.recipe
    candidates, damage = [], []
    for folder in sorted(content.run.path.parent.glob(f"*/{runs.DONE}")):
        if runs.is_crossval(folder.parent):
            continue
        try:
            run = runs.open_run(folder.parent.resolve())
            recipe = run.recipe
            test = run.report.get("splits", {}).get("test")
        except (TfcnnError, OSError, AttributeError) as error:
            damage.append(f"{folder.parent.name} is left out, as it cannot be read ({error}).")
            continue
        if test and run.is_leaky != content.run.is_leaky and essence(recipe) == essence(mine):
            is_other_seed = recipe.data.split.seed != mine.data.split.seed
            is_other_start = recipe.train.seed != mine.train.seed
            row = {"run": run.name, **test["accuracy"]}
            candidates.append((is_other_seed, is_other_start, run.name, row))
    return (min(candidates)[-1] if candidates else None), damage


def _part_of(content: Content) -> str:
    """Return the name of the cross-validation that this run is a fold of; "" if of none."""
    folder = content.run.path.parent
    return folder.name if runs.is_crossval(folder) else ""


def _crossval_folder(content: Content) -> tuple[Path | None, str]:
    """Return the finished cross-validation of this recipe and unit, if any, and what is damaged."""
    if content.run.num_folds:
        return content.run.path, ""
    damage = []
    for name in dict.fromkeys((content.run.name, content.recipe.name)):
        folder = content.run.path.parent / f"{name}-crossval"
        if not (runs.is_crossval(folder) and runs.is_done(folder)):
            continue
        try:
            recipe = recipes.load(str(folder / runs.RECIPE), is_record=True)
        except TfcnnError as error:
            damage.append(f"{folder.name} cannot be read ({error}).")
            continue
        mine = content.recipe
        # each fold settles for itself what the recipe left open
        inputs = direction.as_in(recipe.inputs, mine.inputs)
        recipe = recipe.model_copy(update={"inputs": inputs})
        if essence(recipe) == essence(mine) and recipe.data.split.unit == mine.data.split.unit:
            return folder, ""
    return None, " ".join(damage)
