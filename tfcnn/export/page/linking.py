"""JavaScript modules in a page that opens from its file, where a browser fetches no module.

The page holds the text of each module. `link.js`, which is part of its first script, gives each an
address of its own. A page of the lab is made in the same way.
"""

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from markupsafe import Markup

from tfcnn.base import naming

HERE = Path(__file__).parent
LITERT = HERE / "litert"
LITERT_MODULES = {
    "@litertjs/core": LITERT / "core.js",
    "@litertjs/wasm-utils": LITERT / "wasm-utils.js",
}
FIRST = ("boot.js", "link.js")  # the first script of a page, which is no module
IMPORT = re.compile(r' from "([^"]+)"')


def sources(room: str, folder: Path) -> dict[str, Path]:
    """Return the modules of a folder by the names that others import: `room/name.js`."""
    paths = sorted(folder.glob("*.js"))
    return {f"{room}/{path.name}": path for path in paths if path.name not in FIRST}


def in_order(modules: Mapping[str, Path], *entries: str) -> list[tuple[str, str]]:
    """Return name and text of each module, each after those that it imports.

    Args:
        modules: paths by name.
        entries: the modules that the page begins with; only what they need is returned. All
            modules if there are none.

    Raises:
        ValueError: if a module imports one that is not there.
        CycleError: if two import each other.
    """
    needed: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    waiting = list(entries or modules)
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        if name not in modules:
            raise ValueError(f"{name}: expected a module of the page; received none of this name")
        texts[name] = modules[name].read_text(encoding="utf-8")
        needed[name] = IMPORT.findall(texts[name])
        waiting += needed[name]
    ordered = TopologicalSorter({name: sorted(needed[name]) for name in sorted(needed)})
    return [(name, texts[name]) for name in ordered.static_order()]


def boot(path: Path) -> str:
    """Return the first script of a page: `link.js`, and the file that uses it."""
    texts = (HERE / "app" / "link.js", path)
    return "\n".join(text.read_text(encoding="utf-8") for text in texts)


def in_script(text: str) -> Markup:
    """Return JSON that ends no script, and holds no sign that turns letters or is no character."""
    safe = naming.IS_HIDDEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
    return Markup(safe.replace("<", r"\u003c"))
