"""What a long command tells the person who waits; silent unless the command line listens."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]  # called with what is done, and of how much if known


class Reporter:
    """Hears what happens during a command and shows nothing; the command line's own shows it."""

    def stage(self, text: str) -> Progress:
        """Begin a stage; returns what to call with (done, of how many)."""
        return lambda done, total: None

    def note(self, text: str) -> None:
        """Say something once that a person should know."""

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        """Report the figures of an epoch that ended; `epoch` is counted from 1."""
