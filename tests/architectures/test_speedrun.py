"""speedrun's start: patches whitened by what the training images are, inputs passed on."""

import numpy as np
import pytest

from tfcnn.architectures import speedrun


def photographs(count: int = 200, channels: int = 3) -> np.ndarray:
    """Return smooth noise: neighbouring pixels are alike, as in photographs."""
    noise = np.random.default_rng(0).normal(size=(count, 12, 12, channels))
    smooth = noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]
    smooth += noise.mean(axis=3, keepdims=True)[:, 1:-1]
    return np.clip(127.5 + 40 * smooth, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_are_uncorrelated_and_of_one_size(channels):
    images = photographs(channels=channels)
    kernel = speedrun.whitening(images, 2)
    assert kernel.shape == (2, 2, channels, 8 * channels)
    pixels = (images.astype(np.float64) - 127.5) * speedrun.SCALE
    patches = [pixels[:, i : i + 9, j : j + 11] for i in range(2) for j in range(2)]
    flat = np.stack(patches, axis=-2).reshape(-1, 4 * channels)
    half = 4 * channels
    responses = flat @ kernel.reshape(half, -1)
    np.testing.assert_array_equal(responses[:, :half], -responses[:, half:])
    second = responses[:, :half].T @ responses[:, :half] / len(flat)
    np.testing.assert_allclose(second, np.eye(half), atol=0.05)


def test_whitening_takes_a_part_of_many_images_at_a_time(monkeypatch):
    whole = speedrun.whitening(photographs(), 2)
    monkeypatch.setattr(speedrun, "PLACES_AT_ONCE", 5_000)
    np.testing.assert_allclose(speedrun.whitening(photographs(), 2), whole, atol=1e-3)


def test_the_convolution_is_the_whitening_and_the_rest_passes_its_input_on():
    model = speedrun.build((9, 9, 3), 4, widths=(8, 16, 32))
    before = [weight.copy() for weight in model.get_weights()]
    speedrun.initialize(model, photographs())
    kernel = model.get_layer("conv2a").get_weights()[0]
    image = np.random.default_rng(1).normal(size=(1, 4, 4, 8)).astype(np.float32)
    passed = np.asarray(model.get_layer("conv2a")(image))
    np.testing.assert_allclose(passed[..., :8], image, atol=1e-6)
    changed = before[[w.shape for w in before].index((3, 3, 8, 16))]
    np.testing.assert_array_equal(kernel[..., 8:], changed[..., 8:])  # the others stay random
    assert not model.get_layer("whiten").trainable_weights


def test_a_layer_with_fewer_outputs_than_inputs_passes_what_it_can():
    model = speedrun.build((9, 9, 3), 4, widths=(8, 4, 4))
    speedrun.initialize(model, photographs())
    kernel = model.get_layer("conv2a").get_weights()[0]
    np.testing.assert_array_equal(kernel[1, 1], np.eye(8, 4))
