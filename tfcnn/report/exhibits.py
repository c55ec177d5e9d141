"""The images of a report: those behind each cell of the confusion matrix, and the worst errors."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from tfcnn.report import attention, matrix, pictures
from tfcnn.report.content import Content
from tfcnn.report.pictures import Album

__all__ = ["Exhibits", "collect"]

MAX_ERRORS = 12
ENLARGED_PX = 192
MOST_PX = 1024


@dataclass(frozen=True)
class Exhibits:
    """Images to show.

    Attributes:
        cells: per cell of the confusion matrix its images, cells of errors first; empty where
            the images are gone.
        errors: the surest errors, with their images where there are any.
        num_errors: how many there are in all.
        has_groups: whether the images belong to groups.
        has_images: whether any image could be shown.
        are_missing: whether an image could not, though it should have been.
        no_maps: why no error is shown with where the model looked, "" where one is.
    """

    cells: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    num_errors: int
    has_groups: bool
    has_images: bool
    are_missing: bool
    no_maps: str = ""

    @property
    def has_maps(self) -> bool:
        """Whether any error is shown with where the model looked."""
        return any(row["map"] for row in self.errors)


def collect(made: Content, ranks: dict[str, int]) -> Exhibits:
    """Choose the images, the worst first, and read them from where they were.

    Args:
        made: the run.
        ranks: per path of a doubted label its rank among them.
    """
    hashes = {row["path"]: row["sha256"] for row in made.split}
    album = pictures.open_album(made.recipe.data, hashes)
    behind, worst = matrix.images_behind(made), matrix.surest_errors(made)
    paths, (answered, _) = made.part.paths, matrix.answers(made)
    uris = pictures.thumbnails(album, [[str(paths[i]) for i in row] for row in behind.values()])
    errors = [_row(made, int(i), int(answered[i]), ranks) for i in worst[:MAX_ERRORS]]
    no_maps = _illustrate(made, errors, album)
    cells = []
    for key, indices in behind.items():
        rows = [_row(made, int(i), key[1], ranks) for i in indices]
        tiles = [{**row, "uri": uris[row["path"]]} for row in rows if row["path"] in uris]
        if tiles:
            cells.append({"key": key, "tiles": tiles})
    wanted = [*errors, *({"path": str(paths[i])} for row in behind.values() for i in row)]
    return Exhibits(
        cells,
        errors,
        len(worst),
        bool((made.part.groups != "").any()),
        bool(uris),
        not uris and bool(wanted),
        no_maps,
    )


def _illustrate(made: Content, errors: list[dict[str, Any]], album: Album) -> str:
    """Add to each error its image and where the model looked; return why not, where it cannot."""
    opened = ((row, _reduced(album, row["path"])) for row in errors)
    found = [(row, image) for row, image in opened if image is not None]
    names, looked_for = made.run.class_names, made.run.positive
    # where one class is looked for, what speaks for it: the absence of something has no place
    classes = [names.index(row["called"]) if looked_for is None else looked_for for row, _ in found]
    reasons: list[str] = []
    maps = attention.overlays(made.run, [image for _, image in found], classes, reasons.append)
    for row in errors:
        row["uri"] = row["map"] = None
    for number, (row, image) in enumerate(found):
        row["uri"] = pictures.data_uri(image, ENLARGED_PX)
        row["map"] = pictures.data_uri(maps[number], ENLARGED_PX) if maps else None
    return "; ".join(reasons)


def _reduced(album: Album, path: str) -> Image.Image | None:
    """Return an image, a large one made smaller: all that are shown are in memory at once."""
    image = album.open(path)
    if image is not None:
        image.thumbnail((MOST_PX, MOST_PX))
    return image


def _row(made: Content, i: int, answered: int, ranks: dict[str, int]) -> dict[str, Any]:
    part, names = made.part, made.run.class_names
    path = str(part.paths[i])
    return {
        "path": path,
        "group": str(part.groups[i]),
        "label": names[part.labels[i]],
        "called": names[answered],
        "prob": float(part.probs[i, answered]),
        "doubted": ranks.get(path),
    }
