"""From a recipe to decoded, split, checked images: all that happens before a network exists."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfcnn import architectures
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_any, typical_size
from tfcnn.decode import Decoder
from tfcnn.inputs import cache, direction, pipeline
from tfcnn.manifest import Manifest, build, groups, splits
from tfcnn.recipes import InputSettings, Recipe

MAX_CLASSES = 20  # that are named


@dataclass(frozen=True)
class Prepared:
    """The data of a run.

    Attributes:
        recipe: with what was left open (image size, positive class) settings in.
        manifest: all readable images.
        splits: a split per row of it.
        images: uint8 `(images, height, width, channels)` in [0, 255], memory-mapped.
        labels: int32 `(images,)`, indices into `manifest.class_names`.
        rows: int64 `(count,)` per split, row numbers.
        decode_seconds: time spent opening image files.
    """

    recipe: Recipe
    manifest: Manifest
    splits: list[str]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    rows: dict[str, npt.NDArray[np.int64]]
    decode_seconds: float

    @property
    def decoder(self) -> Decoder:
        """The decoder the images went through."""
        return decoder_of(self.recipe)

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """The group of each row, str `(images,)`; "" where there is none."""
        return np.array([row.group for row in self.manifest.rows], dtype=np.str_)

    def paths(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the paths of some rows, relative to the data folder."""
        return [self.manifest.rows[row].path for row in rows]

    @property
    def positive(self) -> int | None:
        """The index of the positive class, if there is one."""
        name = self.recipe.data.positive
        return self.manifest.class_names.index(name) if name else None


def prepare(recipe: Recipe, split_csv: Path | None, resplit: bool, reporter: Reporter) -> Prepared:
    """Read, split, check and decode the images of a recipe.

    Args:
        recipe: what to prepare.
        split_csv: a split made before, instead of drawing one.
        resplit: ignore the split that the folder itself is in.
        reporter: hears of every stage.

    Raises:
        InputError: if the data cannot be used.
        CheckError: if the split leaks.
    """
    recipe, manifest, early = _survey(recipe, reporter, resplit)
    split = recipe.data.split
    reporter.stage("splitting")
    row_splits = splits.read(split_csv, manifest) if split_csv else splits.assign(manifest, split)
    splits.gate(manifest, row_splits, unit=split.unit)
    decoder, progress = decoder_of(recipe), reporter.stage("decoding")
    images = cache.load(manifest.source, manifest.rows, decoder, progress, early)
    for note in images.notes:
        reporter.note(note)
    classes = {name: i for i, name in enumerate(manifest.class_names)}
    prepared = Prepared(
        recipe,
        manifest,
        row_splits,
        images.images,
        np.array([classes[row.label] for row in manifest.rows], dtype=np.int32),
        {name: splits.select(row_splits, name) for name in splits.NAMES},
        images.decode_seconds,
    )
    inputs_and_reason = direction.by_images(
        recipe.inputs, prepared.images, prepared.labels, prepared.groups, prepared.rows["train"]
    )
    return replace(prepared, recipe=_with_inputs(recipe, inputs_and_reason, reporter))


def _with_inputs(
    recipe: Recipe, inputs_and_reason: tuple[InputSettings, str], reporter: Reporter
) -> Recipe:
    """Return the recipe with the `[inputs]` that the data call for, and report why."""
    inputs, why = inputs_and_reason
    if why:
        reporter.note(why)
    return recipe.model_copy(update={"inputs": inputs})


def survey(recipe: Recipe, reporter: Reporter) -> tuple[Recipe, Manifest]:
    """Read what the data are.

    Args:
        recipe: what to prepare.
        reporter: hears of every stage.

    Returns:
        The recipe with what it left open filled in, and the manifest.

    Raises:
        InputError: if data, network options or augmentation cannot be used.
    """
    return _survey(recipe, reporter)[:2]


def _check_network(recipe: Recipe) -> None:
    network, train = recipe.model.network, recipe.train
    architectures.check_options(network, recipe.model.options)
    is_pretrained = architectures.defines(network, "finetune")
    if train.finetune_epochs and not is_pretrained:
        raise InputError(
            "train.finetune_epochs", "0 for a network that is not pretrained",
            f"{train.finetune_epochs} for {network}", "model.network=pretrained",
        )  # fmt: skip
    if train.optimizer == "muon" and is_pretrained:
        raise InputError(
            "train.optimizer", f"another for {network}, whose kernels muon would rescale", "muon",
            "--set train.optimizer=adam --set train.learning_rate=0.001",
        )  # fmt: skip


def _survey(
    recipe: Recipe, reporter: Reporter, resplit: bool = False
) -> tuple[Recipe, Manifest, cache.Early]:
    """Return what `survey` does, and what was decoded on the way."""
    _check_network(recipe)
    source = open_any(recipe.data, reporter)
    if resplit:
        items = tuple(replace(item, official="") for item in source.items)
        source = replace(source, items=items)
    recipe = _fill_in(recipe, source)
    names = sorted({item.label for item in source.items})
    recipe = _with_inputs(recipe, direction.by_names(recipe.inputs, names), reporter)
    _check_shape(recipe)
    for warning in pipeline.warnings(recipe.inputs):
        reporter.note(f"note: {warning}")
    early = cache.Early(decoder_of(recipe))
    manifest = build(
        source,
        group_regex=recipe.data.group_regex,
        group_csv=recipe.data.group_csv,
        columns=(recipe.data.path_column, recipe.data.group_column),
        progress=reporter.stage(f"reading {source.name}"),
        on_image=early.see,
        background=recipe.data.background,
    )
    _report_data(recipe, manifest, reporter)
    return recipe, manifest, early


def _check_shape(recipe: Recipe) -> None:
    """Refuse what cannot be done to images of this size, before any is read."""
    height, width = decoder_of(recipe).image_size
    pipeline.check(recipe.inputs, (height, width))
    if recipe.model.views == "turned" and height != width:
        raise InputError(
            "model.views", "square images for turned ones", f"{height}x{width} px",
            "model.views=mirrored, or one side as data.image_size",
        )  # fmt: skip


def decoder_of(recipe: Recipe) -> Decoder:
    """Return the decoder of a recipe; an error where the image size was left open."""
    size = recipe.data.image_size
    if size is None:
        raise InputError("data.image_size", "a size", "none", "data.image_size=64")
    return Decoder(size, recipe.data.channels, recipe.data.fit, recipe.data.background)


def _fill_in(recipe: Recipe, source: Source) -> Recipe:
    """Fill in what the recipe leaves to the data: image size, group regex, positive class.

    An empty regex or class stays empty, so that a resume finds the same recipe.

    Raises:
        InputError: if the positive class is none of two, or is lacking where a target needs one.
    """
    data, names = recipe.data, source.class_names
    positive = source.positive_class(data.positive)
    for key in ("sensitivity", "specificity"):
        if positive is None and getattr(recipe.evaluation, key) is not None:
            is_binary = len(names) == 2
            hint = f"data.positive={names[0]}, or ={names[1]}" if is_binary else "leaving it out"
            expected = "two classes, one of them positive"
            raise InputError(f"evaluation.{key}", expected, ", ".join(names), hint)
    regex = source.group_regex if data.group_regex is None else data.group_regex
    if data.group_csv or data.group_from != "name":
        regex = None
    settings = data.model_copy(
        update={
            "image_size": data.image_size or typical_size(source),
            "group_regex": regex,
            "positive": "" if data.positive == "" else positive,
        }
    )
    return recipe.model_copy(update={"data": settings})


def _report_data(recipe: Recipe, manifest: Manifest, reporter: Reporter) -> None:
    """Report what the data are, how they are read, what was left out, and what to beware of."""
    source, data = manifest.source, recipe.data
    counts = Counter(row.label for row in manifest.rows)
    classes = [f"{name} ({count:,})" for name, count in sorted(counts.items())]
    more = [f"{len(classes) - MAX_CLASSES} more"] if len(classes) > MAX_CLASSES else []
    height, width, channels = decoder_of(recipe).shape
    colour = "grey, 1 channel" if channels == 1 else f"colour, {channels} channels"
    positive = f"; positive: {data.positive}" if data.positive else ""
    reporter.note(f"{source.name}: {manifest.summary()}")
    reporter.note(f"classes: {', '.join(classes[:MAX_CLASSES] + more)}{positive}")
    reporter.note(f"images: {height} x {width} px (height x width), {colour}, {data.fit}")
    reporter.note(f"augmentation: {pipeline.describe(recipe.inputs)}")
    reporter.note(f"groups: {_groups_in_words(recipe, manifest)}")
    for note in manifest.messages():
        reporter.note(note)
    if manifest.has_groups or source.is_benchmark or data.group_regex == "":
        return
    reporter.note(
        "images of one patient, slide or video may be on both sides of the split: "
        "--group-regex reads them from file names, --group-from folder from folders"
    )
    if proposal := groups.propose_folder(source):
        reporter.note(proposal)


def _groups_in_words(recipe: Recipe, manifest: Manifest) -> str:
    """Return the groups in words, and whether each is kept on one side of the split."""
    if not manifest.has_groups:
        reason = ", as data.group_regex is empty" if recipe.data.group_regex == "" else ""
        official = "given by the data, else " if any(row.official for row in manifest.rows) else ""
        return f"none known{reason}; the split is {official}by image"
    count = len({row.group for row in manifest.rows})
    effect = "each on one side of the split"
    if recipe.data.split.unit == "image":
        effect = "not heeded, as data.split.unit is image"
    return f"{count:,} {manifest.source.nouns[1]}, {manifest.group_rule}; {effect}"
