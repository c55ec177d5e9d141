"""Sound files to begin with, made on the spot: images of all kinds, and our own files."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from nasty_names import NASTY
from PIL import Image

from tfcnn import recipes, runs
from tfcnn.base import atomic, naming
from tfcnn.manifest import rows

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")
OPTIONS: dict[str, tuple[dict[str, object], ...]] = {
    "PNG": ({}, {"optimize": True}, {"transparency": 0}),
    "JPEG": ({}, {"progressive": True}, {"subsampling": 0, "quality": 30}),
    "WEBP": ({}, {"lossless": True}),
    "BMP": ({},),
    "TIFF": tuple({"compression": name} for name in (
        "raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", "group4")),
    "GIF": ({}, {"interlace": 0}),
    "PPM": ({},),
    "JPEG2000": ({}, {"no_jp2": True}),
    "AVIF": ({"speed": 10},),
}  # fmt: skip
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
ZIP_NAMES = (
    "a.png", "b/c.png", "../out.png", "/abs.png", "C:\\x.png", "b/../../out.png", "a.PNG",
    "A.png", "b", "..", ".", "", "b/", "\\\\host\\x", "con.png", "x" * 300, "a\0.png",
    *(name for name in NASTY if "\udcff" not in name),
)  # fmt: skip


@cache
def images() -> tuple[bytes, ...]:
    """Return small images of every format and mode that Pillow writes, with EXIF, with frames."""
    made = []
    numbers = np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    for form, many in OPTIONS.items():
        for mode in MODES:
            picture = Image.fromarray(numbers).convert("L" if mode[0] in "IF" else "RGB")
            for options in many:
                file = io.BytesIO()
                try:
                    picture.convert(mode).save(file, form, exif=exif, **options)
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # a format has not every mode
                made.append(file.getvalue())
    frames = [Image.fromarray(numbers), Image.fromarray(255 - numbers)]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        file = io.BytesIO()
        frames[0].save(file, form, save_all=True, append_images=frames[1:])
        made.append(file.getvalue())
    return (*made, *_deep_images())


def _deep_images() -> Iterator[bytes]:
    from picture_files import deep_png, tiff

    samples = np.random.default_rng(1).integers(0, 65536, (12, 17, 4)).astype(np.uint16)
    for channels in (1, 3, 4):
        yield tiff(samples[..., :channels], 2)
        yield tiff(samples[..., :channels], 5, deflated=True, predicted=True)
    for channels in (3, 4):
        yield deep_png(samples[..., :channels])
    yield b"P6 17 12 65535\n" + samples[..., :3].tobytes()
    yield b"P3 2 2 65535\n" + b"1 65535 7 " * 4


@cache
def archives() -> tuple[bytes, ...]:
    """Return zip archives of each method."""
    made = []
    for method in ZIP_METHODS:
        for wide in (False, True):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", method) as archive:
                for name, content in (("a.png", images()[0]), ("b/c.png", b"x" * 99), ("d/", b"")):
                    with archive.open(name, "w", force_zip64=wide) as member:
                        member.write(content)
            made.append(file.getvalue())
    return tuple(made)


@cache
def recipe_texts() -> tuple[str, ...]:
    """Return every recipe that comes with tfcnn."""
    return tuple(recipes.reader.to_toml(recipes.load(name)) for name in recipes.names())


@cache
def tables() -> tuple[str, ...]:
    """Return tables of paths and groups, as ours and as other programs write them."""
    pairs = [(f"a/{name}.png", name) for name in NASTY if "\udcff" not in name]
    own = atomic.csv_text(("path", "group", "label", "split"), ((*p, "x", "train") for p in pairs))
    plain = "path;group;label;split\n" + "".join(f"{i}.png;P{i % 3};x;val\n" for i in range(9))
    return (own, plain, plain.replace(";", "\t"), "sep=,\r\n" + plain.replace(";", ","),
            "title\n\n" + plain.replace(";", "|").upper(), "\ufeff" + plain)  # fmt: skip


@cache
def manifests() -> tuple[str, ...]:
    """Return manifests without their last line."""
    names = list(rows.Row.__dataclass_fields__)
    row = ("a/b.png", "a", "g", "", "0" * 64, "1" * 64, 7, 8, "", "")
    text = atomic.csv_text(names, [row, (naming.cell("=x"), *row[1:])])
    return (text, atomic.csv_text(names, []))


@cache
def cards() -> tuple[str, ...]:
    """Return the cards of the models that are shipped."""
    return tuple(path.read_text(encoding="utf-8") for path in sorted(runs.ZOO.glob("*/model.json")))


@cache
def records() -> tuple[str, ...]:
    """Return JSON as a run's report has it."""
    metric = {"value": 0.5, "low": 0.4, "high": 0.6}
    report = {
        "sentence": "On 9 unseen images: 50 %.", "warnings": ["few groups"], "epochs": 3,
        "splits": {"val": {"accuracy": metric}, "test": {"accuracy": metric, "roc_auc": metric}},
        "counts": {split: {"images": 9, "groups": 3} for split in ("val", "test")},
        "confusion": {split: [[1, 2], [3, 4]] for split in ("val", "test")},
        "confusion_rule": "decision", "operating_point": {"positive": "x", "threshold": 0.5},
    }  # fmt: skip
    return (json.dumps(report),)


@cache
def kernels() -> tuple[str, ...]:
    """Return image kernels as text."""
    return ("0 1 0\n1 -4 1\n0 1 0\n", "1,2,3\n4,5,6\n", "1;2\n# no\n3;4\n", "\ufeff0.5\t1e3\n1 2\n")


@cache
def programs() -> tuple[str, ...]:
    """Return networks in Python."""
    folder = Path(runs.__file__).parents[1] / "architectures"
    return tuple(p.read_text(encoding="utf-8") for p in sorted(folder.glob("[a-m]*.py")))


@cache
def networks() -> tuple[bytes, ...]:
    """Return small networks as Keras saves them."""
    from tfcnn.base import quiet

    quiet.load_tensorflow()
    import keras

    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(),
              keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.keras"
        keras.Sequential([keras.Input((8, 8, 3)), *layers]).save(path)
        return (path.read_bytes(),)


@cache
def arrays() -> tuple[bytes, ...]:
    """Return `.npz` files of a small data set."""
    made = []
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        pixels, labels = np.zeros((4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8)
        write(file, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
        made.append(file.getvalue())
    return tuple(made)
