"""`train(recipe, folder)`: from a recipe to a run folder that can be used and believed.

The steps are `resume` (what may be written, and what goes on), `prepare`, `fit`, `save` and
`measure`, a file each. What can be refused, and the reading of images, comes before TensorFlow is
imported, so that whoever waits hears of it at once.
"""

from collections.abc import Sequence
from pathlib import Path

from tfcnn import recipes, runs
from tfcnn.base import quiet, tables
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.inputs import cache
from tfcnn.manifest import splits
from tfcnn.recipes import Recipe
from tfcnn.training import strategy
from tfcnn.training.prepare import Prepared, prepare
from tfcnn.training.resume import as_begun, check_same, make_room, may_write, resumable


def train(
    recipe: Recipe,
    folder: Path,
    *,
    settings: Sequence[str] | None = None,
    split_csv: Path | None = None,
    resplit: bool = False,
    resume: bool = False,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> None:
    """Train a recipe into a run folder and score it once on its test split.

    A finished run of that name is moved aside; an unfinished one wants `resume` or `fresh`. The run
    is not stamped as done yet: the caller adds the report and calls `runs.finished`.

    Args:
        recipe: what to train.
        folder: of the run.
        settings: what was typed to change the recipe: with `resume` the run's own recipe is gone
            on with, and only these must be as they were. None: the whole recipe must be.
        split_csv: a split made before, instead of drawing one.
        resplit: ignore the split that the data's folder is in.
        resume: go on with an unfinished run.
        fresh: move an unfinished run aside and start again.
        reporter: hears of the progress.

    Raises:
        InputError: if the recipe, the data or the run folder cannot be used.
        CheckError: if the split leaks.
    """
    reporter = reporter or Reporter()
    strategy.refuse_clusters()
    cache.bound_bytes()  # a wrong setting is said now, and not when all is done
    resuming = may_write(folder, resume=resume, fresh=fresh)
    if resume and settings is not None and (folder / runs.RECIPE).exists():
        recipe = as_begun(recipe, settings, folder, reporter)
    if resuming:
        own = folder / runs.SPLIT
        if split_csv is not None and _assigned(split_csv) != _assigned(own):
            expected, received = f"the split this run was begun with, {own}", str(split_csv)
            raise InputError("--split", expected, received, "--resume without --split")
        split_csv = own
    prepared = prepare(recipe, split_csv, resplit, reporter)
    if resuming:
        check_same(prepared.recipe, folder)
        _check_same_images(prepared, folder / runs.SPLIT)
    elif resume:
        reporter.note("nothing had been learnt yet: it starts anew")
    quiet.load_tensorflow(reporter)
    seed, deterministic = prepared.recipe.train.seed, prepared.recipe.train.deterministic
    with strategy.seeded(seed, deterministic=deterministic):
        _learn(prepared, folder, resuming, reporter)


def _learn(prepared: Prepared, folder: Path, resuming: bool, reporter: Reporter) -> None:
    """Fit, save and measure: all that needs TensorFlow."""
    from tfcnn.training import checkpoint
    from tfcnn.training.fit import build, fit
    from tfcnn.training.measure import measure
    from tfcnn.training.save import save

    start = checkpoint.read(folder, reporter) if resuming else checkpoint.Start()
    state = start.state
    model = build(prepared, state)  # what it refuses, it refuses before anything is written
    if not resuming:
        make_room(folder, reporter)
    with resumable(folder):
        if not resuming:
            recipes.write(prepared.recipe, folder / runs.RECIPE)
            splits.write(prepared.manifest, prepared.splits, folder / runs.SPLIT)
            state.sha256 = checkpoint.sha256_at_start(folder)
        reporter.note(f"training {prepared.recipe.model.network} in {state.precision}")
        trained = fit(prepared, model, folder, start, reporter)
        reporter.stage("saving and scoring")
        saved = save(prepared, trained, folder, reporter)
        measure(prepared, saved, state, folder, reporter)


def _check_same_images(prepared: Prepared, path: Path) -> None:
    """Refuse to go on with more images, or with other classes or groups of them.

    How an image is changed follows from its place, and half would be learnt from each class.

    Raises:
        CheckError: if there are others than the split was drawn of.
    """
    rows = tables.read(path, ("path",), "the split.csv of this run").rows
    begun = len(rows)
    received = len(prepared.manifest.rows)  # one that is gone was refused before
    if begun != received:
        expected = f"the {begun:,} images it was begun with"
        raise CheckError(path, expected, f"{received:,}", "--fresh")
    keys = [key for key in ("sha256", "label", "group") if key in rows[0]]
    known = {tuple(row[key] for key in keys) for row in rows}
    for row in prepared.manifest.rows:
        if tuple(getattr(row, key) for key in keys) not in known:
            expected = "its class and group as they were when the run was begun"
            raise CheckError(
                row.path, expected, f"{row.label}, {row.group or 'no group'}", "--fresh"
            )


def _assigned(path: Path) -> dict[str, str]:
    rows = tables.read(path, ("path", "split"), "the split.csv of a run").rows
    return {row["path"]: row["split"] for row in rows if row["split"]}
