"""Exercises on image kernels and convolutional layers."""

import math

import numpy as np

from tfcnn.concepts.convolution import convolve2d
from tfcnn.concepts.parameters import convolution_parameters
from tfcnn.concepts.receptive_field import receptive_field
from tfcnn.concepts.windows import output_size, pads
from tfcnn.lab.exercises._exercise import Case, Exercise, Mistake

Array = np.ndarray


def _image(generator: np.random.Generator, *shape: int) -> Array:
    return generator.integers(0, 256, shape, dtype=np.uint8)


def _kernel(generator: np.random.Generator, *shape: int) -> Array:
    return generator.integers(-4, 5, shape) + generator.choice([0.25, 0.5], shape)


def one_place(image: Array, kernel: Array, row: int, column: int) -> float:
    height, width = kernel.shape
    window = image[row : row + height, column : column + width]
    return (window * kernel).sum()


def convolved(image: Array, kernel: Array) -> Array:
    height = image.shape[0] - kernel.shape[0] + 1
    width = image.shape[1] - kernel.shape[1] + 1
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            window = image[row : row + kernel.shape[0], column : column + kernel.shape[1]]
            result[row, column] = (window * kernel).sum()
    return result


def places(size: int, kernel_size: int, stride: int, padding: str) -> int:
    if padding == "same":
        return math.ceil(size / stride)
    return (size - kernel_size) // stride + 1


def with_stride(image: Array, kernel: Array, stride: int) -> Array:
    rows = range(0, image.shape[0] - kernel.shape[0] + 1, stride)
    columns = range(0, image.shape[1] - kernel.shape[1] + 1, stride)
    windows = [
        [image[r : r + kernel.shape[0], c : c + kernel.shape[1]] for c in columns] for r in rows
    ]
    return np.array([[(window * kernel).sum() for window in line] for line in windows])


def padded(image: Array, kernel_size: int) -> Array:
    before = (kernel_size - 1) // 2
    after = kernel_size - 1 - before
    return np.pad(image, ((before, after), (before, after)))


def colour_map(image: Array, kernel: Array) -> Array:
    height = image.shape[0] - kernel.shape[0] + 1
    width = image.shape[1] - kernel.shape[1] + 1
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            window = image[row : row + kernel.shape[0], column : column + kernel.shape[1], :]
            result[row, column] = (window * kernel).sum()
    return result


def count(kernel_height: int, kernel_width: int, in_channels: int, filters: int) -> int:
    weights_of_one_filter = kernel_height * kernel_width * in_channels
    return (weights_of_one_filter + 1) * filters


def field(layers: list[tuple[int, int]]) -> int:
    seen, spread = 1, 1
    for kernel_size, stride in layers:
        seen += (kernel_size - 1) * spread
        spread *= stride
    return seen


def _one_place_cases(generator: np.random.Generator) -> list[Case]:
    found = []
    for side in (2, 3, 3, 5):
        image, kernel = _image(generator, 9, 8), _kernel(generator, side, side)
        row, column = (int(number) for number in generator.integers(1, 4, 2))
        found.append((image, kernel, row, column))
    return found


def _shapes_of_kernels(generator: np.random.Generator) -> list[Case]:
    sides = ((3, 3), (2, 3), (5, 4), (3, 3))
    return [
        (_image(generator, 7 + i, 11 - i), _kernel(generator, *side))
        for i, side in enumerate(sides)
    ]


def _square_kernels(generator: np.random.Generator) -> list[Case]:
    strides = (1, 2, 3, 2)
    return [
        (_image(generator, 10 + i, 13 - i), _kernel(generator, 3, 3), stride)
        for i, stride in enumerate(strides)
    ]


def _output_cases(generator: np.random.Generator) -> list[Case]:
    rows = generator.integers((20, 2, 2), (300, 9, 5), (12, 3)).tolist()
    fixed = [(6, 3, 1, "valid"), (6, 3, 2, "valid"), (28, 4, 1, "same"), (9, 2, 2, "same")]
    drawn = [(*row, ("valid", "same")[i % 2]) for i, row in enumerate(rows)]
    return [*fixed, *drawn]


def _flipped(image: Array, kernel: Array) -> Array:
    return convolve2d(image, kernel[::-1, ::-1])


def _with_pads(image: Array, before: int, after: int) -> Array:
    return np.pad(image, ((before, after), (before, after)))


EXERCISES = (
    Exercise(
        name="kernel",
        idea="a kernel at one place of an image",
        call="one_place(image, kernel, row, column)",
        task="Lay the kernel on the image so that its upper left corner lies at (row, column). "
        "Multiply each number of the kernel by the pixel under it. Return the sum.",
        cases=_one_place_cases,
        truth=lambda image, kernel, row, column: float(convolve2d(image, kernel)[row, column]),
        solution=one_place,
        mistakes=(
            Mistake(
                lambda image, kernel, row, column: _flipped(image, kernel)[row, column],
                "the kernel is turned upside down and left to right first. Mathematics calls that "
                "convolution. Deep learning lays the kernel on the image as it is",
            ),
            Mistake(
                lambda image, kernel, row, column: convolve2d(image, kernel.T)[row, column],
                "rows and columns of the kernel are exchanged",
            ),
            Mistake(
                lambda image, kernel, row, column: (
                    convolve2d(image, kernel)[row, column] / kernel.size
                ),
                "this is the mean of the products. How strong a filter is, its numbers say already",
            ),
            Mistake(
                lambda image, kernel, row, column: np.sum(
                    image[row : row + len(kernel), column : column + len(kernel)] @ kernel
                ),
                "@ is the product of two matrices: it multiplies rows by columns. Here each pixel "
                "is multiplied by the one number that lies on it",
            ),
            Mistake(
                lambda image, kernel, row, column: convolve2d(image, kernel)[column, row],
                "the window lies at (column, row). The first index of an array counts rows",
            ),
        ),
    ),
    Exercise(
        name="convolution",
        idea="a kernel at every place",
        call="convolved(image, kernel)",
        task="Slide the kernel over the whole grey image, one pixel at a time, and never beyond "
        "its border. Return the sums as an image. Kernels may have any size, such as 3 x 3 or "
        "5 x 4.",
        cases=_shapes_of_kernels,
        truth=convolve2d,
        solution=convolved,
        mistakes=(
            Mistake(
                _flipped,
                "the kernel is turned upside down and left to right first. That is what "
                "mathematics calls convolution; a convolutional layer does not do it",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel, padding="same"),
                "your result has the size of the image, so the kernel went beyond the border. The "
                "task is without padding: the result is smaller",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel)[:-1, :-1],
                "the last row and the last column of places are missing. How often does a window "
                "of 3 fit into 6? Count the first place too",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel) / kernel.size,
                "these are means, not sums",
            ),
            Mistake(
                lambda image, kernel: np.maximum(convolve2d(image, kernel), 0),
                "all negative sums are 0. That is ReLU, which comes after the convolution",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel).astype(np.int64).astype(np.uint8),
                "your result is uint8, which holds 0 to 255 only. Sums can be negative, larger, or "
                "have decimals",
            ),
        ),
    ),
    Exercise(
        name="output-size",
        idea="how the resolution decreases",
        call="places(size, kernel_size, stride, padding)",
        task='How many places does a window take along one side of an image? padding is "valid" '
        '(the window stays inside) or "same" (the image is padded, so that a stride of 1 keeps '
        "its size). Return a whole number.",
        cases=_output_cases,
        truth=output_size,
        solution=places,
        mistakes=(
            Mistake(
                lambda n, k, s, padding: output_size(n, k, s, padding) - (padding == "valid"),
                'with "valid" your number is one too small. A window as large as the image fits '
                "once, not zero times",
            ),
            Mistake(
                lambda n, k, s, padding: output_size(n, k, s, "valid"),
                'padding makes no difference in your answer. With "same" the border is not lost',
            ),
            Mistake(
                lambda n, k, s, padding: output_size(n, k, s, "same"),
                'the size of the kernel makes no difference in your answer. With "valid" a larger '
                "window loses more of the border",
            ),
            Mistake(
                lambda n, k, s, padding: (
                    math.ceil(n / s) if padding == "same" else math.ceil((n - k) / s) + 1
                ),
                'with "valid" your last window sticks out of the image where the stride does not '
                "fit. Such a window is left out",
            ),
            Mistake(
                lambda n, k, s, padding: n // s if padding == "same" else (n - k) // s + 1,
                'with "same" no pixel is lost: where the stride does not fit, padding adds what '
                "the last window lacks",
            ),
            Mistake(
                lambda n, k, s, padding: n if padding == "same" else (n - k) // s + 1,
                '"same" keeps the size at a stride of 1 only. With a stride of 2 every other place '
                "is left out all the same",
            ),
            Mistake(
                lambda n, k, s, padding: n / s if padding == "same" else (n - k) / s + 1,
                "the number of places is whole. What happens to a window that fits only in part?",
            ),
        ),
    ),
    Exercise(
        name="stride",
        idea="steps of more than one pixel",
        call="strided(image, kernel, stride)",
        task="As convolution, but the kernel moves stride pixels at a time, to the right and down. "
        "It never goes beyond the border.",
        cases=_square_kernels,
        truth=convolve2d,
        solution=with_stride,
        mistakes=(
            Mistake(
                lambda image, kernel, stride: convolve2d(image, kernel),
                "the stride makes no difference in your answer",
            ),
            Mistake(
                lambda image, kernel, stride: convolve2d(image, kernel, (stride, 1)),
                "the kernel makes long steps down, but steps of one pixel to the right",
            ),
            Mistake(
                lambda image, kernel, stride: convolve2d(image, kernel, (1, stride)),
                "the kernel makes long steps to the right, but steps of one pixel down",
            ),
            Mistake(
                lambda image, kernel, stride: convolve2d(image[::stride, ::stride], kernel),
                "you made the image smaller before the kernel was laid on it. The kernel must lie "
                "on pixels that are neighbours; only its place moves by the stride",
            ),
            Mistake(
                lambda image, kernel, stride: convolve2d(image, kernel, len(kernel)),
                "your windows lie side by side: the step is the size of the kernel",
            ),
        ),
    ),
    Exercise(
        name="padding",
        idea="to keep the size of the image",
        call="padded(image, kernel_size)",
        task="Surround a grey image with zeros, so that a square kernel of kernel_size pixels, "
        "moved one pixel at a time, gives a result of the image's own size. Where the number of "
        "zeros along a side is odd, TensorFlow puts the larger half after the image. So do it too.",
        cases=lambda generator: [(_image(generator, 4 + k, 6), k) for k in (3, 5, 2, 4, 7)],
        truth=lambda image, k: np.pad(image, (pads(image.shape[0], k, 1, "same"),) * 2),
        solution=padded,
        mistakes=(
            Mistake(
                lambda image, k: _with_pads(image, k // 2, k // 2),
                "right for kernels of odd size. With an even size the result is one pixel too "
                "large: both sides get the same number of zeros",
            ),
            Mistake(
                lambda image, k: _with_pads(image, k - 1 - (k - 1) // 2, (k - 1) // 2),
                "the size is right. With an even kernel the larger half lies before the image",
            ),
            Mistake(
                lambda image, k: _with_pads(image, 1, 1),
                "one ring of zeros is enough for a kernel of 3 only",
            ),
            Mistake(
                lambda image, k: _with_pads(image, k - 1, k - 1),
                "too many zeros: the result would be larger than the image. How much does a kernel "
                "of 3 lose on both sides together?",
            ),
            Mistake(
                lambda image, k: _with_pads(image, k, k),
                "as many zeros as the kernel is long, on each side, are too many. How much does a "
                "kernel of 1 lose?",
            ),
            Mistake(
                lambda image, k: np.pad(image, (((k - 1) // 2, k // 2),) * 2, mode="edge"),
                "the size is right, but the border repeats the image's own pixels. The layers of "
                "Keras pad with zeros",
            ),
        ),
    ),
    Exercise(
        name="colour-filter",
        idea="a 3-D filter on a colour image",
        call="filtered(image, kernel)",
        task="A colour image of shape (height, width, 3) meets one filter of shape "
        "(kernel_height, kernel_width, 3): a kernel for each channel. Return what one filter of a "
        "convolutional layer gives, without padding.",
        cases=lambda generator: [
            (_image(generator, 7, 9, 3), _kernel(generator, side, 3, 3)) for side in (3, 2, 4)
        ],
        truth=convolve2d,
        solution=colour_map,
        mistakes=(
            Mistake(
                lambda image, kernel: np.stack(
                    [convolve2d(image[..., k], kernel[..., k]) for k in range(3)], axis=-1
                ),
                "you have an image for each channel. One filter answers with one number at each "
                "place: what it found in all channels together",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel) / 3,
                "your numbers are a third of what they should be: the channels are not averaged",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image[..., 0], kernel[..., 0]),
                "only the first channel counts in your answer",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image.mean(axis=-1), kernel.mean(axis=-1)),
                "the image was turned grey first. Then a red and a green spot look the same",
            ),
            Mistake(
                lambda image, kernel: convolve2d(image, kernel[:, :, ::-1]),
                "the channels of the filter meet those of the image in reverse order",
            ),
        ),
    ),
    Exercise(
        name="parameters",
        idea="how few weights a convolutional layer has",
        call="count(kernel_height, kernel_width, in_channels, filters)",
        task="How many numbers does a convolutional layer learn? Each filter also has a bias.",
        cases=lambda generator: [
            tuple(int(n) for n in row)
            for row in generator.integers((2, 2, 2, 5), (8, 8, 65, 129), (6, 4))
        ],
        truth=lambda height, width, channels, filters: convolution_parameters(
            (height, width), channels, filters
        ),
        solution=count,
        mistakes=(
            Mistake(lambda h, w, c, f: h * w * c * f, "the biases are missing"),
            Mistake(
                lambda h, w, c, f: (h * w + 1) * f,
                "the number of incoming channels makes no difference in your answer. A filter has "
                "a kernel for each of them",
            ),
            Mistake(
                lambda h, w, c, f: h * w * c * f + 1,
                "there is one bias for the whole layer in your answer",
            ),
            Mistake(
                lambda h, w, c, f: (h * w + 1) * c * f,
                "too many biases: a filter adds one number at the end, when the channels are "
                "summed, not one for each channel",
            ),
            Mistake(
                lambda h, w, c, f: h * w * c + 1,
                "this is one filter. The layer has several",
            ),
        ),
    ),
    Exercise(
        name="receptive-field",
        idea="how much of the image a deep unit sees",
        call="field(layers)",
        task="layers is a list of (kernel_size, stride), the first layer first; pooling counts as "
        "a layer too. How many pixels of the image, along one side, can change one number of the "
        "last layer? Without a layer it is 1.",
        cases=lambda generator: [
            ([(3, 1), (2, 2)] * n,) for n in (1, 2, 3)
        ] + [([(int(k), int(s)) for k, s in generator.integers((2, 1), (8, 4), (4, 2))],), ([],)],
        truth=receptive_field,
        solution=field,
        mistakes=(
            Mistake(
                lambda layers: sum(kernel for kernel, _ in layers) or 1,
                "the kernels are added up. Two kernels of 3 see 5 pixels together, since their "
                "windows overlap; and strides make no difference in your answer",
            ),
            Mistake(
                lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers),
                "strides make no difference in your answer. After a stride of 2, one step of the "
                "next kernel is two steps in the image",
            ),
            Mistake(
                lambda layers: receptive_field(layers) - 1,
                "always one too few. What does a unit see without any layer?",
            ),
            Mistake(
                lambda layers: 1 + sum(
                    (kernel - 1) * math.prod(stride for _, stride in layers[: i + 1])
                    for i, (kernel, _) in enumerate(layers)
                ),
                "a layer's own stride spreads its own window. It moves the window; only the layers "
                "after it feel the larger steps",
            ),
            Mistake(
                lambda layers: math.prod(kernel for kernel, _ in layers),
                "the kernels are multiplied. That holds only where windows lie side by side",
            ),
        ),
    ),
)  # fmt: skip
