"""The pretrained network: preprocessing, weights from files, and what it refuses."""

import sys

import keras
import numpy as np
import pytest

from tfcnn.architectures import build, pretrained
from tfcnn.base.errors import InputError

SHAPE = (32, 32, 3)
BATCH = np.random.default_rng(2).integers(0, 256, (4, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    """Stands for downloaded weights: the backbone as Keras builds it, with random ones."""
    return keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=SHAPE, pooling="avg"
    )


def features(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(model.input, model.get_layer("head").input)(batch))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_a_local_file_gives_the_backbone_of_keras_on_plain_pixels(suffix, backbone, tmp_path):
    path = tmp_path / f"backbone{suffix}"
    save = backbone.save_weights if suffix == ".weights.h5" else backbone.save
    save(path)
    model = build("pretrained", SHAPE, 3, {"weights": str(path)})
    preprocess_input = keras.applications.mobilenet_v2.preprocess_input
    expected = np.asarray(backbone(preprocess_input(BATCH.copy())))
    np.testing.assert_allclose(features(model, BATCH), expected, atol=1e-5)


APPLICATIONS = ["VGG16", "MobileNet", "DenseNet121", "EfficientNetB0"]  # one of each preprocessing


@pytest.mark.parametrize("name", APPLICATIONS)
def test_preprocessing_is_that_of_the_backbone(name):
    application = getattr(keras.applications, name)
    pixels = keras.Input((6, 5, 3))
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    model = keras.Model(pixels, pretrained._preprocess(scaled, application))
    batch = np.random.default_rng(3).integers(0, 256, (2, 6, 5, 3)).astype(np.float32)
    expected = sys.modules[application.__module__].preprocess_input(batch.copy())
    np.testing.assert_allclose(np.asarray(model(batch)), expected, rtol=1e-4, atol=1e-3)


def test_grey_images_are_repeated_to_three_channels():
    model = build("pretrained", (32, 32, 1), 3, {"weights": "none"})
    colour = build("pretrained", SHAPE, 3, {"weights": "none"})
    colour.set_weights(model.get_weights())
    grey = BATCH[..., :1]
    expected = np.asarray(colour(np.repeat(grey, 3, axis=-1)))
    np.testing.assert_allclose(np.asarray(model(grey)), expected, atol=1e-6)


def test_an_unknown_backbone_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"MobileNetV2.*received ResNet51"):
        build("pretrained", SHAPE, 3, {"backbone": "ResNet51"})
    with pytest.raises(InputError, match="received resnet"):  # a module there, not a backbone
        build("pretrained", SHAPE, 3, {"backbone": "resnet"})


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.weights.h5"
    with pytest.raises(InputError, match=r"absent\.weights\.h5: expected a file"):
        build("pretrained", SHAPE, 3, {"weights": str(path)})


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_a_file_of_another_network_is_named(suffix, tmp_path):
    path = tmp_path / f"other{suffix}"
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    (other.save_weights if suffix == ".weights.h5" else other.save)(path)
    with pytest.raises(
        InputError, match=r"other.* of MobileNetV2: expected weights of MobileNetV2"
    ):
        build("pretrained", SHAPE, 3, {"weights": str(path)})


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.weights.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=r"broken\.weights\.h5"):
        build("pretrained", SHAPE, 3, {"weights": str(path)})


def test_a_failed_download_names_the_address_and_the_way_out(monkeypatch):
    def refuse(name: str, origin: str, **_: object) -> str:
        raise Exception(f"URL fetch failure on {origin}: None -- no route")  # Keras' own form

    module = sys.modules[keras.applications.MobileNetV2.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", refuse)
    with pytest.raises(InputError, match=r"received URL fetch failure on https://.*weights=PATH"):
        build("pretrained", SHAPE, 3)


def test_images_too_small_for_a_backbone_are_refused_with_its_smallest():
    with pytest.raises(InputError, match="at least 75x75; received 74x80"):
        build("pretrained", (74, 80, 3), 3, {"backbone": "InceptionV3", "weights": None})


def test_images_of_four_channels_are_refused():
    with pytest.raises(InputError, match="1 or 3 channels; received 4"):
        build("pretrained", (32, 32, 4), 3, {"weights": None})
