"""Small pictures by which a page finds out whether its browser decodes as THE decoder does.

JPEG and WebP leave a decoder some freedom. A page has these pictures, and the checksums of the
pixels that the decoder gives of them here.
"""

import base64
import io
import zlib
from typing import Any

import numpy as np
from PIL import Image, features

from tfcnn.decode import open_image

SIDES = (53, 37)  # (width, height) in px: no multiple of a block
JPEGS: tuple[dict[str, Any], ...] = (
    {"quality": 90, "subsampling": 2},
    {"quality": 75, "subsampling": 2, "progressive": True},
    {"quality": 95, "subsampling": 0},
    {"quality": 60, "subsampling": 1},
)
WEBPS: tuple[dict[str, Any], ...] = ({"quality": 80}, {"lossless": True})


def probes() -> list[dict[str, Any]]:
    """Return pictures, JSON-ready: `name` of a kind, `base64` of a file, `crc` of its pixels."""
    colours = _picture()
    made = [("a JPEG image", colours, "JPEG", options) for options in JPEGS]
    made.append(("a JPEG image", colours.convert("L"), "JPEG", {"quality": 85}))
    if features.check("webp"):
        made += [("a WebP image", colours, "WEBP", options) for options in WEBPS]
    return [_probe(*one) for one in made]


def _probe(name: str, image: Image.Image, format_name: str, options: Any) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    content = file.getvalue()
    pixels = np.asarray(open_image(content).flat().convert("RGB"))
    text = base64.b64encode(content).decode("ascii")
    return {"name": name, "base64": text, "crc": zlib.crc32(pixels.tobytes())}


def _picture() -> Image.Image:
    """Return discs of strong colours on a slope, with some noise: edges, flats and texture."""
    rng, (width, height) = np.random.default_rng(0), SIDES
    down, across = np.mgrid[:height, :width]
    picture = np.stack([4 * across, 6 * down, 255 - 3 * across - 2 * down], axis=2) % 256
    for _ in range(8):
        y, x, radius = rng.integers(0, height), rng.integers(0, width), rng.integers(3, 10)
        picture[np.hypot(down - y, across - x) < radius] = rng.integers(0, 256, 3)
    noisy = picture + rng.normal(0, 6, picture.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
