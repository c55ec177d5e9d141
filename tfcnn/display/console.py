"""How stages, notes and tables look in a terminal: progress on stderr, tables on stdout."""

from collections.abc import Callable
from typing import Any

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tfcnn.base import interrupts, naming
from tfcnn.base.progress import Reporter, epoch_line
from tfcnn.display.panel import Grid

MANY_COLUMNS = 7  # which have to fit a terminal of 80 columns


class Console(RichConsole):
    """A console on which a name is what it is: no markup, no emoji, no control of the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is shown, in a line, a table or a title."""
        return super().render_str(naming.visible(text), **options)


class _Where(ProgressColumn):
    """Shows one column where a stage has a count, and another, or nothing, where it has none."""

    def __init__(self, counted: ProgressColumn, other: ProgressColumn | None = None) -> None:
        super().__init__()
        self._counted, self._other = counted, other

    def render(self, task: Task) -> RenderableType:
        """Return what this column shows of a stage."""
        if task.total:
            return self._counted(task)
        return self._other(task) if self._other else Text()


class TerminalReporter(Reporter):
    """Shows stages as progress bars and epochs as lines, on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            _Where(BarColumn(bar_width=30), TimeElapsedColumn()),
            _Where(MofNCompleteColumn()),
            _Where(TimeRemainingColumn(compact=True)),
            console=self.console,
            transient=True,
            disable=not self.console.is_interactive,  # or it would end with an empty line
        )
        self._task: Any = None

    def __enter__(self) -> "TerminalReporter":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._bars.stop()

    def stage(self, text: str) -> Callable[[int, int | None], None]:
        """Replace the bar by one for this stage."""
        interrupts.check()
        self._end()
        task = self._task = self._bars.add_task(naming.visible(text), total=None)
        self._bars.refresh()  # at once: while TensorFlow starts, nothing gets through

        def update(done: int, total: int | None) -> None:
            interrupts.check()
            self._bars.update(task, completed=done, total=total)

        return update

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, style="dim")

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        """Print the figures of an epoch."""
        self.console.print(epoch_line(epoch, epochs, logs))

    def _end(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def print_grid(table: Grid, console: Console) -> None:
    """Print a table: texts on the left, figures on the right."""
    shown = Table(
        title=table.title or None, title_justify="left",
        caption=table.caption or None, caption_justify="left",
        padding=(0, 1) if len(table.columns) < MANY_COLUMNS else 0,
    )  # fmt: skip
    for i, name in enumerate(table.columns):
        is_text = i < table.num_texts
        shown.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for i, row in enumerate(table.rows):
        if i in table.rules:
            shown.add_section()
        shown.add_row(*map(str, row))
    console.print(shown)
