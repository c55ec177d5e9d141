"""From a recipe to decoded, split, checked images: all that happens before a network exists."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcnn import architectures
from tfcnn.base.errors import InputError, did_you_mean
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_any, typical_size
from tfcnn.decode import Content, Decoder, UprightImage
from tfcnn.evaluation import subgroups
from tfcnn.inputs import cache, direction, pipeline
from tfcnn.inputs.streamed import Streamed
from tfcnn.manifest import Manifest, Row, build, corrections, groups, splits
from tfcnn.manifest.corrections import Corrections
from tfcnn.recipes import InputSettings, Recipe
from tfcnn.training import ways
from tfcnn.training.team import Team

MAX_CLASSES = 20  # that are named


@dataclass(frozen=True)
class Prepared:
    """The data of a run, decoded for one way to begin.

    Attributes:
        asked: the recipe, with what it left to the data filled in; it goes into the run folder.
        allowed: the ways to begin, see `ways.allowed`.
        recipe: one of these; every setting of it is filled in.
        manifest: all readable images.
        splits: a split per row of it.
        images: uint8 `(images, height, width, channels)` in [0, 255]: memory-mapped, or `Streamed`.
        labels: int32 `(images,)`, indices into `manifest.class_names`.
        rows: int64 `(count,)` per split, row numbers.
        decode_seconds: time spent opening image files.
        early: what was decoded, for other ways to begin, while the images were hashed.
        left_out: why other ways to begin are not tried.
        team: the processes that train together; None where this one is alone.
        precisions: that `auto` comes to, by way to begin, as another training has recorded them.
    """

    asked: Recipe
    allowed: tuple[Recipe, ...]
    recipe: Recipe
    manifest: Manifest
    splits: list[str]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    rows: dict[str, npt.NDArray[np.int64]]
    decode_seconds: float
    early: tuple[cache.Early, ...]
    left_out: tuple[str, ...]
    team: Team | None = None
    precisions: dict[str, str] = field(default_factory=dict)

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

    @property
    def is_chief(self) -> bool:
        """Whether this process is alone, or the chief of a team."""
        return self.team is None or self.team.cluster.is_chief

    @property
    def place(self) -> str:
        """The folder among the checkpoints; "" where the way to begin was named."""
        return str(self.recipe.model.start) if self.asked.model.start == "auto" else ""

    def changed(self, change: Callable[[Recipe], Recipe]) -> "Prepared":
        """Return the same images with all recipes changed alike."""
        allowed = tuple(map(change, self.allowed))
        return replace(self, asked=change(self.asked), allowed=allowed, recipe=change(self.recipe))

    def by(self, way: Recipe, reporter: Reporter) -> "Prepared":
        """Return the same images in the same splits, decoded for another way to begin."""
        if decoder_of(way) == self.decoder:
            return replace(self, recipe=way)
        decoded = _decode(self.manifest, way, self.early, reporter)
        seconds = self.decode_seconds + decoded.decode_seconds
        return replace(self, recipe=way, images=decoded.images, decode_seconds=seconds)


class Survey(NamedTuple):
    """What the data are, before any is split.

    Attributes:
        recipe: with what it left to the data filled in.
        allowed: the ways to begin; each has an image size.
        manifest: all readable images.
        early: what was decoded on the way.
        left_out: why other ways to begin are not tried.
        corrections: of its labels, which are as they were given; None where there are none.
    """

    recipe: Recipe
    allowed: tuple[Recipe, ...]
    manifest: Manifest
    early: tuple[cache.Early, ...]
    left_out: tuple[str, ...]
    corrections: Corrections | None


def prepare(recipe: Recipe, split_csv: Path | None, resplit: bool, reporter: Reporter) -> Prepared:
    """Read, split, check and decode the images of a recipe, for the first way to begin.

    Args:
        recipe: what to prepare.
        split_csv: a split made before, instead of drawing one.
        resplit: ignore the split that the folder itself is in.
        reporter: hears of every stage.

    Raises:
        InputError: if the data cannot be used.
        CheckError: if the split leaks.
    """
    recipe, allowed, manifest, early, left_out, found = survey(recipe, reporter, resplit)
    split = recipe.data.split
    reporter.stage("splitting")
    row_splits = splits.read(split_csv, manifest) if split_csv else splits.assign(manifest, split)
    with_test = recipe.data.corrections_test
    corrected, row_splits = corrections.apply(found, manifest, row_splits, with_test=with_test)
    splits.gate(corrected, row_splits, unit=split.unit)
    for note in corrected.notes:
        if note not in manifest.notes:
            reporter.note(note)
    manifest = corrected
    decoded = _decode(manifest, allowed[0], early, reporter)
    classes = {name: i for i, name in enumerate(manifest.class_names)}
    labels = np.array([classes[row.label] for row in manifest.rows], dtype=np.int32)
    rows = {name: splits.select(row_splits, name) for name in splits.NAMES}
    groups = [row.group for row in manifest.rows]
    mirrored = direction.by_images(recipe.inputs, decoded.images, labels, groups, rows["train"])
    allowed = tuple(_with_inputs(way, mirrored) for way in allowed)
    _report_inputs(mirrored, reporter)
    return Prepared(
        _with_inputs(recipe, mirrored),
        allowed,
        allowed[0],
        manifest,
        row_splits,
        decoded.images,
        labels,
        rows,
        decoded.decode_seconds,
        # what is in the array now needs no memory any more
        tuple(one for one in early if one.decoder != decoder_of(allowed[0])),
        left_out,
    )


def _decode(
    manifest: Manifest, way: Recipe, early: Sequence[cache.Early], reporter: Reporter
) -> cache.Decoded:
    """Decode all images, and report which array of them was damaged."""
    decoder = decoder_of(way)
    if way.inputs.cache == "none":
        streamed: Any = Streamed(manifest.source, manifest.rows, decoder)  # indexed as an array is
        return cache.Decoded(streamed, 0.0)
    progress = reporter.stage("decoding")
    known = next((one for one in early if one.decoder == decoder), None)
    decoded = cache.load(manifest.source, manifest.rows, decoder, progress, known)
    for note in decoded.notes:
        reporter.note(note)
    return decoded


def _with_inputs(recipe: Recipe, inputs_and_reason: tuple[InputSettings, str]) -> Recipe:
    """Return the recipe with the `[inputs]` that the data call for."""
    return recipe.model_copy(update={"inputs": inputs_and_reason[0]})


def _report_inputs(inputs_and_reason: tuple[InputSettings, str], reporter: Reporter) -> None:
    if why := inputs_and_reason[1]:
        reporter.note(why)


def survey(recipe: Recipe, reporter: Reporter, resplit: bool = False) -> Survey:
    """Read what the data are.

    Args:
        recipe: what to prepare.
        reporter: hears of every stage.
        resplit: ignore the split that the folder itself is in.

    Raises:
        InputError: if data, network options or augmentation cannot be used.
    """
    allowed = ways.allowed(recipe)
    source = open_any(recipe.data, reporter)
    if resplit:
        items = tuple(replace(item, official="") for item in source.items)
        source = replace(source, items=items)
    names = sorted({item.label for item in source.items})
    found = direction.by_names(recipe.inputs, names)
    filled = [_with_inputs(_fill_in(one, source), found) for one in (recipe, *allowed)]
    _report_inputs(found, reporter)
    recipe, allowed, left_out = _sized(filled[0], filled[1:], source, reporter)
    for way in allowed:
        _check_shape(way)
    for warning in pipeline.warnings(recipe.inputs):
        reporter.note(f"note: {warning}")
    decoders = dict.fromkeys(map(decoder_of, allowed)) if recipe.inputs.cache == "disk" else ()
    early = tuple(map(cache.Early, decoders))

    def see(row: Row, image: UprightImage, content: Content) -> None:
        for one in early:
            one.see(row, image, content)

    manifest = build(
        source,
        group_regex=recipe.data.group_regex,
        group_csv=recipe.data.group_csv,
        columns=(recipe.data.path_column, recipe.data.group_column),
        progress=reporter.stage(f"reading {source.name}"),
        on_image=see,
        background=recipe.data.background,
    )
    if csv := recipe.evaluation.subgroups_csv:
        paths = [row.path for row in manifest.rows]
        own_groups = np.array([row.group for row in manifest.rows], dtype=np.str_)
        subgroups.check(csv, paths, own_groups, source.root)
    _report_data(recipe, allowed, manifest, reporter)
    found_corrections = corrections.find(recipe.data, manifest)
    return Survey(recipe, allowed, manifest, early, left_out, found_corrections)


def _sized(
    recipe: Recipe, allowed: Sequence[Recipe], source: Source, reporter: Reporter
) -> tuple[Recipe, tuple[Recipe, ...], tuple[str, ...]]:
    """Give each way to begin its image size.

    Returns:
        The recipe, which is the way to begin where there is only one, the ways, and why others are
        left out of several.
    """
    typical = recipe.data.image_size or typical_size(source)
    sized = []
    for way in allowed:
        model = way.model
        is_new = model.start == "scratch"
        learnt = None if is_new else architectures.image_size(model.network, model.options)
        size = recipe.data.image_size or learnt or typical
        data = way.data.model_copy(update={"image_size": size})
        sized.append(way.model_copy(update={"data": data}))
    if recipe.model.start == "auto":
        suited, left_out = [], list[str]()
        for way in sized:
            if reason := ways.unsuited(way, len(source.items)):
                left_out.append(f"{way.model.start} was not tried: {reason}")
                reporter.note(left_out[-1])
            else:
                suited.append(way)
        # the network itself refuses what nothing suits
        return recipe, tuple(suited or sized[:1]), tuple(left_out)
    # where it was left open, the network decides it, now as later
    asked = sized[0].model.model_copy(update={"start": recipe.model.start})
    return sized[0].model_copy(update={"model": asked}), tuple(sized), ()


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
    """Fill in what the recipe leaves to the data: group regex and positive class.

    An empty regex or class stays empty, so that a resume finds the same recipe.

    Raises:
        InputError: if a class is weighted that is none, or the positive class is none of two, or
            is lacking where a target needs one.
    """
    data, names = recipe.data, source.class_names
    weights = recipe.train.class_weights
    for name in weights if isinstance(weights, dict) else ():
        if name not in names:
            received = f"{name!r}{did_you_mean(name, names)}"
            expected = f"names of classes: {', '.join(names[:MAX_CLASSES])}"
            hint = f"'train.class_weights={{{names[0]} = 2.0}}'"
            raise InputError("train.class_weights", expected, received, hint)
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
            "group_regex": regex,
            "positive": "" if data.positive == "" else positive,
        }
    )
    return recipe.model_copy(update={"data": settings})


def _report_data(
    recipe: Recipe, allowed: Sequence[Recipe], manifest: Manifest, reporter: Reporter
) -> None:
    """Report what the data are, how they are read, what was left out, and what to beware of."""
    source, data = manifest.source, recipe.data
    counts = Counter(row.label for row in manifest.rows)
    classes = [f"{name} ({count:,})" for name, count in sorted(counts.items())]
    more = [f"{len(classes) - MAX_CLASSES} more"] if len(classes) > MAX_CLASSES else []
    sizes = dict.fromkeys(decoder_of(way).image_size for way in allowed)
    pixels = " and ".join(f"{height} x {width} px" for height, width in sizes)
    colour = "grey, 1 channel" if data.channels == 1 else f"colour, {data.channels} channels"
    positive = f"; positive: {data.positive}" if data.positive else ""
    reporter.note(f"{source.name}: {manifest.summary()}")
    reporter.note(f"classes: {', '.join(classes[:MAX_CLASSES] + more)}{positive}")
    reporter.note(f"images: {pixels} (height x width), {colour}, {data.fit}")
    mixed = f"; mixed in pairs (mixup {recipe.train.mixup:g})" if recipe.train.mixup else ""
    reporter.note(f"augmentation: {pipeline.describe(recipe.inputs)}{mixed}")
    if source.labels_csv:
        reporter.note(f"labels: from {source.labels_csv}")
    reporter.note(f"groups: {_groups_in_words(recipe, manifest)}")
    for note in manifest.messages():
        reporter.note(note)
    if manifest.has_groups or source.is_benchmark or data.group_regex == "":
        return
    from_folders = "--group-from folder from folders"
    if source.labels_csv:
        from_folders = f"a column group in {source.labels_csv} names them"
    reporter.note(
        "images of one patient, slide or video may be on both sides of the split: "
        f"--group-regex reads them from file names, {from_folders}"
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
