"""The folders of runs in `models/`: their names and states, and how one is found or retired."""

import os
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

from tfcnn import datasets
from tfcnn.base import atomic, interrupts, naming, own_files
from tfcnn.base.errors import InputError, did_you_mean
from tfcnn.runs.cross_validation import fold_name, is_crossval, read_summary
from tfcnn.runs.run import CARD, CHECKPOINT, DONE, RECIPE, SPLIT, Run, read

ZOO = Path(__file__).parents[1] / "zoo"


def models_home() -> Path:
    """Return the `models` folder of `TFCNN_HOME`, or of the working folder."""
    return Path(os.environ.get("TFCNN_HOME", ".")) / "models"


def folder_of(name_or_path: str) -> Path:
    """Return the folder that a new run of this name, or at this path, is written to."""
    path = Path(name_or_path)
    if name_or_path in ("", ".", "..") or name_or_path.startswith("-"):
        raise InputError("--run", "a name or a path", repr(name_or_path), "--run my-run")
    if len(path.parts) > 1 or _must_be_path(name_or_path):
        return path.expanduser()
    if not naming.is_folder_name(name_or_path, naming.LONGEST_FOLDER):
        expected = "the name of one folder, or a path"
        hint = f"--run {shlex.quote(naming.as_folder_name(name_or_path))}"
        raise InputError("--run", expected, repr(name_or_path[:80]), hint)
    return models_home() / name_or_path


def _must_be_path(text: str) -> bool:
    return text.startswith((".", "~", "/")) or text.endswith("/")


def names() -> list[str]:
    """Return the finished runs in `models/`."""
    return [name for name in _done() if not is_crossval(models_home() / name)]


def crossvals() -> list[str]:
    """Return the finished cross-validations in `models/`."""
    return [name for name in _done() if is_crossval(models_home() / name)]


def unfinished() -> list[str]:
    """Return the runs and cross-validations in `models/` that were begun and are not done."""
    folders = sorted(models_home().glob("[!.]*"))
    return [folder.name for folder in folders if state(folder) == "unfinished"]


def source_of(folder: Path) -> str | None:
    """Return `data.source` of the recipe in a run folder; None where there is none to be read."""
    import tomllib  # late: a prediction needs no recipe

    try:
        content = tomllib.loads((folder / RECIPE).read_text(encoding="utf-8"))
        return str(content["data"]["source"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def same_source(one: str, other: str) -> bool:
    """Say whether two sources are one: the same name, or paths of the same folder."""
    return one == other or (_root(one) is not None and _root(one) == _root(other))


def _root(source: str) -> Path | None:
    """Return the folder of a source, or None where it is a data set's name."""
    if own_files.is_own(source):
        return (datasets.data_home() / Path(source).stem).resolve()  # which all of its name share
    is_name = os.sep not in source and source in datasets.names()
    return None if is_name else Path(source).expanduser().resolve()


def as_typed(folder: Path) -> str:
    """Return what a person types for a run: its name in `models/`, else its path."""
    return folder.name if folder == models_home() / folder.name else str(folder)


def _done() -> list[str]:
    folders = (path.parent for path in models_home().glob(f"*/{DONE}"))
    return sorted(folder.name for folder in folders if is_done(folder))


def is_done(folder: Path) -> bool:
    """Say whether a run or cross-validation is complete.

    A DONE that is empty, or all zeros, is what a power cut leaves of one that had not reached the
    disk: it says nothing.
    """
    try:
        return bool((folder / DONE).read_bytes().strip(b"\0\r\n "))
    except OSError:
        return False


def state(folder: Path) -> str:
    """Return `finished`, `unfinished`, `absent`, or `other` for a folder that is no run.

    What a killed process left half-written in a new folder is nothing yet.
    """
    if is_done(folder):
        return "finished"
    if not folder.exists() or (folder.is_dir() and all(map(atomic.is_part, folder.iterdir()))):
        return "absent"
    own = (RECIPE, SPLIT, CARD, CHECKPOINT, DONE)
    return "unfinished" if any((folder / name).exists() for name in own) else "other"


def find(name_or_path: str | Path) -> Path:
    """Return the folder of a run: a path, or a name in `models/` or among the shipped models.

    The path of a folder of images means the run that was trained on them.

    Raises:
        InputError: if there is none, or it is not finished.
    """
    name = str(name_or_path)
    for folder in _candidates(name):
        if is_crossval(folder) and not (is_done(folder) and (folder / CARD).exists()):
            _refuse_crossval(folder)
        if is_done(folder) or (folder.parent == ZOO and (folder / CARD).exists()):
            return folder
        if state(folder) == "unfinished":  # not the shipped one of its name instead
            hint = "`tfcnn train ... --resume`, or --fresh to start again"
            raise InputError(folder, "a finished run", "an unfinished one", hint)
    if Path(name).suffix == ".keras" and Path(name).is_file():
        raise InputError(
            name,
            "a run folder",
            "a model file alone, which does not say its classes and image size",
            f"`tfcnn adopt {shlex.quote(name)} SOURCE`, or its run folder",
        )
    shipped = sorted(path.name for path in ZOO.glob("*") if path.name not in names())
    choices = [*names(), *(f"{model} (shipped)" for model in shipped)]
    received = f"no such run{did_you_mean(Path(name).name, [*names(), *shipped])}"
    raise InputError(name, "a run's name or path", received, f"one of: {', '.join(choices)}")


def _refuse_crossval(folder: Path) -> None:
    """Refuse a cross-validation that is not finished, or has no model of all its folds."""
    command = f"tfcnn crossval {shlex.quote(str(folder / RECIPE))}"
    command += f" --run {shlex.quote(as_typed(folder))} --resume"
    if not is_done(folder):
        received, hint = "an unfinished cross-validation", f"`{command}` first"
    elif why := read_summary(folder).get("no_mean"):
        received = f"a cross-validation without a mean of its folds: {why}"
        hint = f"one of its runs, such as {folder / fold_name(0)}"
    else:
        received = "a cross-validation of an earlier tfcnn, without the mean of its folds"
        hint = f"`{command}`, which trains nothing again, or a run, such as {folder / fold_name(0)}"
    raise InputError(folder, "a run", received, hint)


def _candidates(name: str) -> list[Path]:
    """Return where a run of this name or path may be, the likeliest first."""
    path = Path(name).expanduser()
    is_path = len(path.parts) > 1 or _must_be_path(name)
    if is_path and path.is_dir() and state(path) in ("other", "absent"):
        return _trained_on(path.resolve())
    if name.startswith((".", "~", "/")) or (is_path and path.exists()):
        return [path]  # `./malaria` is none of the others
    own = [models_home() / path, ZOO / path]
    return [path, *own] if len(path.parts) > 1 else [*own, path]


def _trained_on(images: Path) -> list[Path]:
    """Return the run that was trained on a folder of images, or the one that has its name.

    Raises:
        InputError: if it is not clear which one is meant.
    """
    name = naming.as_folder_name(images.name)
    named = models_home() / name
    sources = {one: source_of(models_home() / one) for one in (*names(), name)}
    of_these = [one for one, source in sources.items() if source and _root(source) == images]
    if name in of_these:
        return [named]
    if len(of_these) > 1:
        received = f"{len(of_these)} ({', '.join(of_these)})"
        raise InputError(images, "one run of these images", received, "the name of one")
    if not of_these and sources[name] is not None:
        expected, received = f"a run of {images}", f"{named}, a run of {sources[name]}"
        raise InputError(images, expected, received, f"{name}, if that is meant")
    return [models_home() / one for one in of_these] or [named]


def open_run(name_or_path: str | Path) -> Run:
    """Open a finished run for use; see `find` and `read`."""
    return read(find(name_or_path))


def finish(folder: Path) -> Run:
    """Stamp a run folder as complete and open it."""
    stamp(folder)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return open_run(folder)


def stamp(folder: Path) -> None:
    """Write that a folder is complete, and when: all that is in it has reached the disk before."""
    interrupts.check()
    for path in sorted(folder.rglob("*")):  # logs too, which libraries write
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            atomic.to_disk(path)
    atomic.write_text(folder / DONE, datetime.now(UTC).isoformat(timespec="seconds") + "\n")


def retire(folder: Path) -> Path:
    """Move a run aside to `.old/NAME-<UTC>` beside it and return where it is now."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder.parent / ".old" / f"{folder.name}-{stamp}"
    for number in range(2, 1000):
        if not target.exists():
            break
        target = target.with_name(f"{folder.name}-{stamp}-{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)  # what is in it has reached the disk before
    for changed in (target.parent, folder.parent):
        atomic.to_disk(changed)
    return target
