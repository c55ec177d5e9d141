"""Calls from Python: an argument of a wrong kind is named, and errors speak of arguments.

A verb is checked by its own annotations, so that no list of kinds has to be kept beside them.
"""

import builtins
import functools
import inspect
import numbers
import os
import re
import types
from collections import abc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from tfcnn.base.errors import InputError, TfcnnError, of_system

P = ParamSpec("P")
R = TypeVar("R")
MOST_SHOWN = 80  # characters of a value
WORDS: dict[Any, str] = {
    str: "a text", Path: "a path", int: "a whole number", float: "a number",
    bool: "True or False", types.NoneType: "None",
}  # fmt: skip
SEVERAL = (abc.Iterable, abc.Sequence)
OPTION = re.compile(r"--set (?P<setting>[^\s,;)]+=[^\s,;)]*)|--(?P<name>[a-z][a-z-]*)")
COMMAND = re.compile(r"tfcnn [a-z]|srun")  # a text with one is to be typed in a terminal
IN_PYTHON = {"set": "settings", "from": "mirror", "class": "class_name"}
SWITCHES = ("resume", "fresh", "resplit")


class _Named:
    """A class known by its name: importing it would load what a verb may not need."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` would come back here

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __call__(self, *_: Any) -> None:
        """`typing` wants what stands in a union to be callable."""


class _Names(abc.Mapping[str, Any]):
    """What names in an annotation mean, besides those that its module has."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> Any:
        if name in self._known or hasattr(builtins, name):
            raise KeyError(name)
        return _Named(name)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that refuses arguments of a wrong kind, and whose errors name arguments.

    A number of NumPy counts as one of Python, and what can be gone through once becomes a list.

    Args:
        function: with annotated arguments.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, hints = _read(function)
        bound = signature.bind(*args, **kwargs)  # one too many or too few stays a TypeError
        for name, value in bound.arguments.items():
            if signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD:
                bound.arguments[name] = _checked(name, value, hints.get(name, Any))
        try:
            return function(*bound.args, **bound.kwargs)
        except TfcnnError as error:
            raise _in_python(error) from error
        except OSError as error:
            known = of_system(error)
            if known is None:
                raise
            raise known from error

    return checked


@functools.cache
def _read(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    """Return a function's signature and its annotations."""
    known = function.__globals__
    hints = {}
    for name, hint in function.__annotations__.items():
        is_text = isinstance(hint, str)
        hints[name] = eval(hint, known, _Names(known)) if is_text else hint
    return inspect.signature(function), hints


def _checked(name: str, value: Any, hint: Any) -> Any:
    plain = _plain(value)
    takes_several = any(get_origin(one) in SEVERAL for one in (hint, *get_args(hint)))
    if takes_several and _is_several(plain) and not isinstance(plain, str | abc.Sequence):
        plain = list(plain)
    if _fits(plain, hint):
        for text in plain if isinstance(plain, list | tuple) else (plain,):
            if isinstance(text, str | Path) and "\0" in str(text):
                raise InputError(name, "a text without NUL", repr(text)[:MOST_SHOWN], "without it")
        return plain
    received = f"{_a(type(value).__name__)}, {value!r}"[:MOST_SHOWN]
    raise InputError(name, _words(hint), received, "another value")


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python, also in a tuple or list."""
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    is_number = type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0
    return value.item() if is_number else value


def _is_several(value: Any) -> bool:
    return isinstance(value, abc.Iterable) and not isinstance(value, bytes | abc.Mapping)


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a value is of the kind that an annotation says."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if isinstance(hint, _Named):
        mro = type(value).__mro__
        return any(one.__name__ == hint.name and one.__module__[:5] == "tfcnn" for one in mro)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is tuple:
        is_alike = isinstance(value, tuple | list) and len(value) == len(inner)
        return is_alike and all(map(_fits, value, inner))
    if origin in SEVERAL:
        is_text = isinstance(value, str) and inner[0] is Any
        return _is_several(value) and not is_text and all(_fits(one, inner[0]) for one in value)
    if origin is not None:  # a function, a dict
        return isinstance(value, origin)
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, os.PathLike if hint is Path else hint)


def _words(hint: Any) -> str:
    """Return an annotation in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_words, inner)))
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return f"({', '.join(map(_words, inner))})"
    if origin in SEVERAL:
        return "a list" if inner[0] is Any else f"a list, each {_words(inner[0])}"
    if origin is not None:
        return "a function" if origin is abc.Callable else "a dict"
    return WORDS.get(hint) or _a(hint.name if isinstance(hint, _Named) else hint.__name__)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIO' else 'a'} {noun}"


def _in_python(error: TfcnnError) -> TfcnnError:
    """Return an error that names arguments where it named options of the command line."""
    texts = (str(error.subject), error.expected, error.received, error.hint)
    changed = [text if COMMAND.search(text) else OPTION.sub(_argument, text) for text in texts]
    return error if changed == [*texts] else type(error)(*changed)


def _argument(option: "re.Match[str]") -> str:
    if setting := option["setting"]:
        return f'settings="{setting}"'
    name = IN_PYTHON.get(option["name"], option["name"].replace("-", "_"))
    return f"{name}=True" if name in SWITCHES else name
