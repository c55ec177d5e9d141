"""Put a page together: its words and styles, its own JavaScript, LiteRT.js, and the model.

Nothing is bundled or minified: each module is in the page as it is here, and `link.js` links them.
"""

import gzip
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn.base import records
from tfcnn.display import html_pages
from tfcnn.export.page import linking, packing
from tfcnn.report.colours import DAY, NIGHT

HERE = Path(__file__).parent
APP, LITERT = HERE / "app", linking.LITERT
PART = '<script type="text/plain" id="part-{}" data-bytes="{}">'
FORMAT = "utf-16"  # with a byte-order mark, in the order of this processor


def assemble(settings: dict[str, Any], parts: dict[str, bytes]) -> bytes:
    """Return the page of a run.

    Args:
        settings: what its JavaScript reads as JSON.
        parts: by name, what else it reads: the model, and the arrays of the domain.
    """
    runtime = {
        "runtime": gzip.compress((LITERT / "runtime.js").read_bytes(), 9, mtime=0),
        "wasm": (LITERT / "runtime.wasm.gz").read_bytes(),
    }
    parts = {"modules": records.to_json(list(modules().items())).encode(), **parts}
    packed = {name: gzip.compress(content, 9, mtime=0) for name, content in parts.items()}
    boot = linking.boot(APP / "boot.js")
    text = render(
        settings,
        service=None,
        boot=Markup(boot),
        boot_hash=html_pages.script_hash(boot),
        parts=[
            Markup(f"{PART.format(name, len(content))}{packing.pack(content)}</script>")
            for name, content in (runtime | packed).items()
        ],
    )
    return text.encode(FORMAT)


def render(settings: dict[str, Any] | None, **values: Any) -> str:
    """Return the text of a page; without settings it tells nothing of a run."""
    style = style_text()
    return _template("page.html").render(
        settings=settings,
        json=None if settings is None else linking.in_script(records.to_json(settings)),
        style=Markup(style),
        style_hash=html_pages.script_hash(style),
        **values,
    )


def style_text() -> str:
    """Return the colours and styles of every page."""
    colours = _template("colours.css").render(colours=DAY, dark=NIGHT)
    return colours + (APP / "style.css").read_text(encoding="utf-8")


def part(page: bytes, name: str) -> bytes:
    """Return a part of a page that `assemble` made.

    Raises:
        ValueError: if it has none of this name.
    """
    text = page.decode(FORMAT)
    start = re.search(PART.format(name, r"(\d+)"), text)
    if start is None:
        raise ValueError(f"no part {name}")
    letters = text[start.end() : text.index("<", start.end())]
    return gzip.decompress(packing.unpack(letters, int(start[1])))


def modules(predictor: str = "predictor.js") -> dict[str, str]:
    """Return the text of each module of a page by its name, after those that it imports.

    Args:
        predictor: the file of `app/` that stands for `tfcnn/predictor.js`.
    """
    paths = linking.sources("tfcnn", APP) | linking.LITERT_MODULES
    paths["tfcnn/predictor.js"] = APP / predictor
    return dict(linking.in_order(paths, "tfcnn/main.js"))


def _template(name: str) -> jinja2.Template:
    return html_pages.environment(APP).get_template(name)
