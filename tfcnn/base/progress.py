"""What a long command tells the person who waits; silent unless somebody listens."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[int, int | None], None]  # called with what is done, and of how much if known

_HUSHED: ContextVar[bool] = ContextVar("hushed", default=False)


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Let the verbs called in this block show no progress of their own: a longer work shows its."""
    before = _HUSHED.set(True)
    try:
        yield
    finally:
        _HUSHED.reset(before)


def is_hushed() -> bool:
    """Say whether the verbs are to show no progress of their own."""
    return _HUSHED.get()


class Reporter:
    """Hears what happens during a command and shows nothing; those of the room `display` do."""

    def stage(self, text: str) -> Progress:
        """Begin a stage; returns what to call with (done, of how many)."""
        return lambda done, total: None

    def note(self, text: str) -> None:
        """Say something once that a person should know."""

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        """Report the figures of an epoch that ended; `epoch` is counted from 1."""


def epoch_line(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """Return the figures of an epoch in one line, with the time that is left."""
    left = logs["seconds"] * (epochs - epoch)
    return (
        f"epoch {epoch:>2}/{epochs}  loss {logs['loss']:.3f}  val {logs['val_loss']:.3f}  "
        f"{100 * logs['val_sparse_categorical_accuracy']:>5.1f} %  "
        f"{logs['images_per_second']:>6,.0f} img/s  "
        f"wait {logs['waiting_fraction']:>3.0%}  {left:.0f} s left"
    )
