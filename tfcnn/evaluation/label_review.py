"""What a review of doubted labels found: how many are wrong, and how sure the reviewer is.

The suspects are what models doubt. The images that were mixed in blind are drawn at random from all
others. How often their labels are changed bounds both what the models miss and what the reviewer
gets wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.display.figures import interval, percent
from tfcnn.evaluation.by_group import exact_bounds
from tfcnn.manifest import corrections
from tfcnn.manifest.corrections import DROP, FLIP, KEEP, UNSURE, Judgement

SUSPECT, RANDOM = "suspect", "random"


@dataclass(frozen=True)
class Share:
    """How many labels were changed, of those on which the reviewer decided: kept or flipped.

    Attributes:
        changed: so many were flipped.
        decided: of so many.
        value: the share; None where none was decided.
        low: its exact 95 % interval (Clopper and Pearson 1934), as if images were independent.
        high: likewise.
    """

    changed: int
    decided: int
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, changed: int, decided: int) -> "Share":
        """Return a share with its interval."""
        if not decided:
            return cls(0, 0, None, None, None)
        return cls(changed, decided, changed / decided, *exact_bounds(changed, decided))

    def __str__(self) -> str:
        if not self.decided:
            return "none was decided"
        ends = interval({"low": self.low, "high": self.high}, percent)
        return f"{self.changed:,} of {self.decided:,}, {percent(self.value)} ({ends})"


@dataclass(frozen=True)
class Review:
    """What the judgements of a person say of all labels.

    Attributes:
        suspects: of the suspects.
        random: of the images drawn at random from the others.
        suspected: how many suspects there are, judged or not.
        images: how many images there are in all.
        dropped: judgements that an image should not be used.
        unsure: judgements left open.
        saw_opinion: judgements made with the models' opinion in sight.
        strangers: judgements on images that are not of this cross-validation.
        wrong: `value`, `low` and `high` of the share of wrong labels among all; None where no image
            drawn at random was decided.
        suspects_if_slips: the share of suspects that are wrong if each change of an image drawn at
            random was a slip of the reviewer: (p - e) / (1 - e), p and e being the two shares
            (Rogan and Gladen 1978, of a test that misses none); None where nothing follows.
    """

    suspects: Share
    random: Share
    suspected: int
    images: int
    dropped: int
    unsure: int
    saw_opinion: int
    strangers: int
    wrong: dict[str, float] | None
    suspects_if_slips: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return what a person reads, with 95 % intervals."""
        lines = [
            f"Suspects changed: {self.suspects}.",
            f"Drawn at random and changed: {self.random}.",
        ]
        left = self.suspected - self.suspects.decided
        if left:
            lines.append(f"{left:,} of the {self.suspected:,} suspects are not decided.")
        if self.dropped or self.unsure:
            lines.append(f"{self.dropped:,} to leave out, {self.unsure:,} unsure.")
        lines.append(self._total())
        if self.suspects_if_slips is not None and self.random.changed:
            lines.append(
                "If each change of an image drawn at random was a slip, "
                f"{percent(self.suspects_if_slips)} of the suspects are wrong, not "
                f"{percent(self.suspects.value)}."
            )
        if self.saw_opinion:
            lines.append(f"{self.saw_opinion:,} were judged with the models' opinion in sight, "
                         "which sways a reviewer.")  # fmt: skip
        if self.strangers:
            lines.append(f"{self.strangers:,} judgements are on images that are not here.")
        return lines

    def _total(self) -> str:
        if self.wrong is None:
            others = self.images - self.suspected
            text = f"Nothing follows for the {others:,} other labels"
            return f"{text}: none that was drawn at random is decided."
        ends = interval(self.wrong, percent)
        return f"Wrong labels among all {self.images:,}: {percent(self.wrong['value'])} ({ends})."


def review(rows: Sequence[Mapping[str, Any]], file: Path, page: Path) -> Review:
    """Sum up the judgements in a table on the labels of a cross-validation.

    Args:
        rows: of `Suspects`, all of them.
        file: the table.
        page: that saves such a table.

    Raises:
        InputError: if the file is no such table, or judges no image of the cross-validation.
    """
    judgements = {one.path: one for one in corrections.read(file)}
    is_suspect = {row["path"]: row["is_suspect"] for row in rows}
    here = [one for path, one in judgements.items() if path in is_suspect]
    if not here:
        received, hint = f"{len(judgements)} on others", f"the file that {page} saves"
        raise InputError(file, "judgements on these images", received, hint)
    kinds: dict[str, list[Judgement]] = {SUSPECT: [], RANDOM: []}
    for one in here:
        usual = SUSPECT if is_suspect[one.path] else RANDOM
        kinds[one.shown_as if one.shown_as in kinds else usual].append(one)
    of_suspects, of_random = (_share(kinds[kind]) for kind in (SUSPECT, RANDOM))
    counts, suspected = Counter(one.judgement for one in here), sum(is_suspect.values())
    return Review(
        of_suspects, of_random, suspected, len(rows), counts[DROP], counts[UNSURE],
        sum(one.saw_opinion for one in here), len(judgements) - len(here),
        _wrong(of_suspects, of_random, suspected, len(rows)),
        _if_slips(of_suspects, of_random),
    )  # fmt: skip


def _share(judgements: Iterable[Judgement]) -> Share:
    words = Counter(one.judgement for one in judgements)
    return Share.of(words[FLIP], words[FLIP] + words[KEEP])


def _wrong(
    of_suspects: Share, of_random: Share, suspected: int, images: int
) -> dict[str, float] | None:
    """Return the share of wrong labels among all.

    A suspect that is not decided counts as wrong in the upper bound and as right in the lower one.
    The point takes such suspects for as often wrong as those that are decided.
    """
    if of_random.value is None or of_random.low is None or of_random.high is None:
        return None
    if suspected and of_suspects.value is None:
        return None
    others, open_ones = images - suspected, suspected - of_suspects.decided
    changed = of_suspects.changed
    return {
        "value": (changed + (of_suspects.value or 0) * open_ones + of_random.value * others)
        / images,
        "low": (changed + of_random.low * others) / images,
        "high": (changed + open_ones + of_random.high * others) / images,
    }


def _if_slips(of_suspects: Share, of_random: Share) -> float | None:
    one, other = of_suspects.value, of_random.value
    if one is None or other is None or other == 1:
        return None
    return max(0.0, (one - other) / (1 - other))
