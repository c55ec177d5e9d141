"""What a run answers per group (patient): a table beside the predictions of its images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tfcnn.base.errors import TfcnnError
from tfcnn.prediction.predictor import Prediction
from tfcnn.runs import Run

__all__ = ["GroupTable", "Row"]

Row = list[str | float]


@dataclass
class _Count:
    images: int = 0
    flagged: int = 0
    predicted: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)


class GroupTable:
    """Counts predictions by group as they are made.

    Args:
        run: whose classes, and whose rule for groups, they are.

    Attributes:
        total: images of any group or none.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._counts: dict[str, _Count] = {}
        self.total = 0

    def add(self, prediction: Prediction) -> None:
        """Count one prediction."""
        count = self._counts.setdefault(prediction.group, _Count())
        self.total += 1
        count.images += 1
        count.flagged += bool(prediction.flag)
        if prediction.probs:
            count.predicted[prediction.predicted] += 1
            count.decided[prediction.decision] += 1

    def rows(self) -> Iterator[Row]:
        """Yield the header and a row per group, in the order of their names; no group comes last.

        Columns: `group`; `images`; `flagged`, those with any flag, also without an answer;
        `predicted_<class>`, images of which a class is the most probable; with a positive class
        `share_<class>`, its share of the decisions; with a rule of the run `call`, what the rule
        says of the group, "" where no image has an answer.
        """
        names, looked_for = self._run.class_names, self._looked_for
        shares = [] if looked_for is None else [f"share_{looked_for}"]
        calls = ["call"] if self._least_share is not None else []
        columns = [f"predicted_{name}" for name in names]
        yield ["group", "images", "flagged", *columns, *shares, *calls]
        for group in sorted(self._counts, key=lambda name: (not name, name)):
            count = self._counts[group]
            row: Row = [group, count.images, count.flagged]
            row += [count.predicted[name] for name in names]
            if looked_for is not None:
                row += self._answer(group, count, looked_for)
            yield row

    def lines(self, path: Path) -> list[str]:
        """Return what to say of the table: where it is, what calls a group, and what that means."""
        groups = self._run.card["data"]["nouns"][1]
        known, unknown = len(self._counts.keys() - {""}), self._counts.get("")
        line = f"{known:,} {groups} in {path}"
        if unknown:
            line += f"; of {unknown.images:,} images the group is not known"
        rule = self._run.card.get("group_rule") or {}
        if self._least_share is None:
            return [line, *([f"no call per group: {rule['reason']}"] if rule else [])]
        caveat = (
            f"a group is called {self._looked_for} from {self._least_share:.1%} of its decisions "
            f"on; why: {rule['reason']}. Other groups than val's do worse: it is no diagnosis."
        )
        return [line, caveat, *self._measured()]

    @property
    def _looked_for(self) -> str | None:
        place = self._run.positive
        return None if place is None else self._run.class_names[place]

    @property
    def _least_share(self) -> float | None:
        found: float | None = (self._run.card.get("group_rule") or {}).get("least_share")
        return found if self._looked_for is not None else None

    def _answer(self, group: str, count: _Count, looked_for: str) -> Row:
        """Return the share of positive decisions and, with a rule, the call."""
        decided = count.decided.total()
        share = count.decided[looked_for] / decided if decided else None
        row: Row = ["" if share is None else float(f"{share:.6g}")]
        if self._least_share is None:
            return row
        (other,) = set(self._run.class_names) - {looked_for}
        if share is None or not group:
            return [*row, ""]
        return [*row, looked_for if share >= self._least_share else other]

    def _measured(self) -> list[str]:
        """Return the run's own caveat on its rule, where its report has one."""
        try:
            splits = self._run.report.get("patients", {}).get("splits", {})
        except TfcnnError as error:  # the predictions are written, and are what was asked for
            return [f"what the run measured of that rule cannot be read: {error}"]
        part = splits.get("test") or splits.get("val") or {}
        return [part["caveat"]["sentence"]] if "caveat" in part else []
