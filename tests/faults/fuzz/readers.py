"""What reads a stranger's file, and how an input for it is made."""

import csv
import hashlib
import io
import json
import random
import shutil
import tomllib
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import tomli_w
from faults.fuzz import corpus, mutations
from nasty_names import NASTY

from tfcnn import manifest, recipes, runs
from tfcnn.base import atomic, naming, own_files, records, tables
from tfcnn.base.errors import TfcnnError
from tfcnn.datasets import _install
from tfcnn.datasets._arrays import NAMES
from tfcnn.datasets.mnist import MNIST
from tfcnn.decode import Decoder, archives, open_image, read_file, read_size
from tfcnn.lab.image_kernel import read_kernel
from tfcnn.prediction import expand
from tfcnn.runs import keras_file

DECODERS = (Decoder((32, 24)), Decoder((20, 20), 1, "pad", "white"), Decoder((9, 40), 3, "crop"))


@dataclass(frozen=True)
class Reader:
    """A reader under attack.

    Attributes:
        make: makes the content of an input.
        read: reads it from a file; it may write below the file's folder only.
        name: of the file.
        share: of the inputs, in parts.
    """

    make: Callable[[random.Random], bytes]
    read: Callable[[Path], object]
    name: str
    share: int


# --- images


def make_image(rng: random.Random) -> bytes:
    seeds = corpus.images()
    return mutations.of_image(rng.choice(seeds), rng, seeds)


def decode(path: Path) -> object:
    read_size(path)
    image = open_image(read_file(path, path), path)
    manifest.rows.hash_pixels(image)
    return [decoder.pixels(image, path) for decoder in DECODERS]


# --- archives


def make_archive(rng: random.Random) -> bytes:
    seeds = corpus.archives()
    if rng.random() < 0.5:
        return mutations.of_zip(rng.choice(seeds), rng, seeds)
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", rng.choice(corpus.ZIP_METHODS)) as z:
        warnings.simplefilter("ignore")  # of a name that is there already
        for name, content, mode in mutations.zip_of_names(rng):
            info = zipfile.ZipInfo(name or "x")
            info.filename, info.external_attr = name, mode << 16
            z.writestr(info, content)
    content = file.getvalue()
    return mutations.of_zip(content, rng, seeds) if rng.random() < 0.3 else content


def unpack(path: Path) -> object:
    for member in archives.members(path):
        assert not PurePosixPath(member.name).is_absolute() or member.fault
        try:
            archives.read(path, member)
        except archives.MemberError as error:
            assert "\n" not in naming.visible(str(error))
    told = []
    for attempt in (lambda: [image.path for image in expand([path])], lambda: _unpacked(path)):
        try:
            told.append(attempt())
        except TfcnnError as error:
            told.append(one_line(error))
    return told


def _unpacked(path: Path) -> object:
    folder = path.parent / "unpacked"
    try:
        with _install.replacing(folder) as new:
            _install.unpack(path, new / "images")
            found = [file for file in folder.rglob("*") if file.is_symlink()]
            assert not found, f"a link was unpacked: {found[0]}"
            return folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def one_line(error: Exception) -> str:
    text = str(error)
    assert len(text.splitlines()) == 1, f"an error of several lines: {text!r}"
    return text


# --- what tfcnn and people write


def make_recipe(rng: random.Random) -> bytes:
    text = rng.choice(corpus.recipe_texts())
    if rng.random() < 0.5:
        return mutations.of_text(text, rng)
    tree = _without_none(mutations.of_tree(tomllib.loads(text), rng))
    return tomli_w.dumps(tree).encode("utf-8", "surrogatepass")


def _without_none(tree: object) -> object:
    if isinstance(tree, dict):
        return {str(k): _without_none(v) for k, v in tree.items() if v is not None}
    if isinstance(tree, list):
        return [_without_none(one) for one in tree if one is not None]
    return min(tree, 2**63 - 1) if isinstance(tree, int) and not isinstance(tree, bool) else tree


def read_recipe(path: Path) -> object:
    recipe = recipes.load(str(path))
    written = recipes.reader.to_toml(recipe)
    lines = [line for line in written.splitlines() if " = " in line]
    return recipes.parse(tomllib.loads(written), "again"), lines


def make_assignment(rng: random.Random) -> bytes:
    key = rng.choice(recipes.known_keys())
    text = f"{key}={rng.choice(mutations.WORDS)}{rng.choice(mutations.WORDS)}"
    return mutations.of_text(text, rng) if rng.random() < 0.5 else text.encode("utf-8", "replace")


def read_assignment(path: Path) -> object:
    text = path.read_bytes().decode("utf-8", "replace")
    return recipes.override(recipes.load("digits"), [text])


def make_table(rng: random.Random) -> bytes:
    return mutations.of_text(rng.choice(corpus.tables()), rng)


PATHS = [f"a/{number}.png" for number in range(9)]


def read_table(path: Path) -> object:
    table = tables.read(path, ("path", "group"), "a header", optional=("label", "split"))
    return tables.by_path(table, ("group",), PATHS, path.parent)


def make_manifest(rng: random.Random) -> bytes:
    text = mutations.of_text(rng.choice(corpus.manifests()), rng)
    if rng.random() < 0.1:
        return text
    text = text.rstrip(b"\n") + b"\n"  # the attacker seals it as we do
    return text + f"{manifest.rows.CHECKSUM} {hashlib.sha256(text).hexdigest()}\n".encode()


def read_manifest(path: Path) -> object:
    return manifest.rows.read(path)


def make_card(rng: random.Random) -> bytes:
    content = mutations.of_json(rng.choice(corpus.cards()), rng)
    try:
        card = json.loads(content)
        sealed = records.sealed(card, runs.CARD)
        return json.dumps(sealed).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return content


def read_card(path: Path) -> object:
    run = runs.read(path.parent)
    return run.panel(), run.caution, run.doubt, run.decoder, run.positive, run.abstention


def make_rows(rng: random.Random) -> bytes:
    return mutations.of_text(rng.choice(corpus.tables()), rng)


def read_rows(path: Path) -> object:
    return records.read_rows(path, "a table", "training again", ("path", "split"))


def make_names(rng: random.Random) -> bytes:
    """Return names of images, classes or groups as JSON: of nasty parts and of any letters."""
    letters = "=+-@\t\r\n'\"\\,;x1u0 |\0\x1b\x7f\u202e\uff1d\ufeff\ud800\U0001f600"
    names = [
        "".join(
            rng.choice((rng.choice(letters), rng.choice(NASTY))) for _ in range(rng.randrange(9))
        )
        for _ in range(rng.randrange(1, 9))
    ]
    return json.dumps(names).encode()


FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")


def write_and_read(path: Path) -> object:
    """Write names into a table; a spreadsheet must see no formula, and we the same names."""
    names = json.loads(path.read_bytes())
    table = path.with_name("table.csv")
    rows = [(name, f"{number}", -0.5) for number, name in enumerate(names)]
    atomic.write_text(table, atomic.csv_text(("path", "group", "prob"), rows))
    text = table.read_bytes().decode()
    for line in csv.reader(io.StringIO(text, newline=""), strict=True):
        assert not line[0].startswith(FORMULAS), f"a formula: {line[0]!r}"
    assert not naming.IS_HIDDEN.search(text), "a control character"
    ours = records.read_rows(table, "a table", "again", ("path", "group"))
    assert [row["path"] for row in ours] == names, "other names were read"
    theirs = tables.read(table, ("path", "group"), "again").rows  # which passes over empty rows
    assert [row["path"] for row in theirs] == names, "other names were read from a table"
    return ours


def make_report(rng: random.Random) -> bytes:
    return mutations.of_json(rng.choice(corpus.records()), rng)


def read_report(path: Path) -> object:
    card = {**json.loads(corpus.cards()[0]), "sha256": {}, "class_names": ["x", "y"]}
    run = runs.Run(path.parent, card)
    _ = run.report
    return run.panel()


def make_arrays(rng: random.Random) -> bytes:
    return mutations.of_zip(rng.choice(corpus.arrays()), rng, corpus.arrays())


def read_arrays(path: Path) -> object:
    told = []
    for attempt in (
        lambda: MNIST._read([path]),
        lambda: records.read_arrays(path, NAMES, "arrays", "again"),
    ):
        try:
            told.append(attempt())
        except TfcnnError as error:
            told.append(one_line(error))
    return told


def make_kernel(rng: random.Random) -> bytes:
    return mutations.of_text(rng.choice(corpus.kernels()), rng)


def make_program(rng: random.Random) -> bytes:
    return mutations.of_text(rng.choice(corpus.programs()), rng)


def make_network(rng: random.Random) -> bytes:
    """Change the description of a network, the weights, or the archive that holds both."""
    (seed,) = corpus.networks()
    if rng.random() < 0.3:
        return mutations.of_zip(seed, rng, ())
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if rng.random() < 0.7:
        text = content["config.json"].decode()
        content["config.json"] = mutations.of_json(text, rng)
    else:
        content["model.weights.h5"] = mutations.of_bytes(content["model.weights.h5"], rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, data in content.items():
            made.writestr(name, data)
    return file.getvalue()


READERS = {
    "image": Reader(make_image, decode, "image.png", 40),
    "archive": Reader(make_archive, unpack, "cells.zip", 15),
    "recipe": Reader(make_recipe, read_recipe, "own.toml", 8),
    "setting": Reader(make_assignment, read_assignment, "setting.txt", 4),
    "table": Reader(make_table, read_table, "groups.csv", 8),
    "manifest": Reader(make_manifest, read_manifest, "manifest.csv", 6),
    "model.json": Reader(make_card, read_card, runs.CARD, 8),
    "report.json": Reader(make_report, read_report, runs.REPORT, 2),
    "run table": Reader(make_rows, read_rows, "predictions.csv", 3),
    "names": Reader(make_names, write_and_read, "names.json", 4),
    "arrays": Reader(make_arrays, read_arrays, "mnist.npz", 3),
    "kernel": Reader(make_kernel, lambda path: read_kernel(str(path)), "kernel.txt", 1),
    "model.keras": Reader(make_network, keras_file.load, runs.MODEL, 1),
    "program": Reader(make_program, own_files.kinds, "net.py", 2),
}
