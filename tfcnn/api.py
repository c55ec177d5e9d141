"""The verbs: what the command line and a notebook both call.

Everything heavy is imported inside the verb that needs it, so that `tfcnn --help` stays quick and
`predict` answers without TensorFlow.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.base.errors import InputError, did_you_mean
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.evaluation.comparison import Comparison
    from tfcnn.evaluation.labels import Suspects
    from tfcnn.evaluation.out_of_fold import Summary
    from tfcnn.evaluation.rethreshold import Change
    from tfcnn.evaluation.scoring import Report
    from tfcnn.explain.study import Study
    from tfcnn.prediction import Prediction, Stream
    from tfcnn.recipes import DataSettings, Recipe
    from tfcnn.runs import Run


def recipe_for(recipe: "str | Path | Recipe", settings: Iterable[str] = ()) -> "Recipe":
    """Return a recipe by name, by the path of a `.toml` file, or the default one for a folder.

    A recipe's name wins over a folder of that name, unless it is written `./NAME`.

    Args:
        recipe: a name, a path, or a whole recipe.
        settings: assignments `section.key=value` that change it.

    Raises:
        InputError: if there is neither such a recipe nor such a folder.
    """
    from tfcnn import datasets, recipes

    assignments, name = _as_list(settings), str(recipe)
    if isinstance(recipe, recipes.Recipe):
        return recipes.override(recipe, assignments)
    if name.endswith(".toml") or (not _is_path(recipe) and name in recipes.names()):
        return recipes.override(recipes.load(name), assignments)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return recipes.override(recipes.for_folder(folder), assignments)
    if not _is_path(recipe) and name in datasets.names():
        hint = f'a .toml file with [data] and source = "{name}"'
        raise InputError(
            name, "a recipe or a folder", "a data set, and no recipe of its name", hint
        )
    raise _unknown(name, "a recipe or a folder", recipes.names())


def data_for(source: str | Path, settings: Iterable[str] = ()) -> "DataSettings":
    """Return `[data]` of a data set, of a folder or of a recipe, to be checked.

    Args:
        source: a data set's name, a folder's path, or a recipe as in `recipe_for`.
        settings: assignments `section.key=value` that change it.

    Raises:
        InputError: if there is none of them.
    """
    from tfcnn import datasets, recipes

    name = str(source)
    if not _is_path(source) and name in datasets.names():
        recipe = recipes.parse({"name": name, "data": {"source": name}}, name)
        return recipes.override(recipe, _as_list(settings)).data
    if Path(name).is_file() and not name.endswith(".toml"):
        raise InputError(name, "a folder of class folders", "a file", "the folder it is in")
    names = sorted({*recipes.names(), *datasets.names()})
    if not name.endswith(".toml") and name not in names and not Path(name).expanduser().is_dir():
        raise _unknown(name, "a data set, a recipe or a folder", names)
    return recipe_for(source, settings).data


def _unknown(name: str, expected: str, names: list[str]) -> InputError:
    """Return the error for a name that is none of these names, and no folder."""
    path = Path(name).expanduser()
    beside = [folder.name for folder in path.parent.glob("*/")]
    received = f"none of these{did_you_mean(path.name, [*names, *beside])}"
    return InputError(name, expected, received, f"one of {', '.join(names)}, or a folder's path")


def _is_path(recipe: "str | Path | Recipe") -> bool:
    name = str(recipe)
    return isinstance(recipe, Path) or name.startswith((".", "/", "~")) or name.endswith("/")


def _prepare(
    recipe: "str | Path | Recipe",
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

    assignments = _as_list(settings)
    whole = recipe_for(recipe, assignments)
    folder = runs.folder_of(run or f"{whole.name}{suffix}")
    if run is None and not resume:
        refuse_other_source(whole, folder)
    if not isinstance(recipe, str | Path):
        return whole, folder, None
    if Path(recipe).suffix != ".toml" and Path(whole.data.source).is_absolute():
        assignments.insert(0, recipes.assignment("data.source", whole.data.source))
    return whole, folder, assignments


def train(
    recipe: "str | Path | Recipe",
    *,
    settings: Iterable[str] = (),
    run: str | None = None,
    split: str | Path | None = None,
    resplit: bool = False,
    resume: bool = False,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> "Run":
    """Train a recipe, or the images of a folder of class folders, and score it once.

    A finished run of that name is moved aside, to `.old` beside it, and the reporter hears of it.
    A run of other images is moved aside only where `run` names it; else it is an error.

    Args:
        recipe: see `recipe_for`.
        settings: assignments `section.key=value` that change the recipe.
        run: name in `models/`, or path, of the run folder; the recipe's name if None.
        split: a `split.csv` to use instead of drawing one.
        resplit: ignore the split that the folder itself is in.
        resume: go on with an unfinished run, with the recipe and settings it was begun with; those
            given here must be the same.
        fresh: move an unfinished run aside and start again.
        reporter: hears of the progress.

    Returns:
        The finished run.

    Raises:
        InputError: if recipe or data cannot be used, or the run folder is taken.
        CheckError: if the split leaks.

    Example:
        >>> run = tfcnn.train("cells/")  # doctest: +SKIP
    """
    from tfcnn.base.disk import locked
    from tfcnn.training.train import train as train_into

    whole, folder, assignments = _prepare(recipe, settings, run, "", resume)
    with locked(folder):
        train_into(
            whole,
            folder,
            settings=assignments,
            split_csv=Path(split) if split else None,
            resplit=resplit,
            resume=resume,
            fresh=fresh,
            reporter=reporter,
        )
        finished = _finish(folder)
    _prune(reporter)
    return finished


def _prune(reporter: Reporter | None) -> None:
    """Keep the cache of decoded images under its bound."""
    from tfcnn.inputs import arrays

    if (note := arrays.prune()) and reporter:
        reporter.note(note)


def _finish(folder: Path) -> "Run":
    """Add the report to a trained run and stamp it as done."""
    from tfcnn import runs
    from tfcnn.report import page
    from tfcnn.training.resume import resumable

    with resumable(folder):
        page.write(folder)
        return runs.finish(folder)


def crossval(
    recipe: "str | Path | Recipe",
    *,
    folds: int | None = None,
    settings: Iterable[str] = (),
    run: str | None = None,
    resume: bool = False,
    fresh: bool = False,
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
        reporter: hears of the progress.

    Returns:
        What the folds say together; the runs are in its `path`.

    Raises:
        InputError: if recipe, data or number of folds cannot be used, or the folder is taken.
        CheckError: if the data changed since the cross-validation was begun.
    """
    from tfcnn.base.disk import locked
    from tfcnn.training.crossval import crossval as train_folds

    whole, folder, assignments = _prepare(recipe, settings, run, "-crossval", resume)
    with locked(folder):
        summary = train_folds(
            whole,
            folder,
            folds,
            finish=_finish,
            settings=assignments,
            resume=resume,
            fresh=fresh,
            reporter=reporter,
        )
    _prune(reporter)
    return summary


def load(name_or_path: str | Path) -> "Run":
    """Open a finished run: a path, or a name in `models/` or among the shipped models."""
    from tfcnn import runs

    return runs.open_run(name_or_path)


def _as_run(run: "Run | str | Path") -> "Run":
    return load(run) if isinstance(run, str | Path) else run


def _as_list(values: str | Path | Iterable[Any]) -> list[Any]:
    return [values] if isinstance(values, str | Path) else list(values)


def stream(
    run: "Run | str | Path",
    paths: str | Path | Iterable[str | Path],
    note: Callable[[str], None] | None = None,
) -> "Stream":
    """Yield predictions in order, as they are made; see `predict`.

    `note` hears which files of a folder or archive were passed over, and what computed the others
    where that is not LiteRT.
    """
    from tfcnn.prediction import Predictor

    opened = _as_run(run)
    return Predictor(opened, note=note).predict(_as_list(paths), note)


def predict(
    run: "Run | str | Path", paths: str | Path | Iterable[str | Path]
) -> "list[Prediction]":
    """Predict images: files, folders and zip archives, in order.

    Args:
        run: a run, or its name or path.
        paths: one or several.

    Returns:
        One prediction per image; an image that cannot be read has `flag` "unreadable".

    Raises:
        InputError: if a path does not exist or holds no image.
    """
    return list(stream(run, paths))


def explain_images(
    run: "Run | str | Path", paths: str | Path | Iterable[str | Path], **options: Any
) -> "Study":
    """Show where a run sees evidence for a class, and check that this depends on its training.

    Args:
        run: a run, or its name or path.
        paths: one or several images, folders and zip archives.
        **options: `method`, `layer`, `class_name`, `output` and the others of
            `tfcnn.explain.study.explain_files`.
    """
    from tfcnn.explain import study

    opened = _as_run(run)
    return study.explain_files(opened, _as_list(paths), **options)


def evaluate(
    run: "Run | str | Path",
    *,
    data: str | Path | None = None,
    group_regex: str | None = None,
    group_csv: str | None = None,
    group_from: str | None = None,
    path_column: str | None = None,
    group_column: str | None = None,
    ignore: Sequence[str] | None = None,
) -> "Report":
    """Return a run's metrics with intervals.

    Without `data` these are the figures of its own val and test, predicted once by `train`.

    Args:
        run: a run, or its name or path.
        data: a folder of class folders that the run has not seen.
        group_regex: how a group is read from a file name there; the run's own if None, "" where
            no groups are known.
        group_csv: a CSV with columns `path, group`, instead.
        group_from: as `data.group_from`; the run's own where no other rule is given.
        path_column: what that CSV calls its column `path`.
        group_column: what it calls its column `group`.
        ignore: as `data.ignore`; the run's own if None.

    Raises:
        InputError: if the folder cannot be used.
        CheckError: if the run was trained on images or groups of that folder.
    """
    from tfcnn.evaluation import scoring

    opened = _as_run(run)
    if data is None:
        rules = (group_regex, group_csv, group_from, path_column, group_column, ignore)
        if any(rule is not None for rule in rules):
            raise InputError("groups", "a folder of images beside them", "none", "--data FOLDER")
        return scoring.load(opened)
    from tfcnn.evaluation import other_data

    return other_data.evaluate(
        opened,
        Path(data),
        group_regex,
        group_csv,
        group_from=group_from,
        columns=(path_column, group_column),
        ignore=ignore,
    )


def set_threshold(
    run: "Run | str | Path",
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
    value: float | None = None,
    positive: str | None = None,
) -> "Change":
    """Give a finished run another threshold, chosen on val, without training it again.

    Its `model.json`, `predictions.csv`, `report.json` and `report.html` are written anew.

    Args:
        run: a run with its predictions, or its name or path.
        sensitivity: the least share of positive images to be called positive on val, in (0, 1].
        specificity: the least share of negative images to be called negative on val, in (0, 1].
        value: the threshold itself, in [0, 1]. Give one of the three.
        positive: the class that is looked for; the run's own if None.

    Returns:
        The figures before and after, on val and test, and the run as it is now.

    Raises:
        InputError: if the run has no such threshold, or the wish cannot be had on val.
        CheckError: if the run is a demonstrated leak.
    """
    from tfcnn.base.disk import locked
    from tfcnn.evaluation import rethreshold

    opened = _as_run(run)
    rethreshold.refuse(opened, positive)  # a shipped model lies where nothing may be written
    from tfcnn.report.page import render

    with locked(opened.path):
        return rethreshold.change(
            load(opened.path), render,  # as another process may have left it meanwhile
            sensitivity=sensitivity, specificity=specificity, value=value, positive=positive,
        )  # fmt: skip


def compare(first: "Run | str | Path", second: "Run | str | Path") -> "Comparison":
    """Compare two runs on the images that both were tested on.

    Args:
        first: a run, or its name or path.
        second: another, of the same classes.

    Returns:
        Every metric of both, and first minus second with its interval: hard patients are hard
        for both, so it is narrower than their own intervals suggest.

    Raises:
        InputError: if they have other classes, or no test image in common.
    """
    from tfcnn.evaluation import comparison

    return comparison.compare(_as_run(first), _as_run(second))


def label_errors(name: str | Path, *, top: int = 60) -> "Suspects":
    """Rank the labels of a cross-validation by how little they are believed.

    Writes `labels.csv`, all of them, and `labels.html`, the first ones with their images.

    Args:
        name: a cross-validation, by name or path; `malaria` means `malaria-crossval`.
        top: how many images the page shows.

    Raises:
        InputError: if there is no such cross-validation, or its images are gone.
    """
    from tfcnn.evaluation import labels
    from tfcnn.report import page

    suspects = labels.find(name)
    page.write_labels(suspects, top)
    return suspects
