"""What a page must know of a run beside the model: its decoder, its rules, its words."""

from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from tfcnn.datasets import _files
from tfcnn.decode import kinds
from tfcnn.export.page import card, group_rules, probes
from tfcnn.prediction import domain
from tfcnn.runs import DOMAIN, MODEL, Run


def settings(run: Run) -> dict[str, Any]:
    """Return, JSON-ready, all that the page's JavaScript reads; `domain_arrays` has the rest."""
    band = run.abstention
    return {
        **shown(run),
        "abstention": None if band is None else list(band),
        "domain": _domain(run),
        "probes": probes.probes(),
    }


def shown(run: Run) -> dict[str, Any]:
    """Return, JSON-ready, what a page needs that does not compute: to take files, and to show."""
    own = run.card["data"]
    return {
        "run": run.name,
        "made_by": f"tfcnn {version('tfcnn')}",
        "model_sha256": run.card["sha256"].get(MODEL),
        "class_names": list(run.class_names),
        "positive": run.positive,
        "threshold": run.threshold,
        "decoder": {**_decoder(run), "may_begin_down": begins_with_the_vertical_pass()},
        "groups": group_rules.rule(run),
        "nouns": list(own["nouns"]),
        "ignore": list(run.ignore),
        "folders": _folders(),
        "kinds": [_kind(start, kind) for start, kind in kinds.STARTS],
        "card": card.content(run),
    }


def domain_arrays(run: Run) -> bytes:
    """Return the arrays of the run's domain, float32 little-endian, one after the other."""
    arrays = _arrays(run)
    return b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values())


def begins_with_the_vertical_pass() -> bool:
    """Say in which order the installed Pillow resizes a tall image.

    Pillow 13 begins with the vertical pass where height shrinks by over twice the pixels of width;
    earlier ones always end with it. The results differ by 1 of 255 in some pixels.
    """
    image = np.random.default_rng(0).integers(0, 256, (64, 8), dtype=np.uint8)
    bilinear = Image.Resampling.BILINEAR
    whole = Image.fromarray(image).resize((5, 9), bilinear)
    in_two = Image.fromarray(image).resize((8, 9), bilinear).resize((5, 9), bilinear)
    return whole.tobytes() == in_two.tobytes()


def _decoder(run: Run) -> dict[str, Any]:
    return {**run.decoder.to_dict(), "background": run.decoder.background}


def _arrays(run: Run) -> dict[str, Any]:
    found = run.card.get("domain")
    return dict(domain.load(run.file(DOMAIN), found).arrays) if found else {}


def _folders() -> dict[str, Any]:
    """Return by what names a folder's files are images, or are passed over."""
    return {
        "image": sorted(_files.IMAGE_SUFFIXES | _files.FOREIGN_SUFFIXES),
        "other": sorted(_files.OTHER_SUFFIXES),
        "system": sorted(_files.SYSTEM_FILES),
        "litter": sorted(_files.LITTER),
        "mask_stems": [_files.MASK_STEM.pattern, _files.MASK_FIRST.pattern],
        "mask_folder": _files.MASK_FOLDER.pattern,
        "image_folder": _files.IMAGE_FOLDER.pattern,
        "augmented": _files.AUGMENTED.pattern,
        "most_masks": _files.MOST_MASKS,
        "words": {"hidden": _files.HIDDEN, "mask": _files.MASK, "ignored": _files.IGNORED},
    }


def _domain(run: Run) -> dict[str, Any] | None:
    found = run.card.get("domain")
    if not found:
        return None
    shapes = {name: list(array.shape) for name, array in _arrays(run).items()}
    return {**{key: found[key] for key in ("center", "spread", "threshold")}, "shapes": shapes}


def _kind(start: bytes, kind: kinds.Kind) -> dict[str, Any]:
    return {
        "start": start.decode("latin-1"),
        "name": kind.name,
        "hint": kind.hint,
        "isRead": bool(kind.pillow),
        "isPicture": kind.is_picture,
    }
