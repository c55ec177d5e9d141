"""JSON of strangers is compared with a shape before others rely on it."""

import pytest

from tfcnn.base import shapes

SHAPE = {"name": str, "size?": [int], "rate": (float, type(None)), "rows": {"*": {"value": float}},
         "band?": ({"low": float}, type(None))}  # fmt: skip
SOUND = {"name": "x", "size": [1, 2], "rate": 1, "rows": {"a": {"value": 0.5, "more": []}},
         "band": {"low": 1}, "unknown": object}  # fmt: skip


def test_a_content_of_the_shape_is_taken() -> None:
    shapes.check(SOUND, SHAPE)
    shapes.check({"name": "", "rate": None, "rows": {}, "band": None}, SHAPE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 1}, "name is a whole number, not a text"),
        ({"name": None}, "name is null, not a text"),
        ({"size": 5}, "size is a whole number, not a list"),
        ({"size": [1, 2.0]}, r"size\[1\] is a number, not a whole number"),
        ({"size": [True]}, r"size\[0\] is true or false, not a whole number"),
        ({"rate": True}, "rate is true or false, not a number or null"),
        ({"rows": []}, "rows is a list, not keys and values"),
        ({"rows": {"b": {}}}, "no rows.b.value"),
        ({"rows": {"b": {"value": "1"}}}, "rows.b.value is a text, not a number"),
        ({"band": {"low": None}}, "band.low is null, not a number"),
        ({"band": 3}, "band is a whole number, not keys and values or null"),
    ],
)
def test_the_first_key_that_differs_is_named(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        shapes.check({**SOUND, **change}, SHAPE)
    with pytest.raises(ValueError, match=r"^no name$"):
        shapes.check({"rate": 1, "rows": {}}, SHAPE)
    with pytest.raises(ValueError, match=r"^it is a list, not keys and values$"):
        shapes.check([], SHAPE)
