"""Ctrl-C and SIGTERM end a command, also where Python cannot raise them.

A handler that runs inside a destructor or a callback cannot raise: Python prints the exception and
goes on. So the signal is remembered, sent once more, and checked for between stages.
"""

import signal
import sys
import threading
from typing import Any

AGAIN_SECONDS = 0.05
_signal_came = threading.Event()


class Interrupted(BaseException):
    """Raised by SIGINT and SIGTERM; unlike KeyboardInterrupt, no library catches it."""


def listen() -> None:
    """Let both signals raise `Interrupted` in the main thread, from now on."""
    _signal_came.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = _send_again


def check() -> None:
    """Raise `Interrupted` if a signal came whose exception was lost; called between stages.

    Raises:
        Interrupted: if a signal came.
    """
    if _signal_came.is_set():
        raise Interrupted


def _interrupt(*_: object) -> None:
    _signal_came.set()
    raise Interrupted


def _send_again(unraisable: Any) -> None:
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(AGAIN_SECONDS, _send)
    again.daemon = True
    again.start()


def _send() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
