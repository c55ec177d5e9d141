"""What the tests of reports read a page with: its tags and words, and how colours contrast."""

import contextlib
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tfcnn.report import page

VOID = {"meta", "br", "link", "img", "hr", "input", "col"}

# the colours that a text is seen in: its own, and every background below it, nearest first
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("script, style") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const below = [];
    for (let e = element; e; e = e.parentElement) below.push(getComputedStyle(e).backgroundColor);
    found.push({ text, colour: element.closest("svg") ? style.fill : style.color, below });
  }
  return found;
}"""
OUTSIDE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".scroll, pre, svg") && e.checkVisibility()
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)"""
SMALL = """() => [...document.querySelectorAll("a, button, summary, input")]
  .filter((e) => e.checkVisibility() && !e.closest("p, .steps"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"""


class Page(HTMLParser):
    """Checks that tags balance, and collects what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.errors: list[str] = []
        self.words: list[str] = []
        self.metrics: dict[str, list[tuple[float, str]]] = {}
        self.feed(text)
        self.close()
        self.errors += [f"{tag} is never closed" for tag, _ in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            self.errors.append(f"</{tag}> at {self.getpos()} inside {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if any(tag in ("style", "svg", "script") for tag, _ in self.open):
            return
        self.words.append(data)
        cell = next((a["data-metric"] for _, a in self.open if "data-metric" in a), None)
        if cell and self.open[-1][0] == "data":
            value = float(self.open[-1][1]["value"] or "nan")
            self.metrics.setdefault(str(cell), []).append((value, data))

    @property
    def prose(self) -> str:
        """The text outside plots, every white space one blank."""
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def write_page(folder: Path) -> Page:
    """Write the report of a run and read it, its tags balanced."""
    html = Page(page.write(folder).read_text("utf-8"))
    assert not html.errors
    return html


def rgb(colour: str) -> tuple[float, ...]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2, "contrast ratio" and "relative luminance"."""

    def luminance(rgb: Any) -> float:
        parts = [c / 255 for c in rgb]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def rgba(colour: str) -> tuple[float, ...]:
    """Return the parts of a colour as a browser computes it, `rgb(1, 2, 3)` or with an opacity."""
    parts = [float(part) for part in re.findall(r"[\d.]+", colour)]
    return (*parts[:3], parts[3] if len(parts) > 3 else 1.0)


def over(colour: tuple[float, ...], behind: tuple[float, ...]) -> tuple[float, ...]:
    """Return what is seen where a colour with an opacity lies over another."""
    *own, opacity = colour
    return tuple(opacity * part + (1 - opacity) * b for part, b in zip(own, behind, strict=True))


@contextlib.contextmanager
def opening(browser: Any) -> Iterator[Callable[..., Any]]:
    """Give a function that opens a page of one file; at the end nothing may have gone wrong in it.

    It asks for nothing but itself, writes nothing to the console, and has no error. Tests wait
    by `expect`: a second look of `wait_for_function` needs `eval`, which our pages forbid.
    """
    troubles: list[str] = []
    contexts = []

    def start(path: Path, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        opened, address = context.new_page(), path.as_uri()
        opened.on("console", lambda message: troubles.append(message.text))
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        opened.on(
            "request",
            lambda request: (
                request.url.split("#")[0] == address
                or request.url.startswith("data:")
                or troubles.append(request.url)
            ),
        )
        opened.goto(address)
        return opened

    yield start
    for context in contexts:
        context.close()
    assert not troubles
