"""Put a page together: its words and styles, its own JavaScript, LiteRT.js, and the model.

Nothing is bundled or minified: each module is in the page as it is here, and `boot.js` links them.
"""

import base64
import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn.base import naming, records
from tfcnn.export.page import packing
from tfcnn.report.colours import COLOURS, DARK

HERE = Path(__file__).parent
APP, LITERT = HERE / "app", HERE / "litert"
MODULES = {"@litertjs/core": LITERT / "core.js", "@litertjs/wasm-utils": LITERT / "wasm-utils.js"}
IMPORT = re.compile(r' from "([^"]+)"')
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
    boot = (APP / "boot.js").read_text(encoding="utf-8")
    text = render(
        settings,
        service=None,
        boot=Markup(boot),
        boot_hash=hash_of(boot),
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
        json=None if settings is None else in_script(records.to_json(settings)),
        style=Markup(style),
        style_hash=hash_of(style),
        **values,
    )


def style_text() -> str:
    """Return the colours and styles of every page."""
    colours = _template("colours.css").render(colours=COLOURS, dark=DARK)
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
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        file = predictor if name == "tfcnn/predictor.js" else name.removeprefix("tfcnn/")
        text = MODULES.get(name, APP / file).read_text(encoding="utf-8")
        for needed in IMPORT.findall(text):
            if needed not in texts:
                add(needed)
        texts[name] = text

    add("tfcnn/main.js")
    return texts


def hash_of(text: str) -> str:
    """Return the hash by which a policy of a page allows a script or a style of this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def in_script(text: str) -> Markup:
    """Return JSON that ends no script, and holds no sign that turns letters or is no character."""
    safe = naming.IS_HIDDEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
    return Markup(safe.replace("<", r"\u003c"))


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(APP),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: (
            naming.visible(value, is_one_line=False)
            if isinstance(value, str) and not isinstance(value, Markup)
            else value
        ),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
