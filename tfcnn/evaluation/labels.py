"""Labels that are probably wrong: those that models of other groups do not believe.

The models are those of a cross-validation, so that no image is judged by a model that was trained
on its own label. A model may lean to one class on all images of a group, such as a patient whose
stain it has not seen. What the labels of that group's other images say of this is taken out first.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn import recipes, runs
from tfcnn.base import atomic, naming
from tfcnn.base.errors import InputError
from tfcnn.display.figures import percent
from tfcnn.evaluation import label_review
from tfcnn.evaluation.by_group import FEW_GROUPS
from tfcnn.evaluation.label_review import Review
from tfcnn.manifest import corrections

NUM_ROWS = 60  # of JSON, where nobody says
MOST_SHOWN = 500  # suspects in a page, whose pictures are in it
BLIND_SHARE, LEAST_BLIND = 0.1, 25  # others beside suspects: none wrong of 25 is .14 at most
WEAK_ACCURACY, WEAK_RECALL, FEW_FOLDS = 0.8, 0.7, 5
COLUMNS = ("rank", "path", "group", "label", "suggested", "prob_label", "is_suspect")
NUM_PARTS = 10
MOST_DOUBTED = 0.25  # beyond, it is the models that are wrong
LEAST_PROB = 1e-4  # a model is not believed to be surer than that
LEAST_BELIEVED = 0.05  # what the models give a label that says something of its group


@dataclass(frozen=True)
class Models:
    """The models that doubt, by what is known of them.

    Attributes:
        accuracy: the share of the labels that they agree with, each model on groups it has not
            seen.
        folds: how many there are.
        groups: how many groups the images belong to; 0 where none are known.
        weaknesses: what speaks against believing them, in words.
    """

    accuracy: float
    folds: int
    groups: int
    weaknesses: tuple[str, ...]


@dataclass(frozen=True)
class Suspects:
    """All images of a cross-validation, the least believable label first.

    Attributes:
        path: the folder of the cross-validation; `labels.csv` lies there.
        rows: per image a value for each of `COLUMNS`; `prob_label` is the probability of the label
            that the image has, in a group that is known after `per_group`; `suggested` is the
            most probable class.
        count: how many are suspected: the images that are said to be of another class with a
            probability that images of that class have on average (confident learning, Northcutt
            et al. 2021, J Artif Intell Res 70:1373).
        sentence: the result in one sentence.
        models: those that doubt.
        class_names: the classes, sorted by name.
        judged: paths of images whose labels were judged before.
    """

    path: Path
    rows: list[dict[str, Any]]
    count: int
    sentence: str
    models: Models
    class_names: tuple[str, ...]
    judged: frozenset[str] = frozenset()

    def suspected(self, top: int | None = None) -> list[dict[str, Any]]:
        """Return the first suspects, at most `MOST_SHOWN`, or `top`."""
        found = [row for row in self.rows if row["is_suspect"]]
        return found[: MOST_SHOWN if top is None else top]

    def drawn(self, count: int | None = None) -> list[dict[str, Any]]:
        """Draw images that are not suspected, the same ones each time.

        Args:
            count: how many; None for a tenth of the suspects, at least `LEAST_BLIND`.
        """
        known = self.judged
        others = [row for row in self.rows if not row["is_suspect"] and row["path"] not in known]
        if count is None:
            count = max(LEAST_BLIND, round(BLIND_SHARE * self.count)) if self.count else 0
        # of the paths alone, whatever is ranked where
        others.sort(key=lambda row: str(row["path"]))
        chosen = np.random.default_rng(0).permutation(len(others))[:count]
        return [others[i] for i in chosen]

    def review(self, corrections_csv: str | Path) -> Review:
        """Return what the judgements that the page saved say of all labels, with intervals.

        Args:
            corrections_csv: the table that the page saved.

        Raises:
            InputError: if it is no such table, or judges none of these images.
        """
        page = self.path / runs.LABELS_PAGE
        return label_review.review(self.rows, Path(corrections_csv), page)

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the counts and the first rows, 60 where `top` is None, as plain values."""
        return {
            "path": str(self.path),
            "images": len(self.rows),
            "suspects": self.count,
            "sentence": self.sentence,
            "models": asdict(self.models),
            "rows": self.rows[: NUM_ROWS if top is None else top],
        }


def find(name: str | Path) -> Suspects:
    """Rank the images of a cross-validation by how little their label is believed.

    Args:
        name: a cross-validation, by name or path, or what it was made of: `malaria` means
            `malaria-crossval`.

    Raises:
        InputError: if there is no such cross-validation, or cleanlab is not installed.
    """
    folder = crossval_folder(name)
    rows = runs.read_out_of_fold(folder)
    names, labels, probs = answers(rows, folder / runs.PREDICTIONS)
    groups = np.array([row["group"] for row in rows])
    if (groups != "").all():
        probs = per_group(labels, probs, groups)
    models = _models(labels, probs, names, groups, runs.count_folds(folder))
    is_suspect, quality = _judge(labels, probs)
    doubted, right = float(is_suspect.mean()), models.accuracy
    if doubted > MOST_DOUBTED:
        is_suspect = np.zeros_like(is_suspect)
    known = _judged(folder)
    judged = np.array([row["path"] in known for row in rows])
    num_judged = int((is_suspect & judged).sum())
    is_suspect &= ~judged
    ranked = [
        {
            "rank": rank,
            "path": rows[i]["path"],
            "group": rows[i]["group"],
            "label": rows[i]["label"],
            "suggested": names[probs[i].argmax()],
            "prob_label": round(float(probs[i, labels[i]]), 6),
            "is_suspect": bool(is_suspect[i]),
        }
        for rank, i in enumerate(np.argsort(quality, kind="stable").tolist(), start=1)
    ]
    lines = (row.values() for row in ranked)
    atomic.write_text(folder / runs.LABELS, atomic.csv_text(COLUMNS, lines))
    count = int(is_suspect.sum())
    share = f"{100 * count / len(rows):.1f} %"
    sentence = f"{count:,} of {len(rows):,} labels ({share}) are doubted: look at them first."
    if num_judged:
        sentence += f" {num_judged:,} more were judged before, and are not shown again."
    if doubted > MOST_DOUBTED:
        sentence = (
            f"These models agree with {right:.1%} of the labels and would doubt {doubted:.1%}: "
            "too many to believe any of it. Train for longer, or on more images, first."
        )
    return Suspects(folder, ranked, count, sentence, models, tuple(names), known)


def _judged(folder: Path) -> frozenset[str]:
    """Return the images on whose labels the corrections of a cross-validation decide."""
    table = recipes.load(str(folder / runs.RECIPE), is_record=True).data.corrections_csv
    read = corrections.read(Path(table)) if table else []
    return frozenset(one.path for one in read if one.judgement != corrections.UNSURE)


def _models(
    labels: npt.NDArray[np.int64],
    probs: npt.NDArray[np.float64],
    names: list[str],
    groups: npt.NDArray[np.str_],
    num_folds: int,
) -> Models:
    """Return what is known of the models; see `find` for the arguments."""
    right = probs.argmax(axis=1) == labels
    accuracy, num_groups = float(right.mean()), len(set(groups.tolist()) - {""})
    weak = []
    if accuracy < WEAK_ACCURACY:
        weak.append(
            f"They agree with {percent(accuracy)} of the labels only: much of what they doubt is "
            "an image that is hard for them."
        )
    for index, name in enumerate(names):
        recall = float(right[labels == index].mean()) if (labels == index).any() else 1.0
        if recall < WEAK_RECALL:
            weak.append(f"Of {name} they find {percent(recall)} only: they doubt it too often.")
    if num_folds < FEW_FOLDS:
        most = percent(1 - 1 / max(num_folds, 2))
        weak.append(f"There are {num_folds} folds: a model has learnt from at most {most} of all.")
    if not num_groups:
        weak.append(
            "No groups are known: a model may have seen the same patient, slide or video, and "
            "believe a label that is wrong for all of it."
        )
    elif num_groups < FEW_GROUPS:
        weak.append(f"There are only {num_groups} groups: what is rare, a model may not know.")
    return Models(accuracy, num_folds, num_groups, tuple(weak))


def answers(
    rows: list[dict[str, str]], path: Path
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the classes, and per image its label and its probabilities."""
    names = [key.removeprefix("prob_") for key in (rows or [{}])[0] if key.startswith("prob_")]
    try:
        labels = np.array([names.index(row["label"]) for row in rows])
        probs = np.array([[float(row[f"prob_{name}"]) for name in names] for row in rows])
        if not names or not np.isfinite(probs).all():
            raise ValueError("a probability that is no number" if names else "no probabilities")
    except ValueError as error:
        what = "the predictions of a cross-validation"
        raise InputError(path, what, str(error), runs.CROSSVAL_HINT) from error
    return names, labels, probs


def per_group(
    labels: npt.NDArray[np.int64], probs: npt.NDArray[np.float64], groups: npt.NDArray[np.str_]
) -> npt.NDArray[np.float64]:
    """Correct how a model leans on each group, as the labels of the group's other images tell.

    A logistic regression of the labels on the logarithms of the probabilities, with a constant for
    each group that a penalty holds near nought (a normal prior of standard deviation 1). An image's
    own label has no part in its answer: ten parts of the images are each predicted from the others.
    Nor has a label that is hardly believed: a group of which a whole series is labelled wrongly
    would make that the rule.

    Args:
        labels: int64 `(images,)`, right for the most part.
        probs: float64 `(images, classes)`, of models that were not trained on these labels.
        groups: str `(images,)`.

    Returns:
        Probabilities, float64 `(images, classes)`; `probs` itself where a class has hardly an image
        whose label is believed.
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import OneHotEncoder

    votes = probs[np.arange(len(labels)), labels] >= LEAST_BELIEVED
    fewest = int(np.bincount(labels[votes], minlength=probs.shape[1]).min())
    if fewest < 2:
        return probs
    logits = np.log(np.clip(probs, LEAST_PROB, 1))
    logits -= logits.mean(axis=1, keepdims=True)
    features = sparse.hstack([logits, OneHotEncoder().fit_transform(groups[:, None])]).tocsr()
    inputs, answers = features[votes], labels[votes]
    model = LogisticRegression(max_iter=1000)
    corrected: npt.NDArray[np.float64] = model.fit(inputs, answers).predict_proba(features)
    parts = StratifiedKFold(min(NUM_PARTS, fewest), shuffle=True, random_state=0)
    corrected[votes] = cross_val_predict(model, inputs, answers, cv=parts, method="predict_proba")
    return corrected


def crossval_folder(name: str | Path) -> Path:
    """Return the folder of a finished cross-validation, by its name or path, or what it is of."""
    folder = runs.folder_of(str(name))
    if folder.is_dir() and runs.state(folder) == "other":  # the folder of images
        images = folder.resolve()
        folder = runs.models_home() / naming.as_folder_name(images.name)
        source = runs.source_of(folder.with_name(f"{folder.name}-crossval"))
        if source is not None and not runs.same_source(source, str(images)):
            received = f"one of {source}"
            raise InputError(images, "a cross-validation of it", received, f"{folder.name}, if so")
    if not runs.is_crossval(folder):
        folder = folder.with_name(f"{folder.name}-crossval")
    is_begun = runs.is_crossval(folder)
    if is_begun and runs.is_done(folder):
        return folder
    recipe, hint = runs.folder_of(str(name)) / runs.RECIPE, f"tfcnn crossval {name}"
    if is_begun:
        own, count = runs.as_typed(folder), runs.count_folds(folder)
        hint = f"tfcnn crossval {folder / runs.RECIPE} --run {own} --folds {count} --resume"
    elif recipe.exists():
        hint = f"tfcnn crossval {recipe} --run {folder.name}"
    received = "an unfinished one" if is_begun else "none"
    raise InputError(name, "a finished cross-validation", received, hint)


def _judge(labels: np.ndarray[Any, Any], probs: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise InputError(
            "labels", "the library cleanlab", "none", "pip install cleanlab"
        ) from error
    if min(np.bincount(labels, minlength=probs.shape[1])) == 0:
        raise InputError("labels", "images of every class", "a class without any", "more images")
    is_suspect = find_label_issues(labels, probs, filter_by="confident_learning", n_jobs=1)
    return is_suspect, get_label_quality_scores(labels, probs, method="self_confidence")
