"""The run folder: all that is needed to use a trained model, and to know how it came about."""

import os
import shlex
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tfcnn import datasets
from tfcnn.base import atomic, interrupts, naming, records
from tfcnn.base.errors import CheckError, InputError, did_you_mean
from tfcnn.base.records import sha256_of
from tfcnn.decode import Decoder

__all__ = [
    "CARD_VERSION",
    "HINT",
    "Run",
    "crossvals",
    "find",
    "finished",
    "folder_of",
    "is_crossval",
    "is_done",
    "models_home",
    "names",
    "open_run",
    "read",
    "retire",
    "same_source",
    "sha256_of",
    "source_of",
    "stamp",
    "state",
    "unfinished",
    "write_card",
]

ZOO = Path(__file__).parents[1] / "zoo"
DONE, CARD = "DONE", "model.json"
CARD_VERSION = 2  # 1 had no sha256 of its own content
HINT = "the run folder as it was written, or training again"
CONTRACT = "the contract of a run"
# besides the model: what figures and reports are made from
WRITTEN = ("recipe.toml", "history.csv", "predictions.csv", "report.json")


@dataclass(frozen=True)
class Run:
    """A finished run, opened for use.

    Attributes:
        path: the run folder.
        card: the content of `model.json`, the contract for use.
    """

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.path.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        return tuple(self.card["class_names"])

    @property
    def positive(self) -> int | None:
        """The index of the class that is looked for, if there is one."""
        name = self.card["positive"]
        return None if name is None else self.class_names.index(name)

    @property
    def ignore(self) -> tuple[str, ...]:
        """Patterns of files that were left out of its data; see `data.ignore`."""
        return tuple(self.card["data"].get("ignore", ()))

    @property
    def threshold(self) -> float:
        """The probability of the positive class from which `decision` is that class."""
        return float(self.card["threshold"])

    @property
    def abstention(self) -> tuple[float, float] | None:
        """The band of probabilities within which the run does not answer, if there is one."""
        band = self.card.get("abstention")
        return None if band is None else (float(band["low"]), float(band["high"]))

    @property
    def decoder(self) -> Decoder:
        """How an image becomes the model's input."""
        return Decoder.from_dict(self.card["decoder"])

    @property
    def is_leaky(self) -> bool:
        """Whether the split was a stamped demonstration of a leak."""
        return bool(self.card["leaky"])

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of `report.json`; empty for a model that was shipped without it."""
        path = self.file("report.json")
        return records.read_json(path, "the report of a run", HINT) if path.exists() else {}

    @property
    def caution(self) -> str:
        """What cannot be told of this run, "" where its card vouches for itself."""
        if CARD in self._hashes:
            return ""
        return (
            f"{self.path / CARD}: written by an earlier tfcnn, without a sha256 of its own "
            "content: a change of it, or damage, would not be seen"
        )

    def model_file(self, name: str) -> Path | None:
        """Return a file of the run after checking its hash, or None where none is on record.

        Raises:
            CheckError: if it is not the file that was measured.
        """
        path, recorded = self.path / name, self._hashes.get(name)
        if recorded is None:
            return None
        if not path.is_file() or sha256_of(path) != recorded:
            what = "file as it was written" if name in WRITTEN else "model file that was measured"
            received = "none" if not path.exists() else "another one"
            raise CheckError(path, f"the {what}", received, HINT)
        return path

    def file(self, name: str) -> Path:
        """Return a file of the run, there or not, after checking its hash if one is on record.

        Raises:
            CheckError: if it is not the file that was written.
        """
        return self.model_file(name) or self.path / name

    def rows(self, name: str, columns: Collection[str] = ()) -> list[dict[str, str]]:
        """Return the rows of a table of the run, as it was written.

        Args:
            name: of the file.
            columns: those it must have.

        Raises:
            InputError: if it cannot be read, or is no such table.
            CheckError: if it is not the file that was written.
        """
        return records.read_rows(self.file(name), "a table of a trained run", HINT, columns)

    def recorded(self, *names: str) -> "Run":
        """Return the run with the hashes of these files, as they are now, on its card."""
        found = {name: sha256_of(self.path / name) for name in names}
        return self._with_hashes({**self._hashes, **found})

    def unrecorded(self, *names: str) -> "Run":
        """Return the run without hashes of these files on its card."""
        hashes = {name: value for name, value in self._hashes.items() if name not in names}
        return self._with_hashes(hashes)

    @property
    def _hashes(self) -> dict[str, str]:
        found: dict[str, str] = self.card.get("sha256", {})
        return found

    def _with_hashes(self, hashes: dict[str, str]) -> "Run":
        return replace(self, card={**self.card, "sha256": hashes})


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
        content = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
        return str(content["data"]["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def same_source(one: str, other: str) -> bool:
    """Say whether two sources are one: the same name, or paths of the same folder."""
    return one == other or (_root(one) is not None and _root(one) == _root(other))


def _root(source: str) -> Path | None:
    """Return the folder of a source, or None where it is a data set's name."""
    is_name = os.sep not in source and source in datasets.names()
    return None if is_name else Path(source).expanduser().resolve()


def is_crossval(folder: Path) -> bool:
    """Say whether a folder is a cross-validation: a folder of runs, one per fold."""
    return (folder / "splits" / "fold-0.csv").exists()


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
    """Return `finished`, `unfinished`, `absent`, or `other` for a folder that is no run."""
    if is_done(folder):
        return "finished"
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return "absent"
    own = ("recipe.toml", "split.csv", CARD, "checkpoint", DONE)
    return "unfinished" if any((folder / name).exists() for name in own) else "other"


def find(name_or_path: str | Path) -> Path:
    """Return the folder of a run: a path, or a name in `models/` or among the shipped models.

    The path of a folder of images means the run that was trained on them.

    Raises:
        InputError: if there is none, or it is not finished.
    """
    name = str(name_or_path)
    for folder in _candidates(name):
        if is_crossval(folder):
            fold = f"one of its runs, such as {folder / 'fold-0'}"
            hint = fold if is_done(folder) else "`tfcnn crossval ... --resume` first"
            raise InputError(folder, "a run", "a cross-validation, which is several", hint)
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
            "its folder, or training it with `tfcnn train`",
        )
    shipped = sorted(path.name for path in ZOO.glob("*") if path.name not in names())
    known = [*names(), *(f"{model} (shipped)" for model in shipped)]
    received = f"no such run{did_you_mean(Path(name).name, [*names(), *shipped])}"
    raise InputError(name, "a run's name or path", received, f"one of: {', '.join(known)}")


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


def read(folder: Path) -> Run:
    """Open the run in a folder, which need not be stamped as done.

    Raises:
        InputError: if its `model.json` is none, or of a later tfcnn.
        CheckError: if that is not as it was written.
    """
    path = folder / CARD
    card = records.read_json(path, CONTRACT, "training again")
    try:
        version = int(card.get("version", 1))
        if version > CARD_VERSION:
            raise ValueError(f"version {version}, of a later tfcnn")
        if not records.is_sealed(card, path, CONTRACT, HINT) and version > 1:
            raise CheckError(path, f"{CONTRACT} with its own sha256", "none", HINT)
        run = Run(folder, card)
        _ = run.class_names, run.positive, run.threshold, run.decoder, run.is_leaky, run.abstention
        _ = run.ignore, card["data"]["notes"], card["data"]["group_regex"]
        _, _ = card["data"]["nouns"]
        _ = card["sha256"].items(), (card.get("domain") or {}).items()
        _ = (card.get("group_rule") or {}).items()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        received = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(path, CONTRACT, received, "training again") from error
    return run


def finished(folder: Path) -> Run:
    """Stamp a run folder as complete and open it."""
    stamp(folder)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return open_run(folder)


def write_card(run: Run) -> None:
    """Write `model.json` of a run from its card, with a sha256 of this content."""
    card = records.sealed({**run.card, "version": CARD_VERSION}, CARD)
    atomic.write_text(run.path / CARD, records.to_json(card, indent=2) + "\n")


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
