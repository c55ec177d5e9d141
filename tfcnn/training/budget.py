"""The time that a training may take: `train.minutes`."""

import math
from time import perf_counter


class Budget:
    """Counts from when it was made.

    Args:
        minutes: there are; None for no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self._end = math.inf if minutes is None else perf_counter() + 60 * minutes

    @property
    def seconds_left(self) -> float:
        """The seconds that are left, at least 0; infinity without a limit."""
        return max(0.0, self._end - perf_counter())

    def epochs(self, wanted: int, seconds_per_epoch: float) -> int:
        """Return how many of the wanted epochs fit into what is left, at least one."""
        if math.isinf(self.seconds_left):
            return wanted
        return max(1, min(wanted, int(self.seconds_left / seconds_per_epoch)))
