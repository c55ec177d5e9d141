"""Work on many images by threads, for Pillow lets go of the interpreter while it decodes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

__all__ = ["cores", "ordered", "parts"]

Item = TypeVar("Item")
Result = TypeVar("Result")
PART = 16  # a task for each image costs a tenth of what decoding a cell does


def cores() -> int:
    """Return how many cores this process may use: under Slurm or `taskset` not all there are."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parts(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Cut items into what is worth a task."""
    return [items[start : start + PART] for start in range(0, len(items), PART)]


def ordered(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield a function's result for each item, in their order, as they come.

    Raises:
        Exception: what the function raises, where its result would have come.
    """

    def all_of(part: Sequence[Item]) -> list[Result]:
        return [function(item) for item in part]

    with ThreadPoolExecutor(cores()) as pool:
        yield from chain.from_iterable(pool.map(all_of, parts(items)))
