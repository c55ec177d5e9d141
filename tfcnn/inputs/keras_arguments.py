"""The arguments of Keras' ImageDataGenerator: which can be had, and what each means."""

import difflib
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from tfcnn.base.errors import InputError

__all__ = ["checked", "notes"]

# what every argument is where a call does not name it
DEFAULTS: dict[str, Any] = {
    "rotation_range": 0.0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "shear_range": 0.0,
    "zoom_range": (1.0, 1.0),
    "channel_shift_range": 0.0,
    "brightness_range": None,
    "fill_mode": "nearest",
    "cval": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
}
# refused unless they have the value that switches them off: that value, why, what to do instead
NORMALIZE = "a Normalization or BatchNormalization layer at the network's input"
REFUSED: dict[str, tuple[Any, str, str]] = {
    "preprocessing_function": (
        None,
        "a function cannot be written into a recipe, and prediction would need it too",
        "a layer at the network's input, or inputs.augment",
    ),
    "zca_whitening": (False, "prediction would have to whiten too", NORMALIZE),
    "zca_epsilon": (1e-6, "it belongs to zca_whitening, which is refused", NORMALIZE),
    "featurewise_center": (False, "prediction would need the mean too", NORMALIZE),
    "featurewise_std_normalization": (False, "prediction would need the spread too", NORMALIZE),
    "samplewise_center": (False, "prediction would have to center too", NORMALIZE),
    "samplewise_std_normalization": (False, "prediction would have to scale too", NORMALIZE),
    "interpolation_order": (1, "only linear interpolation is translated", "leaving it out"),
}


def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that change images, every one of them, in one spelling.

    Ranges of one number stay one number, an integer shift becomes the tuple Keras picks from, a
    zoom its lowest and highest, arrays become tuples.

    Raises:
        InputError: naming the first argument that is unknown, cannot be had or has a wrong value.
    """
    for name, value in arguments.items():
        if name in REFUSED:
            _refuse(name, value)
        elif name not in CHECKS:
            raise InputError(
                name, "an argument of ImageDataGenerator", "an unknown one", _near(name)
            )
    result = dict(DEFAULTS)
    for name, check in CHECKS.items():
        if name in arguments:
            value = check(name, _plain(arguments[name]))
            if name in result:
                result[name] = value
    if result["fill_mode"] != "constant":
        result["cval"] = 0.0  # nothing is filled with it
    elif not 0 <= result["cval"] <= 255:
        raise _wrong("cval", "0 to 255, as pixels are before rescale", result["cval"])
    return result


def notes(arguments: Mapping[str, Any]) -> list[str]:
    """Return a word on each argument given that is done elsewhere in tfcnn."""
    words = {
        "rescale": "rescale is the first layer of every network of tfcnn",
        "validation_split": "validation_split is left out: see [data.split]",
    }
    return [word for name, word in words.items() if arguments.get(name)]


def _refuse(name: str, value: Any) -> None:
    off, why, instead = REFUSED[name]
    value = _plain(value)
    if value is not off and (isinstance(value, bool) or value != off):
        raise InputError(name, f"{off} ({why})", _shown(value), instead)


def _near(name: str) -> str:
    known = [*CHECKS, *REFUSED]
    return (difflib.get_close_matches(name, known, n=1) or [f"one of {', '.join(CHECKS)}"])[0]


def _plain(value: Any) -> Any:
    """Return NumPy's arrays and numbers as Python's."""
    is_numpy = hasattr(value, "tolist") and not isinstance(value, type)
    return value.tolist() if is_numpy else value


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _wrong(name: str, expected: str, value: Any) -> InputError:
    return InputError(name, expected, _shown(value), f"{name} as Keras documents it")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _size(name: str, value: Any) -> float:
    if not _is_number(value) or value < 0:
        raise _wrong(name, "a number, 0 or more", value)
    return float(value)


def _number(name: str, value: Any) -> float:
    if not _is_number(value):
        raise _wrong(name, "a number", value)
    return float(value)


def _shift(name: str, value: Any) -> float | tuple[float, ...]:
    """Return the greatest shift, or those to pick from with a random sign.

    Keras picks one of a list, and one of 0 to n - 1 for an integer n: `numpy.random.choice`.
    """
    if isinstance(value, list | tuple | range):
        if not all(_is_number(item) for item in value):
            raise _wrong(name, "a number, or a list of numbers", value)
        return tuple(value) or 0.0
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return tuple(range(value)) or 0.0
    return _size(name, value)


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_number, value)):
        raise _wrong(name, "a list of two numbers", value)
    return float(value[0]), float(value[1])


def _zoom(name: str, value: Any) -> tuple[float, float]:
    return (1.0 - value, 1.0 + value) if _is_number(value) else _pair(name, value)


def _brightness(name: str, value: Any) -> tuple[float, float] | None:
    return None if value is None else _pair(name, value)


def _flip(name: str, value: Any) -> bool:
    if not isinstance(value, bool | int) or value not in (0, 1):
        raise _wrong(name, "True or False", value)
    return bool(value)


def _fill_mode(name: str, value: Any) -> str:
    modes = ("nearest", "constant", "reflect", "wrap")
    if value not in modes:
        raise _wrong(name, f"one of {', '.join(modes)}", value)
    return str(value)


def _rescale(name: str, value: Any) -> None:
    # 1, like None and 0, asks for nothing
    known = _is_number(value) and (value == 1 or math.isclose(value, 1 / 255, rel_tol=1e-3))
    if value and not known:
        raise InputError(
            name,
            "1/255 (the first layer of every network divides by 255)",
            _shown(value),
            "leaving rescale out",
        )


def _validation_split(name: str, value: Any) -> None:
    if value and not (_is_number(value) and 0 < value < 1):
        raise _wrong(name, "a fraction between 0 and 1", value)


def _data_format(name: str, value: Any) -> None:
    if value not in (None, "channels_last"):
        raise _wrong(name, "channels_last", value)


def _dtype(name: str, value: Any) -> None:
    if value is not None and getattr(value, "__name__", getattr(value, "name", value)) != "float32":
        raise _wrong(name, "float32, as all batches are", value)


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "rotation_range": _size,
    "width_shift_range": _shift,
    "height_shift_range": _shift,
    "shear_range": _size,
    "zoom_range": _zoom,
    "channel_shift_range": _size,
    "brightness_range": _brightness,
    "fill_mode": _fill_mode,
    "cval": _number,
    "horizontal_flip": _flip,
    "vertical_flip": _flip,
    "rescale": _rescale,
    "validation_split": _validation_split,
    "data_format": _data_format,
    "dtype": _dtype,
}
