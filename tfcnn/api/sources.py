"""What a verb begins with: a recipe, or the images of a data set or a folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tfcnn.api.arguments import as_list
from tfcnn.base.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from tfcnn.recipes import DataSettings, Recipe


def recipe_for(recipe: "str | Path | Recipe", settings: Iterable[str] = ()) -> "Recipe":
    """Return a recipe by name, by the path of a `.toml` file, or the default one for a folder.

    A recipe's name wins over a folder of that name, unless it is written `./NAME`.

    Args:
        recipe: a name, a path, or a whole recipe.
        settings: assignments `section.key=value` that change it.

    Raises:
        InputError: if there is neither such a recipe nor such a folder.
    """
    from tfcnn import datasets, recipes

    assignments, name = as_list(settings), str(recipe)
    if isinstance(recipe, recipes.Recipe):
        return recipes.override(recipe, assignments)
    if name.endswith(".toml") or (not _is_path(recipe) and name in recipes.names()):
        return recipes.override(recipes.load(name), assignments)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return recipes.override(recipes.for_folder(folder), assignments)
    if not _is_path(recipe) and name in datasets.names():
        hint = f'a .toml file with [data] and source = "{name}"'
        raise InputError(
            name, "a recipe or a folder", "a data set, and no recipe of its name", hint
        )
    raise _unknown(name, "a recipe or a folder", recipes.names())


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
    if not _is_path(source) and name in datasets.names():
        recipe = recipes.parse({"name": name, "data": {"source": name}}, name)
        return recipes.override(recipe, as_list(settings)).data
    if Path(name).is_file() and not name.endswith(".toml"):
        raise InputError(name, "a folder of class folders", "a file", "the folder it is in")
    names = sorted({*recipes.names(), *datasets.names()})
    if not name.endswith(".toml") and name not in names and not Path(name).expanduser().is_dir():
        raise _unknown(name, "a data set, a recipe or a folder", names)
    return recipe_for(source, settings).data


def _unknown(name: str, expected: str, names: list[str]) -> InputError:
    """Return the error for a name that is none of these names, and no folder."""
    path = Path(name).expanduser()
    beside = [folder.name for folder in path.parent.glob("*/")]
    received = f"none of these{did_you_mean(path.name, [*names, *beside])}"
    return InputError(name, expected, received, f"one of {', '.join(names)}, or a folder's path")


def _is_path(recipe: "str | Path | Recipe") -> bool:
    name = str(recipe)
    return isinstance(recipe, Path) or name.startswith((".", "/", "~")) or name.endswith("/")
