"""From a page's template, data and modules to one HTML file; and its parts, beside it."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

import tfcnn
from tfcnn.base import records
from tfcnn.display import html_pages
from tfcnn.export.page import linking
from tfcnn.lab.site.site_pages import FOLDER, Page
from tfcnn.report.colours import DAY, NIGHT

if TYPE_CHECKING:
    from tfcnn.runs import Run

HERE = Path(__file__).parent
SHELL = HERE / "shell"
EXPORTED = linking.HERE / "app"  # modules of the exported page, which pages may import too
THEME = "lab/theme.js"
MARK = '<meta name="generator" content="tfcnn lab'


def page(one: Page, pages: Sequence[Page], run: "Run | None") -> str:
    """Return the HTML of a page.

    Args:
        one: the page.
        pages: all of them, in order, for the navigation.
        run: whose network it shows, or None.
    """
    modules = linking.in_order(_sources(one), THEME, "page/main.js")
    boot = linking.boot(SHELL / "boot.js")
    at = pages.index(one)
    data = one.data(run)
    return _template(f"{one.name}/page.html").render(
        page=one,
        pages=pages,
        previous=pages[at - 1] if at else None,
        next=pages[at + 1] if at + 1 < len(pages) else None,
        data=data,
        data_json=linking.in_script(records.to_json(data)),
        modules_json=linking.in_script(records.to_json(modules)),
        boot=Markup(boot),
        boot_hash=html_pages.script_hash(boot),
        page_style=_style(one.folder),
        **_common(),
    )


def index(pages: Sequence[Page], has_lessons: bool = False) -> str:
    """Return the HTML of the first page, which lists the others, and may lead to the lessons."""
    boot = linking.boot(SHELL / "boot.js")
    modules = linking.in_order(_shared(), THEME)
    return _template("index.html").render(
        page=None,
        pages=pages,
        previous=None,
        next=pages[0] if pages else None,
        has_lessons=has_lessons,
        data_json="{}",
        modules_json=linking.in_script(records.to_json(modules)),
        boot=Markup(boot),
        boot_hash=html_pages.script_hash(boot),
        page_style="",
        **_common(),
    )


def engine_parts() -> dict[str, bytes]:
    """Return the runtime of LiteRT.js, which all pages share."""
    import gzip

    return {
        "runtime": (linking.LITERT / "runtime.js").read_bytes(),
        "wasm": gzip.decompress((linking.LITERT / "runtime.wasm.gz").read_bytes()),
    }


def part(name: str, packed: bytes) -> str:
    """Return the script that brings a part; `lab/parts.js` asks for it.

    Args:
        name: of the part.
        packed: its content, by gzip.
    """
    return f'labPart("{name}", "{base64.b64encode(packed).decode("ascii")}");\n'


def _shared() -> dict[str, Path]:
    own = linking.sources("lab", HERE / "modules")
    return own | linking.sources("tfcnn", EXPORTED) | linking.LITERT_MODULES


def _sources(one: Page) -> dict[str, Path]:
    return _shared() | linking.sources("page", one.folder)


def _style(folder: Path) -> Markup:
    path = folder / "style.css"
    return Markup(path.read_text(encoding="utf-8") if path.is_file() else "")


def _common() -> dict[str, Any]:
    style = (SHELL / "style.css").read_text(encoding="utf-8")
    early = (SHELL / "early.js").read_text(encoding="utf-8")
    return {
        "early": Markup(early),
        "early_hash": html_pages.script_hash(early),
        "style": Markup(style),
        "colours": DAY,
        "dark": NIGHT,
        "mark": Markup(MARK),
        "version": tfcnn.__version__,
    }


def _template(name: str) -> jinja2.Template:
    return html_pages.environment(SHELL, FOLDER).get_template(name)
