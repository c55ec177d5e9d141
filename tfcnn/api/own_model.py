"""The verbs for one's own Keras code: images to train on, and a run of what was trained."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tfcnn.api.arguments import as_list, hearing
from tfcnn.api.new_runs import finish
from tfcnn.api.sources import data_for, recipe_for
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.recipes import Augment, Recipe
    from tfcnn.runs import Run
    from tfcnn.training.data import Data

BATCH_SIZE = 32
SECTIONS = ("data", "inputs", "evaluation")  # of a recipe, that matter to images and to a run


def data(
    source: str | Path,
    *,
    image_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    fit: Literal["stretch", "pad", "crop"] | None = None,
    batch_size: int | None = None,
    labels: Literal["int", "one-hot"] = "int",
    group_regex: str | None = None,
    group_csv: str | Path | None = None,
    labels_csv: str | Path | None = None,
    split: str | Path | None = None,
    resplit: bool = False,
    seed: int = 0,
    augment: "Augment | Mapping[str, Any] | Literal[False] | None" = None,
    settings: Iterable[str] = (),
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Data":
    """Return images for one's own Keras code: split by group, decoded once, ready for `fit`.

    Args:
        source: a data set's name, a folder of class folders, or a recipe, whose `[data]`,
            `[inputs]` and batch size then hold where no argument says otherwise.
        image_size: a side in px, or `(height, width)`; the typical size of the images if None.
        channels: 3 for colour, 1 for grey; 3 if None.
        fit: how an image of another shape gets this size; "stretch" if None.
        batch_size: images of a batch; 32 if None.
        labels: "int" or "one-hot".
        group_regex: reads the group (patient, slide) from a file name.
        group_csv: a table with columns `path, group`, instead.
        labels_csv: a table with columns `path, label[, group][, split]`, instead of class folders.
        split: a `split.csv`, such as another run's, instead of drawing one.
        resplit: ignore the split that the folder itself is in.
        seed: of the split, and of the order and the augmentation of training images.
        augment: words of `[inputs.augment]`, such as `{"flip_horizontal": True}`; False for none.
            None: those of the recipe, if it is one.
        settings: assignments `section.key=value` of `data`, `inputs` and `evaluation`.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        `train`, `val` and `test`, plain `tf.data.Dataset`s of `(images, labels)`; see `Data`.

    Raises:
        InputError: if the source or a setting cannot be used.
        CheckError: if the split leaks.

    Example:
        >>> data = tfcnn.data("cells/", group_regex=r"^(P[0-9]+)")  # doctest: +SKIP
        >>> model.fit(data.train, validation_data=data.val, epochs=20)  # doctest: +SKIP
    """
    from tfcnn import recipes
    from tfcnn.training.data import Data
    from tfcnn.training.prepare import prepare

    known: dict[str, dict[str, Any]] = {
        "data": {
            "image_size": image_size, "channels": channels, "fit": fit,
            "group_regex": group_regex,
            "group_csv": _text(group_csv), "labels_csv": _text(labels_csv),
        },
        "train": {"batch_size": batch_size, "seed": seed},
    }  # fmt: skip
    content = _recipe_of(source).model_dump()
    content["data"]["split"]["seed"] = seed
    for section, values in known.items():
        content[section] |= {key: value for key, value in values.items() if value is not None}
    if group_csv is not None and group_regex is None:
        content["data"]["group_regex"] = None
    if augment is not None:
        words = augment.model_dump() if isinstance(augment, recipes.Augment) else augment
        content["inputs"] = {"augment": dict(words) if isinstance(words, Mapping) else words}
    recipe = recipes.override(recipes.parse(content, "tfcnn.data"), _settings_of_images(settings))
    with hearing(progress, reporter) as hears:
        return Data(prepare(recipe, Path(split) if split else None, resplit, hears), labels)


def _settings_of_images(settings: Iterable[str]) -> list[str]:
    """Return settings, or refuse one that is of the network or of its training."""
    from tfcnn import recipes

    assignments = as_list(settings)
    for key, _ in map(recipes.read_assignment, assignments):
        if key.partition(".")[0] not in SECTIONS:
            expected = f"a key of {', '.join(f'[{name}]' for name in SECTIONS)}"
            hint = "it in your own code, batch_size=... or seed=..."
            raise InputError(f"--set {key}", expected, "another one", hint)
    return assignments


def _text(path: str | Path | None) -> str | None:
    """Return a path as a recipe holds it."""
    return None if path is None else str(path)


def _recipe_of(source: str | Path) -> "Recipe":
    """Return the recipe that a source is, or one of its images alone, without a network."""
    from tfcnn import datasets, recipes
    from tfcnn.base import naming

    name = str(source)
    is_recipe = name in recipes.names() and name not in datasets.names()
    if is_recipe or name.endswith(".toml"):
        whole = recipe_for(source)
        train = {"batch_size": whole.train.batch_size}
        sections = {"data": whole.data.model_dump(), "inputs": whole.inputs.model_dump()}
    else:
        train, sections = {"batch_size": BATCH_SIZE}, {"data": data_for(source).model_dump()}
    content = {"name": naming.as_folder_name(Path(name).stem or "data"), **sections}
    return recipes.parse({**content, "train": train, "model": {"start": "scratch"}}, name)


def adopt(
    model: Any,
    data: "Data | str | Path",
    *,
    name: str | None = None,
    pixels: Literal["0..255", "0..1", "-1..1", "imagenet"] = "0..255",
    class_names: Sequence[str] | None = None,
    calibrate: bool = True,
    fresh: bool = False,
    settings: Iterable[str] = (),
    split: str | Path | None = None,
    resplit: bool = False,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Run":
    """Make a run of any Keras classifier: calibrated on val, scored once on test, reported.

    The run holds the model in tfcnn's saved form: scaling in front, Keras' own layers, float32. It
    answers as the model does, at the temperature that val asks for. `model.json` says what that is.

    Args:
        model: a keras.Model with one output per class (a softmax, or logits), or one sigmoid unit
            for two classes; or the path of a `.keras` file.
        data: from `tfcnn.data`; or a source, whose images are then read at the model's size.
        name: of the run, or its path; the name of the file or model if None. A finished run of
            that name is moved aside.
        pixels: what the model takes: pixels as they are, `x / 255`, `x / 127.5 - 1`, or
            `(x / 255 - mean) / deviation` with ImageNet's per channel, as torchvision does.
        class_names: the classes in the order of the model's outputs; sorted by name if None. One
            sigmoid unit gives the probability of the second.
        calibrate: whether a temperature is fitted on val; without it the probabilities stay the
            model's own.
        fresh: move an unfinished training of that name aside.
        settings: where `data` is a source, as of `tfcnn.data`.
        split: where `data` is a source, as of `tfcnn.data`.
        resplit: where `data` is a source, as of `tfcnn.data`.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        The finished run, for `predict`, `evaluate`, `compare` and `explain`.

    Raises:
        InputError: if the model is no classifier of these images, or cannot be saved without code
            of yours.
        CheckError: if the split leaks, or the model gives NaN.

    Example:
        >>> run = tfcnn.adopt(model, data, name="mine", pixels="0..1")  # doctest: +SKIP
    """
    from tfcnn import runs
    from tfcnn.base import quiet
    from tfcnn.base.disk import locked

    with hearing(progress, reporter) as hears:
        quiet.load_tensorflow(hears)
        from tfcnn.training import adopt as adopting

        own_name = str(getattr(model, "name", ""))
        if isinstance(model, str | Path):
            own_name, model = Path(model).stem, adopting.load(Path(model).expanduser())
        folder = runs.folder_of(name or own_name)
        images = _images_for(
            model, data, settings=as_list(settings), split=split, resplit=resplit, reporter=hears
        )
        with locked(folder):
            adopting.adopt(
                model, images, folder,
                pixels=pixels, class_names=class_names, calibrate=calibrate, fresh=fresh,
                reporter=hears,
            )  # fmt: skip
            return finish(folder)


def _images_for(model: Any, data: "Data | str | Path", **options: Any) -> "Data":
    """Return the images themselves, or read those of a source; `options` are of the source."""
    from tfcnn.training.data import Data

    if not isinstance(data, Data):
        return _at_size_of(model, data, **options)
    if options["settings"] or options["split"] or options["resplit"]:
        received = "settings, split or resplit beside the images of tfcnn.data"
        raise InputError("adopt", "the images alone", received, "them in tfcnn.data(...)")
    return data


def _at_size_of(
    model: Any, source: str | Path, *, settings: Iterable[str], **options: Any
) -> "Data":
    """Return a source's images at the size that a model takes."""
    from tfcnn.training import foreign

    height, width, channels = foreign.input_shape(model) or (None, None, None)
    assignments = as_list(settings)
    is_said = any(text.startswith("data.image_size=") for text in assignments)
    if (height is None or width is None) and not is_said:
        raise InputError(
            "model", "a model that says the size of its images", "one that takes any size",
            "data.image_size=96 by --set or settings, or tfcnn.data(..., image_size=96)",
        )  # fmt: skip
    size = None if height is None or width is None else (height, width)
    sizes: dict[str, Any] = {"image_size": size, "channels": channels}
    return data(source, settings=assignments, **sizes, **options)
