"""The verbs that make runs: `train`, `crossval`, `reproduce`."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_list, as_run, hearing
from tfcnn.api.sources import recipe_for
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.evaluation.out_of_fold import Summary
    from tfcnn.evaluation.reproduction import Reproduction
    from tfcnn.recipes import Recipe
    from tfcnn.runs import Run
    from tfcnn.training.team import Team


def train(
    recipe: "str | Path | Recipe | Run",
    *,
    settings: Iterable[str] = (),
    run: str | None = None,
    split: str | Path | None = None,
    resplit: bool = False,
    resume: bool = False,
    fresh: bool = False,
    more: int | None = None,
    callbacks: Sequence[Any] = (),
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Run":
    """Train a recipe, or the images of a folder of class folders, and score it once.

    A finished run of that name is moved aside, to `.old` beside it, and the reporter hears of it.
    A run of other images is moved aside only where `run` names it; else it is an error.

    With `more`, a finished run is continued, as a new run `NAME-more` that begins with its weights
    and has its images, split and recipe. The finished run is not changed.

    Args:
        recipe: see `recipe_for`; with `more` a finished run, its name or its path.
        settings: assignments `section.key=value` that change the recipe.
        run: name in `models/`, or path, of the run folder; the recipe's name if None.
        split: a `split.csv` to use instead of drawing one.
        resplit: ignore the split that the folder itself is in.
        resume: go on with an unfinished run, with the recipe and settings it was begun with; those
            given here must be the same.
        fresh: move an unfinished run aside and start again.
        more: for how many epochs a run is continued.
        callbacks: Keras' own, which are called in every epoch. They see the training form of the
            network, which takes pixels in [0, 255] and gives logits. The logs of an epoch hold
            `loss`, `accuracy`, `learning_rate`, and `val_loss` and `val_accuracy`.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        The finished run.

    Raises:
        InputError: if recipe or data cannot be used, the run folder is taken, or another process
            of a cluster differs.
        CheckError: if the split leaks.
        SystemExit: in a process of a cluster that is not the chief, when the run is finished.

    Example:
        >>> run = tfcnn.train("cells/")  # doctest: +SKIP
        >>> longer = tfcnn.train(run, more=10)  # doctest: +SKIP
    """
    from tfcnn.training import strategy
    from tfcnn.training import team as teams
    from tfcnn.training.train import train as train_into

    continued = None
    if more is not None:
        if split or resplit:
            raise InputError("--more", "the split of the run", "another split", "no --split")
        whole, folder, continued = _prepare_more(recipe, more, settings, run, resume)
        assignments = None
    else:
        whole, folder, assignments = _prepare(recipe, settings, run, "", resume)
    work = partial(
        train_into,
        whole,
        settings=assignments,
        split_csv=Path(split) if split else None,
        resplit=resplit,
        resume=resume,
        fresh=fresh,
        continued=continued,
        callbacks=tuple(callbacks),
    )
    together = strategy.team(whole.train.strategy)
    with hearing(progress, reporter) as hears, teams.opened(together, folder, hears) as team:
        return _finished(work, team.folder if team else folder, team, hears)


def _finished(
    work: Callable[..., None], folder: Path, team: "Team | None", reporter: Reporter
) -> "Run":
    """Train, and finish the run; a process of a cluster that is not the chief ends instead."""
    from tfcnn.base.disk import locked

    with locked(folder):
        work(folder, team=team, reporter=reporter)
        if team and not team.cluster.is_chief:
            reporter.note(f"finished by {team.cluster.name(0)}: {team.until_done()}")
            sys.exit(0)
        finished = _finish(folder)
        _prune(reporter)
        if team:
            team.done()
    return finished


def crossval(
    recipe: "str | Path | Recipe",
    *,
    folds: int | None = None,
    settings: Iterable[str] = (),
    run: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    callbacks: Callable[[str], Sequence[Any]] | None = None,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Summary":
    """Train a recipe once per fold, so that every image is predicted by a model of others.

    Args:
        recipe: see `recipe_for`.
        folds: how many, at least 2 and at most the number of groups; 5 if None, or as many as it
            was begun with.
        settings: assignments `section.key=value` that change the recipe.
        run: name in `models/`, or path, of the folder of the runs; `NAME-crossval` if None.
        resume: keep the folds that are done and go on with the one that was cut.
        fresh: move an unfinished cross-validation aside and start again.
        callbacks: called with the name of a fold ("fold-0"), returns the callbacks of its training;
            see `train`.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        What the folds say together; the runs are in its `path`.

    Raises:
        InputError: if recipe, data or number of folds cannot be used, or the folder is taken.
        CheckError: if the data changed since the cross-validation was begun.
    """
    from tfcnn.base.disk import locked
    from tfcnn.training.crossval import crossval as train_folds

    whole, folder, assignments = _prepare(recipe, settings, run, "-crossval", resume)
    with hearing(progress, reporter) as hears, locked(folder):
        summary = train_folds(
            whole,
            folder,
            folds,
            finish=_finish,
            settings=assignments,
            resume=resume,
            fresh=fresh,
            callbacks=callbacks,
            reporter=hears,
        )
        _prune(hears)
    return summary


def reproduce(
    run: "str | Path | Run",
    *,
    name: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Reproduction":
    """Train a run again from its folder, with its recipe and split, and compare both.

    The run is not changed. On one machine, with the same versions, a run gives the same predictions
    again, digit by digit; `train.deterministic` makes that certain.

    Args:
        run: a finished run, its name or its path.
        name: name in `models/`, or path, of the new run; `NAME-reproduced` beside the run if None.
        resume: go on with a new run that was cut.
        fresh: move one that was cut aside and start again.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        What is equal, and what differs.

    Raises:
        InputError: if the run cannot be trained again, as an adopted one, or the folder is taken.
        CheckError: if the images are not those that it was trained on.

    Example:
        >>> tfcnn.reproduce("cells").is_equal  # doctest: +SKIP
    """
    from tfcnn import runs
    from tfcnn.base.disk import locked
    from tfcnn.evaluation.reproduction import compare
    from tfcnn.training import again, cluster
    from tfcnn.training.train import train as train_into

    cluster.refuse("a reproduction")
    first = as_run(run)
    recipe = again.recipe_of(first)
    beside = first.path.with_name(f"{first.name}-reproduced")
    folder = runs.folder_of(name) if name else beside
    if folder.resolve() == first.path.resolve():
        hint = f"--run {first.name}-reproduced"
        raise InputError("--run", "another name than that of the run", first.name, hint)
    with hearing(progress, reporter) as hears, locked(folder):
        train_into(
            recipe,
            folder,
            resume=resume,
            fresh=fresh,
            repeated=first,
            precisions=again.precisions_of(first),
            reporter=hears,
        )
        second = _finish(folder)
        _prune(hears)
    return compare(first, second)


def _prepare_more(
    run: "str | Path | Recipe | Run",
    more: int,
    settings: Iterable[str],
    name: str | None,
    resume: bool,
) -> "tuple[Recipe, Path, Run]":
    """Return the recipe of a run with more epochs, the folder of the new run, and the run."""
    from tfcnn import recipes, runs
    from tfcnn.training.more import recipe_of
    from tfcnn.training.resume import refuse_other_source

    if isinstance(run, recipes.Recipe):
        raise InputError("more", "a finished run to continue", "a recipe", "tfcnn.load(NAME)")
    continued = as_run(run)
    recipe = recipe_of(continued, more, as_list(settings))
    beside = continued.path.with_name(f"{continued.name}-more")
    folder = runs.folder_of(name) if name else beside
    if folder.resolve() == continued.path.resolve():
        hint = f"--run {continued.name}-more"
        raise InputError("--run", "another name than that of the run", continued.name, hint)
    if name is None and not resume:
        refuse_other_source(recipe, folder)
    return recipe, folder, continued


def _prepare(
    recipe: "str | Path | Recipe | Run",
    settings: Iterable[str],
    run: str | None,
    suffix: str,
    resume: bool,
) -> "tuple[Recipe, Path, list[str] | None]":
    """Return the recipe, the run's folder, and the assignments that a resume must find again.

    A folder is the assignment of `data.source`. A recipe that is no name or path has no
    assignments: None.
    """
    from tfcnn import recipes, runs
    from tfcnn.training.resume import refuse_other_source

    if isinstance(recipe, runs.Run):
        raise InputError(recipe.path, "a recipe or a folder", "a run", "more=10 to continue it")
    assignments = as_list(settings)
    whole = recipe_for(recipe, assignments)
    folder = runs.folder_of(run or f"{whole.name}{suffix}")
    if run is None and not resume:
        refuse_other_source(whole, folder)
    if not isinstance(recipe, str | Path):
        return whole, folder, None
    if Path(recipe).suffix != ".toml" and Path(whole.data.source).is_absolute():
        assignments.insert(0, recipes.assignment("data.source", whole.data.source))
    return whole, folder, assignments


def finish(folder: Path) -> "Run":
    """Add the report to a run and stamp it as done."""
    from tfcnn import runs
    from tfcnn.report import page

    page.write(folder)
    return runs.finish(folder)


def _finish(folder: Path) -> "Run":
    """Finish a trained run, which can be resumed where that fails."""
    from tfcnn.training.resume import resumable

    with resumable(folder):
        return finish(folder)


def _prune(reporter: Reporter) -> None:
    """Keep the cache of decoded images under its bound."""
    from tfcnn.inputs import arrays

    if note := arrays.prune():
        reporter.note(note)
