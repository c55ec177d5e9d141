"""Exercises on what stands beside the convolutions: pooling, dropout, dense layers, softmax."""

from itertools import pairwise

import numpy as np

from tfcnn.concepts.dense import softmax
from tfcnn.concepts.parameters import network_parameters
from tfcnn.concepts.pooling import average_pool2d, max_pool2d, removed_fraction
from tfcnn.lab.exercises._exercise import Case, Exercise, Mistake

Array = np.ndarray


def pooled(image: Array, size: int) -> Array:
    height, width = image.shape[0] // size, image.shape[1] // size
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            window = image[row * size : (row + 1) * size, column * size : (column + 1) * size]
            result[row, column] = window.max()
    return result


def removed(height: int, width: int, size: int, stride: int) -> float:
    rows = (height - size) // stride + 1
    columns = (width - size) // stride + 1
    return 1 - rows * columns / (height * width)


def dropped(values: Array, kept: Array, rate: float) -> Array:
    return np.where(kept, values / (1 - rate), 0)


def weights(sizes: list[int]) -> int:
    return sum(inputs * units + units for inputs, units in pairwise(sizes))


def shares(logits: Array) -> Array:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _pool_cases(generator: np.random.Generator) -> list[Case]:
    images = [generator.normal(0, 5, shape) for shape in ((4, 4), (6, 8), (7, 9), (9, 7))]
    images[0] = -np.abs(images[0])  # a window may hold negative numbers only
    return [(image, size) for image, size in zip(images, (2, 2, 2, 3), strict=True)]


def _removed_cases(generator: np.random.Generator) -> list[Case]:
    sides = generator.integers(9, 60, (6, 2)).tolist()
    windows = [(2, 2), (3, 2), (2, 3), (3, 3), (2, 1), (4, 2)]
    return [(*side, *window) for side, window in zip(sides, windows, strict=True)]


def _dropout_cases(generator: np.random.Generator) -> list[Case]:
    return [
        (generator.normal(0, 3, 12), generator.random(12) >= rate, rate)
        for rate in (0.2, 0.25, 0.4)
    ]


def _logit_cases(generator: np.random.Generator) -> list[Case]:
    cases = [(generator.normal(0, 2, n),) for n in (2, 5, 10)]
    return [*cases, (np.array([1000.0, 999.0, 0.0]) + generator.normal(0, 1, 3),)]


def _without_care(logits: Array) -> Array:
    powers = np.exp(logits)
    return powers / powers.sum()


EXERCISES = (
    Exercise(
        name="pooling",
        idea="the largest number of each window",
        call="pooled(image, size)",
        task="Max pooling: lay windows of size x size side by side on a grey image, and keep the "
        "largest number of each. A last row or column that fills no window is left out.",
        cases=_pool_cases,
        truth=lambda image, size: max_pool2d(image, size, size),
        solution=pooled,
        mistakes=(
            Mistake(
                lambda image, size: average_pool2d(image, size, size),
                "these are the means of the windows. That is average pooling",
            ),
            Mistake(
                lambda image, size: max_pool2d(image, size, 1),
                "your windows overlap: they move by one pixel. Then hardly anything is removed",
            ),
            Mistake(
                lambda image, size: image[::size, ::size],
                "you keep the upper left number of each window, whatever the others are",
            ),
            Mistake(
                lambda image, size: max_pool2d(image, size, size, "same"),
                "right, but a last row or column that fills no window is still there",
            ),
            Mistake(
                lambda image, size: np.maximum(max_pool2d(image, size, size), 0),
                "right where a window holds a positive number. A window may hold negative numbers "
                "only: do you begin with a largest number of 0?",
            ),
            Mistake(
                lambda image, size: max_pool2d(np.abs(image), size, size),
                "the sign is lost: -9 is not larger than 1",
            ),
        ),
    ),
    Exercise(
        name="removed",
        idea="how much pooling removes",
        call="removed(height, width, size, stride)",
        task="Which share of the numbers of an image of height x width is gone after pooling with "
        "windows of size x size and this stride, without padding? Return a number from 0 to 1: "
        'the slides\' "75 %" is 0.75.',
        cases=_removed_cases,
        truth=lambda height, width, size, stride: removed_fraction(size, stride, (height, width)),
        solution=removed,
        mistakes=(
            Mistake(
                lambda h, w, size, stride: 1 - removed_fraction(size, stride, (h, w)),
                "this is the share that is kept",
            ),
            Mistake(
                lambda h, w, size, stride: 1 - 1 / size**2,
                "you reckon with the window alone. How many numbers there are afterwards depends "
                "on the stride, and a little on the border",
            ),
            Mistake(
                lambda h, w, size, stride: 1 - 1 / stride**2,
                "right for an image without end. The border counts too: how many windows fit along "
                "each side of this one?",
            ),
            Mistake(
                lambda h, w, size, stride: 1 - 1 / stride,
                "windows move in two directions, and both remove something",
            ),
            Mistake(
                lambda h, w, size, stride: 100 * removed_fraction(size, stride, (h, w)),
                "this is a percentage. The task asks for a number from 0 to 1",
            ),
        ),
    ),
    Exercise(
        name="dropout",
        idea="units that are switched off while training",
        call="dropped(values, kept, rate)",
        task="kept says for each value whether its unit stays on; chance has chosen it with this "
        "rate of dropping. Return what the dropout layer of Keras gives while training: what is "
        "off is 0, and the sum over all units stays the same on average.",
        cases=_dropout_cases,
        truth=lambda values, kept, rate: np.where(kept, values / (1 - rate), 0.0),
        solution=dropped,
        mistakes=(
            Mistake(
                lambda values, kept, rate: values * kept,
                "the right units are off. But the next layer now gets less than it will get after "
                "training, when all units are on",
            ),
            Mistake(
                lambda values, kept, rate: values * kept * (1 - rate),
                "the rest became smaller. It must make up for what is missing",
            ),
            Mistake(
                lambda values, kept, rate: values * kept / rate,
                "the factor is that of the share that is dropped. Which share is left?",
            ),
            Mistake(
                lambda values, kept, rate: np.where(kept, 0, values / (1 - rate)),
                "the units that should stay are off, and the others are on",
            ),
            Mistake(
                lambda values, kept, rate: values[kept] / (1 - rate),
                "the units that are off are gone. They must stay in their place, as 0: the next "
                "layer has a weight for each place",
            ),
        ),
    ),
    Exercise(
        name="dense-parameters",
        idea="how many weights an ANN has",
        call="weights(sizes)",
        task="sizes is the number of inputs, of the neurons of each hidden layer, and of the "
        "outputs. Each layer is connected with all of the one before, and each of its neurons has "
        'a bias. How many numbers are learned? The slides say "over 100,000".',
        cases=lambda generator: (
            [([784, 120, 84, 10],)]
            + [(generator.integers(3, 400, length).tolist(),) for length in (2, 3, 5)]
        ),
        truth=network_parameters,
        solution=weights,
        mistakes=(
            Mistake(
                lambda sizes: sum(a * b for a, b in pairwise(sizes)),
                "the biases are missing",
            ),
            Mistake(sum, "these are the neurons. What is learned are the connections"),
            Mistake(
                lambda sizes: sum((a + 1) * b for a, b in pairwise(sizes)) + sizes[0],
                "the inputs have no bias: they are the pixels",
            ),
            Mistake(
                lambda sizes: sum(a * b for a, b in pairwise(sizes)) + len(sizes) - 1,
                "there is one bias for each layer in your answer. Each neuron has its own",
            ),
            Mistake(
                lambda sizes: int(np.prod(sizes)),
                "all sizes are multiplied. Only neighbouring layers are connected",
            ),
        ),
    ),
    Exercise(
        name="softmax",
        idea="scores as probabilities",
        call="shares(logits)",
        task="Turn the scores of the last layer into probabilities. Each is the exponential of its "
        "score divided by the sum of all exponentials. Scores can be large, such as 1000.",
        cases=_logit_cases,
        truth=softmax,
        solution=shares,
        mistakes=(
            Mistake(
                _without_care,
                "right for small scores. exp(1000) is more than the computer can hold, and your "
                "answer is no number (nan). Which number may be taken from all scores without "
                "changing the probabilities?",
            ),
            Mistake(
                lambda logits: logits / logits.sum(),
                "scores are divided by their sum. A negative score then gives a negative "
                "probability",
            ),
            Mistake(
                lambda logits: np.exp(logits - logits.max()),
                "your numbers do not add up to 1",
            ),
            Mistake(
                lambda logits: (logits == logits.max()) * 1.0,
                "the largest score gets everything. Then nothing says how sure the network is",
            ),
            Mistake(
                lambda logits: 1 / (1 + np.exp(-np.clip(logits, -500, 500))),
                "each score is turned by itself (a sigmoid). The classes exclude each other, so "
                "their probabilities must add up to 1",
            ),
        ),
    ),
)
