"""What a person sees while a command works."""

import io

import pytest
from rich.console import Console

from tfcnn.terminal import TerminalReporter


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 80 columns; returns a function that reads its lines."""
    file = io.StringIO()
    made = Console(file=file, force_terminal=True, width=80, force_interactive=True)
    monkeypatch.setattr("tfcnn.terminal.Console", lambda **_: made)
    return file.getvalue


def shown(reporter: TerminalReporter) -> str:
    console = Console(width=80, file=io.StringIO())
    console.print(reporter._bars.get_renderable())
    return console.file.getvalue()


def test_a_stage_without_a_count_shows_no_bar(screen):
    with TerminalReporter() as reporter:
        reporter.stage("splitting")
        text = shown(reporter)
        assert "splitting" in text and "0:00:0" in text
        assert not set("━╸╺/?") & set(text)


def test_a_stage_with_a_count_shows_a_bar(screen):
    with TerminalReporter() as reporter:
        update = reporter.stage("reading")
        update(30, 120)
        text = shown(reporter)
        assert "━" in text and "30/120" in text
    assert "/?" not in screen()
