"""Cross-validation: a network per fold predicts the images whose groups it has not seen.

The folds are ordinary runs in one folder; `runs.cross_validation` describes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfcnn import recipes, runs
from tfcnn.base import atomic, quiet
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import out_of_fold
from tfcnn.evaluation.out_of_fold import Summary
from tfcnn.manifest import Manifest, corrections, folds, splits
from tfcnn.manifest.corrections import Corrections
from tfcnn.recipes import Recipe
from tfcnn.runs import Run
from tfcnn.training import again, cluster, own_parts, strategy
from tfcnn.training.own_parts import OwnParts
from tfcnn.training.prepare import decoder_of, survey
from tfcnn.training.resume import (
    check_folder,
    make_room,
    refuse_other_images,
    refuse_other_recipe,
    resumable,
    resumed_recipe,
)
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
    callbacks: Callable[[str], Sequence[Any]] | None = None,
    reporter: Reporter | None = None,
) -> Summary:
    """Train a recipe once per fold and sum up how the networks answer unseen images.

    Args:
        recipe: what to train.
        folder: where the runs go.
        num_folds: at least 2, at most the number of groups; None: as many as an
            unfinished one there has, else 5.
        finish: adds the report to a fold's run and stamps it as done.
        settings: what was typed to change the recipe; see `train`.
        resume: keep the folds that are done and go on with the one that was cut.
        fresh: move an unfinished cross-validation aside and start again.
        callbacks: of the user, for the name of a fold.
        reporter: hears of the progress.

    Raises:
        InputError: if the recipe, the data, the number of folds or the folder cannot be used.
        CheckError: if the data changed since the cross-validation was begun.
    """
    listener = _PerFold(reporter or Reporter())
    cluster.refuse("a cross-validation")
    strategy.team(recipe.train.strategy)
    if callbacks is not None and not callable(callbacks):  # a list would be of all folds at once
        hint = "callbacks=lambda fold: [...]"
        raise InputError("callbacks", "a function of a fold's name", repr(callbacks)[:80], hint)
    if not (resume and _lacks_mean(folder)):
        check_folder(folder, resume=resume, fresh=fresh)
    if resume:
        recipe = resumed_recipe(recipe, settings, folder, listener)
    recorded = runs.count_folds(folder) if resume else 0
    num_folds = num_folds or recorded or FOLDS
    if recorded and recorded != num_folds:
        expected = f"{recorded}, as it was begun"
        raise InputError(f"{folder}: --folds", expected, str(num_folds), "--fresh")
    parts = own_parts.read(recipe)
    plan = _prepare(recipe, num_folds, listener)
    if recorded:
        _refuse_other(plan, folder)
    else:
        parts.refuse_changes()
        make_room(folder, listener)
    with resumable(folder):
        if not recorded:
            plan = replace(plan, recipe=own_parts.at_copies(plan.recipe, folder))
            _write(plan, parts, folder)
        return _train(plan, folder, finish, callbacks or (lambda _: ()), listener)


def _lacks_mean(folder: Path) -> bool:
    """Say whether a finished cross-validation, of an earlier tfcnn, has no mean of its folds."""
    is_finished = runs.is_crossval(folder) and runs.is_done(folder)
    return is_finished and not (folder / runs.CARD).exists()


@dataclass(frozen=True)
class _Plan:
    """What the folds are trained on: the recipe, all images, and per fold a split per image.

    The labels are as they were given, and so are the splits: each fold corrects its own.
    """

    recipe: Recipe
    manifest: Manifest
    folds: list[list[str]]
    corrections: Corrections | None

    def corrected(self, number: int) -> tuple[Manifest, list[str]]:
        """Return images and split of a fold as it is trained and tested."""
        with_test = self.recipe.data.corrections_test
        split = self.folds[number]
        return corrections.apply(self.corrections, self.manifest, split, with_test=with_test)

    def whole(self, tested: Manifest) -> Manifest:
        """Return all images, those of `tested` as they are there."""
        rows = {row.path: row for row in tested.rows}
        return replace(
            self.manifest,
            rows=tuple(rows.get(row.path, row) for row in self.manifest.rows),
            notes=tested.notes,
            corrections=tested.corrections,
        )

    def tested(self) -> Manifest:
        """Return the images that are tested, each in one fold, with the labels they have there."""
        parts = [self.corrected(number) for number in range(len(self.folds))]
        rows = {
            row.path: row
            for manifest, split in parts
            for row, name in zip(manifest.rows, split, strict=True)
            if name == "test"
        }
        ordered = tuple(rows[row.path] for row in self.manifest.rows if row.path in rows)
        data = self.recipe.data
        pool = folds.tested_rows(self.manifest, data.split)
        return corrections.over_folds(
            self.corrections, self.manifest, pool, with_test=data.corrections_test, tested=ordered
        )


class _PerFold(Reporter):
    """Hands on what it hears, each note once: every fold repeats some."""

    def __init__(self, reporter: Reporter) -> None:
        self.prefix = ""
        self._reporter = reporter
        self._notes: set[str] = set()

    def stage(self, text: str) -> Callable[[int, int | None], None]:
        return self._reporter.stage(self.prefix + text)

    def note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.add(text)
            self._reporter.note(text)

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        self._reporter.epoch(epoch, epochs, logs)


def _prepare(recipe: Recipe, num_folds: int, reporter: Reporter) -> _Plan:
    """Read the images and deal them; refuse here, before anything is written."""
    recipe, allowed, manifest, _, _, found = survey(recipe, reporter)
    plan = _Plan(recipe, manifest, folds.assign(manifest, recipe.data.split, num_folds), found)
    for number in range(num_folds if found else 0):
        splits.gate(*plan.corrected(number), unit=recipe.data.split.unit)
    quiet.load_tensorflow(reporter)
    from tfcnn.training import form

    for way in allowed:
        form.training_form(way.model, decoder_of(way).shape, len(manifest.class_names), "float32")
    untested = len(manifest.rows) - len(folds.tested_rows(manifest, recipe.data.split))
    if untested:
        noun = manifest.source.nouns[0]
        reporter.note(f"the folds are drawn from the training {noun}; "
                      f"the {untested:,} of the official test set are left untouched")  # fmt: skip
    return plan


def _write(plan: _Plan, parts: OwnParts, folder: Path) -> None:
    recipes.write(plan.recipe, folder / runs.RECIPE)
    parts.write(folder)
    with atomic.writing(folder / runs.SPLITS) as part:  # all of them or none
        for i, split in enumerate(plan.folds):
            splits.write(plan.manifest, split, part / runs.fold_split(folder, i).name)


def _refuse_other(plan: _Plan, folder: Path) -> None:
    """Refuse to go on with another recipe or other images."""
    refuse_other_recipe(plan.recipe, folder)
    for i, split in enumerate(plan.folds):
        path = runs.fold_split(folder, i)
        recorded = splits.read(path, plan.manifest)
        refuse_other_images(plan.manifest, path)
        if recorded != split:
            raise CheckError(path, "the images it was begun with", "others", "--fresh")


def _train(
    plan: _Plan,
    folder: Path,
    finish: Callable[[Path], Run],
    callbacks: Callable[[str], Sequence[Any]],
    listener: _PerFold,
) -> Summary:
    """Train the folds that are not done and sum up all of them."""
    for i, split in enumerate(plan.folds):
        listener.prefix = f"{runs.fold_name(i)}: "
        rows = zip(plan.manifest.rows, split, strict=True)
        part = replace(plan.manifest, rows=tuple(row for row, name in rows if name == "test"))
        title = f"{runs.fold_name(i)}, {i + 1} of {len(plan.folds)}"
        listener.note(f"{title}: {part.summary()} to test")
        _train_fold(plan, folder, i, finish, callbacks, listener)
    trained = [runs.open_run(folder / runs.fold_name(i)) for i in range(len(plan.folds))]
    listener.prefix = ""
    from tfcnn.training import fold_mean

    why, tested = fold_mean.why_none(trained), plan.tested()
    summary = out_of_fold.summarise(
        folder, trained, tested, plan.recipe.evaluation.guarantee, no_mean=why
    )
    if why:
        listener.note(f"note: the folds have no mean to be used as a run: {why}")
        runs.stamp(folder)
        return summary
    fold_mean.write(folder, trained, plan.whole(tested), summary, plan.recipe, listener)
    finish(folder)
    return summary


def _precisions(folder: Path, num_folds: int) -> dict[str, str]:
    """Return the precisions of the folds that are done, by way to begin: the first one decides."""
    found: dict[str, str] = {}
    for number in range(num_folds):
        run = folder / runs.fold_name(number)
        if runs.state(run) == "finished":
            found = again.precisions_of(runs.open_run(run)) | found
    return found


def _train_fold(
    plan: _Plan,
    folder: Path,
    number: int,
    finish: Callable[[Path], Run],
    callbacks: Callable[[str], Sequence[Any]],
    reporter: Reporter,
) -> None:
    """Train a fold, go on with it where it was cut, or keep it where it is done."""
    run = folder / runs.fold_name(number)
    state, own_split = runs.state(run), run / runs.SPLIT
    is_cut = state == "unfinished" and own_split.exists()
    if is_cut or state == "finished":
        refuse_other_recipe(plan.recipe, run)
        if splits.read(own_split, plan.manifest) != plan.corrected(number)[1]:
            raise CheckError(own_split, "the split of this fold", "another", "--fresh")
    if state == "finished":
        reporter.note(f"{runs.fold_name(number)} is done, and kept")
        return
    import keras

    keras.backend.clear_session()  # else each fold's graphs stay in memory
    train(
        plan.recipe,
        run,
        split_csv=None if is_cut else runs.fold_split(folder, number),
        resume=is_cut,
        fresh=not is_cut,
        precisions=_precisions(folder, len(plan.folds)),
        callbacks=callbacks(run.name),
        reporter=reporter,
    )
    finish(run)
