"""Arguments of ImageDataGenerator that do not do what most people give them for."""

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["destructive", "misread_units"]

DARK, BRIGHT = 0.6, 3.0  # factors of the light below, or above, which little of an image is left


def destructive(checked: Mapping[str, Any]) -> list[str]:
    """Say which ranges leave nothing to learn from, and what was probably meant.

    Args:
        checked: what `_arguments.checked` returned.
    """
    return [text for text in (_brightness(checked), _zoom(checked)) if text]


def misread_units(checked: Mapping[str, Any]) -> list[str]:
    """Say which values a reader may take for another unit than Keras does."""
    found = [_shift(name, checked[name]) for name in ("width_shift_range", "height_shift_range")]
    rotation, shear = checked["rotation_range"], checked["shear_range"]
    if 0 < rotation < math.pi + 0.01 and rotation != int(rotation):
        found.append(
            f"rotation_range is in degrees: {rotation:.3g} hardly turns; as radians it would be "
            f"rotation_range={math.degrees(rotation):.3g}"
        )
    if 0 < shear < 1:
        found.append(f"shear_range is in degrees: {shear:g} hardly leans; 0.2 rad are 11.5")
    if 0 < checked["channel_shift_range"] <= 1:
        shift = checked["channel_shift_range"]
        found.append(
            f"channel_shift_range is in 0 to 255: {shift:g} is nothing; as a share it would be "
            f"channel_shift_range={255 * shift:.3g}"
        )
    return [text for text in found if text]


def _brightness(checked: Mapping[str, Any]) -> str:
    if checked["brightness_range"] is None:
        return ""
    low, high = sorted(checked["brightness_range"])
    if low >= 0 and DARK <= high <= BRIGHT:
        return ""
    what = "darkens to all but black" if high < DARK else "whitens all but black"
    if low < 0:
        what = "blackens where it is negative"
    return (
        f"brightness_range=[{low:g}, {high:g}] {what}: the light is multiplied by a factor out of "
        f"it; {_meant('brightness_range', low, high)}"
    )


def _zoom(checked: Mapping[str, Any]) -> str:
    low, high = sorted(checked["zoom_range"])
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
    """Say what a range of factors would be if it was meant as plus or minus, or in percent."""
    if low >= 10:
        return f"in percent that is {name}=[{low / 100:.3g}, {high / 100:.3g}]"
    part = 0.2
    if max(abs(low), abs(high)) < 1:  # [-.2, .2], and [0, .2]
        part = max(abs(low), abs(high))
    elif math.isclose(low + high, 2) and 5 <= high - 1 < 100:  # a zoom of 20 is [-19, 21]
        part = (high - 1) / 100
    return f"plus or minus {100 * part:.3g} % is {name}=[{1 - part:.3g}, {1 + part:.3g}]"


def _shift(name: str, value: float | tuple[float, ...]) -> str:
    if not isinstance(value, tuple):
        if value < 1:
            return ""
        return f"{name}={value:g} is in px, as it is not under 1; {value:g} % is {value / 100:g}"
    if value == tuple(range(len(value))):
        count = len(value)
        what = "shifts nothing" if count == 1 else f"picks 0 to {count - 1} px, with a random sign"
        return f"{name}={count}, an integer, {what}; {count} % is {count / 100:g}"
    if max(value) < 1 and min(value) <= -1:
        meant = [abs(one) for one in value]
        return (
            f"{name}={list(value)} moves by whole sides, as Keras takes a list without a number "
            f"from 1 on for shares of the side; in px, with a random sign, it is {name}={meant}"
        )
    return ""
