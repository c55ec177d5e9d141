"""What a verb begins with: a recipe or images; and the verbs `check`, `download`, `list`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_list, hearing
from tfcnn.base import own_files
from tfcnn.base.errors import InputError, did_you_mean
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.api.inventory import Inventory
    from tfcnn.contracts import Verdict
    from tfcnn.manifest.audit import Audit
    from tfcnn.recipes import DataSettings, Recipe


def recipe_for(recipe: "str | Path | Recipe", settings: Iterable[str] = ()) -> "Recipe":
    """Return a recipe by name, by the path of a `.toml` file, or the default one for a folder.

    A recipe's name wins over a folder of that name, unless it is written `./NAME`. A Python file
    that lists images counts as a folder, even where it is gone: a run that goes on has a copy.

    Args:
        recipe: a name, a path, or a whole recipe.
        settings: assignments `section.key=value` that change it.

    Raises:
        InputError: if there is neither such a recipe nor such a folder.
    """
    from tfcnn import datasets, recipes

    assignments, name = as_list(settings), str(recipe)
    _refuse_nothing(name)
    if isinstance(recipe, recipes.Recipe):
        return recipes.override(recipe, assignments)
    if name.endswith(".toml") or (not _is_path(recipe) and name in recipes.names()):
        return recipes.override(recipes.load(name), assignments)
    folder = Path(name).expanduser()
    if folder.is_dir() or own_files.is_own(str(folder)):
        return recipes.override(recipes.for_folder(folder), assignments)
    if not _is_path(recipe) and name in datasets.names():
        hint = f'a .toml file with [data] and source = "{name}"'
        raise InputError(
            name, "a recipe or a folder", "a data set, and no recipe of its name", hint
        )
    raise _unknown(name, "a recipe or a folder", recipes.names())


def _refuse_nothing(name: str) -> None:
    """Refuse an empty text, which a path would take for the working folder."""
    if not name.strip():
        hint = '"." for the working folder'
        raise InputError("source", "a name or a folder's path", "an empty text", hint)


def data_for(source: str | Path, settings: Iterable[str] = ()) -> "DataSettings":
    """Return `[data]` of a data set, of a folder or of a recipe, to be checked.

    Args:
        source: a data set's name, a folder's path, or a recipe as in `recipe_for`.
        settings: assignments `section.key=value` that change it.

    Raises:
        InputError: if there is none of them.
    """
    from tfcnn import datasets, recipes

    name = str(source)
    _refuse_nothing(name)
    if not _is_path(source) and name in datasets.names():
        recipe = recipes.parse({"name": name, "data": {"source": name}}, name)
        return recipes.override(recipe, as_list(settings)).data
    if own_files.is_own(name):
        return recipe_for(source, settings).data
    if Path(name).is_file() and not name.endswith(".toml"):
        raise InputError(name, "a folder of class folders", "a file", "the folder it is in")
    names = sorted({*recipes.names(), *datasets.names()})
    if not name.endswith(".toml") and name not in names and not Path(name).expanduser().is_dir():
        raise _unknown(name, "a data set, a recipe or a folder", names)
    return recipe_for(source, settings).data


def check(
    source: str | Path,
    *,
    settings: Iterable[str] = (),
    output: str | Path | None = None,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Audit | Verdict":
    """Audit images before a training; every image is read.

    `fix` of an audit lists the images that training should leave out.

    Args:
        source: a data set's name, a folder's path, or a recipe as in `recipe_for`; or the path of
            a user's own network or source, a Python file, which is run: see `contracts.check`.
        settings: assignments `section.key=value` that change `[data]`, or `model.options`.
        output: a `.html` file for what was found, with pictures; none if None.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        The findings; `is_blocking` where one of them would spoil a result.

    Raises:
        InputError: if there is nothing to audit, or a setting does not fit the data, or `output`
            is no `.html` file.
    """
    if output is not None:
        from tfcnn.report import check_page

        check_page.check_target(Path(output))
    found = _checked(source, settings, progress, reporter)
    if output is not None:
        audit = audit_of(found)
        if audit is None:
            expected = "a folder of images, or a file that lists some"
            raise InputError("--output", expected, str(source), "leaving --output out")
        check_page.write(audit, Path(output))
    return found


def audit_of(found: "Audit | Verdict") -> "Audit | None":
    """Return what `check` found in images; None of a Python file that lists none."""
    from tfcnn.contracts import Verdict

    return found.audit if isinstance(found, Verdict) else found


def _checked(
    source: str | Path, settings: Iterable[str], progress: bool, reporter: Reporter | None
) -> "Audit | Verdict":
    from tfcnn.manifest.audit import audit

    if own_files.is_own(str(source)):
        from tfcnn.contracts import check as check_file

        path = Path(source).expanduser().resolve()
        recipe = recipe_for(path, settings)
        with hearing(progress, reporter) as hears:
            return check_file(path, recipe.model.options, recipe.data, hears)
    data = data_for(source, settings)
    with hearing(progress, reporter) as hears:
        return audit(data, hears)


@dataclass(frozen=True)
class Downloaded:
    """A data set on the disk.

    Attributes:
        name: by which a recipe, `check` and `train` know it.
        folder: where its images are.
        images: how many they are.
        notes: what a person should know of them.
    """

    name: str
    folder: Path
    images: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"name": self.name, "folder": str(self.folder), "images": self.images}


def download(
    name: str,
    *,
    mirror: str | Path | None = None,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> Downloaded:
    """Fetch, verify and unpack a data set; a cut transfer goes on where it stopped.

    Args:
        name: of a data set.
        mirror: a folder, zip or address that holds the data; where they are published if None.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Raises:
        InputError: if there is no data set of this name, or its data cannot be had.
        CheckError: if what was fetched is not what was published.
    """
    from tfcnn import datasets

    with hearing(progress, reporter) as hears:
        place = None if mirror is None else str(mirror)
        folder = datasets.download(name, mirror=place, progress=hears.stage(name))
        source = datasets.open_named(name)
        for note in source.notes:
            hears.note(f"{name}: {note}")
    return Downloaded(name, folder, len(source.items), tuple(source.notes))


def list_all() -> "Inventory":
    """List data sets, networks, recipes, shipped models, runs and cross-validations.

    Returns:
        A dict of a list per kind, which a notebook shows as tables; each row has a `name`.
    """
    from tfcnn.api import inventory

    return inventory.take()


def _unknown(name: str, expected: str, names: list[str]) -> InputError:
    """Return the error for a name that is none of these names, and no folder."""
    path = Path(name).expanduser()
    beside = [folder.name for folder in path.parent.glob("*/")]
    received = f"none of these{did_you_mean(path.name, [*names, *beside])}"
    return InputError(name, expected, received, f"one of {', '.join(names)}, or a folder's path")


def _is_path(recipe: "str | Path | Recipe") -> bool:
    name = str(recipe)
    return isinstance(recipe, Path) or name.startswith((".", "/", "~")) or name.endswith("/")
