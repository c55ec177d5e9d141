"""A run and the run that its folder was trained to again: what is equal, and what differs.

A run is reproduced where it has the same recipe, images, history and predictions, digit by digit.
Versions and machines are compared too: they say why something differs, and may differ themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfcnn import recipes, runs
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.runs import Run

MEASURED = ("seconds", "images_per_second", "waiting_fraction")  # of time, never the same twice
ANSWERS = ("predicted", "decision", "flag")
CALLED = "images, labels and split"
RULES = ("temperature", "threshold", "abstention", "group_rule", "domain")
CIRCUMSTANCES = {"versions": "versions", "python": "Python", "machine": "machine",
                 "precision": "precision", "devices": "devices"}  # fmt: skip
MOST_SHOWN = 3  # differences of one kind


@dataclass(frozen=True)
class Comparison:
    """One thing of both runs.

    Attributes:
        what: is compared.
        is_equal: whether it is the same.
        text: how it is, or how it differs.
        decides: whether a run with another one is not reproduced.
    """

    what: str
    is_equal: bool
    text: str
    decides: bool = True


@dataclass(frozen=True, repr=False)
class Reproduction(Shown):
    """What came of training a run again.

    Attributes:
        run: the run.
        again: the one that was trained from its folder.
        comparisons: what was compared.
    """

    run: Run
    again: Run
    comparisons: tuple[Comparison, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the run was reproduced."""
        return all(one.is_equal for one in self.comparisons if one.decides)

    @property
    def sentence(self) -> str:
        """What it comes to."""
        if self.is_equal:
            return f"{self.run.name} is reproduced: the same predictions, digit by digit."
        others = [one.what for one in self.comparisons if one.decides and not one.is_equal]
        causes = [one.what for one in self.comparisons if not one.decides and not one.is_equal]
        text = f"{self.run.name} is not reproduced: other {' and '.join(others)}."
        return f"{text} Other {' and '.join(causes)} may be why." if causes else text

    @property
    def notes(self) -> list[str]:
        """What a person may do about a difference."""
        if self.is_equal or self.run.recipe.train.deterministic:
            return []
        return ["the run was trained without train.deterministic=true, so sums may be in any order"]

    def grid(self) -> Grid:
        """Return a row for each thing that was compared."""
        rows = [[one.what, "equal" if one.is_equal else "differs", one.text]
                for one in self.comparisons]  # fmt: skip
        return Grid(["of both runs", "is", "namely"], rows, num_texts=3)

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        return Panel(self.run.name, [self.sentence], self.notes, [self.grid()])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "run": str(self.run.path), "reproduced": str(self.again.path),
            "equal": self.is_equal, "sentence": self.sentence,
            "comparisons": [asdict(one) for one in self.comparisons],
        }  # fmt: skip


def compare(run: Run, again: Run) -> Reproduction:
    """Compare a run with the one that was trained from its folder.

    Raises:
        TfcnnError: if a file of either is damaged.
    """
    parts = (
        _recipe(run, again),
        _data(run, again),
        _history(run, again),
        _rules(run, again),
        _predictions(run, again),
        *_circumstances(run, again),
    )
    return Reproduction(run, again, parts)


def _recipe(run: Run, again: Run) -> Comparison:
    then, now = (recipes.flat(one.recipe.model_dump(mode="json")) for one in (run, again))
    differing = [
        f"{key} is {now.get(key)!r}, was {then.get(key)!r}"
        for key in {**then, **now}
        if key != "name" and not key.endswith((".network", ".source", ".corrections_csv"))
        and then.get(key) != now.get(key)
    ]  # fmt: skip
    for name in runs.copies(run.path):  # a user's own files are compared, not their paths
        if (run.path / name).read_bytes() != _bytes(again, name):
            differing.append(f"{name} is another file")
    return Comparison("recipe", not differing, _some(differing) or f"{len(then)} settings")


def _bytes(run: Run, name: str) -> bytes:
    path = run.path / name
    return path.read_bytes() if path.exists() else b""


def _data(run: Run, again: Run) -> Comparison:
    """Compare images by the hashes of their pixels, and with them label, group and split."""
    then, now = ({row["path"]: row for row in one.split} for one in (run, again))
    differing = [f"{path} is gone" for path in then.keys() - now.keys()]
    differing += [f"{path} is new" for path in now.keys() - then.keys()]
    for path in then.keys() & now.keys():
        keys = [key for key in then[path] if then[path][key] != now[path].get(key)]
        differing += [f"{path} has another {', '.join(keys)}"] if keys else []
    return Comparison(CALLED, not differing, _some(sorted(differing)) or f"{len(then):,} images")


def _history(run: Run, again: Run) -> Comparison:
    then, now = run.history, again.history
    epochs = [len(one["epoch"]) for one in (then, now)]
    if epochs[0] != epochs[1]:
        return Comparison("history", False, f"{epochs[1]} epochs, were {epochs[0]}")
    columns = [name for name in {**then, **now} if name not in MEASURED]
    differing = [
        (row, name) for row in range(epochs[0]) for name in columns
        if then.get(name, [None] * epochs[0])[row] != now.get(name, [None] * epochs[0])[row]
    ]  # fmt: skip
    if not differing:
        return Comparison("history", True, f"{epochs[0]} epochs, each figure of them")
    row, name = differing[0]
    values = [one[name][row] if name in one else None for one in (now, then)]
    text = f"from epoch {then['epoch'][row]:.0f} on: {name} is {values[0]}, was {values[1]}"
    return Comparison("history", False, text)


def _rules(run: Run, again: Run) -> Comparison:
    differing = [
        f"{key} is {_short(again.card.get(key))}, was {_short(run.card.get(key))}"
        for key in RULES
        if again.card.get(key) != run.card.get(key)
    ]
    return Comparison("rules", not differing, _some(differing) or "threshold, temperature, flags")


def _predictions(run: Run, again: Run) -> Comparison:
    then, now = ({row["path"]: row for row in one.predictions} for one in (run, again))
    if then == now:
        return Comparison("predictions", True, f"of {len(then):,} images, digit by digit")
    both = then.keys() & now.keys()
    probs = [f"prob_{name}" for name in run.class_names if name in again.class_names]
    gaps = [_gap(then[path].get(key, ""), now[path].get(key, "")) for path in both for key in probs]
    changed = sum(
        any(then[path].get(key) != now[path].get(key) for key in ANSWERS) for path in both
    )
    images, lost = sum(then[path] != now[path] for path in both), len(then.keys() ^ now.keys())
    text = (
        f"{images:,} of {len(both):,} images, probabilities by up to {max(gaps, default=0):.2g}; "
        f"another answer for {changed:,}{f'; {lost:,} images in one only' if lost else ''}"
    )
    return Comparison("predictions", False, text)


def _gap(then: str, now: str) -> float:
    try:
        return abs(float(then) - float(now))
    except ValueError:  # an image without an answer has no numbers
        return 0.0 if then == now else 1.0


def _circumstances(run: Run, again: Run) -> Iterator[Comparison]:
    then, now = (one.card.get("record", {}) for one in (run, again))
    for key, title in CIRCUMSTANCES.items():
        one, other = then.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
            differing = [f"{name} is {other.get(name)}, was {one.get(name)}" for name in names]
            same = ", ".join(f"{name} {value}" for name, value in one.items())
            yield Comparison(title, not differing, _some(differing) or same, decides=False)
        else:
            text = _short(one) if one == other else f"{_short(other)}, was {_short(one)}"
            yield Comparison(title, one == other, text, decides=False)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else f"{text[:80]} ..."


def _some(differing: Sequence[str]) -> str:
    more = len(differing) - MOST_SHOWN
    return "; ".join(differing[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
