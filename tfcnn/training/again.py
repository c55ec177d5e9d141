"""Which runs can be trained again from their folder, and with what."""

from pathlib import Path

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.recipes import Recipe
from tfcnn.runs import Run

EXPECTED = "a run that tfcnn can train again"
NEEDED = (runs.RECIPE, runs.SPLIT, runs.HISTORY, runs.PREDICTIONS, runs.REPORT)


def precisions_of(run: Run) -> dict[str, str]:
    """Return the precision that a run was trained in, by the way it began; empty if unknown."""
    start = run.card.get("network", {}).get("start")
    precision = run.card.get("record", {}).get("precision")
    return {str(start): str(precision)} if start and precision else {}


def recipe_of(run: Run) -> Recipe:
    """Return the recipe that a run was begun with.

    Raises:
        InputError: if the run cannot be trained again: it was adopted, is shipped without what that
            needs, or went on from another run; or if its images have gone.
    """
    if run.card.get("network", {}).get("start") == runs.ADOPTED:
        hint = "the code that trained the model, and adopting it again"
        raise InputError(run.path, EXPECTED, "an adopted model, which other code trained", hint)
    if run.num_folds:
        hint = f"one of its runs, such as {run.path / runs.fold_name(0)}"
        raise InputError(run.path, EXPECTED, "the mean of a cross-validation", hint)
    for name in NEEDED:
        if not (run.path / name).exists():
            received = f"one without {name}, as a shipped model is"
            raise InputError(run.path, EXPECTED, received, "tfcnn train with its recipe")
    before = run.report.get("continues")
    if before:
        received = f"one that went on from {before.get('run', 'another run')}"
        hint = f"reproducing that one, and `tfcnn train ... --more` of {run.name}"
        raise InputError(run.path, EXPECTED, received, hint)
    recipe = run.recipe
    source = Path(recipe.data.source)
    if source.is_absolute() and not source.exists():
        hint = "putting them back there, or tfcnn train with the folder where they are"
        raise InputError(source, f"the images of {run.name}", "no such folder", hint)
    return recipe
