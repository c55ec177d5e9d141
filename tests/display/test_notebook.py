"""What a notebook shows while a verb works; with IPython where it is installed, else a stand-in."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tfcnn.api.arguments import hearing
from tfcnn.base.progress import Reporter
from tfcnn.display import notebook
from tfcnn.display.notebook import NotebookReporter

LOGS = {
    "loss": 0.5, "val_loss": 0.25, "val_sparse_categorical_accuracy": 0.9,
    "images_per_second": 1234.0, "waiting_fraction": 0.01, "seconds": 2.0,
}  # fmt: skip


@pytest.fixture
def shown(monkeypatch):
    """What a notebook's output was, each time it was renewed."""
    pictures = []

    def display(thing, display_id):
        assert display_id is True
        pictures.append(thing._repr_html_())
        return SimpleNamespace(update=lambda new: pictures.append(new._repr_html_()))

    ipython, displaying = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    ipython.display = displaying
    displaying.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displaying)
    return pictures


def test_a_notebook_is_known_by_its_kernel(shown, monkeypatch):
    assert notebook.is_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not notebook.is_notebook(), "IPython in a script"
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert not notebook.is_notebook(), "IPython in a terminal"
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook.is_notebook()


def test_one_output_is_renewed_and_keeps_the_lines(shown, monkeypatch):
    monkeypatch.setattr(notebook, "EVERY_SECONDS", 0)
    with hearing(True, None) as reporter:
        assert isinstance(reporter, NotebookReporter)
        update = reporter.stage("reading <b>")
        assert "reading &lt;b&gt;" in shown[-1] and "<progress" in shown[-1]
        update(30, 120)
        assert 'value="30" max="120"' in shown[-1] and "30/120" in shown[-1]
        reporter.epoch(1, 20, LOGS)
        reporter.note("a <i> \x1b[31m")
    assert "<progress" not in shown[-1] and "reading" not in shown[-1]
    assert "epoch  1/20" in shown[-1] and "90.0 %" in shown[-1] and "38 s left" in shown[-1]
    assert r"a &lt;i&gt; \x1b[31m" in shown[-1]


def test_a_bar_is_not_drawn_for_every_image(shown, monkeypatch):
    monkeypatch.setattr(notebook, "EVERY_SECONDS", 3600)
    with NotebookReporter() as reporter:
        update = reporter.stage("reading")
        for done in range(1, 1001):
            update(done, 1000)
    assert len(shown) == 3 and "1,000/1,000" in shown[-1]


def test_nothing_is_displayed_where_there_is_nothing_to_say(shown):
    with NotebookReporter():
        pass
    assert shown == []


def test_a_reporter_of_ones_own_is_heard_and_silence_is_silent(shown, capsys):
    own = Reporter()
    with hearing(True, own) as heard:
        assert heard is own
    with hearing(False, None) as silent:
        silent.stage("reading")(1, 2)
        silent.note("a note")
    assert shown == [] and capsys.readouterr() == ("", "")


def test_elsewhere_notes_and_epochs_are_lines_on_standard_error(capsys):
    with hearing(True, None) as reporter:
        reporter.stage("reading")(1, 2)
        reporter.note("a note")
        reporter.epoch(1, 2, LOGS)
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[0] == "a note"
    assert err.count("\n") == 2 and err.splitlines()[1].startswith("epoch  1/2")


@pytest.mark.skipif(not importlib.util.find_spec("IPython"), reason="IPython is not installed")
def test_cells_of_a_notebook_show_a_run(trained):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell()
    with capture_output() as captured:
        shell.run_cell("import tfcnn").raise_error()
        result = shell.run_cell(f"tfcnn.load({str(trained)!r})")
        result.raise_error()
    assert captured.stderr == ""
    formatted, _ = shell.display_formatter.format(result.result)
    assert "accuracy" in formatted["text/plain"] and "<table>" in formatted["text/html"]
