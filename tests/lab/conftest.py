"""The lab's site, written once, and its pages opened from their files without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfcnn.lab import site

READY_MS = 60_000
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def lab_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    return site.build(tmp_path_factory.mktemp("lab") / "site").parent


@pytest.fixture(scope="session")
def open_page(browser: Any, lab_site: Path) -> Iterator[Open]:
    """Return a function that opens a page, and see at the end that nothing went wrong:

    no line on the console, and no request but for files of the site and what is in them.
    """
    troubles: list[str] = []
    contexts = []
    home = lab_site.as_uri() + "/"

    def start(name: str, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda message: troubles.append(f"{name}: {message.text}"))
        opened.on("pageerror", lambda error: troubles.append(f"{name}: {error}"))
        opened.on(
            "request",
            lambda request: (
                request.url.startswith((home, "blob:null/")) or troubles.append(request.url)
            ),
        )
        opened.goto((lab_site / f"{name}.html").as_uri())
        opened.locator("html[data-ready]").wait_for(state="attached", timeout=READY_MS)
        return opened

    yield start
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def compute(open_page: Open) -> Callable[[str, str, str, list[Any]], list[Any]]:
    """Return a function that calls a function of the lab's JavaScript, once per list of arguments.

    Of a call that raises, the result is None. The page must be one that has the module.
    """
    pages: dict[str, Any] = {}

    def call(page: str, module: str, function: str, calls: list[Any]) -> list[Any]:
        if page not in pages:
            pages[page] = open_page(page)
        return pages[page].evaluate(
            """async ([module, name, calls]) => {
              const found = (await import(self.page.addresses[`lab/${module}.js`]))[name];
              return calls.map((values) => {
                try { return found(...values); } catch (error) {
                  if (error instanceof RangeError) return null;
                  throw error;
                }
              });
            }""",
            [module, function, calls],
        )

    return call
