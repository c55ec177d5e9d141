"""What a person sees while a command works."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tfcnn.cli.terminal import conclude
from tfcnn.display.console import TerminalReporter


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 80 columns; returns a function that reads its lines."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, force_interactive=True)
    monkeypatch.setattr("tfcnn.display.console.Console", lambda **_: console)
    return file.getvalue


def screen_text(reporter: TerminalReporter) -> str:
    console = Console(width=80, file=io.StringIO())
    console.print(reporter._bars.get_renderable())
    return console.file.getvalue()


def test_a_stage_without_a_count_shows_no_bar(screen):
    with TerminalReporter() as reporter:
        reporter.stage("splitting")
        text = screen_text(reporter)
        assert "splitting" in text and "0:00:0" in text
        assert not set("━╸╺/?") & set(text)


def test_a_stage_with_a_count_shows_a_bar(screen):
    with TerminalReporter() as reporter:
        update = reporter.stage("reading")
        update(30, 120)
        text = screen_text(reporter)
        assert "━" in text and "30/120" in text
    assert "/?" not in screen()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_notes_break_between_words_in_a_terminal_and_nowhere_else(is_terminal):
    long = " ".join(["interval"] * 20)
    out = {"highlight": False, "color_system": None, "width": 80}
    console = Console(file=io.StringIO(), force_terminal=is_terminal, **out)
    path = "/" + "/".join(["folder"] * 20)
    conclude(SimpleNamespace(warnings=[long], sentence=long), console, ("Run", path))
    lines = console.file.getvalue().splitlines()
    assert f"Run: {path}" in lines, "a path can be copied"
    assert (f"note: {long}" in lines and long in lines) is not is_terminal
    assert all(word in ("note:", "Run:", path, "interval") for word in " ".join(lines).split())
