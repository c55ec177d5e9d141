"""Findings on files that are unlike what one expects, or unlike the others of their set."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfcnn.decode import Background, remarks
from tfcnn.manifest.findings import Finding, counted
from tfcnn.manifest.looks import Look, suffix
from tfcnn.manifest.rows import Manifest, Row

SUFFIXES = {  # by Pillow's name of a format
    "PNG": {".png", ".apng"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "WEBP": {".webp"},
    "BMP": {".bmp"},
    "GIF": {".gif"},
    "TIFF": {".tif", ".tiff"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
    "JPEG2000": {".jp2", ".j2k", ".jpx"},
    "AVIF": {".avif"},
    "HEIF": {".heic", ".heif", ".hif"},
}
HUGE_MEGAPIXELS = 20.0
ADVICE = {
    remarks.CMYK: "They are converted without a colour profile: see that they look like the "
    "others, or save them as RGB.",
    remarks.PALETTE: "A palette has at most 256 colours: look for the originals if there are any.",
    remarks.DEEP: "All their bits are read, and scaled to 8. Nothing is to be done if they are "
    "bright enough.",
    remarks.TURNED: "They are read upright. Other programs may show them turned.",
}
PARTS_ADVICE = "Save what a model needs to see as an image of its own."
# an outlier is further from the median than so many standard deviations
FAR = 5.0
# of a normal distribution: standard deviations by the median distance from the median (Iglewicz and
# Hoaglin 1993), and by the distance that 95 % keep, which is greater where there are two kinds
BY_MEDIAN, BY_MOST, MOST = 1.4826, 1 / 1.96, 0.95
TELLING = 0.5  # of the images that the commonest class is wrong for, so many are told by a value
MIN_HELD = 10  # images of a value that may tell the class
Values = npt.NDArray[np.float64]


def find(
    manifest: Manifest, looks: Mapping[str, Look], background: Background
) -> Iterator[Finding]:
    """Yield the findings on single files.

    Args:
        manifest: of the readable images.
        looks: of each of them, by path.
        background: leaves out what vanishes over another one only.
    """
    rows = manifest.rows
    yield from _wrong_types(rows, looks)
    yield from _remarked(rows, background)
    yield from _unusual(rows, looks)
    yield from _huge(rows, looks)
    yield from _telling(rows, looks)
    yield from _outliers(rows, looks)


def _wrong_types(rows: Sequence[Row], looks: Mapping[str, Look]) -> Iterator[Finding]:
    known = set().union(*SUFFIXES.values())
    wrong = {}
    for row in rows:
        ending, look = suffix(row.path), looks[row.path]
        if ending in known and look.format and ending not in SUFFIXES.get(look.format, known):
            wrong[row.path] = look.kind
    if wrong:
        yield Finding(
            "wrong-type",
            f"{counted(len(wrong))} of another type than the name says",
            examples=tuple(f"{path}: {kind}" for path, kind in wrong.items()),
            advice="They are read by their content. Other programs may not: rename them.",
            images=tuple((path,) for path in wrong),
        )


def _remarked(rows: Sequence[Row], background: Background) -> Iterator[Finding]:
    """Yield what of an image is not read; the words are those of training."""
    for what, of in remarks.by_remark({row.path: row.remarks for row in rows}, background).items():
        first, count = next(iter(of.items()))
        such = f", such as {first}" + (f" ({count})" if count else "")
        yield Finding(
            "partly-read",
            f"{counted(len(of))} with {what}{such}",
            examples=tuple(f"{path} ({count})" if count else path for path, count in of.items()),
            advice="" if "--set" in what else PARTS_ADVICE,
            images=tuple((path,) for path in of),
        )


def _unusual(rows: Sequence[Row], looks: Mapping[str, Look]) -> Iterator[Finding]:
    """Yield how files hold their pixels where that is unusual."""
    for trait, advice in ADVICE.items():
        paths = [row.path for row in rows if trait in looks[row.path].traits]
        if paths:
            share = "" if len(paths) < len(rows) else "all "
            yield Finding(
                "unusual-file",
                f"{share}{counted(len(paths))} with {trait}",
                examples=tuple(paths),
                advice=advice,
                images=tuple((path,) for path in paths),
            )


def _huge(rows: Sequence[Row], looks: Mapping[str, Look]) -> Iterator[Finding]:
    megapixels = {row.path: np.prod(looks[row.path].size) / 1e6 for row in rows}
    huge = {path: size for path, size in megapixels.items() if size > HUGE_MEGAPIXELS}
    if huge:
        ordered = sorted(huge, key=lambda path: (-huge[path], path))
        yield Finding(
            "huge",
            f"{counted(len(huge))} over {HUGE_MEGAPIXELS:g} megapixels",
            examples=tuple(f"{path}: {_pixels(looks[path])}" for path in ordered),
            advice="A network sees few of these pixels, and reading them takes long: make them "
            "smaller, or cut out what matters.",
            images=tuple((path,) for path in ordered),
        )


def _pixels(look: Look) -> str:
    return "{:,} x {:,} px (height x width)".format(*look.size)


def _telling(rows: Sequence[Row], looks: Mapping[str, Look]) -> Iterator[Finding]:
    """Yield what tells the class and is no part of the picture: a shortcut that a network takes."""
    values: tuple[tuple[str, Callable[[Look], str]], ...] = (
        ("type of the file", lambda look: look.kind.partition(" ")[2]),
        ("size in px", _pixels),
    )
    for name, value_of in values:
        held = Counter((value_of(looks[row.path]), row.label) for row in rows)
        totals = Counter(value_of(looks[row.path]) for row in rows)
        often = [value for value, count in totals.most_common() if count >= MIN_HELD]
        labels = Counter(row.label for row in rows)
        by_value = sum(max(held[value, label] for label in labels) for value in often)
        rare = len(rows) - sum(totals[value] for value in often)
        commonest = max(labels.values())
        wrong = len(rows) - commonest
        if len(often) < 2 or by_value + rare * commonest / len(rows) < commonest + TELLING * wrong:
            continue
        told = []
        for value in often:
            count, label = max((held[value, label], label) for label in labels)
            told.append(f"{value}: {100 * count / totals[value]:.0f} % {label}")
        yield Finding(
            "shortcut",
            f"the {name} tells the class of most images",
            "warning",
            tuple(told),
            "A network may learn how the images were saved instead of what they show: take and "
            "save the images of all classes in one way.",
        )


def _outliers(rows: Sequence[Row], looks: Mapping[str, Look]) -> Iterator[Finding]:
    paths = [row.path for row in rows]
    every = [looks[path] for path in paths]
    area = np.array([look.size[0] * look.size[1] for look in every], np.float64)
    light = np.array([look.brightness for look in every], np.float64)
    sharp = np.array([look.sharpness for look in every], np.float64)
    measures: tuple[tuple[str, Values, float, Callable[[int], str], str], ...] = (
        ("size", np.log(area), 0.1, lambda i: _pixels(every[i]), f"{np.median(area) ** 0.5:.0f}"),
        ("brightness", light, 2.0, lambda i: f"{light[i]:.0f} of 255", f"{np.median(light):.0f}"),
        ("sharpness", np.log(sharp + 1), 0.05, lambda i: f"{sharp[i]:.1f}",
         f"{np.median(sharp):.1f}"),
    )  # fmt: skip
    for name, values, least, figure, usual in measures:
        distance = values - np.median(values)
        half, most = np.quantile(np.abs(distance), (0.5, MOST))
        far = distance / max(BY_MEDIAN * float(half), BY_MOST * float(most), least)
        worst = np.flatnonzero(np.abs(far) > FAR).tolist()
        worst.sort(key=lambda i: (-abs(far[i]), paths[i]))
        if worst:
            usual = f"a side of {usual} px" if name == "size" else usual
            yield Finding(
                "outlier",
                f"{counted(len(worst))} of unusual {name}; usual is {usual}",
                examples=tuple(f"{paths[i]}: {figure(i)}" for i in worst),
                advice="Look at them: they may show something else, or be damaged.",
                images=tuple((paths[i],) for i in worst),
            )
