"""What a training may replace in its folder, and what must be the same where it goes on."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfcnn import recipes, runs
from tfcnn.base import tables
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.inputs import direction
from tfcnn.manifest import Manifest
from tfcnn.recipes import Recipe
from tfcnn.training import own_parts

RESUMABLE = "to go on with what was begun: resume=True, or --resume"
MAX_SETTINGS = 6  # that are named when a run goes on


def check_folder(folder: Path, *, resume: bool, fresh: bool, continued: bool = False) -> bool:
    """Refuse a folder that a training may not write to.

    Returns:
        Whether the training goes on with the unfinished run that is there.

    Raises:
        InputError: if something there would be lost, or there is nothing to resume.
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
    if state == "absent" and resume:
        names = ", ".join(runs.unfinished())
        hint = f"no --resume, or one that was begun: {names}" if names else "no --resume"
        raise InputError(folder, "an unfinished run to resume", "none of this name", hint)
    if continued:  # its split is written last: without it, it begins with the other's weights again
        return resume and (folder / runs.SPLIT).exists()
    # a checkpoint without its split is refused when the split is read
    return resume and any((folder / name).exists() for name in (runs.SPLIT, runs.CHECKPOINT))


def refuse_other_source(recipe: Recipe, folder: Path) -> None:
    """Refuse to replace a run by one of other images, whose folder only has the same name.

    Raises:
        InputError: if the run that is there was trained on another source.
    """
    there = runs.source_of(folder)
    if there is None or runs.same_source(there, recipe.data.source):
        return
    hint = f"--run with another name, or --run {folder.name} to move that run aside"
    expected = f"a new run, or one of {recipe.data.source}"
    raise InputError(folder, expected, f"a run of {there}", hint)


def resumed_recipe(
    recipe: Recipe, settings: Sequence[str] | None, folder: Path, reporter: Reporter
) -> Recipe:
    """Return the recipe of the run that a training goes on with, so that nothing is typed again.

    Args:
        recipe: the one that was named now.
        settings: what was typed now to change it: each must be as in the run. None: the recipe was
            given whole, and is returned.
        folder: of the unfinished run; without a recipe there, the one named now is returned.
        reporter: hears in what the run differs from the recipe.

    Raises:
        InputError: if another recipe is named, or a setting has another value.
    """
    path = folder / runs.RECIPE
    if not path.exists():
        return recipe
    recorded = recipes.load(str(path))
    if not own_parts.are_there(recorded):  # cut before any of it was trained
        return recipe
    recipe = own_parts.pinned(recipe, recorded, reporter)
    if settings is None:
        return recipe
    if recorded.name != recipe.name:
        hint = f"--resume with {recorded.name}, or another --run"
        expected = f"{recorded.name}, as it was begun"
        raise InputError(f"{folder}: recipe", expected, recipe.name, hint)
    refuse_other_recipe(recipes.override(recorded, own_parts.as_in(recipe, settings)), folder)
    now = recipes.flat(_with_mirroring_of(recorded, recipe).model_dump())
    then = recipes.flat(recorded.model_dump(exclude_none=True))
    own = [
        f"{key}={value}" for key, value in then.items()
        if key in now and now[key] is not None and now[key] != value
    ]  # fmt: skip
    more = f" and {len(own) - MAX_SETTINGS} more" if len(own) > MAX_SETTINGS else ""
    reporter.note(
        f"going on as it was begun{': ' if own else ''}{', '.join(own[:MAX_SETTINGS])}{more} "
        f"({path})"
    )
    return recorded


def refuse_other_recipe(recipe: Recipe, folder: Path) -> None:
    """Refuse to go on with another recipe than a run was begun with.

    Raises:
        InputError: naming the first key that differs.
    """
    recorded = recipes.load(str(folder / runs.RECIPE))
    recipe = _with_mirroring_of(recorded, own_parts.pinned(recipe, recorded))
    now, then = (recipes.flat(one.model_dump(exclude={"name"})) for one in (recipe, recorded))
    for key in {**then, **now}:
        expected, received = then.get(key), now.get(key)
        if expected != received and {expected, received} != {None, ""}:
            raise InputError(
                f"{folder}: {key}", f"{expected!r}, as it was begun", f"{received!r}", "--fresh"
            )


def resumed_split(folder: Path, split_csv: Path | None) -> Path:
    """Return the path of the split of the run that a training goes on with.

    Raises:
        InputError: if another split was named now.
    """
    own = folder / runs.SPLIT
    if split_csv is not None and _splits_by_path(split_csv) != _splits_by_path(own):
        expected, received = f"the split this run was begun with, {own}", str(split_csv)
        raise InputError("--split", expected, received, "--resume without --split")
    return own


def _splits_by_path(path: Path) -> dict[str, str]:
    rows = tables.read(path, ("path", "split"), "the split.csv of a run").rows
    return {row["path"]: row["split"] for row in rows if row["split"]}


def refuse_other_images(manifest: Manifest, path: Path, hint: str = "--fresh") -> None:
    """Refuse to go on with more images, or with other classes or groups of them.

    An image is augmented by its place among all: with others, half would be learnt from each.

    Args:
        manifest: the images as they are now.
        path: of the split that was made of them.
        hint: what to try where they are others.

    Raises:
        CheckError: if there are others than the split was made of.
    """
    rows = tables.read(path, ("path",), "the split.csv of this run").rows
    if len(rows) != len(manifest.rows):  # an image that is gone was refused before
        expected = f"the {len(rows):,} images it was begun with"
        raise CheckError(path, expected, f"{len(manifest.rows):,}", hint)
    keys = [key for key in ("sha256", "label", "group") if key in rows[0]]
    recorded = {tuple(row[key] for key in keys) for row in rows}
    for row in manifest.rows:
        if tuple(getattr(row, key) for key in keys) not in recorded:
            expected = "its class and group as they were when the run was begun"
            received = f"{row.label}, {row.group or 'no group'}"
            raise CheckError(row.path, expected, received, hint)
    for row, then in zip(manifest.rows, rows, strict=True):
        if row.path != then["path"]:  # where a table gives the splits, they are sorted by it
            expected = f"{then['path']} in this place, as when the run was begun"
            raise CheckError(path, expected, row.path, "the table as it was")


def _with_mirroring_of(recorded: Recipe, recipe: Recipe) -> Recipe:
    """Return a recipe with the mirroring of the run, which its images decided."""
    return recipe.model_copy(update={"inputs": direction.as_in(recipe.inputs, recorded.inputs)})


def make_room(folder: Path, reporter: Reporter) -> None:
    """Move aside a run that is in the place of another, and report it; a recipe alone may go."""
    names = {path.name for path in folder.glob("[!.]*")}
    if runs.state(folder) != "absent" and names != {runs.RECIPE}:
        reporter.note(f"the earlier run is now {runs.retire(folder)}")


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Add a note to an exception that leaves the block: the run can be resumed, where it can.

    A run that was there before must have been moved aside.
    """
    try:
        yield
    except BaseException as error:
        if runs.state(folder) == "unfinished" and RESUMABLE not in getattr(error, "__notes__", ()):
            error.add_note(RESUMABLE)
        raise
