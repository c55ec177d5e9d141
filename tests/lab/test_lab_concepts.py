"""The lab's JavaScript computes what `tfcnn.concepts` does: 200 random cases per function."""

from typing import Any

import numpy as np
import pytest

from tfcnn.concepts import (
    convolution,
    dense,
    dropout,
    one_hot,
    parameters,
    pooling,
    receptive_field,
    windows,
)

CASES = 200
TOLERANCE = 1e-6


def tensor(array: Any) -> dict[str, list[Any]]:
    return {"shape": list(np.shape(array)), "values": np.ravel(array).tolist()}


def numbers(rng: np.random.Generator, *shape: int) -> Any:
    """Whole numbers, pixels or floats, with signs."""
    kind = rng.integers(0, 3)
    if kind == 0:
        return rng.integers(-9, 10, shape).astype(float)
    return rng.integers(0, 256, shape).astype(float) if kind == 1 else rng.normal(0, 3, shape)


def step(rng: np.random.Generator) -> Any:
    """A stride: one number or two."""
    pair = tuple(map(int, rng.integers(1, 4, 2)))
    return pair if rng.random() < 0.5 else pair[0]


def padding(rng: np.random.Generator) -> str:
    return str(rng.choice(["valid", "same"]))


def attempt(function: Any, *arguments: Any) -> Any:
    """Return the result, or None where Python refuses: there JavaScript must refuse too."""
    try:
        return function(*arguments)
    except ValueError:
        return None


def require_equal(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected) >= CASES
    assert sum(one is not None for one in expected) > CASES / 2
    for one, other in zip(found, expected, strict=True):
        if other is None:
            assert one is None
        elif isinstance(one, dict):
            assert one["shape"] == list(other.shape)
            np.testing.assert_allclose(one["values"], other.ravel(), rtol=0, atol=TOLERANCE)
        else:
            np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)


def as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_convolve2d(compute):
    rng, calls, expected = np.random.default_rng(1), [], []
    for _ in range(CASES):
        height, width = map(int, rng.integers(1, 9, 2))
        rows, columns, channels, filters = map(int, rng.integers(1, 5, 4))
        image = numbers(rng, height, width, channels)
        shape = [(rows, columns), (rows, columns, channels), (rows, columns, channels, filters)]
        kernel = numbers(rng, *shape[rng.integers(0, 3)])
        if channels == 1 and kernel.ndim == 2:
            image = image[..., 0]
        if rng.random() < 0.05 and kernel.ndim > 2:
            kernel = np.concatenate([kernel, kernel], axis=2)  # refused: too many channels
        stride, kind = step(rng), padding(rng)
        calls.append([tensor(image), tensor(kernel), as_list(stride), kind])
        expected.append(attempt(convolution.convolve2d, image, kernel, stride, kind))
    require_equal(compute("convolution", "convolution", "convolve2d", calls), expected)


def test_the_terms_of_a_pixel_sum_to_it(compute):
    rng, calls, expected = np.random.default_rng(2), [], []
    for _ in range(CASES):
        image, kernel = numbers(rng, 6, 7), numbers(rng, *map(int, rng.integers(1, 6, 2)))
        stride, kind = step(rng), padding(rng)
        result = convolution.convolve2d(image, kernel, stride, kind)
        at = [int(rng.integers(0, side)) for side in result.shape]
        calls.append([tensor(image), tensor(kernel), at, as_list(stride), kind])
        expected.append(result[tuple(at)])
    terms = compute("kernels", "convolution", "termsOf", calls)
    sums = [sum(term["pixel"] * term["weight"] for term in one) for one in terms]
    require_equal(sums, expected)


@pytest.mark.parametrize("name", ["convolve1d", "connections"])
def test_one_dimension(compute, name):
    rng, calls, expected = np.random.default_rng(3), [], []
    for _ in range(CASES):
        length, size, filters, stride = map(int, rng.integers(1, [12, 6, 4, 4]))
        is_bank = name == "convolve1d" and rng.random() < 0.5
        kernel = numbers(rng, size, filters) if is_bank else numbers(rng, size)
        first = numbers(rng, length) if name == "convolve1d" else length
        kind = padding(rng)
        sent = first if isinstance(first, int) else tensor(first)
        calls.append([sent, tensor(kernel), stride, kind])
        expected.append(attempt(getattr(convolution, name), first, kernel, stride, kind))
    require_equal(compute("convolution", "convolution", name, calls), expected)


@pytest.mark.parametrize(
    ("name", "port"), [("max_pool2d", "maxPool2d"), ("average_pool2d", "averagePool2d")]
)
def test_pools(compute, name, port):
    rng, calls, expected = np.random.default_rng(4), [], []
    for _ in range(CASES):
        height, width, channels = map(int, rng.integers(1, [10, 10, 4]))
        image = numbers(rng, height, width, channels)
        image = image[..., 0] if channels == 1 else image
        size, stride, kind = step(rng), step(rng), padding(rng)
        calls.append([tensor(image), as_list(size), as_list(stride), kind])
        expected.append(attempt(getattr(pooling, name), image, size, stride, kind))
    require_equal(compute("pooling", "pooling", port, calls), expected)


def test_removed_fraction(compute):
    rng, calls, expected = np.random.default_rng(5), [], []
    for _ in range(CASES):
        sides = tuple(map(int, rng.integers(1, 30, 2))) if rng.random() < 0.7 else None
        size, stride, kind = step(rng), step(rng), padding(rng)
        calls.append([as_list(size), as_list(stride), as_list(sides), kind])
        expected.append(attempt(pooling.removed_fraction, size, stride, sides, kind))
    require_equal(compute("pooling", "pooling", "removedFraction", calls), expected)


@pytest.mark.parametrize(("name", "port"), [("output_size", "outputSize"), ("pads", "pads")])
def test_sizes(compute, name, port):
    rng, calls, expected = np.random.default_rng(6), [], []
    for _ in range(CASES):
        size, kernel, stride = map(int, rng.integers([1, 0, 0], [40, 9, 5]))
        kind = "full" if rng.random() < 0.03 else padding(rng)
        calls.append([size, kernel, stride, kind])
        expected.append(attempt(getattr(windows, name), size, kernel, stride, kind))
    require_equal(compute("convolution", "windows", port, calls), expected)


def test_dropout(compute):
    rng, calls, expected = np.random.default_rng(7), [], []
    for seed in range(CASES):
        values, rate = numbers(rng, int(rng.integers(1, 20))), float(rng.choice([0, 0.2, 0.5, 1]))
        is_training = bool(rng.random() < 0.8)
        draws = np.random.default_rng(seed).random(values.shape)  # as Python draws them
        calls.append([values.tolist(), rate, draws.tolist(), is_training])
        generator = np.random.default_rng(seed)
        expected.append(attempt(dropout.dropout, values, rate, generator, is_training))
    require_equal(compute("pooling", "dropout", "dropout", calls), expected)


def test_parameters(compute):
    rng = np.random.default_rng(8)
    pairs = rng.integers(1, 3000, (CASES, 2)).tolist()
    found = compute("convolution", "parameters", "denseParameters", pairs)
    require_equal(found, [parameters.dense_parameters(*one) for one in pairs])
    layers = [[step(rng), *map(int, rng.integers(1, 200, 2))] for _ in range(CASES)]
    calls = [[as_list(size), *others] for size, *others in layers]
    found = compute("convolution", "parameters", "convolutionParameters", calls)
    require_equal(found, [parameters.convolution_parameters(*one) for one in layers])
    sizes = [rng.integers(1, 900, int(rng.integers(2, 6))).tolist() for _ in range(CASES)]
    found = compute("pixels", "parameters", "networkParameters", [[one] for one in sizes])
    require_equal(found, [parameters.network_parameters(one) for one in sizes])


def test_receptive_field(compute):
    rng = np.random.default_rng(9)
    stacks = [rng.integers(1, 8, (int(rng.integers(0, 9)), 2)).tolist() for _ in range(CASES)]
    found = compute("convolution", "receptive_field", "receptiveField", [[one] for one in stacks])
    require_equal(found, [receptive_field.receptive_field(one) for one in stacks])


def test_one_hot(compute):
    rng = np.random.default_rng(10)
    calls = [[int(rng.integers(-1, 10)), int(rng.integers(1, 14))] for _ in range(CASES)]
    found = compute("tensors", "one_hot", "oneHot", calls)
    require_equal(found, [attempt(one_hot.one_hot, *one) for one in calls])


def test_flatten(compute):
    rng = np.random.default_rng(11)
    images = [
        numbers(rng, *map(int, rng.integers(1, 6, int(rng.integers(1, 4))))) for _ in range(CASES)
    ]
    found = compute("pixels", "tensor", "flatten", [[tensor(image)] for image in images])
    require_equal(found, [dense.flatten(image) for image in images])
