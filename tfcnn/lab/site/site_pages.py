"""What a page of the lab is, and which there are."""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.base.errors import InputError

if TYPE_CHECKING:
    from tfcnn.runs import Run

FOLDER = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Page:
    """One idea of the course, to touch.

    A page is a folder of `pages/` with `__init__.py`, `page.html` and `main.js`. `page.html` is a
    template that extends `shell.html`; `main.js` and other modules beside it are imported as
    `page/NAME.js`. `__init__.py` has the constants `TITLE`, `LEAD` (a sentence), `ORDER` (a
    number: pages are in the slides' order), `SLIDES` (headings of the slides it belongs to) and,
    where it computes with a network, `NEEDS_ENGINE = True`. It may have two functions of a run
    or None: `data(run)`, whose result `main.js` reads as JSON, and `parts(run)`, bytes by name,
    which are written beside the page and loaded when `main.js` asks for them.

    Attributes:
        name: of its folder; `tfcnn lab NAME` opens it.
        title: what the idea is called.
        lead: what one can do here, in a sentence.
        order: its place among the pages.
        slides: the headings of the slides it belongs to.
        needs_engine: whether it computes with LiteRT.
        data: what its JavaScript reads as JSON, for a run or None.
        parts: larger content by name, for a run or None.
    """

    name: str
    title: str
    lead: str
    order: int
    slides: tuple[str, ...]
    needs_engine: bool
    data: Callable[["Run | None"], dict[str, Any]]
    parts: Callable[["Run | None"], dict[str, bytes]]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.html"

    @property
    def folder(self) -> Path:
        """Where its template and its modules are."""
        return FOLDER / self.name


def every_page() -> list[Page]:
    """Return the pages in the slides' order."""
    names = sorted(path.parent.name for path in FOLDER.glob("*/page.html"))
    return sorted(map(_read, names), key=lambda page: (page.order, page.name))


def find(name: str) -> Page:
    """Return the page of this name; `image-kernels` is `image_kernels`.

    Raises:
        InputError: if there is none.
    """
    pages = {page.name: page for page in every_page()}
    plain = name.casefold().replace("-", "_").replace(" ", "_").removesuffix(".html")
    if plain not in pages:
        near = difflib.get_close_matches(plain, pages, n=1) or ["no name, for all pages"]
        raise InputError(name, f"a page of the lab ({', '.join(pages)})", "no such page", near[0])
    return pages[plain]


def _read(name: str) -> Page:
    module = importlib.import_module(f"tfcnn.lab.site.pages.{name}")
    return Page(
        name=name,
        title=module.TITLE,
        lead=module.LEAD,
        order=module.ORDER,
        slides=tuple(module.SLIDES),
        needs_engine=getattr(module, "NEEDS_ENGINE", False),
        data=getattr(module, "data", _nothing),
        parts=getattr(module, "parts", _nothing),
    )


def _nothing(run: "Run | None") -> dict[str, Any]:
    return {}
