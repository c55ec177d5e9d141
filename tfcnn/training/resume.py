"""The folder that a training writes: what it may replace there, and how it goes on with a run."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfcnn import recipes, runs
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.inputs import direction
from tfcnn.recipes import Recipe

RESUMABLE = "to go on with what was begun: resume=True, or --resume"
SHOWN = 6  # settings that are named when a run goes on


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
    if state == "absent" and resume:
        begun = ", ".join(runs.unfinished())
        hint = f"no --resume, or one that was begun: {begun}" if begun else "no --resume"
        raise InputError(folder, "an unfinished run to resume", "none of this name", hint)
    # without its split a checkpoint is of no use: reading that says so
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


def as_begun(recipe: Recipe, settings: Sequence[str], folder: Path, reporter: Reporter) -> Recipe:
    """Return the recipe that an unfinished run was begun with, so that nothing is typed again.

    Args:
        recipe: the one that is named now.
        settings: the assignments that are given now; each must be as it was.
        folder: of the unfinished run.
        reporter: hears in what the run differs from the recipe.

    Raises:
        InputError: if another recipe is named, or a setting is given another value.
    """
    begun = recipes.load(str(folder / runs.RECIPE))
    if begun.name != recipe.name:
        hint = f"--resume with {begun.name}, or another --run"
        raise InputError(f"{folder}: recipe", f"{begun.name}, as it was begun", recipe.name, hint)
    check_same(recipes.override(begun, list(settings)), folder)
    now = _flat(_settled_as(recipe, begun).model_dump())
    own = [
        f"{key}={value}" for key, value in _flat(begun.model_dump(exclude_none=True)).items()
        if key in now and now[key] is not None and now[key] != value
    ]  # fmt: skip
    more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
    reporter.note(
        f"going on as it was begun{': ' if own else ''}{', '.join(own[:SHOWN])}{more} "
        f"({folder / runs.RECIPE})"
    )
    return begun


def check_same(recipe: Recipe, folder: Path) -> None:
    """Refuse to go on with another recipe than a run was begun with.

    Raises:
        InputError: naming the first key that differs.
    """
    recorded = recipes.load(str(folder / runs.RECIPE))
    recipe = _settled_as(recipe, recorded)
    now, then = (_flat(r.model_dump(exclude={"name"})) for r in (recipe, recorded))
    for key in {**then, **now}:
        begun, received = then.get(key), now.get(key)
        if begun != received and {begun, received} != {None, ""}:
            raise InputError(
                f"{folder}: {key}", f"{begun!r}, as it was begun", f"{received!r}", "--fresh"
            )


def _settled_as(recipe: Recipe, begun: Recipe) -> Recipe:
    """Settle mirroring as the run did, which settles it by its images."""
    return recipe.model_copy(update={"inputs": direction.as_in(recipe.inputs, begun.inputs)})


def make_room(folder: Path, reporter: Reporter) -> None:
    """Move aside what is in a run's place, and say so; a recipe alone has nothing to keep."""
    names = {path.name for path in folder.glob("[!.]*")}
    if runs.state(folder) != "absent" and names != {runs.RECIPE}:
        reporter.note(f"the earlier run is now {runs.retire(folder)}")


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Note on an exception that leaves the block that the run can be resumed, if it can.

    A run that was there before must have been moved aside.
    """
    try:
        yield
    except BaseException as error:
        if runs.state(folder) == "unfinished" and RESUMABLE not in getattr(error, "__notes__", ()):
            error.add_note(RESUMABLE)
        raise


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by their whole keys; lists become tuples, for files give only lists."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = tuple(value) if isinstance(value, list) else value
    return flat
