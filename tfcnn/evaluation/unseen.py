"""A threshold promised by the patients of a cross-validation, each predicted by a model of others.

These models are not the one that ships. The promise is of their probabilities, and carries over to
another model of the same recipe as far as it answers alike; the words say so.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tfcnn import recipes, runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import rules
from tfcnn.evaluation.labels import answers, crossval_folder
from tfcnn.evaluation.rules import OperatingPoint
from tfcnn.inputs import direction
from tfcnn.recipes import Guarantee, Recipe
from tfcnn.runs import Run


def promise(run: Run, positive: int, wish: Guarantee, crossval: str | Path) -> OperatingPoint:
    """Return the threshold of a run that the patients of a cross-validation promise.

    Those of the run's own test split have no part in it.

    Args:
        run: of the same recipe.
        positive: index of the positive class of two.
        wish: what is to be promised.
        crossval: its name or path, or what it was made of.

    Raises:
        InputError: if there is none of this recipe and these images.
        CheckError: if it is a demonstrated leak, or damaged.
    """
    folder = crossval_folder(crossval)
    theirs = recipes.load(str(folder / runs.RECIPE), is_record=True)
    if theirs.data.split.unit == "image":
        hint = "one split by group"
        raise CheckError(folder, "a cross-validation that does not leak", "a leak", hint)
    rows, path = runs.read_out_of_fold(folder), folder / runs.PREDICTIONS
    names, labels, probs = answers(rows, path)
    own = {row["path"]: row for row in run.split}
    if names != list(run.class_names) or not {row["path"] for row in rows} <= own.keys():
        received = "one of other images or classes"
        raise InputError(folder, "a cross-validation of this run's images", received, "its own")
    if _of_models(theirs, run.recipe) != _of_models(run.recipe, run.recipe):
        hint = f"tfcnn crossval {run.path / runs.RECIPE}"
        raise InputError(folder, "a cross-validation of this run's recipe", "another one", hint)
    kept = np.flatnonzero([own[row["path"]]["split"] != "test" for row in rows])
    groups = [rows[i]["group"] for i in kept]
    return rules.promise_threshold(
        labels[kept],
        probs[kept],
        groups if all(groups) else None,
        positive,
        wish,
        unit=run.card["data"]["nouns"][1],
        source=folder.name,
    )


def _of_models(recipe: Recipe, mine: Recipe) -> dict[str, Any]:
    """Return what decides the models of a recipe; what is chosen after a training does not."""
    # each fold settles for itself what the recipe left open
    inputs = direction.as_in(recipe.inputs, mine.inputs)
    content = recipes.essence(recipe.model_copy(update={"inputs": inputs}))
    return content | {"evaluation": content["evaluation"]["calibrate"]}
