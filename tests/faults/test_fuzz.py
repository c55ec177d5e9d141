"""Some hundred changed files for each reader; `make fuzz` runs a hundred thousand."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.fuzz import __main__ as program
from faults.fuzz import attack
from faults.fuzz.readers import READERS, Reader

from tfcnn.base.errors import InputError

SAMPLE, FEW = 250, 20


@pytest.mark.parametrize("name", READERS)
def test_a_strangers_file_gives_a_result_or_one_line(name: str, tmp_path: Path) -> None:
    count = FEW if name == "model.keras" else SAMPLE  # Keras takes a while for each
    answers = list(attack.attack(name, 7, range(count), tmp_path))
    faults = [answer for answer in answers if isinstance(answer, attack.Fault)]
    assert not faults, f"python -m faults.fuzz --seed 7 --only {name!r} --at {faults[0].number}"
    assert len(answers) == count and any(answers)
    if name not in ("manifest", "arrays", "names"):  # of which nothing is refused
        assert not all(answers), "nothing was refused: the changes are too small"


def test_an_input_can_be_made_again() -> None:
    for name in READERS:
        first, again, other = (attack.content_of(name, *pair) for pair in ((1, 5), (1, 5), (2, 5)))
        assert first == again and attack.content_of(name, 1, 6) != first != other


def _several_lines(path: Path) -> None:
    error = InputError("x", "y", "z", "w")
    error.args = ("a\nb",)
    raise error


def _endless(path: Path) -> None:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


WRONG = {
    "another error": (lambda path: {}["x"], "KeyError: 'x'"),
    "two lines": (_several_lines, "an error of several lines"),
    "a file elsewhere": (lambda path: (path.parents[1] / "out").write_text(""), "open outside"),
    "a folder elsewhere": (lambda path: (path.parents[1] / "new").mkdir(), "os.mkdir outside"),
    "a link": (lambda path: (path.parents[1] / "link").symlink_to("x"), "os.symlink outside"),
    "a program": (lambda path: subprocess.run(["true"], check=True), "subprocess.Popen"),
    "a shell": (lambda path: os.system("true"), "os.system"),
    "too long": (_endless, " s"),
    "too large": (lambda path: bytearray(150 << 20).count(1), " MB"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_harness_notices(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, said = WRONG[what]
    monkeypatch.setitem(READERS, "wrong", Reader(lambda rng: b"x", read, "x", 1))
    monkeypatch.setattr(attack, "MOST_SECONDS", 0.1 if what == "too long" else 10.0)
    if what == "too large":
        monkeypatch.setattr(attack, "MOST_MB", 50.0)
        peaks = iter((0.0, 150.0))  # the peak of a process never falls, and pytest's is high
        monkeypatch.setattr(attack, "_peak_mb", lambda: next(peaks))
    inside = tmp_path / "inside"
    inside.mkdir()
    (answer,) = attack.attack("wrong", 1, [0], inside)
    assert isinstance(answer, attack.Fault) and said in answer.what


def test_a_crash_or_a_hang_is_one_fault_and_the_next_inputs_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(
        "import os, sys, time\n"
        "from faults.fuzz import __main__ as program, readers\n"
        "def read(path):\n"
        "    number = path.read_bytes()\n"
        "    if number == b'3': os.abort()\n"
        "    if number == b'6': time.sleep(600)\n"
        "made = iter(range(int(sys.argv[sys.argv.index('--work') + 1]), 99))\n"
        "def make(rng): return str(next(made)).encode()\n"
        "readers.READERS['image'] = readers.Reader(make, read, 'x', 1)\n"
        "program.main()\n"
    )
    real = subprocess.Popen

    def start(words: list[str], **options: object) -> object:
        return real([sys.executable, str(script), *words[3:]], **options)

    monkeypatch.setattr(program.subprocess, "Popen", start)
    monkeypatch.setattr(program, "HANG_SECONDS", 5.0)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]))
    results, faults, _ = program._all("image", 1, 9)
    assert [(fault.number, fault.what.split(":")[0]) for fault in faults] == [
        (3, "the process ended with -6"),
        (6, "no answer for 5 s"),
    ]
    assert results == 7
