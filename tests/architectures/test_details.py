"""What single networks promise beyond the common contract, against independent arithmetic."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tfcnn.architectures import build, googlenet, lenet5


def random_images(count: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.float32)


def activations(model: keras.Model, tensor: keras.KerasTensor, batch: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(model.input, tensor)(batch))


def test_lenet5_connects_as_table_one():
    columns = [len(maps) for maps in lenet5.CONNECTIONS]
    assert columns == [3] * 6 + [4] * 9 + [6]
    assert len(set(lenet5.CONNECTIONS)) == 16
    uses = np.bincount(np.concatenate(lenet5.CONNECTIONS))
    np.testing.assert_array_equal(uses, [10] * 6)  # each map of S2 feeds ten of C3


def test_lenet5_sparse_layer_is_a_full_one_with_zero_weights_where_unconnected():
    sparse = build("lenet5", (28, 28, 1), 10)
    kernel, bias = np.zeros((5, 5, 6, 16), np.float32), np.zeros(16, np.float32)
    for i, maps in enumerate(lenet5.CONNECTIONS):
        weights, offset = sparse.get_layer(f"conv2_{i}").get_weights()
        kernel[:, :, list(maps), i] = weights[..., 0]
        bias[i] = offset[0] = i  # a bias that tells the maps apart
        sparse.get_layer(f"conv2_{i}").set_weights([weights, offset])
    full = build("lenet5", (28, 28, 1), 10, {"connections": "full"})
    full.get_layer("conv2").set_weights([kernel, bias])
    for layer in full.layers:
        if layer.weights and layer.name != "conv2":
            layer.set_weights(sparse.get_layer(layer.name).get_weights())
    batch = random_images(3, (28, 28, 1))
    np.testing.assert_allclose(np.asarray(full(batch)), np.asarray(sparse(batch)), atol=1e-5)


def test_lenet5_centres_small_digits_in_a_field_of_32():
    model = build("lenet5", (28, 30, 1), 10)
    batch = random_images(2, (28, 30, 1))
    padded = activations(model, model.get_layer("pad").output, batch)
    np.testing.assert_allclose(padded, np.pad(batch / 255, [(0, 0), (2, 2), (1, 1), (0, 0)]))


def test_course_malaria_ends_in_one_sigmoid_for_two_classes():
    head = build("course_malaria", (22, 22, 3), 2).get_layer("head")
    assert (head.units, head.activation) == (1, keras.activations.sigmoid)


@pytest.mark.slow
def test_course_malaria_learns_two_classes_by_heart():
    model = build("course_malaria", (22, 22, 3), 2)
    labels = np.arange(16) % 2
    batch = random_images(16, (22, 22, 3)) / 4 + 128 * labels[:, None, None, None]
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    model.fit(np.tile(batch, (20, 1, 1, 1)), np.tile(labels, 20), 16, 5, verbose=0)
    np.testing.assert_array_equal(model.predict(batch, verbose=0)[:, 0] > 0.5, labels == 1)


@pytest.mark.parametrize("groups", [1, 2])
def test_alexnet_towers_exchange_only_where_published(groups):
    model = build("alexnet", (67, 67, 3), 2, {"groups": groups})
    suffix = "a" if groups == 2 else ""
    maps_seen = [model.get_layer(f"conv{i}{suffix}").kernel.shape[2] for i in range(1, 6)]
    assert maps_seen == [3, 96 // groups, 256, 384 // groups, 384 // groups]


def test_googlenet_auxiliary_heads_leave_no_trace_in_the_saved_network():
    plain = build("googlenet", (65, 65, 3), 4)
    helped = build("googlenet", (65, 65, 3), 4, {"auxiliary": True})
    assert [tensor.shape for tensor in helped.outputs] == [(None, 4)] * 3
    assert len(googlenet.LOSS_WEIGHTS) == len(helped.outputs)
    saved = googlenet.without_auxiliary(helped)
    assert [layer.name for layer in saved.layers] == [layer.name for layer in plain.layers]
    plain.set_weights(saved.get_weights())
    batch = random_images(2, (65, 65, 3))
    np.testing.assert_allclose(np.asarray(plain(batch)), np.asarray(helped(batch)[0]), atol=1e-6)
    np.testing.assert_allclose(np.asarray(plain(batch)), np.asarray(saved(batch)), atol=1e-6)


@pytest.mark.slow
def test_googlenet_auxiliary_heads_train_with_their_weights():
    model = build("googlenet", (65, 65, 3), 2, {"auxiliary": True})
    before = [model.get_layer(f"aux{i}_head").get_weights()[0] for i in (1, 2)]
    loss = keras.losses.SparseCategoricalCrossentropy()
    weights = list(googlenet.LOSS_WEIGHTS)
    model.compile("adam", [loss] * 3, loss_weights=weights, run_eagerly=True)
    labels = np.arange(4) % 2
    logs = model.fit(random_images(4, (65, 65, 3)), [labels] * 3, verbose=0).history
    parts = [logs[f"{name}_loss"][0] for name in ("head", "aux1_head", "aux2_head")]
    assert logs["loss"][0] == pytest.approx(np.dot(googlenet.LOSS_WEIGHTS, parts), rel=1e-4)
    after = [model.get_layer(f"aux{i}_head").get_weights()[0] for i in (1, 2)]
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))


def test_resnet_shortcut_a_subsamples_and_pads_with_zero_channels():
    model = build("resnet", (9, 8, 3), 10)
    batch = random_images(2, (9, 8, 3))
    before = activations(model, model.get_layer("conv2_3").output, batch)
    shortcut, _ = model.get_layer("conv3_1_add").input
    expected = np.pad(before[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (8, 8)])
    np.testing.assert_allclose(activations(model, shortcut, batch), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), [("lenet5", (28, 28, 1)), ("resnet", (8, 8, 3))])
def test_graphs_that_split_and_pad_export_to_litert(name, shape, tmp_path):
    model = build(name, shape, 3)
    path = tmp_path / f"{name}.tflite"
    model.export(path, format="litert", verbose=False)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    batch = random_images(1, shape)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    rows = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(rows, np.asarray(model(batch)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("alexnet", (227, 227, 3), {}),
        ("googlenet", (224, 224, 3), {}),
        ("resnet", (224, 224, 3), {"depth": 50}),
    ],
)
def test_one_step_forward_and_back_at_published_size(name, shape, options):
    import tensorflow as tf

    model = build(name, shape, 1000, options)
    loss = keras.losses.SparseCategoricalCrossentropy()
    with tf.GradientTape() as tape:
        rows = model(random_images(2, shape), training=True)
        value = loss(np.array([3, 997]), rows)
    assert rows.shape == (2, 1000)
    assert 0 < float(value) < 100
    gradients = tape.gradient(value, [weight.value for weight in model.trainable_weights])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients[:2])
