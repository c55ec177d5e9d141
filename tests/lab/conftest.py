"""The lab's site, written once, and its pages opened from their files without a network."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfcnn.lab import site
from tfcnn.runs import Run

READY_MS = 60_000
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def write_site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[..., Path]:
    """Return a function that writes the site for a run or None, and returns its folder.

    All share a home, where networks are kept that were converted; so do processes of pytest-xdist.
    """
    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "lab-home"
    home.mkdir(exist_ok=True)

    def write(run: Run | None = None) -> Path:
        with pytest.MonkeyPatch.context() as patch, (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one converts, the others wait
            patch.setenv("TFCNN_HOME", str(home))
            return site.build(tmp_path_factory.mktemp("lab") / "site", run).parent

    return write


@pytest.fixture(scope="session")
def lab_site(write_site: Callable[..., Path]) -> Path:
    """The folder of the site."""
    return write_site()


@pytest.fixture(scope="session")
def open_page(browser: Any, lab_site: Path) -> Iterator[Open]:
    """Return a function that opens a page; see `opener_of`."""
    with opener_of(browser, lab_site) as start:
        yield start


@pytest.fixture
def open_site(browser: Any) -> Iterator[Callable[[Path], Open]]:
    """Return a function that gives an opener for the pages of another site."""
    with contextlib.ExitStack() as stack:
        yield lambda folder: stack.enter_context(opener_of(browser, folder))


@contextlib.contextmanager
def opener_of(browser: Any, lab_site: Path) -> Iterator[Open]:
    """Give a function that opens a page, and see at the end that nothing went wrong:

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
