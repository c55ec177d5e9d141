"""Explain image files: a picture of each, and in figures where the network looked."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic, naming
from tfcnn.base.errors import InputError
from tfcnn.explain.cam import METHODS, answered
from tfcnn.explain.explainer import Explainer, feature_maps
from tfcnn.explain.images import Readable, Unreadable, read
from tfcnn.explain.outside import background, share_outside
from tfcnn.explain.structure import shown
from tfcnn.prediction import NO_ANSWER, NO_NUMBERS, UNREADABLE, Image

__all__ = ["Explanation", "explain", "write_table"]

Floats = npt.NDArray[np.float32]
Style = Literal["page", "overlay"]

TABLE = "explanations.csv"
LEAST_FRAME = 0.01  # of the image; less is a few dark pixels at its border, not a frame
MOST_FRAME = 0.95  # more is a dark image, not an object


@dataclass(frozen=True)
class Explanation:
    """Why a run says what it says of one image.

    Attributes:
        path: the image, as it was given; `archive.zip/member` inside an archive.
        explained: the class asked about, "" where the image could not be read or got no answer.
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


def explain(
    explainer: Explainer,
    images: Iterable[tuple[Image, Path]],
    folder: Path | None,
    *,
    class_name: str | None = None,
    style: Style = "page",
    with_features: bool = False,
) -> Iterator[Explanation]:
    """Yield one explanation per image, in order, and write its picture.

    Args:
        explainer: of the run.
        images: from `tfcnn.explain.images.listed`.
        folder: where the pictures go; None writes none. Each appears only when it is whole.
        class_name: the class asked about; the predicted one of each image if None.
        style: `page` shows image, map and figures side by side; `overlay` the map over the image.
        with_features: write the feature maps of each image too, as `NAME.features.png`.

    Raises:
        InputError: at once, if there is no such class or the folder cannot be made; later, if a
            picture cannot be written.
    """
    names = explainer.run.class_names
    if class_name is not None and class_name not in names:
        raise InputError("--class", f"one of {', '.join(names)}", repr(class_name), names[0])
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
    asked = None if class_name is None else names.index(class_name)
    return _explained(explainer, images, folder, asked, style, with_features)


def _explained(
    explainer: Explainer,
    images: Iterable[tuple[Image, Path]],
    folder: Path | None,
    asked: int | None,
    style: Style,
    with_features: bool,
) -> Iterator[Explanation]:
    for batch in read(explainer.run.decoder, images):
        readable = [one for one in batch if isinstance(one, Readable)]
        found = iter(_figures(explainer, readable, asked))
        for one in batch:
            if isinstance(one, Unreadable):
                yield Explanation(one.path, flag=UNREADABLE, reason=one.reason)
                continue
            cam, explanation = next(found)
            if folder is not None and not explanation.flag:
                target = folder / one.name
                _write(target, one, cam, explanation, explainer, style)
                if with_features:
                    _write_features(target.with_suffix(".features.png"), one, explainer)
                explanation = replace(explanation, picture=str(target))
            yield explanation


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
    try:
        atomic.write_text(target, atomic.csv_text(header, rows))
    except OSError as error:
        raise _unwritable(target, error) from error
    return target


def _figures(
    explainer: Explainer, readable: list[Readable], asked: int | None
) -> list[tuple[Floats, Explanation]]:
    if not readable:
        return []
    pixels = np.stack([one.pixels for one in readable])
    given = None if asked is None else np.full(len(pixels), asked)
    maps, logits = explainer.maps_and_logits(pixels, given)
    classes = logits.argmax(axis=1) if given is None else given
    probs = explainer.probs(logits)
    frame = background(pixels)
    shares, areas = share_outside(maps, frame), frame.mean(axis=(1, 2))
    rows, has_answer = [], answered(maps, logits)
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

    from tfcnn.explain import pictures

    if style == "overlay":
        picture = Pillow.fromarray(pictures.overlay(one.shown, cam))
    else:
        picture = pictures.beside(one.shown, cam, _caption(explanation, explainer))
    try:
        with atomic.writing(target) as part:
            picture.save(part, format="PNG")
    except OSError as error:
        raise _unwritable(target, error) from error


def _write_features(target: Path, one: Readable, explainer: Explainer) -> None:
    from tfcnn.explain import pictures

    # the last layer of each size: a deep network has too many for one sheet
    last = {stage.size: stage.name for stage in shown(explainer.model)}
    found = feature_maps(explainer.model, one.pixels, list(last.values()))
    title = f"{one.name.stem}: the 8 strongest maps of each layer"
    try:
        with atomic.writing(target) as part:
            pictures.save_figure(pictures.feature_sheet(one.pixels, found, title), part)
    except OSError as error:
        raise _unwritable(target, error) from error


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


def _unwritable(target: Path, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(target, "a place to write to", reason, "another folder")
