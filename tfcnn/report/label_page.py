"""Write `labels.html`: one file in which a person judges the labels that models doubt.

Images drawn at random are mixed in blind. They tell how often the reviewer changes a label that
nobody doubts. The page keeps its judgements in the browser and saves them as `corrections.csv`.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from tfcnn import recipes, runs
from tfcnn.base import atomic, naming, own_files, records
from tfcnn.base.errors import InputError
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_images
from tfcnn.decode import in_memory, open_image
from tfcnn.display import html_pages
from tfcnn.display.thumbnail import data_uri
from tfcnn.evaluation.label_review import RANDOM, SUSPECT
from tfcnn.evaluation.labels import Suspects
from tfcnn.recipes import DataSettings
from tfcnn.report import exhibits
from tfcnn.report.page import TEMPLATES, environment

SCRIPTS = ("label_table.js", "label_figures.js", "labels.js")
LARGE_PX, NEAR_PX = 448, 96
MOST_NEAR = 6  # well believed images of the same group beside one that is judged
KEY_DIGITS = 16

Row = dict[str, Any]


def write(suspects: Suspects, top: int | None, blind: int | None) -> Path:
    """Write the page into the folder of a cross-validation.

    Args:
        suspects: the ranking.
        top: how many suspects to show; None for `MOST_SHOWN` at most.
        blind: how many others to mix in; None for a tenth as many.

    Returns:
        The path of `labels.html`.

    Raises:
        InputError: if the images are no longer where they were.
    """
    folder = suspects.path
    data = recipes.load(str(folder / runs.RECIPE), is_record=True).data
    source = _images_of(folder, data)
    gallery = _Gallery(source, data, suspects)
    shown = _mixed(suspects.suspected(top), suspects.drawn(blind))
    items = [gallery.item(row) for row in shown]
    content = _content(suspects, source, items, gallery.uris)
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    page = environment().get_template("labels.html").render(
        name=folder.name,
        suspects=suspects,
        items=items,
        most=len(suspects.suspected(top)),
        images=source.nouns[0],
        groups=source.nouns[1],
        content=Markup(_for_script(content)),
        script=Markup(script),
        script_hash=html_pages.script_hash(script),
    )  # fmt: skip
    atomic.write_text(folder / runs.LABELS_PAGE, page)
    return folder / runs.LABELS_PAGE


def _images_of(folder: Path, data: DataSettings) -> Source:
    """Open the images of a cross-validation.

    Raises:
        InputError: if they are no longer there, or no files.
    """
    if not own_files.is_own(data.source):
        return open_images(data)
    fold = runs.open_run(folder / runs.fold_name(0))
    if (source := exhibits.own_images(fold)) is None:
        received = "images that only the Python file of this source can read, which is not run"
        raise InputError(
            folder, "images in files", received, f"{folder / runs.LABELS}, without them"
        )
    return source


def _mixed(suspected: list[Row], drawn: list[Row]) -> list[Row]:
    """Put images drawn at random among the suspects, whose order stays."""
    places = np.random.default_rng(1).integers(0, len(suspected) + 1, len(drawn))
    after: dict[int, list[Row]] = defaultdict(list)
    for place, row in zip(places.tolist(), drawn, strict=True):
        after[place].append(row)
    return [
        row
        for place in range(len(suspected) + 1)
        for row in (*after[place], *suspected[place : place + 1])
    ]


class _Gallery:
    """The pictures of a page, each once."""

    def __init__(self, source: Source, data: DataSettings, suspects: Suspects) -> None:
        self.source, self.background = source, data.background
        self.classes = {name: i for i, name in enumerate(suspects.class_names)}
        self.uris: list[str] = []
        self._places: dict[tuple[str, int], int] = {}
        self._hashes = _hashes(suspects.path)
        self._near = _believed(suspects.rows)

    def item(self, row: Row) -> Row:
        """Return what the page must know of one image."""
        path, group = row["path"], row["group"]
        near = [one for one in self._near[group] if one["path"] != path][:MOST_NEAR]
        near.sort(key=lambda one: (one["label"], one["path"]))
        return {
            "path": path,
            "shown": naming.visible(path),
            "sha256": self._hashes.get(path, ""),
            "label": self.classes[row["label"]],
            "group": naming.visible(group),
            "kind": SUSPECT if row["is_suspect"] else RANDOM,
            "rank": row["rank"],
            "suggested": self.classes[row["suggested"]],
            "prob_label": row["prob_label"],
            "picture": self._picture(path, LARGE_PX),
            "near": [
                {
                    "picture": self._picture(one["path"], NEAR_PX),
                    "label": self.classes[one["label"]],
                    "shown": naming.visible(one["path"]),
                }
                for one in near
            ],
        }

    def _picture(self, path: str, max_px: int) -> int:
        """Return the place of a picture in `uris`."""
        if (path, max_px) not in self._places:
            try:
                with in_memory(path):
                    image = open_image(self.source.read(path), path).flat(self.background)
                    self.uris.append(data_uri(image, max_px))
            except OSError as error:
                received = error.strerror or str(error)
                hint = f"{runs.LABELS} in the cross-validation, without images"
                raise InputError(path, "an image where it was", received, hint) from error
            self._places[path, max_px] = len(self.uris) - 1
        return self._places[path, max_px]


def _hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of each image file when the cross-validation was begun."""
    what = "the split of a fold"
    rows = records.read_rows(runs.fold_split(folder, 0), what, runs.CROSSVAL_HINT, ("path",))
    return {row["path"]: row.get("sha256", "") for row in rows}


def _believed(rows: list[Row]) -> dict[str, list[Row]]:
    """Return of each group the images whose labels are believed most, of its classes in turn."""
    by_group: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in reversed(rows):
        of_class = by_group[row["group"]][row["label"]]
        if not row["is_suspect"] and len(of_class) <= MOST_NEAR:
            of_class.append(row)
    return defaultdict(
        list,
        {
            group: [
                of_class[place]
                for place in range(MOST_NEAR + 1)
                for _, of_class in sorted(by_class.items())
                if place < len(of_class)
            ][: MOST_NEAR + 1]
            for group, by_class in by_group.items()
        },
    )


def _content(suspects: Suspects, source: Source, items: list[Row], uris: list[str]) -> Row:
    """Return what the script of the page reads."""
    rest = [1 - row["prob_label"] for row in suspects.rows if not row["is_suspect"]]
    key = records.sha256_of(suspects.path / runs.PREDICTIONS)[:KEY_DIGITS]
    return {
        "key": f"tfcnn-labels-{key}",
        "class_names": list(suspects.class_names),
        "classes": [naming.visible(name) for name in suspects.class_names],
        "nouns": list(source.nouns),
        "images": len(suspects.rows),
        "suspects": suspects.count,
        "rest_most": max(rest, default=0.0),
        "rest_mean": float(np.mean(rest)) if rest else 0.0,
        "items": items,
        "pictures": uris,
    }


def _for_script(content: Row) -> str:
    """Return JSON that stands in a page as data: no name in it can end the element."""
    return records.to_json(content).replace("<", "\\u003c").replace(">", "\\u003e")
