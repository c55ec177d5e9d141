"""Every public verb takes what its annotations say, and refuses anything else in one line."""

import inspect
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import tfcnn
from tfcnn.base import calls
from tfcnn.base.errors import InputError, TfcnnError

VERBS = [getattr(tfcnn, name) for name in tfcnn.__all__]
VERBS = [verb for verb in VERBS if not inspect.isclass(verb)]
WRONG = [
    object(),
    b"x",
    1j,
    [object()],
    (1, 2, 3, 4),
    {1: 2},
    2.5,
    True,
    7,
    "\0",
    None,
    "",
    "a\nb",
    300 * "x",
]
FIRST = "nothing-of-that-name"  # a source, a recipe and a run that there is not


def required(verb):
    if verb is tfcnn.open_lab:  # it needs no argument, and would open
        return {"page": FIRST, "run": FIRST}
    parameters = inspect.signature(verb).parameters.values()
    return {one.name: FIRST for one in parameters if one.default is inspect.Parameter.empty
            and one.kind is not inspect.Parameter.VAR_KEYWORD}  # fmt: skip


def every_argument():
    for verb in VERBS:
        for name, parameter in inspect.signature(verb).parameters.items():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                yield pytest.param(verb, name, id=f"{verb.__name__}-{name}")


@pytest.mark.parametrize(("verb", "name"), [*every_argument()])
def test_a_value_of_any_kind_ends_in_one_line(verb, name, home):
    for value in WRONG:
        with pytest.raises(TfcnnError) as caught:
            verb(**{**required(verb), name: value})
        assert "\n" not in str(caught.value) and "--" not in str(caught.value)


@pytest.mark.parametrize(("verb", "name"), [*every_argument()])
def test_what_no_argument_takes_is_refused_by_its_name(verb, name, home):
    if (verb, name) == (tfcnn.adopt, "model"):
        pytest.skip("any object may be a model until it is looked at")
    for value in (object(), b"x", 1j):
        with pytest.raises(InputError) as caught:
            verb(**{**required(verb), name: value})
        assert caught.value.subject == name and "; try " in str(caught.value)


def test_each_verb_is_checked():
    assert len(VERBS) == 20 and all(hasattr(verb, "__wrapped__") for verb in VERBS)


@pytest.fixture
def data(make_tree):
    return tfcnn.data(make_tree(groups=8, per_group=2, side=16), image_size=np.int64(16))


@pytest.mark.parametrize("value", [3, None, ["train"], b"train", "tests"])
def test_images_are_asked_for_by_the_name_of_a_split(data, value):
    for method in (data.arrays, lambda split: data.flow(None, split)):
        with pytest.raises(InputError, match="split: expected"):
            method(value)


@pytest.mark.parametrize("value", [None, 1.5, "1", True, -1])
def test_an_epoch_and_a_number_of_folds_are_whole(data, value):
    with pytest.raises(InputError, match="epoch: expected"):
        data.epoch = value
    with pytest.raises(InputError, match="folds: expected"):
        data.folds(value)


def test_a_number_of_numpy_and_what_is_read_once_are_taken(data):
    data.epoch = np.int32(2)
    assert data.shape == (16, 16, 3) and data.epoch == 2 and len(list(data.folds(np.int64(2)))) == 2

    @calls.verb
    def several(values: str | Path | Iterable[str], size: "tuple[int, int] | None" = None):
        return values, size

    assert several(iter("ab"), [np.int8(1), 2]) == (["a", "b"], [1, 2])
    assert several("ab") == ("ab", None)
    with pytest.raises(InputError, match=r"size: expected \(a whole number, a whole number\) or N"):
        several("ab", (1, 2.5))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--folds 5", "folds 5"),
        ("--set data.ignore=x, or y", 'settings="data.ignore=x", or y'),
        ("--set train.epochs", "settings train.epochs"),
        ("no --resume", "no resume=True"),
        ("--group-regex with another", "group_regex with another"),
        ("tfcnn train x --resume", "tfcnn train x --resume"),
    ],
)
def test_an_option_is_named_as_an_argument(text, said):
    @calls.verb
    def refusing():
        raise InputError("it", "a", "b", text)

    with pytest.raises(InputError) as caught:
        refusing()
    assert caught.value.hint == said
