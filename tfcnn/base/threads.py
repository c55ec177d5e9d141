"""Work on many images by threads, for Pillow lets go of the interpreter while it decodes."""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
PART = 16  # a task for each image costs a tenth of what decoding a cell does
SHARED_BYTES = 512 * 2**20  # of memory, for all images that are worked on at once
LARGE_BYTES = 128 * 2**20  # returned to the system at once; for less that would take too long
SMALL_BYTES = 16 * 2**20  # an image that takes less is not counted

_most_cores = 0  # 0 for all
_taken = threading.Condition()
_taken_bytes = 0
_own = threading.local()
_elsewhere: Callable[[int], None] | None = None


def cores() -> int:
    """Return how many cores this process may use: under Slurm or `taskset` not all there are."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return min(count, _most_cores) if _most_cores else count


def use_at_most(count: int) -> None:
    """Use no more cores from now on: others on this machine belong to other processes."""
    global _most_cores
    _most_cores = count


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


@contextlib.contextmanager
def sharing_memory() -> Iterator[None]:
    """Release at the end of this block the memory that `claim` counted in it.

    So large images wait for each other, and memory does not grow with the number of cores. A block
    inside another one belongs to the outer one.
    """
    global _taken_bytes
    if hasattr(_own, "claimed"):
        yield
        return
    _own.claimed = 0
    try:
        yield
    finally:
        claimed = _own.claimed
        del _own.claimed
        if claimed >= LARGE_BYTES:
            _give_back()
        if claimed:
            with _taken:
                _taken_bytes -= claimed
                _taken.notify_all()


def _give_back() -> None:
    """Return to the system what was freed: glibc keeps for each thread what that once took."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def claim_from(elsewhere: Callable[[int], None]) -> None:
    """Let `claim` ask this function from now on: another process counts the memory of this one."""
    global _elsewhere
    _elsewhere = elsewhere


def claim(needed_bytes: int) -> None:
    """Wait until other threads leave enough of the shared memory, and count it as taken.

    A thread that needs all of it or more works alone. Each block claims once: two blocks that both
    hold memory and wait for more would wait for ever. Outside `sharing_memory` nothing is counted.
    """
    global _taken_bytes
    if needed_bytes <= SMALL_BYTES:
        return
    if _elsewhere:
        return _elsewhere(needed_bytes)
    if getattr(_own, "claimed", True):
        return
    share = min(needed_bytes, SHARED_BYTES)
    with _taken:
        _taken.wait_for(lambda: _taken_bytes + share <= SHARED_BYTES)
        _taken_bytes += share
        _own.claimed = share
