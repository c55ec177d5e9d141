"""A search for a user's regular expression that can be stopped, because some searches never end.

Python cannot stop a search in a thread. A pattern with two or more repeats or alternatives is
searched in a process of its own, which runs this file and imports nothing else of tfcnn.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

LIMIT_SECONDS = 5.0  # of the processor, and one more for each 10,000 texts
TEXTS_PER_SECOND = 10_000
WAIT_FACTOR = 10  # where the machine is busy with other things
SHOWN = 200  # signs
CHOICES = re.compile(r"[*+?{|]")


def search(regex: str, texts: Sequence[str], setting: str) -> list[str]:
    """Return for each text the match of the first group, or of the whole pattern; "" for no match.

    Args:
        regex: the regular expression.
        texts: where it is searched.
        setting: what an error names.

    Raises:
        InputError: if it is no regular expression, or takes longer than 5 s and a second for each
            10,000 texts.
    """
    from tfcnn.base.errors import InputError  # late: the process of its own has nothing of tfcnn

    subject = f"{setting} {regex[:SHOWN]!r}"
    try:
        pattern = re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(subject, "a regular expression", str(error), r"^(C\d+)") from error
    if len(CHOICES.findall(regex)) < 2:  # at worst the square of a text's length
        return _first_groups(pattern, texts)
    seconds = LIMIT_SECONDS + len(texts) / TEXTS_PER_SECOND
    matches = _search_in_process(regex, texts, seconds)
    if len(matches) < len(texts):
        received = f"one that takes over {seconds:.0f} s, at {texts[len(matches)][:SHOWN]!r}"
        hint = r"one without a repeat of what repeats or has alternatives, such as ^(C\d+)"
        raise InputError(subject, "a regular expression that is soon done", received, hint)
    return matches


def _search_in_process(regex: str, texts: Sequence[str], seconds: float) -> list[str]:
    """Return the matches from a process of its own, of fewer texts if its time is up."""
    from tfcnn.base.errors import InputError

    content = {"regex": regex, "texts": list(texts), "seconds": seconds}
    question = json.dumps(content, allow_nan=False).encode()
    command, wait = [sys.executable, "-I", "-S", __file__], WAIT_FACTOR * seconds
    try:
        done = subprocess.run(
            command,
            input=question,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # this process says what is wrong, and hears Ctrl-C
            start_new_session=True,
            timeout=wait,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return []
    except (OSError, subprocess.CalledProcessError) as error:
        hint = "a simpler one, such as ^(C\\d+)"
        raise InputError(
            f"{regex[:SHOWN]!r}", "a process that searches", str(error), hint
        ) from error
    matches: list[str] = json.loads(done.stdout)
    return matches


def _first_groups(pattern: re.Pattern[str], texts: Sequence[str]) -> list[str]:
    matches = map(pattern.search, texts)
    return [(match[pattern.groups and 1] or "") if match else "" for match in matches]


def _search_for_parent() -> None:
    """Answer the question on standard input."""
    question = json.load(sys.stdin.buffer)
    pattern = re.compile(question["regex"])
    matches: list[str] = []
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, question["seconds"])
    try:
        for text in question["texts"]:
            matches += _first_groups(pattern, [text])
        signal.setitimer(signal.ITIMER_PROF, 0)
    except TimeoutError:
        pass
    json.dump(matches, sys.stdout, allow_nan=False)


def _stop(*_: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    _search_for_parent()
