"""What `tfcnn check` finds of near copies, what it takes for some, and how fast it is.

    python benchmarks/check.py malaria --sheet near.png

Checks a source as it is: the pictures that are called near copies are false alarms unless they are
the same; --sheet writes them as one picture, to be looked at. Then changes 200 images, each by one
of ten changes in turn, puts them beside the others as `test`, and counts how many the check finds.
Last it compares 27,558 pictures, blends of two each. CPU seconds are those of all threads: unlike
seconds they hardly depend on what else the machine does. About 2 minutes on 2 cores.
"""

import argparse
import io
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import tfcnn
from tfcnn.decode import open_image
from tfcnn.manifest import near
from tfcnn.manifest.audit import Audit
from tfcnn.manifest.looks import look

CORES = 2  # for which images per second are told
BLENDS = 27_558


def _again(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _scaled(image: Image.Image, factor: float, how: Image.Resampling) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), how)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 75": lambda image: _again(image, 75),
    "JPEG, quality 40": lambda image: _again(image, 40),
    "half the size": lambda image: _scaled(image, 0.5, Image.Resampling.BICUBIC),
    "half the size, nearest": lambda image: _scaled(image, 0.5, Image.Resampling.NEAREST),
    "1.5 times the size": lambda image: _scaled(image, 1.5, Image.Resampling.BICUBIC),
    "1.2 times as bright": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    ".7 times as bright": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "all four": lambda image: _again(
        ImageOps.mirror(
            ImageEnhance.Brightness(_scaled(image, 0.6, Image.Resampling.BICUBIC)).enhance(1.15)
        ),
        75,
    ),
}


@contextmanager
def measured(what: str) -> Iterator[list[int]]:
    """Print the seconds and CPU seconds of a block, which appends its number of images."""
    start, cpu_start = time.perf_counter(), time.process_time()
    count: list[int] = []
    yield count
    images = count[0]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    print(
        f"{what}: {images:,} images, {seconds:.1f} s, {cpu:.1f} CPU s; "
        f"{CORES * images / cpu:,.0f} images/s on {CORES} busy cores",
        flush=True,
    )


def near_sets(audit: Audit) -> list[tuple[str, ...]]:
    """Return the paths of each set of near copies."""
    return [
        paths
        for finding in audit.findings
        if finding.kind == "near-copies"
        for paths in finding.images
    ]


def changed(audit: Audit, folder: Path, count: int) -> dict[str, tuple[str, str]]:
    """Write links to all images as `train`, and changed copies of some as `test`.

    Returns:
        For each copy the image that it is of, and its change.
    """
    source, copies = audit.source, {}
    for item in source.items:
        link = folder / "train" / item.label / Path(item.path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((source.root / item.path).resolve())
    chosen = random.Random(0).sample(source.items, count)
    for number, item in enumerate(chosen):
        name = list(CHANGES)[number % len(CHANGES)]
        with Image.open(source.root / item.path) as image:
            copy = CHANGES[name](image.convert("RGB"))
        path = folder / "test" / item.label / f"copy_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        copy.save(path)
        copies[f"test/{item.label}/{path.name}"] = (
            f"train/{item.label}/{Path(item.path).name}",
            name,
        )
    return copies


def tell_found(audit: Audit, copies: dict[str, tuple[str, str]]) -> float:
    """Print how many copies of each change were found; return the share of all."""
    set_of = {path: number for number, paths in enumerate(near_sets(audit)) for path in paths}
    found = {
        copy: copy in set_of and set_of[copy] == set_of.get(original)
        for copy, (original, _) in copies.items()
    }
    for name in CHANGES:
        own = [found[copy] for copy, (_, change) in copies.items() if change == name]
        print(f"    {name}: {sum(own)} of {len(own)}")
    share = sum(found.values()) / len(found)
    print(f"found: {sum(found.values())} of {len(found)} changed copies ({100 * share:.1f} %)")
    return share


def blends(audit: Audit, count: int) -> list[np.ndarray]:
    """Return thumbnails of two images each."""
    rng, source = np.random.default_rng(0), audit.source
    some = [source.items[i].path for i in rng.permutation(len(source.items))[:2000]]
    thumbs = np.stack([look(open_image(source.read(path), path)).thumb for path in some])
    pairs = rng.integers(0, len(thumbs), (count, 2))
    return list((thumbs[pairs].astype(np.uint16).sum(axis=1) // 2).astype(np.uint8))


def write_sheet(audit: Audit, path: Path, side: int = 160) -> None:
    """Write all near copies as one picture, a row for each set."""
    sets = near_sets(audit)
    width = max((len(paths) for paths in sets), default=1)
    sheet = Image.new("RGB", (side * width, side * max(1, len(sets))), "white")
    for row, paths in enumerate(sets):
        for column, name in enumerate(paths):
            picture = open_image(audit.source.read(name), name).flat().convert("RGB")
            sheet.paste(picture.resize((side, side)), (side * column, side * row))
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", nargs="?", default="malaria")
    parser.add_argument("--copies", type=int, default=200, help="0 changes none")
    parser.add_argument("--blends", type=int, default=BLENDS, help="0 blends none")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    with measured("check, whole") as images:
        audit = tfcnn.check(options.source, progress=False)
        images.append(len(audit.source.items))
    count = images[0]
    called = {path for paths in near_sets(audit) for path in paths}
    print(
        f"called near copies: {len(called)} of {count:,} images ({100 * len(called) / count:.2f} %)"
    )
    if options.sheet:
        write_sheet(audit, options.sheet)
    if options.copies:
        with tempfile.TemporaryDirectory() as scratch:
            copies = changed(audit, Path(scratch) / "cells", options.copies)
            os.environ["TFCNN_HOME"] = scratch
            tell_found(tfcnn.check(Path(scratch) / "cells", progress=False), copies)
    if options.blends:
        thumbs = blends(audit, options.blends)
        with measured("near copies alone") as images:
            near.pairs(thumbs, np.zeros(len(thumbs), bool))
            images.append(len(thumbs))


if __name__ == "__main__":
    main()
