"""Put a page together: its words and styles, its own JavaScript, LiteRT.js, and the model.

Nothing is bundled or minified: each module is in the page as it is here, and `boot.js` links them.
"""

import base64
import gzip
import hashlib
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn.base import naming, records
from tfcnn.export.page import packing
from tfcnn.report.plots import COLOURS, DARK

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
    parts = {"modules": records.to_json(_modules()).encode(), **parts}
    packed = {name: gzip.compress(content, 9, mtime=0) for name, content in parts.items()}
    boot = (APP / "boot.js").read_text(encoding="utf-8")
    style = (APP / "style.css").read_text(encoding="utf-8")
    text = _template().render(
        settings=settings,
        json=_in_script(records.to_json(settings)),
        boot=Markup(boot),
        boot_hash=_hash(boot),
        style=Markup(style),
        colours=COLOURS,
        dark=DARK,
        parts=[
            Markup(f"{PART.format(name, len(content))}{packing.pack(content)}</script>")
            for name, content in (runtime | packed).items()
        ],
    )
    return text.encode(FORMAT)


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


def _modules() -> list[tuple[str, str]]:
    """Return name and text of each module, each after those that it imports."""
    own = {f"tfcnn/{path.name}": path for path in sorted(APP.glob("*.js")) if path.stem != "boot"}
    texts = {name: path.read_text(encoding="utf-8") for name, path in (MODULES | own).items()}
    needed = {name: IMPORT.findall(text) for name, text in texts.items()}
    return [(name, texts[name]) for name in TopologicalSorter(needed).static_order()]


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _in_script(text: str) -> Markup:
    """Return JSON that ends no script, and holds no sign that turns letters or is no character."""
    safe = naming.IS_HIDDEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
    return Markup(safe.replace("<", r"\u003c"))


def _template() -> jinja2.Template:
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
    return environment.get_template("page.html")
