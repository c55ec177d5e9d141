"""A user's own network, source of images and corrections in a run: copied into it.

So it stands alone. The copies keep their names, in the folders `network`, `source` and
`corrections` of the run, and its `recipe.toml` names the copies. What is trained is the copy, so
that an edit in the meantime changes nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcnn import datasets, recipes, runs
from tfcnn.base import atomic, files, own_files, records
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.manifest import Manifest, corrections, splits
from tfcnn.recipes import Recipe
from tfcnn.training.prepare import Prepared


@dataclass(frozen=True)
class OwnParts:
    """The files of a recipe as they were when its training began.

    Attributes:
        paths: of the files, by the folder for the copy.
        contents: their bytes, by path.
    """

    paths: dict[str, Path]
    contents: dict[Path, bytes]

    def refuse_changes(self) -> None:
        """Refuse to keep a file that is another one by now.

        Raises:
            InputError: naming the file.
        """
        for path, content in self.contents.items():
            if files.what(path) or files.read(path) != content:
                expected = "the file as it was when the training began"
                raise InputError(path, expected, "another content", "training again")

    def write(self, folder: Path) -> None:
        """Write the copies into a run."""
        for kind, path in self.paths.items():
            atomic.write_bytes(_copy(folder, kind, path), self.contents[path])


def read(recipe: Recipe) -> OwnParts:
    """Read the files that a recipe names.

    Raises:
        InputError: if one is not there.
    """
    paths = dict(_named(recipe))
    for kind, path in paths.items():
        if kind == runs.CORRECTIONS:
            corrections.read(path)
        else:
            own_files.tree(path, own_files.NETWORK if kind == runs.NETWORK else own_files.SOURCE)
    return OwnParts(paths, {path: files.read(path) for path in paths.values()})


def at_copies(recipe: Recipe, folder: Path) -> Recipe:
    """Return a recipe that names the copies in a run."""
    return _with(recipe, {kind: _copy(folder, kind, path) for kind, path in _named(recipe)})


def write_start(prepared: Prepared, parts: OwnParts, folder: Path) -> Prepared:
    """Write what a run begins with: recipe, copies and split.

    Returns:
        The same images, with recipes that name the copies.
    """
    if (table := parts.paths.get(runs.CORRECTIONS)) is not None:
        read_then = prepared.manifest.corrections["sha256"]
        if hashlib.sha256(parts.contents[table]).hexdigest() != read_then:
            expected = "the corrections as they were when the images were read"
            raise InputError(table, expected, "another content", "reading the images again")
    prepared = prepared.changed(lambda recipe: at_copies(recipe, folder))
    is_adopted = prepared.asked.model.network == runs.ADOPTED  # by a training of its author's
    recipes.write(prepared.asked, folder / runs.RECIPE, without=["train"] if is_adopted else [])
    parts.write(folder)
    splits.write(prepared.manifest, prepared.splits, folder / runs.SPLIT)
    return prepared


def source_facts(manifest: Manifest, name: str) -> dict[str, Any]:
    """Return what a report needs of a user's own source, as it does not run the file.

    Args:
        manifest: of its images.
        name: `data.source`; for any but a Python file nothing is returned.

    Returns:
        `root`, the folder of the images, where these are files; `intended_use` and `limits`, words
        that `datasets.part` describes.
    """
    if not own_files.is_own(name):
        return {}
    content: dict[str, Any] = {}
    if type(manifest.source).read is Source.read:
        content["root"] = str(manifest.source.root.resolve())
    with own_files.running(Path(name), "words about the images"):
        if use := datasets.part(name, "intended_use"):
            content["intended_use"] = str(use(manifest.summary()))
        if limits := datasets.part(name, "LIMITS"):
            content["limits"] = [str(text) for text in limits]
    return content


def are_there(recipe: Recipe) -> bool:
    """Say whether the files that a recipe names are there."""
    return not any(files.what(path) for _, path in _named(recipe))


def as_in(recipe: Recipe, settings: Sequence[str]) -> list[str]:
    """Return assignments with the files that a recipe names in the place of those that were typed.

    Args:
        recipe: to which the assignments belong, with the copies in a run as its files.
        settings: that were typed to make it.
    """
    own = {f"{section}.{key}": getattr(getattr(recipe, section), key)
           for section, key in recipes.PARTS}  # fmt: skip
    keys = (recipes.read_assignment(text)[0] for text in settings)
    pairs = zip(keys, settings, strict=True)
    return [text if own.get(key) is None else recipes.assignment(key, own[key])
            for key, text in pairs]  # fmt: skip


def pinned(recipe: Recipe, recorded: Recipe, reporter: Reporter | None = None) -> Recipe:
    """Return a recipe with the copies in a run in the place of the files they were made from.

    Args:
        recipe: that was named now.
        recorded: of the run.
        reporter: hears of a file that is gone, so that its copy goes on.

    Raises:
        CheckError: if a file has changed since.
    """
    copies = dict(_named(recorded))
    places = {}
    for kind, path in _named(recipe):
        copy = copies.get(kind)
        if copy is None or path == copy or path.name != copy.name:
            continue
        if not files.what(path) and records.sha256_of(path) != records.sha256_of(copy):
            expected = f"the file that the run was begun with, of which {copy} is a copy"
            raise CheckError(
                path, expected, "a changed one", "putting the old one back, or --fresh"
            )
        if files.what(path) and reporter:
            reporter.note(f"{path} is gone: going on with its copy, {copy}")
        places[kind] = copy
    return _with(recipe, places)


def _named(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    """Yield the files of a user's own that a recipe names, each with the folder for its copy."""
    values = {runs.NETWORK: recipe.model.network, runs.SOURCE: recipe.data.source}
    for kind, value in values.items():
        if own_files.is_own(value):
            yield kind, Path(value).resolve()
    if recipe.data.corrections_csv:
        yield runs.CORRECTIONS, files.own_path(recipe.data.corrections_csv).resolve()


def _copy(folder: Path, kind: str, path: Path) -> Path:
    return folder.resolve() / kind / path.name


def _with(recipe: Recipe, places: dict[str, Path]) -> Recipe:
    """Return a recipe that names other files."""
    model, data = recipe.model, recipe.data
    if runs.NETWORK in places:
        model = model.model_copy(update={"network": str(places[runs.NETWORK])})
    if runs.SOURCE in places:
        data = data.model_copy(update={"source": str(places[runs.SOURCE])})
    if runs.CORRECTIONS in places:
        data = data.model_copy(update={"corrections_csv": str(places[runs.CORRECTIONS])})
    return recipe.model_copy(update={"model": model, "data": data})
