"""Which images and groups a run was trained or tuned on, also where its split was not shipped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfcnn.base import atomic, records
from tfcnn.base.errors import InputError
from tfcnn.runs import HINT, SEEN, SPLIT, Run

__all__ = ["Seen", "pack", "read"]

# of a sha256's 32: that one of 30,000 new images is taken for one of 30,000 seen has odds of 3 in a
# million
PREFIX_BYTES = 6


@dataclass(frozen=True)
class Seen:
    """What was in a run's train or val split.

    Attributes:
        pixels: the first bytes of each image's pixels' sha256, in hexadecimal.
        groups: the names of the groups.
    """

    pixels: frozenset[str]
    groups: frozenset[str]

    def holds_image(self, pixels_sha256: str) -> bool:
        """Say whether an image with these pixels was seen."""
        return pixels_sha256[: 2 * PREFIX_BYTES] in self.pixels


def read(run: Run) -> Seen:
    """Read what a run has seen, from its split or from what was shipped in its stead.

    Raises:
        InputError: if the run has neither, so that nobody can tell.
        CheckError: if the split is not the one that was written.
    """
    if (run.path / SPLIT).exists():
        rows = [row for row in run.split() if row["split"] in ("train", "val")]
        return Seen(
            frozenset(row["pixels_sha256"][: 2 * PREFIX_BYTES] for row in rows),
            frozenset(row["group"] for row in rows if row["group"]),
        )
    if (run.path / SEEN).exists():
        what = "the hashes of what the run was trained on"
        arrays = records.read_arrays(run.file(SEEN), ("pixels", "groups"), what, HINT)
        pixels, groups = arrays["pixels"], arrays["groups"]
        return Seen(
            frozenset(row.tobytes().hex() for row in pixels), frozenset(map(str, groups.tolist()))
        )
    raise InputError(
        run.path, f"{SPLIT} or {SEEN}, which say what it was trained on", "neither",
        "the run folder as it was written",
    )  # fmt: skip


def pack(run: Run, folder: Path) -> None:
    """Write what a run has seen as `seen.npz`, small enough to be shipped with the model."""
    seen = read(run)
    pixels = np.frombuffer(bytes.fromhex("".join(sorted(seen.pixels))), dtype=np.uint8)
    groups = np.array(sorted(seen.groups), dtype=np.str_)
    with atomic.writing(folder / SEEN) as part:
        np.savez_compressed(part, pixels=pixels.reshape(-1, PREFIX_BYTES), groups=groups)
