"""Exercises on the course's ideas: what they ask, and what is wrong with an answer."""

import difflib
from typing import Any

import numpy as np

from tfcnn.base.errors import InputError
from tfcnn.lab.exercises import on_answers, on_convolution, on_fashion, on_networks, on_pixels
from tfcnn.lab.exercises._exercise import Checked, Exercise, Mistake, judge

__all__ = ["Checked", "Exercise", "Mistake", "check", "exercise", "exercises", "solution"]

# in the order of the slides
ORDER = (
    "scale", "image-shape", "flatten", "dense-parameters", "kernel", "convolution", "output-size",
    "stride", "padding", "colour-filter", "parameters", "receptive-field", "pooling", "removed",
    "dropout", "one-hot", "tensor", "softmax", "early-stopping", "split", "threshold",
    "temperature", "fashion",
)  # fmt: skip
_ALL = {
    one.name: one
    for module in (on_pixels, on_convolution, on_networks, on_answers, on_fashion)
    for one in module.EXERCISES
}


class Listing(dict[str, Exercise]):
    """Exercises by name, in the order of the slides; shown as a list of their ideas."""

    def __repr__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:{width}}  {one.idea}" for name, one in self.items())


def exercises() -> Listing:
    """Return all exercises by name, in the order of the slides.

    Example:
        >>> list(exercises())[:3]
        ['scale', 'image-shape', 'flatten']
    """
    return Listing({name: _ALL[name] for name in ORDER})


def exercise(name: str) -> Exercise:
    """Return an exercise; printed, it says what is asked.

    Args:
        name: one of `exercises()`; `one_hot` is `one-hot`.

    Returns:
        The exercise.

    Raises:
        InputError: if there is none of that name.
    """
    wanted = str(name).strip().lower().replace("_", "-")
    if wanted in _ALL:
        return _ALL[wanted]
    near = difflib.get_close_matches(wanted, _ALL, n=1)
    hint = f'"{near[0]}"' if near else "tfcnn.lab.exercises(), which lists them"
    raise InputError(str(name), "an exercise's name", "an unknown one", hint)


def check(name: str, answer: Any) -> Checked:
    """Say whether an answer is right, and if not, what is wrong with it and why.

    Most answers are functions. They are called with random numbers, other ones each time, and what
    they give is compared with `tfcnn.concepts`.

    Args:
        name: of the exercise.
        answer: what its task asks for.

    Returns:
        `passed` and a `hint`, which does not give the answer away. It is true if it passed.

    Raises:
        InputError: if there is no such exercise.

    Example:
        >>> check("scale", lambda image: image / 255)
        ✓ scale: right.
        >>> check("scale", lambda image: image / 256).passed
        False
    """
    asked = exercise(name)
    hint = judge(asked, answer, np.random.default_rng())
    return Checked(asked.name, not hint, f"{hint}." if hint and hint[-1] not in ".?" else hint)


def solution(name: str) -> str:
    """Return the source of an answer that passes the check.

    Args:
        name: of the exercise.

    Returns:
        Python text.

    Raises:
        InputError: if there is no such exercise.

    Example:
        >>> print(solution("scale"))
        def scaled(image: Array) -> Array:
            return image / 255
        <BLANKLINE>
    """
    return exercise(name).solution_text
