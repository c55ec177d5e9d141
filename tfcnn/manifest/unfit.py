"""Which images `check --fix` lists to be left out, and why; which of two copies stays."""

from collections.abc import Mapping

from tfcnn.manifest.copies import Likeness
from tfcnn.manifest.looks import Look
from tfcnn.manifest.rows import Manifest, Row

# the first to stay: of a picture in test and in train, test keeps it
STAYS = ("test", "val", "train", "")


def propose(manifest: Manifest, looks: Mapping[str, Look], likeness: Likeness) -> dict[str, str]:
    """Return the path of each image that training should leave out, with the reason.

    These are files that hold no whole image, all copies of a picture that is in two classes, and
    all but one of the other copies. The one that stays is in test or val if one is, has the most
    pixels, and is the first by path. No two images that stay are copies.
    """
    reasons = {
        # one that is too large or may not be read now has no hash: it may be read later
        row.path: f"unreadable: {row.unreadable}"
        for row in manifest.quarantined
        if row.sha256
    }
    rows_of: dict[str, list[Row]] = {}
    for row in manifest.rows:
        rows_of.setdefault(row.pixels_sha256, []).append(row)
    reasons |= _contradictions(manifest, rows_of, likeness)
    kept: dict[str, str] = {}  # the path of each picture that stays
    rest = [row for row in manifest.rows if row.path not in reasons]
    for row in sorted(rest, key=lambda row: _order(row, looks)):
        own = row.pixels_sha256
        nearest = [kept[one] for one in likeness.of.get(own, {}) if one in kept]
        if own in kept:
            reasons[row.path] = f"the same pixels as {kept[own]}"
        elif nearest:
            reasons[row.path] = f"a near copy of {min(nearest)}"
        else:
            kept[own] = row.path
    return dict(sorted(reasons.items()))


def _order(row: Row, looks: Mapping[str, Look]) -> tuple[int, int, str]:
    height, width = looks[row.path].size
    return STAYS.index(row.official), -height * width, row.path


def _contradictions(
    manifest: Manifest, rows_of: Mapping[str, list[Row]], likeness: Likeness
) -> dict[str, str]:
    """Return the images of which a copy or near copy is in another class."""
    reasons = {}
    for row in manifest.rows:
        own = row.pixels_sha256
        for what, hashes in (("the same pixels as", [own]),
                             ("a near copy of", sorted(likeness.of.get(own, {})))):  # fmt: skip
            others = [
                other.path for one in hashes for other in rows_of[one] if other.label != row.label
            ]
            if others:
                reasons[row.path] = f"{what} {min(others)}, which is of another class"
                break
    return reasons
