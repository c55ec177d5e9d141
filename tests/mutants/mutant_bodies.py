"""Put changed bodies of functions in the place of those of a module that is imported already."""

import gc
import sys
from types import CodeType, FunctionType

Functions = dict[str, CodeType]
CO_OPTIMIZED = 1  # of code whose names are local variables


def changed_functions(before: str, after: str, path: str) -> Functions | None:
    """Return the code of the functions that differ, by their qualified name.

    None where something else differs too: a constant of the module, a default, a decorator.
    """
    found: Functions = {}
    pairs = [(compile(before, path, "exec"), compile(after, path, "exec"))]
    while pairs:
        old, new = pairs.pop()
        if _own(old) != _own(new):
            return None
        for one, other in zip(_codes(old), _codes(new), strict=True):
            if one.co_flags & CO_OPTIMIZED:  # a function; the body of a class is not
                if _deep(one) != _deep(other):
                    found[other.co_qualname] = other
            else:
                pairs.append((one, other))
    return found


def put_in_place(functions: Functions, module: str) -> bool:
    """Give functions of an imported module their changed code; its file has it already.

    Returns:
        Whether each was found.
    """
    if module.removesuffix(".py").replace("/", ".") not in sys.modules:
        return True
    left = dict(functions)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.endswith(f"/{module}"):
            code = functions.get(one.__code__.co_qualname)
            if code is not None and len(code.co_freevars) == len(one.__code__.co_freevars):
                one.__code__ = code
                left.pop(code.co_qualname, None)
    return not left


def _codes(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """Return what code does, without its functions and classes, and without line numbers."""
    consts = tuple(repr(one) for one in code.co_consts if not isinstance(one, CodeType))
    names = code.co_names, code.co_varnames, code.co_freevars
    return code.co_code, names, consts, len(_codes(code))


def _deep(code: CodeType) -> tuple[object, ...]:
    return _own(code), tuple(_deep(one) for one in _codes(code))
