"""Photographs of 12 megapixels: what reading them costs tfcnn, as it did before, and Keras.

    python benchmarks/photographs.py --images 300

Ultralytics reads them too where its environment is installed (`sh benchmarks/rivals/install.sh`).
Makes JPEGs of 4000 x 3000 px from scikit-learn's two sample photographs, parts of them enlarged,
mirrored and made noisy. Each contestant reads all of them at 160 px, one after the other, in this
process: the preparation of a training (hashes, duplicates and pixels), what `predict` reads, and
`image_dataset_from_directory`, which does not antialias. Each repeat runs all contestants; ratios
are of one repeat. CPU seconds are those of all threads. `before` is decoder version 1, which reads
all pixels of a JPEG.
"""

import argparse
import contextlib
import io
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import spread, table
from PIL import Image
from sklearn.datasets import load_sample_images

from tfcnn.base import threads
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder, open_image
from tfcnn.inputs.cache import Early
from tfcnn.manifest import rows

HEIGHT, WIDTH, SIDE = 3000, 4000, 160
CLASSES = ("china", "flower")
RIVALS = Path(__file__).parent / "rivals"
ULTRALYTICS = RIVALS / "environments" / "classify" / "bin" / "python"


def make(folder: Path, count: int) -> None:
    """Write the photographs, in a folder per class."""
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        picture = pictures[number % 2]
        left, top = (int(rng.integers(0, side // 3)) for side in picture.size)
        part = (left, top, left + picture.width * 2 // 3, top + picture.height * 2 // 3)
        large = picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, part)
        noise = rng.integers(-10, 11, (HEIGHT, WIDTH, 1), dtype=np.int16)
        pixels = np.clip(np.asarray(large, np.int16) + noise, 0, 255).astype(np.uint8)
        if number % 4 > 1:
            pixels = pixels[:, ::-1]
        Image.fromarray(pixels).save(folder / CLASSES[number % 2] / f"{number}.jpg", quality=90)


def prepare(folder: Path, decoder: Decoder) -> None:
    """Do what the first training on a folder does: hash, compare and decode each image."""
    source = open_folder(folder)
    (source.store / rows.FILE).unlink(missing_ok=True)
    seen = Early(decoder)
    rows.build(source, on_image=seen.see)


def decode(folder: Path, decoder: Decoder) -> None:
    """Read every image as `predict` does, in threads."""

    def read(path: Path) -> None:
        decoder.pixels(open_image(path.read_bytes(), path.name, decoder.least), path.name)

    for _ in threads.ordered(read, sorted(folder.rglob("*.jpg"))):
        pass


def keras(folder: Path) -> None:
    """Read every image as Keras' utility does."""
    import keras

    with contextlib.redirect_stdout(io.StringIO()):
        images = keras.utils.image_dataset_from_directory(folder, image_size=(SIDE, SIDE))
    for _ in images:
        pass


def ultralytics(folder: Path) -> tuple[float, float]:
    """Return the wall and processor seconds in which Ultralytics reads every image."""
    script = RIVALS / "ultralytics_read.py"
    command = [str(ULTRALYTICS), str(script), str(SIDE), str(folder)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, cpu = map(float, result.stdout.split()[-2:])
    return wall, cpu


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and processor seconds of a run in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - cpu


def main() -> None:
    """Print the milliseconds of each contestant, and how many times as long it takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    new, old = Decoder((SIDE, SIDE)), Decoder((SIDE, SIDE), version=1)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TFCNN_HOME"] = scratch  # the manifest goes there
        folder = Path(scratch) / "photographs"
        make(folder, options.images)
        whole = rows.HASHED_PX
        contestants: dict[str, tuple[Callable[[], None], str]] = {
            "prepare": (lambda: prepare(folder, new), "prepare"),
            "prepare, before": (lambda: prepare(folder, old), "prepare"),
            "predict's reading": (lambda: decode(folder, new), "predict's reading"),
            "predict's reading, before": (lambda: decode(folder, old), "predict's reading"),
            "Keras": (lambda: keras(folder), "predict's reading"),
        }
        keras(folder)  # TensorFlow starts
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for _ in range(options.repeats):
            for name, (run, _) in contestants.items():
                rows.HASHED_PX = (HEIGHT, WIDTH) if name == "prepare, before" else whole
                found[name].append(timed(run))
            if ULTRALYTICS.exists():
                found["Ultralytics"].append(ultralytics(folder))
        lines = []
        against = {name: ours for name, (_, ours) in contestants.items()}
        for name, ours in (against | {"Ultralytics": "predict's reading"}).items():
            if not found[name]:
                continue
            wall, cpu = (np.array(column) for column in zip(*found[name], strict=True))
            ratio = cpu / np.array([seconds for _, seconds in found[ours]])
            each = (1000 * column / options.images for column in (wall, cpu))
            lines.append([name, *(spread([*column], 1) for column in each), spread([*ratio])])
        header = ("contestant", "ms an image", "CPU ms an image", "CPU time, ours = 1")
        print(table(header, lines))


if __name__ == "__main__":
    main()
