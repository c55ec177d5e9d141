"""The arguments of Keras' ImageDataGenerator: what each means, what is refused, what is a trap."""

import difflib
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from tfcnn.base.errors import InputError

DARK, BRIGHT = 0.6, 3.0  # factors of the light: beyond these, little of an image is left
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


def normalize(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return every argument that changes images, in one spelling.

    Ranges of one number stay one number. An integer shift becomes the tuple that Keras picks from,
    a zoom its lowest and highest factor, an array a tuple.

    Raises:
        InputError: naming the first argument that is unknown, refused or has a wrong value.
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
    """Return a note on each argument that tfcnn has in another place."""
    texts = {
        "rescale": "rescale is the first layer of every network of tfcnn",
        "validation_split": "validation_split is left out: see [data.split]",
    }
    return [text for name, text in texts.items() if arguments.get(name)]


def _refuse(name: str, value: Any) -> None:
    off, why, instead = REFUSED[name]
    value = _plain(value)
    if value is not off and (isinstance(value, bool) or value != off):
        raise InputError(name, f"{off} ({why})", repr(value)[:80], instead)


def _near(name: str) -> str:
    names = [*CHECKS, *REFUSED]
    return (difflib.get_close_matches(name, names, n=1) or [f"one of {', '.join(CHECKS)}"])[0]


def _plain(value: Any) -> Any:
    """Return NumPy's arrays and numbers as Python's."""
    is_numpy = hasattr(value, "tolist") and not isinstance(value, type)
    return value.tolist() if is_numpy else value


def _wrong(name: str, expected: str, value: Any) -> InputError:
    return InputError(name, expected, repr(value)[:80], f"{name} as Keras documents it")


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
    # 1, None and 0 change nothing
    fits = _is_number(value) and (value == 1 or math.isclose(value, 1 / 255, rel_tol=1e-3))
    if value and not fits:
        raise InputError(
            name,
            "1/255 (the first layer of every network divides by 255)",
            repr(value)[:80],
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


def warnings(arguments: Mapping[str, Any]) -> list[str]:
    """Return which ranges leave nothing to learn from, and what was probably meant.

    Args:
        arguments: from `normalize`.
    """
    return [text for text in (_brightness_trap(arguments), _zoom_trap(arguments)) if text]


def unit_notes(arguments: Mapping[str, Any]) -> list[str]:
    """Return which values look as if they had another unit than Keras gives them."""
    notes = [
        _shift_trap(name, arguments[name]) for name in ("width_shift_range", "height_shift_range")
    ]
    rotation, shear = arguments["rotation_range"], arguments["shear_range"]
    if 0 < rotation < math.pi + 0.01 and rotation != int(rotation):
        notes.append(
            f"rotation_range is in degrees: {rotation:.3g} hardly turns; as radians it would be "
            f"rotation_range={math.degrees(rotation):.3g}"
        )
    if 0 < shear < 1:
        notes.append(f"shear_range is in degrees: {shear:g} hardly leans; 0.2 rad are 11.5")
    if 0 < arguments["channel_shift_range"] <= 1:
        shift = arguments["channel_shift_range"]
        notes.append(
            f"channel_shift_range is in 0 to 255: {shift:g} is nothing; as a share it would be "
            f"channel_shift_range={255 * shift:.3g}"
        )
    return [text for text in notes if text]


def _brightness_trap(arguments: Mapping[str, Any]) -> str:
    if arguments["brightness_range"] is None:
        return ""
    low, high = sorted(arguments["brightness_range"])
    if low >= 0 and DARK <= high <= BRIGHT:
        return ""
    what = "darkens to all but black" if high < DARK else "whitens all but black"
    if low < 0:
        what = "blackens where it is negative"
    return (
        f"brightness_range=[{low:g}, {high:g}] {what}: the light is multiplied by a factor out of "
        f"it; {_meant('brightness_range', low, high)}"
    )


def _zoom_trap(arguments: Mapping[str, Any]) -> str:
    low, high = sorted(arguments["zoom_range"])
    if low > 0 and DARK / 2 <= high <= BRIGHT:
        return ""
    what = (
        "shows a part as small as a pixel" if low >= 0 else "turns about, and shows single pixels"
    )
    if high > BRIGHT and low > 0:
        what = "makes the picture as small as a stamp"
    return (
        f"zoom_range=[{low:g}, {high:g}] {what}: the scene shown is multiplied by a factor out of "
        f"it; {_meant('zoom_range', low, high)}"
    )


def _meant(name: str, low: float, high: float) -> str:
    """Return what a range would be as factors if it was meant as plus or minus, or in percent."""
    if low >= 10:
        return f"in percent that is {name}=[{low / 100:.3g}, {high / 100:.3g}]"
    part = 0.2
    if max(abs(low), abs(high)) < 1:  # [-.2, .2], and [0, .2]
        part = max(abs(low), abs(high))
    elif math.isclose(low + high, 2) and 5 <= high - 1 < 100:  # a zoom of 20 is [-19, 21]
        part = (high - 1) / 100
    return f"plus or minus {100 * part:.3g} % is {name}=[{1 - part:.3g}, {1 + part:.3g}]"


def _shift_trap(name: str, value: float | tuple[float, ...]) -> str:
    if not isinstance(value, tuple):
        if value < 1:
            return ""
        return f"{name}={value:g} is in px, as it is not under 1; {value:g} % is {value / 100:g}"
    if value == tuple(range(len(value))):
        count = len(value)
        what = "shifts nothing" if count == 1 else f"picks 0 to {count - 1} px, with a random sign"
        return f"{name}={count}, an integer, {what}; {count} % is {count / 100:g}"
    if max(value) < 1 and min(value) <= -1:
        pixels = [abs(one) for one in value]
        return (
            f"{name}={list(value)} moves by whole sides, as Keras takes a list without a number "
            f"from 1 on for shares of the side; in px, with a random sign, it is {name}={pixels}"
        )
    return ""
