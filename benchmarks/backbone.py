"""EfficientNet-Lite in tfcnn and in PyTorch: the same answers, and the same ways to begin, timed.

    python benchmarks/backbone.py logits FOLDER
    python benchmarks/backbone.py frozen FOLDER --repeats 3
    python benchmarks/backbone.py finetune FOLDER --repeats 3

FOLDER holds a folder of photographs per class. PyTorch runs in an environment of its own
(`sh benchmarks/rivals/install.sh`).

`logits` compares the logits of the 1,000 classes of ImageNet on 100 of the photographs, at the size
that each variant learnt from; it fails where one differs by 1e-3.

`frozen` and `finetune` train by the command line of tfcnn, in a home that has no cache, and then by
`rivals/torch_lite.py` with the same settings on the same split. Each is a process of its own: it
starts with image files and ends with an accuracy on test, and its clock runs from start to end. The
files are read once before, so that both find them in memory. The number of a repeat is the seed of
split and training. Each result is a line in `benchmarks/results/backbone_<machine>.csv`; what is in
the file does not run again.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import training
from figures import add, read, spread, table

from tfcnn import recipes
from tfcnn.base import quiet
from tfcnn.datasets.folder import image_files
from tfcnn.decode import Decoder
from tfcnn.recipes import Recipe

quiet.load_tensorflow()
from tfcnn.architectures import _imagenet, efficientnet_lite  # noqa: E402
from tfcnn.training import frozen  # noqa: E402

RESULTS = training.HERE / "results" / f"backbone_{training.MACHINE}.csv"
COLUMNS = ("folder", "way", "repeat", "contestant", "accuracy", "seconds", "cpu_seconds")
CONTESTANTS = ("tfcnn", "PyTorch")
DIGITS = {"accuracy": 3, "seconds": 1, "cpu_seconds": 1}
IMAGES, MOST = 100, 1e-3


def differences(folder: Path) -> dict[int, float]:
    """Return the largest difference between two logits, per variant."""
    files, _ = image_files(folder)
    files = files[:: max(1, len(files) // IMAGES)][:IMAGES]
    found = {}
    for variant, side in efficientnet_lite.IMAGE_SIDES[1].items():
        decoder = Decoder((side, side))
        pixels = np.stack([decoder.decode(file.read_bytes(), file) for file in files])
        difference = float(np.abs(logits(variant, pixels) - rival_logits(variant, pixels)).max())
        print(f"variant {variant}: {len(files)} images of {side} px, {difference:.1e} at most")
        found[variant] = difference
    return found


def logits(variant: int, pixels: np.ndarray) -> np.ndarray:
    """Return the logits of tfcnn's network with the head of ImageNet, `(images, 1000)`."""
    model = efficientnet_lite.build(pixels.shape[1:], 1000, variant=variant)
    path, sha256 = _imagenet.file_of(variant), _imagenet.SHA256[variant]
    tensors = _imagenet.read(path, sha256)
    head = model.get_layer("head")
    head.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    head.activation = None
    return np.concatenate(
        [model(part.astype(np.float32)) for part in np.split(pixels, range(16, len(pixels), 16))]
    )


def rival_logits(variant: int, pixels: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryDirectory() as text:
        images, answer = Path(text, "images.npy"), Path(text, "logits.npy")
        np.save(images, pixels)
        command = [*training.rival("torch", "torch_logits.py"), str(images), str(answer)]
        subprocess.run([*command, "--variant", str(variant)], check=True)
        return np.load(answer)


def settings_of(recipe: Recipe) -> dict[str, object]:
    """Return what PyTorch is to do, in the words of `rivals/torch_lite.py`."""
    train = recipe.train
    return {
        "side": efficientnet_lite.IMAGE_SIDES[1][0],
        "strengths": frozen.STRENGTHS,
        "worse": frozen.WORSE,
        "max_steps": frozen.MAX_STEPS,
        "epochs": train.finetune_epochs,
        "rate": train.finetune_learning_rate,
        "warmup": train.warmup_fraction,
        "batch_size": train.batch_size,
        "smoothing": train.label_smoothing,
        "brightness": recipe.inputs.augment.brightness,
    }


def measure(folder: Path, way: str, repeats: int) -> None:
    """Train by both, once per repeat that the results lack."""
    done = {(row["folder"], row["way"], row["repeat"]) for row in read(RESULTS)}
    for file in image_files(folder)[0]:
        file.read_bytes()
    for repeat in range(repeats):
        if (folder.name, way, str(repeat)) in done:
            continue
        with tempfile.TemporaryDirectory() as text:
            home, split = Path(text, "home"), Path(text, "split")
            seeds = (f"data.split.seed={repeat}", f"train.seed={repeat}")
            values = {"tfcnn": training.train(home, str(folder), (f"model.start={way}", *seeds))}
            csv_file = home / "models" / "bench" / "split.csv"
            training.link_class_folders(csv_file, folder, split)
            (split / "settings.json").write_text(json.dumps(settings_of(recipes.load("folder"))))
            words = ["torch", "torch_lite.py", *(["--finetune"] if way == "finetune" else [])]
            values["PyTorch"] = training.run_rival(words, repeat, split)
        for name, (accuracy, _, *seconds) in values.items():
            figures = [round(value, 4) for value in (accuracy, *seconds)]
            row = (folder.name, way, repeat, name, *figures)
            add(RESULTS, dict(zip(COLUMNS, row, strict=True)))


def summary() -> str:
    """Return Markdown: medians of both, and tfcnn's seconds over PyTorch's in the same repeat."""
    rows = read(RESULTS)
    lines = []
    for case in dict.fromkeys((row["folder"], row["way"]) for row in rows):
        own = [row for row in rows if (row["folder"], row["way"]) == case]

        def values(name: str, key: str, own: list[dict[str, str]] = own) -> list[float]:
            return [float(row[key]) for row in own if row["contestant"] == name]

        cells = [spread(values(name, key), n) for key, n in DIGITS.items() for name in CONTESTANTS]
        seconds = zip(*(values(name, "seconds") for name in CONTESTANTS), strict=True)
        lines.append([", ".join(case), *cells, spread([ours / theirs for ours, theirs in seconds])])
    header = [f"{name}, {key}" for key in ("accuracy", "s", "CPU s") for name in CONTESTANTS]
    return table(["", *header, "tfcnn's seconds over PyTorch's"], lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("logits", "frozen", "finetune"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.what == "logits":
        if not max(differences(arguments.folder).values()) < MOST:
            raise SystemExit(f"expected logits that differ by less than {MOST:g}")
    else:
        measure(arguments.folder.resolve(), arguments.what, arguments.repeats)
        print(summary())
