"""What an exercise is, and how an answer to it is judged."""

import html
import inspect
import textwrap
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Answer = Callable[..., Any]
Case = tuple[Any, ...]
WIDTH = 88
DRAWS = 20


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give.

    Attributes:
        answer: computes what this mistake gives, for the same arguments as a right answer.
        hint: says what is wrong and why. It does not say what is right.
    """

    answer: Any
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One idea of the course, to be written in Python by the learner.

    Attributes:
        name: as it is given to `check`.
        idea: what it teaches, in a few words.
        call: how `check` calls the answer, such as `answer(image, kernel)`.
        task: what the answer must do.
        cases: draws arguments with a random generator, so that no constant is right.
        truth: computes the right answer, by `tfcnn.concepts` where it has the idea.
        solution: an answer that passes, written as a learner would.
        mistakes: wrong answers, each with a hint of its own.
        is_made: whether solution and the answers of mistakes are functions without arguments that
            make the answer, because it takes time to make.
        judge: takes the answer and the generator, and returns what is wrong, or "". It stands for
            `cases`, `truth` and `mistakes` where more than one answer is right.
    """

    name: str
    idea: str
    call: str
    task: str
    solution: Any
    mistakes: tuple[Mistake, ...]
    cases: Callable[[np.random.Generator], Sequence[Case]] | None = None
    truth: Answer | None = None
    judge: Callable[[Any, np.random.Generator], str] | None = None
    is_made: bool = False

    @property
    def solution_text(self) -> str:
        """The source of the solution."""
        return textwrap.dedent(inspect.getsource(self.solution))

    def __repr__(self) -> str:
        return self._text(textwrap.fill(self.task, WIDTH))

    def _repr_html_(self) -> str:
        return _as_html(self._text(self.task))

    def _text(self, task: str) -> str:
        ask = f'tfcnn.lab.check("{self.name}", {self.call.partition("(")[0]})'
        return f"{self.name}: {self.idea}\n{task}\n    {self.call}\nCheck it with {ask}"


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        name: of the exercise.
        passed: whether the answer is right.
        hint: what is wrong and why; empty if it is right.
    """

    name: str
    passed: bool
    hint: str = ""

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return textwrap.fill(self._text(), WIDTH)

    def _repr_html_(self) -> str:
        return _as_html(self._text())

    def _text(self) -> str:
        mark = "✓" if self.passed else "✗"
        return f"{mark} {self.name}: {'right.' if self.passed else self.hint}"


def judge(exercise: Exercise, answer: Any, generator: np.random.Generator) -> str:
    """Return what is wrong with an answer and why, or "" if it is right."""
    if exercise.judge is not None:
        return exercise.judge(answer, generator)
    if not callable(answer):
        kind = type(answer).__name__
        return (
            f"expected a function, {exercise.call}; received a {kind}. "
            "The check calls it with numbers of its own, so that one result by chance is not enough"
        )
    return _compare(exercise, answer, *telling_cases(exercise, generator))


def telling_cases(
    exercise: Exercise, generator: np.random.Generator
) -> tuple[list[Case], list[Any]]:
    """Draw arguments on which no known mistake is right, and the right answers.

    Some mistakes give the right answer by chance: rows and columns exchanged, where both are drawn
    equal. A check on such arguments would call the mistake right.

    Raises:
        ValueError: a mistake is right in each of `DRAWS` draws, or the exercise has no cases.
    """
    if exercise.cases is None or exercise.truth is None:
        raise ValueError(f"{exercise.name}: expected cases and truth, or judge; received neither")
    for _ in range(DRAWS):
        cases = list(exercise.cases(generator))
        truths = [exercise.truth(*deepcopy(case)) for case in cases]
        answers = [truths, *(_answers(mistake, cases) for mistake in exercise.mistakes)]
        if not any(all(map(is_same, *pair)) for pair in combinations(answers, 2)):
            return cases, truths
    raise ValueError(
        f"{exercise.name}: expected mistakes that differ; received {DRAWS} draws without"
    )


def _answers(mistake: Mistake, cases: list[Case]) -> list[Any]:
    return [call(mistake.answer, case)[0] for case in cases]


def _compare(exercise: Exercise, answer: Answer, cases: list[Case], truths: list[Any]) -> str:
    given = []
    for case in cases:
        value, fault = call(answer, case)
        if fault:
            return fault
        given.append(value)
    if all(map(is_same, given, truths)):
        return ""
    for mistake in exercise.mistakes:
        if all(map(is_same, given, _answers(mistake, cases))):
            return mistake.hint
    at = next(i for i in range(len(cases)) if not is_same(given[i], truths[i]))
    return describe(given[at], truths[at], cases[at])


def call(answer: Answer, case: Case) -> tuple[Any, str]:
    """Return what an answer gives for its arguments, and what is wrong with it as a function."""
    try:
        with np.errstate(all="ignore"):
            value = answer(*deepcopy(case))
    except (Exception, SystemExit) as error:  # an exit() must not end the learner's session
        return None, (
            f"your function ended with {type(error).__name__}: {error}. "
            f"It was called with {in_words(case)}"
        )
    if value is None:
        return None, "your function gives nothing back. Does it end with a return?"
    return value, ""


def as_array(value: Any) -> npt.NDArray[Any] | None:
    """Return numbers of any kind as an array, or None for something else."""
    try:
        array = np.asarray(value)
    except Exception:
        return None
    return array if array.dtype.kind in "biuf" else None


def is_same(given: Any, truth: Any) -> bool:
    """Say whether two answers are the same numbers in the same shape."""
    left, right = as_array(given), as_array(truth)
    if left is None or right is None or left.shape != right.shape:
        return False
    close = np.isclose(left.astype(float), right.astype(float), 1e-5, 1e-7, equal_nan=True)
    return bool(close.all())


def describe(given: Any, truth: Any, case: Case) -> str:
    """Return where an answer differs from the truth, without the truth itself."""
    left, right = as_array(given), np.asarray(truth)
    start = f"For {in_words(case)}: "
    if left is None:
        return start + f"your answer is {given!r:.60}, a {type(given).__name__}. Expected numbers"
    if left.shape != right.shape:
        return start + f"your answer has the shape {left.shape}, and that is not the right shape"
    if not left.shape:
        return start + f"your answer is {left}, and that is not right"
    wrong = ~np.isclose(left.astype(float), right.astype(float), rtol=1e-5, atol=1e-7)
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    where = place[0] if len(place) == 1 else place
    return start + (
        f"the shape of your answer is right, but {int(wrong.sum())} of its {left.size} numbers "
        f"{'is' if wrong.sum() == 1 else 'are'} not. The first is at index {where}: {left[place]}"
    )


def in_words(case: Case) -> str:
    """Return arguments as a person would say them: an array by its shape."""
    words = []
    for value in case:
        array = as_array(value)
        if array is not None and array.ndim and array.size > 6:
            kind = "numbers" if array.dtype.kind == "f" else str(array.dtype)
            words.append(f"{kind} of shape {array.shape}")
        else:
            words.append(repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value))
    return ", ".join(words)


def _as_html(text: str) -> str:
    return f'<pre style="white-space: pre-wrap">{html.escape(text)}</pre>'
