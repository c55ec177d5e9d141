"""The whole of `tfcnn explain`: pictures, figures per image and in total, and the sanity check."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic, naming
from tfcnn.base.errors import InputError
from tfcnn.display.figures import percent
from tfcnn.display.panel import Cell, Grid, Panel, Shown, Thumbnail, below
from tfcnn.display.thumbnail import of_file
from tfcnn.explain import image_files
from tfcnn.explain.explainer import (
    METHODS,
    Explainer,
    Method,
    feature_maps,
    filters,
    has_numbers,
)
from tfcnn.explain.feature_layers import worth_showing
from tfcnn.explain.image_files import Readable, Unreadable
from tfcnn.explain.map_checks import Sanity, background, sanity_check, share_outside
from tfcnn.prediction import NO_ANSWER, NO_NUMBERS, UNREADABLE, Image
from tfcnn.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image as Picture

Floats = npt.NDArray[np.float32]
Style = Literal["page", "overlay"]
Progress = Callable[[int, int | None], None]

MOST_SHOWN, PICTURE_PX = 10, 320  # in a notebook
TABLE, FILTERS = "explanations.csv", "filters.png"
LEAST_FRAME = 0.01  # of the image; less is a few dark pixels at its border, not a frame
MOST_FRAME = 0.95  # more is a dark image, not an object


@dataclass(frozen=True)
class Explanation:
    """Why a run says what it says of one image.

    Attributes:
        path: the image, as it was given; `archive.zip/member` inside an archive.
        explained: the class in question, "" where the image could not be read or got no answer.
        prob: its probability; None there.
        peak: `(height, width)` of the strongest evidence, as shares of the image from its top left
            corner; None where nothing speaks for the class.
        outside_share: share of the map outside of the cell, or another object, in the dark frame;
            None where there is no dark frame, or no evidence.
        outside_area: share of the image that is dark frame.
        picture: the file written, "" where none was.
        flag: "", `unreadable` or `no-answer`: the network gives no number for the image, or for
            where it looked.
        reason: why, where there is a flag.
    """

    path: str
    explained: str = ""
    prob: float | None = None
    peak: tuple[float, float] | None = None
    outside_share: float | None = None
    outside_area: float | None = None
    picture: str = ""
    flag: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """Why a run says what it says of some images.

    Attributes:
        run: the run's name.
        method: `grad-cam` or `layer-cam`.
        layer: whose maps were used.
        explanations: one per image, in order.
        sanity: whether the maps depend on what was learnt; None where no image has an answer.
        filters: the picture of the first convolution's kernels, "" where there is none.
        thing: what the images show, in one word.
        left_out: for each folder and archive, how many of its files are no images, by kind.
    """

    run: str
    method: Method
    layer: str
    explanations: list[Explanation]
    sanity: Sanity | None
    filters: str = ""
    thing: str = "object"
    left_out: tuple[str, ...] = ()

    @property
    def outside(self) -> list[dict[str, Any]]:
        """Per class explained: `images` with a dark frame, mean `share` and `area` outside."""
        rows = []
        framed = [one for one in self.explanations if one.outside_share is not None]
        for name in sorted({one.explained for one in framed}):
            of_class = [one for one in framed if one.explained == name]
            share = float(np.mean([one.outside_share for one in of_class]))
            area = float(np.mean([one.outside_area for one in of_class]))
            rows.append({"class": name, "images": len(of_class), "share": share, "area": area})
        return rows

    @property
    def unreadable(self) -> list[Explanation]:
        """The images that could not be read."""
        return [one for one in self.explanations if one.flag == UNREADABLE]

    @property
    def no_answer(self) -> list[Explanation]:
        """The images for which the network gives no number."""
        return [one for one in self.explanations if one.flag == NO_ANSWER]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "run": self.run,
            "method": self.method,
            "layer": self.layer,
            "images": [one.to_dict() for one in self.explanations],
            "outside": self.outside,
            "sanity": self.sanity.to_dict() if self.sanity else None,
            "filters": self.filters,
            "left_out": list(self.left_out),
        }

    def panel(self) -> Panel:
        """Return what a notebook shows: the pictures that were written, the first of them."""
        rows: list[list[Cell]] = []
        shown = self.explanations[:MOST_SHOWN]
        folder, names = below([one.path for one in shown])
        for one, name in zip(shown, names, strict=True):
            picture = Thumbnail(of_file(one.picture, PICTURE_PX))
            rows.append([picture, name, one.explained or one.flag, percent(one.prob)])
        more = len(self.explanations) - MOST_SHOWN
        grid = Grid(
            ["", "image", "explained", "probability"],
            rows,
            title=f"in {folder}" if folder else "",
            num_texts=3,
            caption=f"and {more:,} more" if more > 0 else "",
        )
        return Panel(f"{self.method} of {self.run}", self.lines(), self.left_out, [grid])

    def lines(self) -> list[str]:
        """Return what is worth saying in total, a sentence each."""
        sentences = [
            f"{row['class']}, {row['images']:,} images: {100 * row['share']:.1f} % of the evidence "
            f"lies outside the {self.thing}, as {100 * row['area']:.1f} % of the area does."
            for row in self.outside
        ]
        if not sentences and any(not one.flag for one in self.explanations):
            sentences = [
                "No image has a dark frame: attention outside of an object is not measured."
            ]
        return [*sentences, self.sanity.sentence] if self.sanity else sentences


def explain_files(
    run: Run,
    paths: Iterable[str | Path],
    *,
    method: Method = "layer-cam",
    layer: str | None = None,
    class_name: str | None = None,
    output: Path | None = None,
    with_filters: bool = False,
    with_features: bool = False,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Study:
    """Show where a run sees evidence for a class, and check that this depends on its training.

    Args:
        run: an opened run.
        paths: images: files, folders and zip archives.
        method: `layer-cam`, or `grad-cam`, which is coarser.
        layer: whose feature maps; by default the deepest that is fine enough.
        class_name: the class to explain; the predicted one of each image if None.
        output: a folder for a picture of each image and `explanations.csv`; None writes nothing.
        with_filters: draw the first convolution's kernels there too.
        with_features: draw each image's feature maps there too.
        progress: called with (images explained, images in all).
        note: hears what was passed over in folders and archives.

    Returns:
        An explanation per image, the share of evidence outside the object, and the sanity check.

    Raises:
        InputError: if a path, class or layer does not exist, the network has no convolution, or
            a picture cannot be written.
    """
    # a wrong path or class is an error before TensorFlow is loaded
    left_out: list[str] = []
    images = image_files.list_images(paths, left_out.append, run.ignore)
    index = None if class_name is None else _class_index(run, class_name)
    if note:
        for text in left_out:
            note(text)
    explainer = Explainer(run, method, layer)
    explanations = []
    for explanation in _explain(explainer, images, output, index, with_features=with_features):
        explanations.append(explanation)
        if progress:
            progress(len(explanations), len(images))
    readable = [one for one, row in zip(images, explanations, strict=True) if not row.flag]
    sanity = _check(explainer, readable, index)
    picture = ""
    if output is not None:
        os.sync()  # once for all pictures: a sync of each takes longer than to draw it
        write_table(output, explanations)
        picture = _draw_filters(explainer, output) if with_filters else ""
    thing, passed_over = explainer.thing, tuple(left_out)
    return Study(
        run.name, method, explainer.layer, explanations, sanity, picture, thing, passed_over
    )


def write_overlays(
    explainer: Explainer,
    paths: Iterable[str | Path],
    folder: Path,
    progress: Progress | None = None,
) -> int:
    """Write the map of the predicted class over each image, as PNGs; return how many.

    Images that cannot be read are left out.

    Raises:
        InputError: if a picture cannot be written.
    """
    images = image_files.list_images(paths, ignore=explainer.run.ignore)
    count = 0
    for number, one in enumerate(_explain(explainer, images, folder, style="overlay"), start=1):
        count += bool(one.picture)
        if progress:
            progress(number, len(images))
    os.sync()
    return count


def write_table(folder: Path, explanations: Iterable[Explanation]) -> Path:
    """Write the figures of all images as `explanations.csv` and return its path."""
    rows = []
    for one in explanations:
        peak = one.peak or (None, None)
        numbers = [one.prob, *peak, one.outside_share, one.outside_area]
        cells = ["" if number is None else f"{number:.6g}" for number in numbers]
        rows.append([one.path, one.explained, *cells, one.picture, one.flag])
    header = ["path", "explained", "prob", "peak_height", "peak_width", "outside_share",
              "outside_area", "picture", "flag"]  # fmt: skip
    target = folder / TABLE
    with _writable(target):
        atomic.write_text(target, atomic.csv_text(header, rows))
    return target


def _class_index(run: Run, class_name: str) -> int:
    names = run.class_names
    if class_name not in names:
        raise InputError("--class", f"one of {', '.join(names)}", repr(class_name), names[0])
    return names.index(class_name)


def _check(
    explainer: Explainer, images: list[tuple[Image, Path]], class_index: int | None
) -> Sanity | None:
    sample = image_files.sample(explainer.run.decoder, images)
    classes = None if class_index is None else np.full(len(sample), class_index)
    return sanity_check(explainer, sample, classes) if len(sample) else None


def _explain(
    explainer: Explainer,
    images: Iterable[tuple[Image, Path]],
    folder: Path | None,
    class_index: int | None = None,
    *,
    style: Style = "page",
    with_features: bool = False,
) -> Iterator[Explanation]:
    """Yield one explanation per image, in order, and write its picture.

    Args:
        explainer: of the run.
        images: from `image_files.list_images`.
        folder: where the pictures go; None writes none. Each appears only when it is whole.
        class_index: the class to explain; the predicted one of each image if None.
        style: `page` shows image, map and figures side by side; `overlay` the map over the image.
        with_features: write the feature maps of each image too, as `NAME.features.png`.
    """
    if folder is not None:
        with _writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            atomic.remove_old_parts_in(folder)
    for batch in image_files.read(explainer.run.decoder, images):
        readable = [one for one in batch if isinstance(one, Readable)]
        figures = iter(_figures(explainer, readable, class_index))
        for one in batch:
            if isinstance(one, Unreadable):
                yield Explanation(one.path, flag=UNREADABLE, reason=one.reason)
                continue
            cam, explanation = next(figures)
            if folder is not None and not explanation.flag:
                target = folder / one.name
                _write(target, one, cam, explanation, explainer, style)
                if with_features:
                    _write_features(target.with_suffix(".features.png"), one, explainer)
                explanation = replace(explanation, picture=str(target))
            yield explanation


def _figures(
    explainer: Explainer, readable: list[Readable], class_index: int | None
) -> list[tuple[Floats, Explanation]]:
    if not readable:
        return []
    pixels = np.stack([one.pixels for one in readable])
    classes = None if class_index is None else np.full(len(pixels), class_index)
    maps, logits = explainer.maps_and_logits(pixels, classes)
    classes = logits.argmax(axis=1) if classes is None else classes
    probs = explainer.probs(logits)
    frame = background(pixels)
    shares, areas = share_outside(maps, frame), frame.mean(axis=(1, 2))
    rows, has_answer = [], has_numbers(maps, logits)
    for i, one in enumerate(readable):
        if not has_answer[i]:
            none = Explanation(one.image.path, flag=NO_ANSWER, reason=NO_NUMBERS)
            rows.append((maps[i], none))
            continue
        has_share = bool(LEAST_FRAME <= areas[i] <= MOST_FRAME and not np.isnan(shares[i]))
        explanation = Explanation(
            one.image.path,
            explainer.run.class_names[classes[i]],
            float(probs[i, classes[i]]),
            _peak(maps[i]),
            float(shares[i]) if has_share else None,
            float(areas[i]),
        )
        rows.append((maps[i], explanation))
    return rows


def _peak(cam: Floats) -> tuple[float, float] | None:
    """Return the middle of the highest pixel as shares of the height and width."""
    if cam.max() == 0:
        return None
    row, column = np.unravel_index(int(cam.argmax()), cam.shape)
    return (float(row) + 0.5) / cam.shape[0], (float(column) + 0.5) / cam.shape[1]


def _write(
    target: Path,
    one: Readable,
    cam: Floats,
    explanation: Explanation,
    explainer: Explainer,
    style: Style,
) -> None:
    from PIL import Image as Pillow

    from tfcnn.explain import overlays

    if style == "overlay":
        picture = Pillow.fromarray(overlays.overlay(one.enlarged, cam))
    else:
        picture = overlays.beside(one.enlarged, cam, _caption(explanation, explainer))
    _save(picture, target)


def _write_features(target: Path, one: Readable, explainer: Explainer) -> None:
    from tfcnn.explain import overlays

    # the last layer of each size: a deep network has too many for one sheet
    last = {stage.size: stage.name for stage in worth_showing(explainer.model)}
    maps = feature_maps(explainer.model, one.pixels, list(last.values()))
    title = f"{one.name.stem}: the 8 strongest maps of each layer"
    _save(overlays.feature_sheet(one.pixels, maps, title), target)


def _draw_filters(explainer: Explainer, folder: Path) -> str:
    from tfcnn.explain import overlays

    name, kernels = filters(explainer.model)
    height, width, channels, count = kernels.shape
    title = f"{explainer.run.name}, {name}: {count} filters of {height} x {width} x {channels}"
    _save(overlays.filter_sheet(kernels, title), folder / FILTERS)
    return str(folder / FILTERS)


def _caption(explanation: Explanation, explainer: Explainer) -> str:
    height, width = explainer.cell
    lines = [
        f"{naming.visible(explanation.explained)} {100 * (explanation.prob or 0):.1f} %",
        f"{METHODS[explainer.method].title} at {explainer.layer}, "
        f"squares of {height:.0f} x {width:.0f} of {explainer.shape[0]} x {explainer.shape[1]} px",
    ]
    if explanation.peak is None:
        lines.append("nothing here speaks for this class")
    elif explanation.outside_share is not None:
        lines.append(
            f"{100 * explanation.outside_share:.0f} % of the evidence lies outside the "
            f"{explainer.thing}, as {100 * (explanation.outside_area or 0):.0f} % of the image does"
        )
    return "\n".join(lines)


def _save(picture: "Picture | Figure", target: Path) -> None:
    """Write a picture as a PNG, which appears only when it is whole."""
    from tfcnn.explain import overlays

    with _writable(target), atomic.writing(target, is_durable=False) as part:
        overlays.save(picture, part)


@contextlib.contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(target, "a place to write to", reason, "another folder") from error
