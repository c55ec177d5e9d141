"""What a million objects cost beside their memory."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def adding() -> Iterator[None]:
    """Let Python not look for garbage while a block makes many objects that stay.

    It would look through all of them again and again, which takes as long as making them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
