"""Each check passes its solution, and tells the typical mistakes apart."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

import tfcnn
from tfcnn import lab
from tfcnn.base.errors import InputError
from tfcnn.lab.exercises._exercise import telling_cases

EVERY = lab.exercises()
FUNCTIONS = [name for name, one in EVERY.items() if not one.is_made]
MISTAKES = [(name, i) for name, one in EVERY.items() for i in range(len(one.mistakes))]
TRIES = 5  # the numbers are other ones each time


def made(exercise, answer):
    return answer() if exercise.is_made else answer


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_solution_passes(name):
    for _ in range(TRIES):
        result = lab.check(name, EVERY[name].solution)
        assert result and result.passed and result.hint == "", result


@pytest.mark.parametrize(("name", "index"), MISTAKES)
def test_a_mistake_gets_its_own_hint(name, index):
    exercise = EVERY[name]
    mistake = exercise.mistakes[index]
    answer = made(exercise, mistake.answer)
    for _ in range(1 if exercise.is_made else TRIES):
        result = lab.check(name, answer)
        assert not result and result.hint.rstrip(".") == mistake.hint


def test_no_mistake_is_right_by_chance():
    kernel = EVERY["kernel"]
    image = np.arange(72).reshape(9, 8) ** 2
    blind = [(image, np.arange(9).reshape(3, 3), 2, 2)]  # (row, column) is (column, row)
    draws = iter([blind, kernel.cases(np.random.default_rng(0))])
    cases, _ = telling_cases(replace(kernel, cases=lambda _: next(draws)), np.random.default_rng(0))
    assert len(cases) == 4
    with pytest.raises(ValueError, match="kernel: expected mistakes that differ"):
        telling_cases(replace(kernel, cases=lambda _: blind), np.random.default_rng(0))


@pytest.mark.parametrize("name", EVERY)
def test_an_exercise_is_whole(name):
    exercise = EVERY[name]
    hints = [mistake.hint for mistake in exercise.mistakes]
    assert len(hints) == len(set(hints)) >= 3
    assert exercise.task.endswith(".") and exercise.idea and name == exercise.name
    assert all(len(line) <= 100 for line in repr(exercise).splitlines())
    assert f'tfcnn.lab.check("{name}", ' in repr(exercise)
    code = lab.solution(name)
    assert code.startswith("def ") and "concepts" not in code
    for hint in hints:  # no hint holds a line of the solution
        assert not any(
            len(line.strip()) > 12 and line.strip() in hint for line in code.splitlines()[1:]
        )


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("answer", [0, [1, 2], "a text", None, np.zeros(3)])
def test_what_is_no_function_is_refused_in_words(name, answer):
    result = lab.check(name, answer)
    assert not result and "expected a function" in result.hint


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *case: None, "Does it end with a return?"),
        (lambda *case: 1 / 0, "ended with ZeroDivisionError: division by zero"),
        (lambda: 1, "ended with TypeError"),
        (lambda *case: sys.exit(3), "ended with SystemExit: 3"),
        (lambda *case: "text", ""),
        (lambda *case: 0, ""),
        (lambda *case: np.full(np.shape(case[0]), 7), ""),
        (lambda *case: [[1], [1, 2]], ""),
    ],
)
def test_any_other_answer_is_refused_in_words(name, answer, words):
    result = lab.check(name, answer)
    assert not result.passed and words in result.hint and len(result.hint) > 20


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_one_call_gave_is_no_answer(name):
    """A constant that is right for one case fails, since the cases are drawn anew."""
    first = []

    def constant(*case):
        first.append(first[0] if first else EVERY[name].solution(*case))
        return first[0]

    assert not lab.check(name, constant)


@pytest.mark.parametrize("name", ["scale", "flatten", "convolution", "pooling", "softmax"])
def test_an_answer_may_not_change_the_numbers_of_the_check(name):
    """An answer that spoils what it is given is compared with what was given."""

    def spoiling(*case):
        result = np.array(EVERY[name].solution(*case))
        case[0][:] = 0
        return result

    assert lab.check(name, spoiling)


def test_a_hint_says_where_the_numbers_differ():
    def wrong(image, kernel):
        result = EVERY["convolution"].solution(image, kernel)
        result[1, 2] += 1
        return result

    hint = lab.check("convolution", wrong).hint
    assert "the shape of your answer is right" in hint and "1 of its" in hint
    assert "at index (1, 2)" in hint


def test_names_are_forgiving_and_unknown_ones_get_a_hint():
    assert lab.exercise("one_hot") is lab.exercise("One-Hot") is EVERY["one-hot"]
    with pytest.raises(InputError, match='try "pooling"'):
        lab.check("poolings", None)
    with pytest.raises(InputError, match="lists them"):
        lab.exercise("xyz")


def test_the_list_shows_every_exercise_with_its_idea():
    lines = repr(lab.exercises()).splitlines()
    assert [line.split()[0] for line in lines] == list(EVERY)
    assert tfcnn.lab.check is lab.check


def test_a_result_is_shown_in_a_terminal_and_in_a_notebook():
    wrong = lab.check("scale", lambda image: image <= 255)
    assert repr(wrong).startswith("✗ scale: ") and repr(lab.check("scale", lambda x: x / 255)) == (
        "✓ scale: right."
    )
    assert "&lt;" not in repr(wrong) and "<pre" in wrong._repr_html_()
    assert re.search("<pre.*</pre>", EVERY["output-size"]._repr_html_(), re.DOTALL)


def test_early_stopping_is_keras_rule():
    keras = pytest.importorskip("keras")
    solve = EVERY["early-stopping"].truth
    for losses, patience in EVERY["early-stopping"].cases(np.random.default_rng(1)):
        stop = keras.callbacks.EarlyStopping(patience=patience)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        stop.set_model(model)
        model.stop_training = False
        stop.on_train_begin()
        for epoch, loss in enumerate(losses):
            stop.on_epoch_end(epoch, {"val_loss": loss})
            if model.stop_training:
                break
        assert solve(losses, patience) == (epoch, stop.best_epoch)


def test_the_fashion_solution_passes_and_its_range_matters():
    keras = pytest.importorskip("keras")
    model = EVERY["fashion"].solution()
    assert lab.check("fashion", model)
    scaled = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), model])
    inner = keras.layers.Conv2D(1, 1)  # counts as the convolution of the outer network
    inner.build((None, 28, 28, 1))
    inner.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    wide = keras.Sequential([keras.Input((28, 28, 1)), inner, *scaled.layers])
    assert "from 0 to 255" in lab.check("fashion", wide).hint
    assert "received a str" in lab.check("fashion", "model").hint
