"""A page that was exported, and opened from its file without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import run_tfcnn

READY_MS = 60_000
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[object], Path]:
    """Return a function that exports a run as a page, each once."""
    folder, found = tmp_path_factory.mktemp("pages"), {}

    def export(run: object) -> Path:
        if run not in found:
            path = folder / f"{Path(str(run)).name}.html"
            words = ("export", run, "--format", "page", "--output", path)
            result = run_tfcnn(*words, home=folder / "home")
            assert result.returncode == 0, result.stderr
            found[run] = path
        return found[run]

    return export


@pytest.fixture(scope="session")
def opener(browser: Any, exported: Callable[[object], Path]) -> Iterator[Open]:
    """Return a function that opens the page of a run, and see at the end that nothing went wrong:

    no line on the console, and no request but for the file itself and what is in it.
    """
    troubles: list[str] = []
    contexts = []

    def start(run: object, width: int = 1280, **options: Any) -> Any:
        address = exported(run).as_uri()
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda message: troubles.append(message.text))
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        opened.on(
            "request",
            lambda request: (
                request.url == address
                or request.url.startswith("blob:null/")
                or troubles.append(request.url)
            ),
        )
        opened.goto(address)
        opened.get_by_text("Ready.").wait_for(timeout=READY_MS)
        return opened

    yield start
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def opened(opener: Open) -> Any:
    """The page of the shipped malaria model."""
    return opener("malaria")
