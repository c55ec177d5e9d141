"""A run's files as a reporting checklist reads them, and from which key each figure is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcnn.display import figures
from tfcnn.evaluation.metrics import percent
from tfcnn.report.content import Content, flags


@dataclass(frozen=True)
class Fact:
    """A sentence for a checklist.

    Attributes:
        text: the sentence.
        place: the id of its place in report.html.
        origins: what it was read from, such as `report.json: counts.test.images`.
    """

    text: str
    place: str
    origins: tuple[str, ...]


class Reader:
    """The files of a run, which remembers what was read since the last fact.

    Args:
        content: the run.

    Attributes:
        content: the run.
        split: the split whose figures stand for it.
        images: what an image shows, in the plural.
        groups: what a group is, in the plural.
    """

    def __init__(self, content: Content) -> None:
        self.content, self.split = content, content.split
        self.images, self.groups = content.run.card["data"]["nouns"]
        recipe = content.recipe.model_dump()
        self._files = {
            "report.json": content.run.report, "model.json": content.run.card,
            "recipe.toml": recipe,
        }  # fmt: skip
        self._origins: list[str] = []

    def read(self, file: str, *keys: str, default: Any = None) -> Any:
        """Return what a file holds under these keys, `default` where it holds nothing."""
        value: Any = self._files[file]
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        self._origins.append(f"{file}: {'.'.join(keys)}")
        return value

    def peek(self, *keys: str) -> Any:
        """Return what `report.json` holds, None for nothing, to decide what is said, not to say it.

        It does not count as read.
        """
        value: Any = self._files["report.json"]
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def report(self, *keys: str, default: Any = None) -> Any:
        """Return what `report.json` holds."""
        return self.read("report.json", *keys, default=default)

    def card(self, *keys: str, default: Any = None) -> Any:
        """Return what `model.json` holds."""
        return self.read("model.json", *keys, default=default)

    def recipe(self, *keys: str) -> Any:
        """Return a setting of `recipe.toml`."""
        return self.read("recipe.toml", *keys)

    def metric(self, *keys: str) -> str:
        """Return a metric of `report.json` with its interval: 95.8 % (93.6 to 97.2)."""
        row = {name: self.report(*keys, name) for name in ("value", "low", "high")}
        if row["low"] is None:
            row["reason"] = self.report(*keys, "reason", default="")
        if keys[-1] in figures.SHARES or keys[0] in ("patients", "flags"):
            return percent(row)
        if row["value"] is None:
            return f"– ({row['reason']})"
        value = f"{row['value']:.3f}"
        if row["low"] is None:
            return f"{value} (no interval: {row['reason']})"
        return f"{value} ({row['low']:.3f} to {row['high']:.3f})"

    def fact(self, text: str, place: str) -> Fact:
        """Return a fact of all that was read since the last one."""
        origins, self._origins = tuple(dict.fromkeys(self._origins)), []
        return Fact(text, self._shown(place), origins)

    def _shown(self, place: str) -> str:
        """Return a place, or the one that is in its stead where the page of this run lacks it."""
        run = self.content.run
        if place == "training" and run.num_folds:
            return "folds"
        if place == "threshold" and not _has_threshold(self.content):
            return "calibration"
        if place == "groups" and not self.content.report.groups.get(self.split):
            return "metrics"
        if place == "flags" and not flags(self.content):
            return "calibration"
        return place


def _has_threshold(content: Content) -> bool:
    """Say whether the page has a section on the threshold: a split of one class has none."""
    return content.run.positive is not None and len(np.unique(content.predictions.labels)) == 2


Filler = Callable[[Reader], Iterator[Fact]]


def registering(fillers: dict[str, Filler]) -> Callable[[Filler], Filler]:
    """Return a decorator that makes a filler known by its name, less its underscore."""

    def register(filler: Filler) -> Filler:
        fillers[filler.__name__.removeprefix("_")] = filler
        return filler

    return register
