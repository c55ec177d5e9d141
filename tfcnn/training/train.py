"""`train(recipe, folder)`: from a recipe to a run folder that can be used and believed.

The steps are `resume` (what may be written, and what goes on), `prepare`, `choose`, `save` and
`measure`, a file each. What can be refused, and the reading of images, comes before TensorFlow is
imported, so that whoever waits hears of it at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn import runs
from tfcnn.base import quiet
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.inputs import arrays
from tfcnn.recipes import Recipe
from tfcnn.runs import Run
from tfcnn.training import more, own_parts, strategy
from tfcnn.training.budget import Budget
from tfcnn.training.own_parts import OwnParts
from tfcnn.training.prepare import Prepared, prepare
from tfcnn.training.resume import (
    check_folder,
    make_room,
    refuse_other_images,
    refuse_other_recipe,
    resumable,
    resumed_recipe,
    resumed_split,
)
from tfcnn.training.team import START, Team

if TYPE_CHECKING:
    from tfcnn.training.learn import Begun


def train(
    recipe: Recipe,
    folder: Path,
    *,
    settings: Sequence[str] | None = None,
    split_csv: Path | None = None,
    resplit: bool = False,
    resume: bool = False,
    fresh: bool = False,
    continued: Run | None = None,
    repeated: Run | None = None,
    precisions: dict[str, str] | None = None,
    callbacks: Sequence[Any] = (),
    team: Team | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Train a recipe into a run folder and score it once on its test split.

    A finished run of that name is moved aside; an unfinished one wants `resume` or `fresh`. The run
    is not stamped as done yet: the caller adds the report and calls `runs.finish`.

    Args:
        recipe: what to train.
        folder: of the run.
        settings: what was typed to change the recipe. With `resume` the run's own recipe is used,
            and only these must be as in it. None: the whole recipe must be.
        split_csv: a split to use, instead of drawing one.
        resplit: ignore the split that the data's folder is in.
        resume: go on with an unfinished run.
        fresh: move an unfinished run aside and start again.
        continued: a finished run to begin from, with a recipe of `more.recipe_of`.
        repeated: a finished run to train again, with a recipe of `again.recipe_of`.
        precisions: for `auto` to come to, as other trainings have recorded them, by way to begin.
        callbacks: of the user, Keras' own; they hear of every epoch.
        team: the processes that train together. A process that is not the chief only learns.
        reporter: hears of the progress.

    Raises:
        InputError: if the recipe, the data or the run folder cannot be used.
        CheckError: if the split leaks.
    """
    reporter = reporter or Reporter()
    arrays.bound_bytes()  # a wrong setting is refused now, and not when all is done
    _check_callbacks(callbacks)
    options = {"resume": resume, "fresh": fresh, "resplit": resplit, "more": bool(continued)}
    resuming = _check_folders(folder, team, recipe, options)
    if resume:
        recipe = resumed_recipe(recipe, settings, folder, reporter)
    parts = own_parts.read(recipe)
    budget = Budget(recipe.train.minutes)
    if resuming:
        split_csv = resumed_split(folder, split_csv)
    elif first := continued or repeated:
        split_csv = first.file(runs.SPLIT)
    prepared = prepare(recipe, split_csv, resplit, reporter)
    _refuse_others(prepared, folder if resuming else None, continued or repeated)
    if continued and not resuming:
        reporter.note(more.describe(continued, recipe))
    elif resume and not resuming:
        reporter.note("nothing had been learnt yet: it starts anew")
    prepared = _start_tensorflow(replace(prepared, precisions=precisions or {}), team, reporter)
    from tfcnn.inputs import tfdata

    seed, deterministic = prepared.recipe.train.seed, prepared.recipe.train.deterministic
    with strategy.seeded(seed, deterministic=deterministic), tfdata.plain_errors():
        begun = _begin(prepared, folder, resuming, continued, callbacks, reporter)
        _learn(begun, parts, folder, resuming, budget, reporter)


def _check_callbacks(callbacks: Sequence[Any]) -> None:
    if callbacks:
        from tfcnn.training.callbacks import check  # whoever has made some has waited for Keras

        check(callbacks)


def _start_tensorflow(prepared: Prepared, team: Team | None, reporter: Reporter) -> Prepared:
    """Load TensorFlow, which must hear of the others of a team before it computes anything."""
    if team is None:
        quiet.load_tensorflow(reporter)
        return prepared
    team.refuse_other_data(prepared.manifest, prepared.splits)
    team.compute()
    join = partial(strategy.choose, together=team.cluster)
    quiet.load_tensorflow(reporter, join)
    join()  # where somebody had loaded it before
    team.joined()
    return replace(prepared, team=team)


def _check_folders(
    folder: Path, team: Team | None, recipe: Recipe, options: dict[str, bool]
) -> bool:
    """Refuse a folder that may not be written to, and processes with another recipe.

    Returns:
        Whether the training goes on with an unfinished run, see `check_folder`.
    """
    resume, fresh, continued = (options[name] for name in ("resume", "fresh", "more"))
    check = partial(check_folder, folder, resume=resume, fresh=fresh, continued=continued)
    if team is None:
        return check()
    if recipe.train.minutes is not None:
        received = f"{recipe.train.minutes:g} minutes, which each process would count for itself"
        hint = "train.epochs=10 instead"
        raise InputError("train.minutes", "no such limit for several processes", received, hint)
    own = own_parts.read(recipe)
    files = {
        f"{kind}{path.suffix}": sha256(own.contents[path]).hexdigest()
        for kind, path in own.paths.items()
    }
    team.refuse_other_setup(recipe, options | files)
    if team.cluster.is_chief:  # it alone knows the run; the others begin with what it sends
        resuming = check()
        team.share_files(START if resume else ())
        return resuming
    team.share_files(())
    return check()


def _refuse_others(prepared: Prepared, resumed: Path | None, first: Run | None) -> None:
    """Refuse images and settings that are not those of what goes on.

    Args:
        prepared: the images as they are now.
        resumed: the folder of the run that goes on, if one does.
        first: the finished run that is continued or trained again, if one is.
    """
    if resumed:
        refuse_other_recipe(prepared.asked, resumed)
        refuse_other_images(prepared.manifest, resumed / runs.SPLIT)
    elif first:
        more.refuse_other_images(first, prepared.manifest)


def _begin(
    prepared: Prepared,
    folder: Path,
    resuming: bool,
    continued: Run | None,
    callbacks: Sequence[Any],
    reporter: Reporter,
) -> "Begun":
    """Build the network, where what is refused is refused before anything is written."""
    from tfcnn.training.learn import begin

    begun = begin(prepared, folder, resuming, reporter, callbacks)
    return more.begin_with(continued, begun) if continued and not resuming else begun


def _learn(
    begun: "Begun",
    parts: OwnParts,
    folder: Path,
    resuming: bool,
    budget: Budget,
    reporter: Reporter,
) -> None:
    """Fit, save and measure: all that needs TensorFlow."""
    from tfcnn.training import making
    from tfcnn.training.choose import choose
    from tfcnn.training.measure import measure
    from tfcnn.training.save import save

    if not resuming:
        parts.refuse_changes()
        make_room(folder, reporter)
    with resumable(folder):
        if not resuming:
            begun = _write_start(begun, parts, folder)
        chosen = choose(begun, folder, resuming, budget, reporter)
        if not chosen.prepared.is_chief:
            return
        if chosen.prepared.team:  # what is left, the chief can do alone
            chosen.prepared.team.is_computing = False
        reporter.stage("saving and scoring")
        saved = save(chosen.prepared, chosen.trained, folder, reporter)
        measure(chosen.prepared, making.of_training(chosen), saved, folder, reporter)


def _write_start(begun: "Begun", parts: OwnParts, folder: Path) -> "Begun":
    """Write what a training is begun with, so that it can be resumed from now on.

    Returns:
        The training, of the copies of a user's own files.
    """
    from tfcnn.training import checkpoint

    has_learnt = bool(begun.start.weights)
    if has_learnt:  # first: without it, a resume would begin a continued run from random weights
        checkpoint.write(begun.start, folder, begun.prepared.place)
    prepared = own_parts.write_start(begun.prepared, parts, folder)
    begun.state.sha256 = checkpoint.sha256_at_start(folder)
    if has_learnt:
        checkpoint.write(begun.start, folder, prepared.place)
    return replace(begun, prepared=prepared)
