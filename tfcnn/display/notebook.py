"""The progress of a verb in the output of a notebook's cell: a bar, its notes and its epochs."""

import sys
from html import escape
from time import monotonic
from typing import Any

from tfcnn.base import interrupts, naming
from tfcnn.base.progress import Progress, Reporter, epoch_line

EVERY_SECONDS = 0.2  # between two pictures of the bar
LINE = "white-space:pre-wrap;font-family:monospace;line-height:1.4;margin:0"


def is_notebook() -> bool:
    """Say whether a notebook's kernel runs this; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class NotebookReporter(Reporter):
    """Shows a stage as a bar, and notes and epochs as lines, in one output that it renews.

    It needs no widgets. A saved notebook keeps the lines.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._stage, self._done = "", 0
        self._total: int | None = None
        self._output: Any = None
        self._shown_at = 0.0

    def __enter__(self) -> "NotebookReporter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines:
            self._stage = ""
        if self._output:
            self._show()

    def stage(self, text: str) -> Progress:
        """Replace the bar by one for this stage."""
        interrupts.check()
        self._stage, self._done, self._total = text, 0, None
        self._show()

        def update(done: int, total: int | None) -> None:
            interrupts.check()
            self._done, self._total = done, total
            if done == total or monotonic() - self._shown_at > EVERY_SECONDS:
                self._show()

        return update

    def note(self, text: str) -> None:
        """Add a line above the bar."""
        self._lines.append(naming.visible(text))
        self._show()

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        """Add the figures of an epoch."""
        self.note(epoch_line(epoch, epochs, logs))

    def __repr__(self) -> str:
        return "\n".join([*self._lines, *filter(None, [self._state()])])

    def _repr_html_(self) -> str:
        lines = "\n".join(map(escape, self._lines))
        bar = ""
        if self._stage and self._done != self._total:
            share = f' value="{self._done}" max="{self._total}"' if self._total else ""
            bar = f'<progress{share} style="width:15em;vertical-align:middle"></progress> '
        state = f"{bar}{escape(self._state())}"
        return f'<div class="mathjax_ignore"><p style="{LINE}">{lines}</p><p>{state}</p></div>'

    def _state(self) -> str:
        if not self._stage or not self._total:
            return naming.visible(self._stage)
        return naming.visible(f"{self._stage} {self._done:,}/{self._total:,}")

    def _show(self) -> None:
        from IPython.display import display

        self._shown_at = monotonic()
        if self._output is None:
            self._output = display(self, display_id=True)
        else:
            self._output.update(self)
