"""What JSON must hold before others rely on it: a shape of the same form as the content.

A shape is a type, a tuple of types of which one fits, a list of one shape for any number of
values, or a dict of a shape for each key. A key that ends in `?` may be missing, and `*` stands
for all other keys. `float` takes whole numbers too, and neither takes true or false.
"""

from typing import Any

NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
         type(None): "null", list: "a list", dict: "keys and values"}  # fmt: skip


def check(content: Any, shape: Any, key: str = "") -> None:
    """Compare a content with a shape.

    Args:
        content: from JSON.
        shape: that it must have.
        key: where it stands, for the error.

    Raises:
        ValueError: naming the first key that lacks, or has another kind of value.
    """
    if isinstance(shape, dict):
        _check_keys(_of(content, (dict,), key), shape, key)
    elif isinstance(shape, list):
        for place, value in enumerate(_of(content, (list,), key)):
            check(value, shape[0], f"{key}[{place}]")
    else:
        _of(content, shape if isinstance(shape, tuple) else (shape,), key)


def _check_keys(content: dict[str, Any], shape: dict[str, Any], key: str) -> None:
    named = {name.removesuffix("?"): one for name, one in shape.items()}
    for name in shape:
        if name not in content and name[-1] not in "?*":
            raise ValueError(f"no {_below(key, name)}")
    for name, value in content.items():
        if name in named or "*" in shape:
            check(value, named.get(name, shape.get("*")), _below(key, name))


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _of(content: Any, kinds: tuple[Any, ...], key: str) -> Any:
    for kind in kinds:
        if isinstance(kind, dict | list):
            if isinstance(content, type(kind)):
                check(content, kind, key)
                return content
        elif type(content) is kind or (kind is float and type(content) is int):
            return content
    names = " or ".join(
        NAMES[type(kind) if isinstance(kind, dict | list) else kind] for kind in kinds
    )
    raise ValueError(f"{key or 'it'} is {NAMES[type(content)]}, not {names}")
