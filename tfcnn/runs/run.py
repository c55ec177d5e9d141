"""The run folder: the names of its files, and how each is read."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.base import atomic, records
from tfcnn.base.errors import CheckError, InputError, TfcnnError
from tfcnn.base.records import sha256_of
from tfcnn.decode import Decoder
from tfcnn.display import metric_tables
from tfcnn.display.panel import Panel, Shown
from tfcnn.runs import contract
from tfcnn.runs.shipped import read_about

if TYPE_CHECKING:
    from tfcnn.recipes import Recipe

CARD, RECIPE, SPLIT, HISTORY = "model.json", "recipe.toml", "split.csv", "history.csv"
MODEL, TWIN, DOMAIN, SEEN = "model.keras", "model.tflite", "domain.npz", "seen.npz"
PREDICTIONS, REPORT, PAGE, LOGS = "predictions.csv", "report.json", "report.html", "logs"
STRESS = "stress.json"  # of a finished run, once it was measured
CHECKPOINT, DONE = "checkpoint", "DONE"
# folders for copies of a user's own files: Python, and a table of corrected labels
NETWORK, SOURCE, CORRECTIONS = "network", "source", "corrections"

ADOPTED = "adopted"  # the network of a run that somebody else's code trained
UNKNOWN = "unknown"  # what such a network learnt from, unless it was train
MAIN_METRICS = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "roc_auc", "macro_roc_auc",
)  # fmt: skip
CARD_VERSION = 2  # 1 had no sha256 of its own content
HINT = "the run folder as it was written, or training again"
CONTRACT = "the contract of a run"
SPLIT_COLUMNS = ("path", "label", "group", "sha256", "pixels_sha256", "split")
PREDICTION_COLUMNS = ("path", "split", "group", "label", "decision")
HISTORY_COLUMNS = ("epoch", "loss", "val_loss", "val_sparse_categorical_accuracy")


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A finished run, opened for use.

    Attributes:
        path: the run folder.
        card: the content of `model.json`, the contract for use. Never change it in place: make
            another run with another card.
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
    def num_folds(self) -> int:
        """How many folds of a cross-validation its model is the mean of; 0 for any other run."""
        return int(self.card.get("folds", 0))

    @property
    def is_leaky(self) -> bool:
        """Whether the split was a stamped demonstration of a leak."""
        return bool(self.card["leaky"])

    @property
    def is_test_corrected(self) -> bool:
        """Whether labels of its test split were corrected, so that test is no longer as given."""
        return bool(self.card["data"].get("corrections", {}).get("of_test"))

    def refuse_leaky(self) -> None:
        """Refuse to hand a demonstration of a leak to anybody.

        Raises:
            CheckError: if the run is one.
        """
        if self.is_leaky:
            expected, received = "a run to be used", "LEAKY, a demonstration: it was split by image"
            raise CheckError(self.path, expected, received, "training with data.split.unit=group")

    @property
    def doubt(self) -> str:
        """Why its figures may not be of unseen images: of an adopted model; "" of any other."""
        if self.card.get("network", {}).get("trained_on") != UNKNOWN:
            return ""
        return (
            "what the model learnt from is unknown to tfcnn: the figures hold only if no image of "
            "test, and none of its groups, was among it"
        )

    @property
    def caution(self) -> str:
        """What a user must know of `model.json`; "" where it holds its own sha256."""
        if self.is_recorded(CARD):
            return ""
        return f"{self.path / CARD}: of an earlier tfcnn, which would not notice damage to it"

    def is_recorded(self, name: str) -> bool:
        """Say whether the card holds the sha256 of a file of the run."""
        return name in self._hashes

    def file(self, name: str) -> Path:
        """Return the path of a file of the run, after checking its sha256 if one is recorded.

        Raises:
            CheckError: if the file is not the one that was written.
        """
        path, recorded = self.path / name, self._hashes.get(name)
        if recorded is not None and (received := records.instead_of(path, recorded)):
            is_measured = name in (MODEL, TWIN, DOMAIN)
            what = "model file that was measured" if is_measured else "file as it was written"
            raise CheckError(path, f"the {what}", received, HINT)
        return path

    @property
    def model_path(self) -> Path:
        """The path of `model.keras`, whose sha256 was checked; `keras.models.load_model` reads it.

        Raises:
            CheckError: if the file is not the one that was written.
        """
        return self.file(MODEL)

    @property
    def recipe(self) -> "Recipe":
        """The content of `recipe.toml`: every setting that the run was trained with."""
        from tfcnn import recipes  # late: a prediction needs no recipe

        return recipes.load(str(self.file(RECIPE)), is_record=True)

    @property
    def card_sha256(self) -> str:
        """The sha256 of the content of `model.json`, whatever its layout."""
        return hashlib.sha256(records.to_json(self.card).encode()).hexdigest()

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of `report.json`; empty for a model that was shipped without it."""
        path, expected = self.file(REPORT), "the report of a run"
        if not path.exists():
            return {}
        report = records.read_json(path, expected, HINT)
        try:
            contract.check_report(report, len(self.class_names))
        except ValueError as error:
            raise InputError(path, expected, str(error), HINT) from error
        return report

    @property
    def split(self) -> list[dict[str, str]]:
        """The rows of `split.csv`; see `table`."""
        return self.table(SPLIT, SPLIT_COLUMNS)

    @property
    def predictions(self) -> list[dict[str, str]]:
        """The rows of `predictions.csv`, one per image of val and test; see `table`."""
        probs = (f"prob_{name}" for name in self.class_names)
        return self.table(PREDICTIONS, (*PREDICTION_COLUMNS, *probs))

    @property
    def history(self) -> dict[str, list[float]]:
        """Per column of `history.csv` a value per epoch; see `table`."""
        rows = self.table(HISTORY, HISTORY_COLUMNS)
        try:
            return {key: [float(row[key]) for row in rows] for key in rows[0]}
        except (ValueError, IndexError) as error:
            path = self.path / HISTORY
            raise InputError(path, "a row of numbers per epoch", str(error), HINT) from error

    def panel(self) -> Panel:
        """Return what a notebook shows: the report in short, and where the whole one is."""
        try:
            report = self.report
        except TfcnnError as error:
            return Panel(self.name, notes=[str(error)])
        page = self.path / PAGE
        link = page if page.exists() else None
        if not report:  # shipped without it
            about = read_about(self.path) or (f"{' or '.join(self.class_names)}.",)
            return Panel(self.name, about)
        split = "test" if "test" in report["splits"] else next(iter(report["splits"]))
        rows, counts = report["splits"][split], report["counts"][split]
        rule = report.get("confusion_rule", "predicted"), report.get("operating_point", {})
        matrix = report["confusion"][split]
        grids = [
            metric_tables.metrics(split, rows, counts, only=MAIN_METRICS),
            metric_tables.confusion(split, matrix, self.class_names, *rule),
        ]
        shown = [grid for grid in grids if grid]
        return Panel(self.name, [report["sentence"]], report["warnings"], shown, link)

    def table(self, name: str, columns: Collection[str]) -> list[dict[str, str]]:
        """Return the rows of a table of the run.

        Args:
            name: of the file.
            columns: those it must have.

        Raises:
            InputError: if it cannot be read, or is no such table.
            CheckError: if it is not the file that was written.
        """
        return records.read_rows(self.file(name), "a table of a trained run", HINT, columns)

    def recorded(self, *names: str) -> "Run":
        """Return the run with the sha256 of these files, as they are now, on its card."""
        hashes = {name: sha256_of(self.path / name) for name in names}
        return self._with_hashes({**self._hashes, **hashes})

    def unrecorded(self, *names: str) -> "Run":
        """Return the run without the sha256 of these files on its card."""
        hashes = {name: value for name, value in self._hashes.items() if name not in names}
        return self._with_hashes(hashes)

    @property
    def _hashes(self) -> dict[str, str]:
        hashes: dict[str, str] = self.card.get("sha256", {})
        return hashes

    def _with_hashes(self, hashes: dict[str, str]) -> "Run":
        return replace(self, card={**self.card, "sha256": hashes})


def copies(folder: Path) -> list[str]:
    """Return the copies of a user's own files in a run folder, such as `network/mine.py`.

    A training reads and runs them; nothing that uses the run does.
    """
    kinds = {NETWORK: "*.py", SOURCE: "*.py", CORRECTIONS: "*"}
    paths = (path for kind, name in kinds.items() for path in folder.glob(f"{kind}/{name}"))
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def read(folder: Path) -> Run:
    """Open the run in a folder, which need not be stamped as done.

    Raises:
        InputError: if its `model.json` is none, or of a later tfcnn.
        CheckError: if that is not as it was written.
    """
    path = folder / CARD
    card = records.read_json(path, CONTRACT, "training again")
    try:
        version = card.get("version", 1)
        if isinstance(version, int) and version > CARD_VERSION:
            raise ValueError(f"version {version}, of a later tfcnn")
        is_sealed = records.check_seal(card, path, CONTRACT, HINT)
        contract.check_card(card)
    except ValueError as error:
        raise InputError(path, CONTRACT, str(error), "training again") from error
    if not is_sealed and version > 1:
        raise CheckError(path, f"{CONTRACT} with its own sha256", "none", HINT)
    return Run(folder, card)


def write_card(run: Run) -> None:
    """Write `model.json` of a run from its card, with a sha256 of this content."""
    card = records.sealed({**run.card, "version": CARD_VERSION}, CARD)
    atomic.write_text(run.path / CARD, records.to_json(card, indent=2) + "\n")
