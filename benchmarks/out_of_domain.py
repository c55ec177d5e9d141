"""How many pictures of other things a run flags, and how many of its own unseen images.

    pip install scikit-image
    python benchmarks/out_of_domain.py models/malaria-crossval/fold-*

Photographs are those inside the packages scikit-learn and scikit-image, whole and ten random crops
of each; digits and text are drawn or scikit-learn's. Inverted and turned images are the run's own
test images, which its threshold has never seen; their source must still be there.
"""

import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFont

import tfcnn
from tfcnn import datasets
from tfcnn.prediction import Predictor
from tfcnn.runs import Run

CROPS, TEXTS, OWN = 10, 100, 500
WORDS = Path(__file__).read_text(encoding="utf-8").split()


def photographs(rng: np.random.Generator) -> list[Image.Image]:
    """Return every picture of both packages, and squares cut out of it at random."""
    found = [Image.fromarray(pixels) for pixels in sklearn.datasets.load_sample_images().images]
    folder = Path(skimage.__file__).parent / "data"
    files = sorted([*folder.glob("*.png"), *folder.glob("*.jpg")])
    found += [Image.open(path).convert("RGB") for path in files if path.stem != "phantom"]
    cut = []
    for image in found:
        for _ in range(CROPS):
            side = int(min(image.size) * rng.uniform(0.15, 1))
            left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
            cut.append(image.crop((left, top, left + side, top + side)))
    return found + cut


def texts(rng: np.random.Generator) -> list[Image.Image]:
    """Return lines of words, black on white and white on black."""
    made = []
    for number in range(TEXTS):
        image = Image.new("L", (130, 130), 255 * (number % 2))
        font = ImageFont.load_default(size=int(rng.integers(10, 40)))
        for y in range(2, 125, int(1.2 * font.size)):
            first = int(rng.integers(0, len(WORDS) - 6))
            line = " ".join(WORDS[first : first + 6])
            ImageDraw.Draw(image).text((3, y), line, fill=255 - 255 * (number % 2), font=font)
        made.append(image.convert("RGB"))
    return made


def own(run: Run, rng: np.random.Generator) -> np.ndarray:
    """Return test images of the run, decoded: uint8 `(images, height, width, channels)`."""
    source = datasets.open_named(run.card["data"]["source"])
    paths = [row["path"] for row in run.split if row["split"] == "test"]
    drawn = rng.permutation(paths)[:OWN]
    return np.stack([run.decoder.decode(source.read(path), path) for path in drawn])


def share_flagged(run: Run, images: np.ndarray) -> float:
    """Return the share of decoded images that the run calls out of its domain."""
    flags = [flag for flag, _ in Predictor(run).answers(images)[1]]
    return flags.count("out-of-domain") / len(flags)


for name in sys.argv[1:]:
    run, rng = tfcnn.load(name), np.random.default_rng(0)
    digits = [
        Image.fromarray(np.uint8(d * 255 / 16)) for d in sklearn.datasets.load_digits().images
    ]
    kinds = {"photographs": photographs(rng), "text": texts(rng), "digits": digits[:TEXTS]}
    decoded = {
        kind: np.stack([run.decoder.decode(np.asarray(image.convert("RGB"))) for image in images])
        for kind, images in kinds.items()
    }
    unseen = own(run, rng)
    decoded |= {"inverted": 255 - unseen, "upside down": unseen[:, ::-1], "unseen": unseen}
    shares = [f"{kind} {share_flagged(run, each):.1%}" for kind, each in decoded.items()]
    print(f"{name}: " + ", ".join(shares), flush=True)
