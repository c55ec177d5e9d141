"""The whole of `tfcnn explain`: pictures, figures per image and in total, and the sanity check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import atomic
from tfcnn.explain import files, images
from tfcnn.explain.cam import Method
from tfcnn.explain.explainer import Explainer, filters
from tfcnn.explain.sanity import Sanity, check
from tfcnn.prediction import NO_ANSWER, UNREADABLE
from tfcnn.runs import Run

__all__ = ["Study", "explain_files", "write_overlays"]

FILTERS = "filters.png"
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Study:
    """Why a run says what it says of some images.

    Attributes:
        run: the run's name.
        method: `grad-cam` or `layer-cam`.
        layer: whose maps were used.
        explanations: one per image, in order.
        sanity: whether the maps depend on what was learnt; None where no image has an answer.
        filters: the picture of the first convolution's kernels, "" where not asked for.
        thing: what the images show, in one word.
        left_out: for each folder and archive, how many of its files are no images, by kind.
    """

    run: str
    method: Method
    layer: str
    explanations: list[files.Explanation]
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
    def unreadable(self) -> list[files.Explanation]:
        """The images that could not be read."""
        return [one for one in self.explanations if one.flag == UNREADABLE]

    @property
    def no_answer(self) -> list[files.Explanation]:
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

    def lines(self) -> list[str]:
        """Return what is worth saying in total, a sentence each."""
        found = [
            f"{row['class']}, {row['images']:,} images: {100 * row['share']:.1f} % of the evidence "
            f"lies outside the {self.thing}, as {100 * row['area']:.1f} % of the area does."
            for row in self.outside
        ]
        if not found and any(not one.flag for one in self.explanations):
            found = ["No image has a dark frame: attention outside of an object is not measured."]
        return [*found, self.sanity.sentence] if self.sanity else found


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
        class_name: the class asked about; the predicted one of each image if None.
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
    left_out: list[str] = []
    # a wrong path is said before TensorFlow is loaded
    listed = images.listed(paths, left_out.append, run.ignore)
    if note:
        for text in left_out:
            note(text)
    explainer = Explainer(run, method, layer)
    rows = files.explain(
        explainer, listed, output, class_name=class_name, with_features=with_features
    )
    found = []
    for row in rows:
        found.append(row)
        if progress:
            progress(len(found), len(listed))
    readable = [one for one, row in zip(listed, found, strict=True) if not row.flag]
    sample = images.sample(run.decoder, readable)
    asked = None
    if class_name is not None:
        asked = np.full(len(sample), run.class_names.index(class_name))
    sanity = check(explainer, sample, asked) if len(sample) else None
    picture = ""
    if output is not None:
        files.write_table(output, found)
        picture = _draw_filters(explainer, output) if with_filters else ""
    return Study(
        run.name, method, explainer.layer, found, sanity, picture, explainer.thing, tuple(left_out)
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
    listed = images.listed(paths, ignore=explainer.run.ignore)
    written = 0
    rows = files.explain(explainer, listed, folder, style="overlay")
    for number, row in enumerate(rows, start=1):
        written += bool(row.picture)
        if progress:
            progress(number, len(listed))
    return written


def _draw_filters(explainer: Explainer, folder: Path) -> str:
    from tfcnn.explain import pictures

    name, kernels = filters(explainer.model)
    height, width, channels, count = kernels.shape
    title = f"{explainer.run.name}, {name}: {count} filters of {height} x {width} x {channels}"
    target = folder / FILTERS
    with atomic.writing(target) as part:
        pictures.save_figure(pictures.filter_sheet(kernels, title), part)
    return str(target)
