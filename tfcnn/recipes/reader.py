"""Recipes from TOML files, folders and `--set`; a mistake becomes an error that names its key."""

import difflib
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from tfcnn.base import atomic, files, naming, own_files, records
from tfcnn.base.errors import InputError, UnfitValueError
from tfcnn.recipes.schema import OWNED, Recipe

MAX_RECIPE_BYTES = 1 << 20  # of a recipe
FOLDER = Path(__file__).parent
# files of a user's own of which a run keeps a copy; the first two are Python, if they are files
CORRECTIONS = ("data", "corrections_csv")
PARTS = (("model", "network"), ("data", "source"), CORRECTIONS)
EXPECTED = {  # in words, by pydantic's type of error
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("missing", "too_long"), "two numbers"),
    "tuple_type": "a list of numbers",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a table of settings"),
}


def names() -> list[str]:
    """Return the recipes that come with tfcnn."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load(name: str, *, is_record: bool = False) -> Recipe:
    """Read a recipe by its name, or by the path of a `.toml` file.

    The path of a Python file in it counts from its folder.

    Args:
        name: of a recipe that comes with tfcnn, or a path.
        is_record: it is the copy in a run folder. Older runs may have a name that no new run may
            have; the recipe then gets the nearest name that one may.

    Raises:
        InputError: if there is none, or it does not fit the schema.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    obstacle = files.what(path)
    if obstacle:
        received = "an unknown name" if obstacle == files.NOTHING else obstacle
        hint = f"one of {', '.join(names())}, or a folder's path"
        raise InputError(name, "a recipe", received, hint)
    try:
        content = tomllib.loads(files.read_text(path, MAX_RECIPE_BYTES))
    except OSError as error:
        received = error.strerror or str(error)
        raise InputError(path, "a recipe", received, "another path") from error
    except (ValueError, RecursionError) as error:  # no UTF-8; lists in lists in lists
        raise InputError(path, "a TOML file", str(error), "mending that line") from error
    settings = {"name": path.stem, **content}
    if is_record:
        settings["name"] = naming.as_folder_name(str(settings["name"]))
    for section, key in PARTS:
        part = settings.get(section)
        if isinstance(part, dict) and key in part:
            settings[section] = {**part, key: _resolved((section, key), part[key], path.parent)}
    return parse(settings, subject=str(path))


def _resolved(part: tuple[str, str], value: Any, folder: Path) -> Any:
    """Return the whole path of a file that a recipe names; any other value as it is."""
    if part != CORRECTIONS:
        return own_files.resolved(value, folder)
    is_path = isinstance(value, str) and value != ""
    return str((folder / files.own_path(value)).resolve()) if is_path else value


def for_folder(folder: Path) -> Recipe:
    """Return the default recipe for a user's own folder of class folders, or their own source.

    Args:
        folder: of class folders, or a Python file that lists images.

    Raises:
        InputError: if a recipe cannot hold the folder's name.
    """
    root = str(folder.resolve())
    if root != atomic.printable(root):
        subject = atomic.printable(str(folder))
        raise InputError(subject, "a name in UTF-8", "other bytes", "renaming the folder")
    settings = load("folder").model_dump()
    own = own_files.is_own(root)
    settings["name"] = naming.as_folder_name(Path(root).stem if own else Path(root).name)
    settings["data"]["source"] = root
    return parse(settings, subject=str(folder))


def override(recipe: Recipe, assignments: list[str]) -> Recipe:
    """Apply `section.key=value` assignments; a value is read as TOML, else as plain text.

    Who names `model.network` gets that one: it begins as it is made to, and where the recipe has
    another one, with its own default options. Who names another schedule or loss gets it without
    the settings of the former one. The path of a Python file counts from the working folder.

    Raises:
        InputError: if one is no assignment, names an unknown key, or has a value of a wrong type.
    """
    settings = recipe.model_dump()
    pairs = [read_assignment(text) for text in assignments]
    parts = {".".join(part): part for part in PARTS}
    pairs = [(k, _resolved(parts[k], v, Path.cwd()) if k in parts else v) for k, v in pairs]
    if any(key == "model.network" for key, _ in pairs):
        settings["model"]["start"] = None
    if any(key == "model.network" and value != recipe.model.network for key, value in pairs):
        settings["model"]["options"] = {}
    for own, needed, value in OWNED:
        if any(key == f"train.{needed}" and given != value for key, given in pairs):
            settings["train"].pop(own)
    for key, value in pairs:
        *sections, last = key.split(".")
        target = settings
        for section in sections:
            if target.get(section) is None:  # as evaluation.guarantee is
                target[section] = {}
            target = target[section]
            if not isinstance(target, dict):
                raise InputError(f"--set {key}", "a key", f"{section} has no keys", "section.key")
        target[last] = value
    return parse(settings, subject="--set" if assignments else recipe.name)


def assignment(key: str, value: Any) -> str:
    """Return the text that gives a key this value; `read_assignment` reads it back."""
    return f"{key}={tomli_w.dumps({'value': value}).partition(' = ')[2].strip()}"


def read_assignment(text: str) -> tuple[str, Any]:
    """Return the key and the value of an assignment; see `override`.

    Raises:
        InputError: if the text is no assignment.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}", "section.key=value", "no =", "train.epochs=5")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except RecursionError as error:
        received = f"{value[:40]} and so on, too many brackets"
        raise InputError(f"--set {key}", "a value", received, "fewer") from error
    except ValueError as error:  # one number of thousands of digits is no TOMLDecodeError
        if value.lstrip().startswith("{"):  # a text that begins so is meant as a table
            hint = "quotes around it all, and 0.5 instead of .5"
            raise InputError(
                f"--set {key}", "a table of TOML", f"{value} ({error})", hint
            ) from error
        # TOML wants a digit before and after the point
        is_number = re.fullmatch(r"[+-]?(\d+\.|\.\d+)(e[+-]?\d+)?", value.strip(), re.IGNORECASE)
        return key.strip(), float(value) if is_number else value


def parse(settings: dict[str, Any], subject: str) -> Recipe:
    """Check settings against the schema.

    Raises:
        InputError: naming the first key that does not fit, and the nearest one that would.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        errors = error.errors()
        key, value = _setting(settings, errors[0]["loc"])
        if errors[0]["type"] == "extra_forbidden":
            key = ".".join(str(part) for part in errors[0]["loc"])
            raise InputError(
                f"{subject}: {key}", "a key of the recipe", "an unknown one", _nearest(key)
            ) from error
        same = [one for one in errors if _setting(settings, one["loc"])[0] == key]
        raise InputError(f"{subject}: {key}" if key else subject, *_parts(same, value)) from error


def _setting(settings: dict[str, Any], loc: tuple[int | str, ...]) -> tuple[str, Any]:
    """Return the key that an error is about, and its value; `loc` may name a part of the value."""
    keys: list[str] = []
    value: Any = settings
    for part in loc:
        if not isinstance(value, dict):
            break
        keys.append(str(part))
        value = value.get(str(part))
    return ".".join(keys), value


def _parts(errors: list[Any], value: Any) -> tuple[str, str, str]:
    """Return what was expected, what was received and a hint.

    Args:
        errors: of one setting, one for each type that it may have.
        value: of that setting.
    """
    refusal = errors[0].get("ctx", {}).get("error")
    if isinstance(refusal, UnfitValueError):  # by a validator of ours
        return refusal.expected, refusal.received, refusal.hint
    texts = [EXPECTED.get(error["type"], error["msg"]) for error in errors]
    expected = " or ".join(dict.fromkeys(text.removeprefix("Input should be ") for text in texts))
    hint = "another value, or see the recipe's section in docs/recipes.md"
    return expected, repr(value)[:80], hint


def _nearest(key: str) -> str:
    keys = known_keys()
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    section = key.rpartition(".")[0]
    siblings = [k for k in keys if k.rpartition(".")[0] == section]
    return near[0] if near else f"one of {', '.join(siblings or keys[:5])}"


def known_keys(section: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """Return the whole name of every key that a recipe, or a section of one, may have."""
    keys = []
    for name, info in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += known_keys(info.annotation, f"{prefix}{name}.")
    return keys


def to_toml(recipe: Recipe, folder: Path | None = None, without: Collection[str] = ()) -> str:
    """Return a recipe as TOML, every setting written out.

    Args:
        recipe: the recipe.
        folder: that it will lie in; Python files below it are named from there.
        without: sections that say nothing of the run.
    """
    settings = recipe.model_dump(exclude_none=True, mode="json", exclude=set(without))
    for section, key in PARTS:
        value = settings[section].get(key)
        is_file = value and ((section, key) == CORRECTIONS or own_files.is_own(value))
        if folder and is_file and Path(value).is_relative_to(folder.resolve()):
            settings[section][key] = Path(value).relative_to(folder.resolve()).as_posix()
    return tomli_w.dumps(settings)


def write(recipe: Recipe, path: Path, without: Collection[str] = ()) -> None:
    """Write a recipe as TOML; see `to_toml`."""
    atomic.write_text(path, to_toml(recipe, path.parent, without))


def essence(recipe: Recipe) -> dict[str, Any]:
    """Return what two recipes must share to be compared: all but name, split and seed."""
    settings = recipe.model_dump()
    del settings["name"], settings["data"]["split"], settings["train"]["seed"]
    table = settings["data"].pop("corrections_csv")  # each run has a copy of its own
    there = table if table and files.what(Path(table)) == "" else None
    settings["data"]["corrections"] = records.sha256_of(Path(there)) if there else table
    return settings


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by their whole keys, such as "data.split.seed".

    Args:
        settings: by their names; those of a section are a dictionary.
        prefix: what every key begins with.

    Returns:
        Lists are tuples, since a file holds only lists.
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = tuple(value) if isinstance(value, list) else value
    return found
