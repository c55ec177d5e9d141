"""Exercises on pixels, labels and the shapes of image data."""

import numpy as np

from tfcnn.concepts.dense import flatten
from tfcnn.concepts.one_hot import one_hot
from tfcnn.lab.exercises._exercise import Case, Exercise, Mistake

Array = np.ndarray


def _digits(generator: np.random.Generator) -> list[Case]:
    sides = generator.integers(3, 9, (5, 2))
    sides[:, 1] += sides[:, 0] >= sides[:, 1]  # never square, and never one column
    return [(generator.integers(0, 256, tuple(side), dtype=np.uint8),) for side in sides]


def scaled(image: Array) -> Array:
    return image / 255


def flattened(image: Array) -> Array:
    return image.reshape(-1)


def colour_shape(width: int, height: int) -> tuple[int, int, int]:
    return (height, width, 3)


def batch_of(images: Array) -> Array:
    return images[:, :, :, np.newaxis]


def encoded(labels: Array, num_classes: int) -> Array:
    rows = np.zeros((len(labels), num_classes))
    for row, label in enumerate(labels):
        rows[row, label] = 1
    return rows


def _grey_batches(generator: np.random.Generator) -> list[Case]:
    shapes = [(5, 3, 4), (2, 6, 5), (7, 4, 2)]
    return [(generator.integers(0, 256, shape, dtype=np.uint8),) for shape in shapes]


def _labels(generator: np.random.Generator) -> list[Case]:
    return [
        (np.append(generator.integers(0, n, 9), [0, n - 1, 1]), int(n))
        for n in generator.integers(4, 11, 4)
    ]


def _sizes(generator: np.random.Generator) -> list[Case]:
    return [(int(a), int(a + b)) for a, b in generator.integers(5, 900, (4, 2))]


EXERCISES = (
    Exercise(
        name="scale",
        idea="pixels as small numbers",
        call="scaled(image)",
        task="A grey image is uint8, from 0 for black to 255 for white. Return it as numbers from "
        "0.0 to 1.0, with 1.0 for white.",
        cases=_digits,
        truth=lambda image: image.astype(np.float64) / 255,
        solution=scaled,
        mistakes=(
            Mistake(
                lambda image: image // 255,
                "nearly every pixel became 0. // drops what is behind the decimal point, so the "
                "greys between black and white are lost",
            ),
            Mistake(
                lambda image: image.astype(np.float64) / 256,
                "white is not 1.0. How many steps lie between black and white?",
            ),
            Mistake(
                lambda image: image.astype(np.float64),
                "the numbers are floats now, but the range is still that of uint8. Weights that "
                "begin near 0 learn better from small numbers",
            ),
            Mistake(
                lambda image: image.astype(np.float64) / image.max(),
                "the brightest pixel of each image became 1.0. Then a dark image looks as bright "
                "as a light one. The divisor must not depend on the image",
            ),
            Mistake(
                lambda image: image.astype(np.float64) / 127.5 - 1,
                "this range goes from -1 to 1. Some networks want it. The task asks for 0 to 1",
            ),
        ),
    ),
    Exercise(
        name="flatten",
        idea="an image as one row of numbers",
        call="flattened(image)",
        task="Lay an image of shape (height, width) out as one row of numbers: the first row of "
        "pixels, then the second, and so on. A digit of 28 x 28 becomes 784 numbers.",
        cases=_digits,
        truth=flatten,
        solution=flattened,
        mistakes=(
            Mistake(
                lambda image: image.T.reshape(-1),
                "the numbers are all there, in another order: yours goes down the columns first",
            ),
            Mistake(
                lambda image: image.reshape(1, -1),
                "there are still two axes, the first of length 1. That is a batch of one row. The "
                "task asks for the row itself",
            ),
            Mistake(
                lambda image: image.reshape(-1, 1),
                "there are still two axes: a column with one number in each row",
            ),
            Mistake(
                lambda image: np.sort(image, axis=None),
                "the numbers are sorted. Every image would then be a ramp from dark to light",
            ),
        ),
    ),
    Exercise(
        name="image-shape",
        idea="height, width, colour channels",
        call="shape(width, height)",
        task="A screen is said to have 1280 x 720 px: the width comes first. Return the shape that "
        "the array of such a colour photograph has in Python.",
        cases=_sizes,
        truth=lambda width, height: (height, width, 3),
        solution=colour_shape,
        mistakes=(
            Mistake(
                lambda width, height: (width, height, 3),
                "an array is counted as a table is: first its rows, then the places in a row. One "
                "of the slides has this order too, and the next one corrects it",
            ),
            Mistake(
                lambda width, height: (3, height, width),
                "PyTorch puts the channels there. Keras and TensorFlow put them last",
            ),
            Mistake(
                lambda width, height: (height, width),
                "this is a grey image. How many numbers does one colour pixel have?",
            ),
            Mistake(
                lambda width, height: (height, width, 1),
                "one channel is grey. How many does colour have?",
            ),
        ),
    ),
    Exercise(
        name="tensor",
        idea="four dimensions of image data",
        call="batch(images)",
        task="`images` holds many grey images in an array of shape (images, height, width). A "
        "convolutional layer of Keras wants four axes: number of images, height, width, colour "
        "channels. Return the same pixels in this shape.",
        cases=_grey_batches,
        truth=lambda images: images.reshape(*images.shape, 1),
        solution=batch_of,
        mistakes=(
            Mistake(lambda images: images, "there are three axes. Which of the four is missing?"),
            Mistake(
                lambda images: images[:, np.newaxis],
                "four axes, but the channel comes before height and width. The layer would take "
                "the rows of pixels for the image and the width for the channels",
            ),
            Mistake(
                lambda images: images[np.newaxis],
                "four axes, but the new one stands in front: one image with as many rows as there "
                "are images",
            ),
            Mistake(
                lambda images: np.repeat(images[..., np.newaxis], 3, axis=-1),
                "each grey value is there three times. A network can learn from that, but the "
                "images are grey: how many channels are needed?",
            ),
        ),
    ),
    Exercise(
        name="one-hot",
        idea="labels as rows with a single 1",
        call="encoded(labels, num_classes)",
        task="Write each label as a row of num_classes numbers: 1 at the place of its class, and 0 "
        "everywhere else. Places are counted from 0.",
        cases=_labels,
        truth=one_hot,
        solution=encoded,
        mistakes=(
            Mistake(
                lambda labels, n: np.eye(n)[np.asarray(labels) - 1],
                "each 1 is one place too far left. Class 0 is a class too, and has the first place",
            ),
            Mistake(
                lambda labels, n: np.eye(n)[labels].T,
                "rows and columns are exchanged: yours has a row for each class, and the images "
                "lie in the columns",
            ),
            Mistake(
                lambda labels, n: np.eye(n)[labels] * np.asarray(labels)[:, np.newaxis],
                "the place is right, but the number there is the label itself. A class is no "
                "amount: 4 is not twice as much of a class as 2",
            ),
            Mistake(
                lambda labels, n: (np.arange(n) <= np.asarray(labels)[:, np.newaxis]) * 1.0,
                "there is more than one 1 in a row. The row must say one class, not all up to it",
            ),
        ),
    ),
)
