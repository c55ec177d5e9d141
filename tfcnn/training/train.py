"""`train(recipe, folder)`: from a recipe to a run folder that can be used and believed.

What can be refused, and the reading of images, comes before TensorFlow is imported, so that whoever
waits hears of it at once.
"""

from pathlib import Path
from typing import Any

from tfcnn import quiet, runs, tables
from tfcnn import recipe as recipes
from tfcnn.errors import CheckError, InputError
from tfcnn.progress import Reporter
from tfcnn.recipe import Recipe
from tfcnn.runs import Run
from tfcnn.training import strategy
from tfcnn.training.prepare import Prepared, prepare

__all__ = ["check_same", "may_write", "train"]


def train(
    recipe: Recipe,
    folder: Path,
    *,
    split_csv: Path | None = None,
    resplit: bool = False,
    resume: bool = False,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> Run:
    """Train a recipe into a run folder and score it once on its test split.

    A finished run of that name is moved aside; an unfinished one wants `resume` or `fresh`.

    Returns:
        The run, not stamped as done yet: the caller adds the report and calls `runs.finished`.

    Raises:
        InputError: if the recipe, the data or the run folder cannot be used.
        CheckError: if the split leaks.
    """
    reporter = reporter or Reporter()
    strategy.refuse_clusters()
    resuming = may_write(folder, resume=resume, fresh=fresh)
    if resuming:
        own = folder / "split.csv"
        if split_csv is not None and _assigned(split_csv) != _assigned(own):
            expected, received = f"the split this run was begun with, {own}", str(split_csv)
            raise InputError("--split", expected, received, "--resume without --split")
        split_csv = own
    prepared = prepare(recipe, split_csv, resplit, reporter)
    if resuming:
        check_same(prepared.recipe, folder)
        _check_same_images(prepared, folder / "split.csv")
    quiet.load_tensorflow(reporter)
    from tfcnn.training.learn import learn

    return learn(prepared, folder, resuming, reporter)


def may_write(folder: Path, *, resume: bool, fresh: bool) -> bool:
    """Say whether an unfinished run is to be continued; refuse what would lose something.

    Raises:
        InputError: if the folder is taken, or there is nothing to resume.
    """
    state = runs.state(folder)
    if state == "other":
        raise InputError(
            folder, "a run folder, or a new one", "one with other files in it", "another --run"
        )
    if state == "unfinished" and not resume and not fresh:
        raise InputError(
            folder, "--resume or --fresh", "an unfinished run", "--resume to go on with it"
        )
    if state == "finished" and resume:
        raise InputError(folder, "an unfinished run to resume", "a finished one", "no --resume")
    return resume and state == "unfinished" and (folder / "split.csv").exists()


def check_same(recipe: Recipe, folder: Path) -> None:
    """Refuse to go on with another recipe than a run was begun with.

    Raises:
        InputError: naming the first key that differs.
    """
    recorded = recipes.load(str(folder / "recipe.toml"))
    now, then = (dict(_flat(r.model_dump(exclude={"name"}))) for r in (recipe, recorded))
    for key in {**then, **now}:
        begun, received = then.get(key), now.get(key)
        if begun != received:
            raise InputError(
                f"{folder}: {key}", f"{begun!r}, as it was begun", f"{received!r}", "--fresh"
            )


def _check_same_images(prepared: Prepared, path: Path) -> None:
    """Refuse to go on with more images, for how an image is changed follows from its place.

    Raises:
        CheckError: if there are others than the split was drawn of.
    """
    begun = len(tables.read(path, ("path",), "the split.csv of this run"))
    received = len(prepared.manifest.rows)  # one that is gone was refused before
    if begun != received:
        expected = f"the {begun:,} images it was begun with"
        raise CheckError(path, expected, f"{received:,}", "--fresh")


def _assigned(path: Path) -> dict[str, str]:
    rows = tables.read(path, ("path", "split"), "the split.csv of a run")
    return {row["path"]: row["split"] for row in rows if row["split"]}


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((prefix + key, value))
    return flat
