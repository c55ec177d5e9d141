"""What a backbone sees: the model's own features, computed once, and kept for their images."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import Heard

from tfcnn.base import quiet
from tfcnn.datasets import data_home
from tfcnn.decode import Decoder
from tfcnn.training import features, form, twin

COUNT = 2 * features.BATCH_SIZE + 3


def model(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((12, 12, 3), name="image"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, activation="softmax", name="head"),
        ]
    )


def prepared(hashes=None):
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 12, 12, 3), dtype=np.uint8)
    names = hashes or [f"{i:064x}" for i in range(COUNT)]
    rows = [SimpleNamespace(sha256=name) for name in names]
    return SimpleNamespace(
        images=images, decoder=Decoder((12, 12)), manifest=SimpleNamespace(rows=rows)
    )


def expected(network, images):
    trunk = keras.Model(network.inputs[0], network.get_layer("head").input)
    return np.asarray(trunk(images.astype(np.float32)))


def files():
    return sorted((data_home() / "cache").glob("*.npy"))


def test_they_are_what_enters_the_head_without_dropout():
    network, data = model(), prepared()
    values = features.compute(data, network, Heard())[0]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected(network, data.images), rtol=1e-4, atol=1e-6)


def test_they_are_computed_once(monkeypatch):
    network, data = model(), prepared()
    values = features.compute(data, network, Heard())[0]
    monkeypatch.setattr(features, "_engine", None)
    again = model()  # with other numbers in its names
    np.testing.assert_array_equal(features.compute(data, again, Heard())[0], values)
    np.testing.assert_array_equal(features.compute(data, network, Heard())[0], values)


def test_the_head_is_no_part_of_them():
    network, data = model(), prepared()
    features.compute(data, network, Heard())[0]
    kernel, bias = network.get_layer("head").get_weights()
    network.get_layer("head").set_weights([kernel + 1, bias])
    features.compute(data, network, Heard())[0]
    assert len(files()) == 1


@pytest.mark.parametrize("change", ["weights", "images", "decoder"])
def test_other_weights_images_or_decoders_have_their_own(change):
    network, data = model(), prepared()
    features.compute(data, network, Heard())[0]
    if change == "weights":
        network = model(1)
    elif change == "images":
        data = prepared([f"{i + 1:064x}" for i in range(COUNT)])
    else:
        data.decoder = Decoder((12, 12), fit="pad")
    values = features.compute(data, network, Heard())[0]
    assert len(files()) == 2
    np.testing.assert_allclose(values, expected(network, data.images), rtol=1e-4, atol=1e-6)


def test_damage_is_noticed_said_and_mended():
    network, data = model(), prepared()
    values = np.array(features.compute(data, network, Heard())[0])
    (path,) = files()
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    heard = Heard()
    np.testing.assert_array_equal(features.compute(data, network, heard)[0], values)
    (note,) = heard.notes
    assert note.startswith(f"{path}: an array of features ") and "computed again" in note


def test_what_litert_cannot_convert_keras_computes_and_it_is_said(monkeypatch):
    def fail(*_):
        raise RuntimeError("an op that LiteRT lacks")

    monkeypatch.setattr(twin, "convert", fail)
    network, data, heard = model(), prepared(), Heard()
    values, none = features.compute(data, network, heard)
    assert none is None
    np.testing.assert_allclose(values, expected(network, data.images), rtol=1e-4, atol=1e-6)
    assert heard.notes == ["Keras computes the features, as LiteRT cannot: this takes longer"]
    assert "an op that LiteRT lacks" in quiet.log_path().read_text()


def test_a_converted_model_has_the_signature_that_is_asked_for():
    from ai_edge_litert.interpreter import Interpreter

    network = model()
    both = keras.Model(network.inputs[0], [network.outputs[0], network.get_layer("head").input])
    content = twin.convert(network)
    interpreter = Interpreter(model_content=content)
    signatures = interpreter.get_signature_list()
    assert signatures == {
        "serving_default": {"inputs": ["images"], "outputs": ["features", "probs"]}
    }
    images = prepared().images
    for count in (1, 5):  # any number
        outputs = twin.runner(content)(images[:count])
        probs, values = both(images[:count].astype(np.float32))
        np.testing.assert_allclose(outputs["probs"], probs, atol=1e-6)
        np.testing.assert_allclose(outputs["features"], values, atol=1e-6)


def test_a_twin_takes_another_head():
    network, data = model(), prepared()
    content = features.compute(data, network, Heard())[1]
    head = network.get_layer("head")
    head.set_weights([np.flip(weight, axis=0) + 0.5 for weight in head.get_weights()])
    outputs = twin.runner(twin.with_head(content, *head.get_weights()))(data.images)
    np.testing.assert_allclose(outputs["probs"], network(data.images.astype(np.float32)), atol=1e-6)
    np.testing.assert_allclose(outputs["features"], expected(network, data.images), atol=1e-6)
    with pytest.raises(ValueError, match=r"0 heads of \(3, 4\)"):
        twin.with_head(content, np.zeros((4, 3), np.float32), np.zeros(3, np.float32))


def test_a_head_whose_kernel_was_fused_with_the_mean_over_views_is_not_exchanged(tmp_path):
    network, data = model(), prepared()
    network = form.averaged(keras.Model(network.inputs, network.outputs), "mirrored")
    content = features.compute(data, network, Heard())[1]
    head = network.get_layer("head")
    with pytest.raises(ValueError, match="or not of the features"):
        twin.with_head(content, *head.get_weights())
    probs = np.asarray(network(data.images.astype(np.float32)))
    assert twin.write(network, tmp_path / "a.tflite", data.images, probs, content) < 1e-6
