"""Cross-validation: every image is predicted once, by a network that saw none of its group.

A folder of ordinary runs, one per fold, with what they say together beside them:

    models/<name>-crossval/ recipe.toml  splits/fold-<i>.csv  fold-<i>/  predictions.csv
                            summary.json  DONE
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tfcnn import recipes, runs
from tfcnn.base import atomic, quiet
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import out_of_fold
from tfcnn.evaluation.out_of_fold import Summary
from tfcnn.manifest import Manifest, folds, splits
from tfcnn.recipes import Recipe
from tfcnn.runs import Run
from tfcnn.training import strategy
from tfcnn.training.prepare import decoder_of, survey
from tfcnn.training.resume import as_begun, check_same, make_room, may_write, resumable
from tfcnn.training.train import train

FOLDS = 5


def crossval(
    recipe: Recipe,
    folder: Path,
    num_folds: int | None = None,
    *,
    finish: Callable[[Path], Run],
    settings: Sequence[str] | None = None,
    resume: bool = False,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> Summary:
    """Train a recipe once per fold and sum up what the networks said of unseen images.

    Args:
        recipe: what to train.
        folder: where the runs go.
        num_folds: at least 2, at most the number of groups; None: as many as it was begun with,
            else 5.
        finish: adds the report to a fold's run and stamps it as done.
        settings: what was typed to change the recipe; see `train`.
        resume: keep the folds that are done and go on with the one that was cut.
        fresh: move an unfinished cross-validation aside and start again.
        reporter: hears of the progress.

    Raises:
        InputError: if the recipe, the data, the number of folds or the folder cannot be used.
        CheckError: if the data changed since the cross-validation was begun.
    """
    listener = _PerFold(reporter or Reporter())
    strategy.refuse_clusters()
    may_write(folder, resume=resume, fresh=fresh)
    if resume and settings is not None and (folder / runs.RECIPE).exists():
        recipe = as_begun(recipe, settings, folder, listener)
    begun = runs.count_folds(folder) if resume else 0
    num_folds = num_folds or begun or FOLDS
    if begun and begun != num_folds:
        expected = f"{begun}, as it was begun"
        raise InputError(f"{folder}: --folds", expected, str(num_folds), "--fresh")
    recipe, listed, assigned = _prepare(recipe, num_folds, listener)
    if begun:
        _check_begun(recipe, listed, assigned, folder)
    else:
        make_room(folder, listener)
    with resumable(folder):
        if not begun:
            _begin(recipe, listed, assigned, folder)
        return _train(recipe, listed, assigned, folder, finish, listener)


class _PerFold(Reporter):
    """Hands on what is said, a note that every fold repeats only once."""

    def __init__(self, reporter: Reporter) -> None:
        self.prefix = ""
        self._reporter = reporter
        self._said: set[str] = set()

    def stage(self, text: str) -> Callable[[int, int | None], None]:
        return self._reporter.stage(self.prefix + text)

    def note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._reporter.note(text)

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        self._reporter.epoch(epoch, epochs, logs)


def _prepare(
    recipe: Recipe, num_folds: int, reporter: Reporter
) -> tuple[Recipe, Manifest, list[list[str]]]:
    """Read and assign; what would be refused is refused here, before anything is written."""
    recipe, listed = survey(recipe, reporter)
    assigned = folds.assign(listed, recipe.data.split, num_folds)
    shape = decoder_of(recipe).shape
    quiet.load_tensorflow(reporter)
    from tfcnn.training import form

    form.training_form(recipe.model, shape, len(listed.class_names), "float32")
    spared = len(listed.rows) - len(folds.tested(listed, recipe.data.split))
    if spared:
        nouns = listed.source.nouns[0]
        reporter.note(f"the folds are drawn from the training {nouns}; "
                      f"the {spared:,} of the official test set are left untouched")  # fmt: skip
    return recipe, listed, assigned


def _begin(recipe: Recipe, listed: Manifest, assigned: list[list[str]], folder: Path) -> None:
    recipes.write(recipe, folder / runs.RECIPE)
    with atomic.writing(folder / runs.SPLITS) as part:  # all of them or none
        for i, split in enumerate(assigned):
            splits.write(listed, split, part / runs.fold_split(folder, i).name)


def _train(
    recipe: Recipe,
    listed: Manifest,
    assigned: list[list[str]],
    folder: Path,
    finish: Callable[[Path], Run],
    listener: _PerFold,
) -> Summary:
    """Train what is left of the folds and sum up all of them."""
    for i, split in enumerate(assigned):
        listener.prefix = f"{runs.fold_name(i)}: "
        part = _only(listed, [row for row, name in enumerate(split) if name == "test"])
        listener.note(f"{runs.fold_name(i)}, {i + 1} of {len(assigned)}: {part.summary()} to test")
        _train_fold(recipe, listed, split, folder, i, finish, listener)
    tested = _only(listed, folds.tested(listed, recipe.data.split))
    summary = out_of_fold.summarise(
        folder, [runs.open_run(folder / runs.fold_name(i)) for i in range(len(assigned))], tested
    )
    runs.stamp(folder)
    return summary


def _check_begun(recipe: Recipe, listed: Manifest, assigned: list[list[str]], folder: Path) -> None:
    """Refuse to go on with another recipe or other data."""
    check_same(recipe, folder)
    for i, split in enumerate(assigned):
        path = runs.fold_split(folder, i)
        if splits.read(path, listed) != split:
            raise CheckError(path, "the images it was begun with", "others", "--fresh")


def _train_fold(
    recipe: Recipe,
    listed: Manifest,
    split: list[str],
    folder: Path,
    number: int,
    finish: Callable[[Path], Run],
    reporter: Reporter,
) -> None:
    """Train a fold, go on with it where it was cut, or keep it where it is done."""
    run, split_csv = folder / runs.fold_name(number), runs.fold_split(folder, number)
    state, own = runs.state(run), run / runs.SPLIT
    is_cut = state == "unfinished" and own.exists()
    if is_cut or state == "finished":
        check_same(recipe, run)
        if splits.read(own, listed) != split:
            raise CheckError(own, "the split of this fold", "another", "--fresh")
    if state == "finished":
        reporter.note(f"{runs.fold_name(number)} is done, and kept")
        return
    import keras

    keras.backend.clear_session()  # else each fold's graphs stay in memory
    train(
        recipe,
        run,
        split_csv=None if is_cut else split_csv,
        resume=is_cut,
        fresh=not is_cut,
        reporter=reporter,
    )
    finish(run)


def _only(listed: Manifest, rows: list[int]) -> Manifest:
    return replace(listed, rows=tuple(listed.rows[row] for row in rows))
