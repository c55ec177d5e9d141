"""A signal ends a command wherever it comes, also inside a destructor."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tfcnn.base import interrupts
from tfcnn.display.console import TerminalReporter

LOST = """
import os, signal, sys, time
from tfcnn.base import interrupts
from tfcnn.display.console import TerminalReporter

class Tensor:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep({inside})

interrupts.listen()
try:
    tensor = Tensor()
    del tensor
    print("went on", flush=True)
    {after}
    print("ended", flush=True)
except interrupts.Interrupted:
    sys.exit(130)
"""


@pytest.fixture
def listening():
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    interrupts.listen()
    yield
    interrupts.listen()  # which forgets what was asked for
    for number, handler in kept.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_one_that_is_raised_inside_a_destructor_comes_again(name):
    code = LOST.format(name=name, inside=0, after="time.sleep(60)")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=50
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "went on\n", "")


def test_one_that_a_callback_swallows_is_raised_between_stages(listening):
    with pytest.raises(interrupts.Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    with pytest.raises(interrupts.Interrupted):  # whoever took it, it is asked for once more
        interrupts.check()


def test_without_a_signal_nothing_is_raised(listening):
    interrupts.check()


def test_other_errors_in_destructors_are_shown_as_ever(listening, capsys):
    class Broken:
        def __del__(self):
            raise ValueError("as ever")

    broken = Broken()
    del broken
    assert "ValueError: as ever" in capsys.readouterr().err


def test_the_terminals_reporter_asks_at_every_stage_and_step(listening):
    reporter = TerminalReporter()
    update = reporter.stage("reading")
    update(1, 2)
    with pytest.raises(interrupts.Interrupted):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    for go_on in (lambda: update(2, 2), lambda: reporter.stage("decoding")):
        with pytest.raises(interrupts.Interrupted):
            go_on()
