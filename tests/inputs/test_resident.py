"""Images that stay on a device make the batches that the other pipeline makes."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from tfcnn.base.errors import InputError
from tfcnn.inputs import resident, tfdata
from tfcnn.inputs.resident import Resident
from tfcnn.recipes import Augment

ROWS = np.array([20, 3, 4, 9, 11, 12, 17, 1, 0, 8, 23])
EVERYTHING = {
    "rotation_degrees": 30, "shift_height": 3, "shear_degrees": 5, "zoom": (0.8, 1.2),
    "brightness": 0.2, "contrast": 0.3, "channel_shift": 0.1, "channel_gain": 0.2,
    "flip_horizontal": True,
}  # fmt: skip
KINDS = {
    "none": {},
    "turned": {"flip_horizontal": True, "flip_vertical": True, "rotate90": True},
    "alternating": {"flip_horizontal": "alternating", "shift_width": (0, 2)},
    "all": EVERYTHING | {"rotate90": True},
    **{mode: {"rotation_degrees": 30, "fill_mode": mode} for mode in ("reflect", "wrap")},
    "filled": {"shear_degrees": 20, "fill_mode": "constant", "fill_value": 9},
    "like keras": EVERYTHING | {"like_keras": True, "brightness": (0.5, 1.5)},
}


@pytest.fixture(params=[(12, 12, 3), (10, 14, 1)], ids=["square", "grey"])
def images(request):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (24, *request.param), np.uint8)


def read(batches, load):
    return [(load(drawn).numpy(), labels.numpy()) for drawn, labels in batches]


@pytest.mark.parametrize("alpha", [0.0, 0.4])
@pytest.mark.parametrize("kind", KINDS)
def test_both_pipelines_make_the_same_batches(images, kind, alpha):
    if kind == "all" and images.shape[1] != images.shape[2]:
        pytest.skip("others than squares are not turned")
    settings = Augment(**KINDS[kind])
    if images.shape[1] != images.shape[2]:
        settings = settings.model_copy(update={"rotate90": False})
    labels = (np.arange(24) % 3).astype(np.int32)
    numbers = {"batch_size": 4, "seed": 7, "first_epoch": 1, "epochs": 4}
    numbers |= {"alpha": alpha, "num_classes": 3}
    expected = tfdata.training(images, labels, ROWS, settings, **numbers)
    there = Resident(images, ROWS, settings, "CPU:0")
    found = read(there.training(labels, ROWS, **numbers), there.load)
    assert len(found) == 6
    for (mine, of_mine), (theirs, of_theirs) in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
        np.testing.assert_array_equal(of_mine, of_theirs)
        assert of_mine.dtype == of_theirs.dtype


def test_both_give_val_in_order(images):
    labels = np.arange(24).astype(np.int32)
    there = Resident(images, ROWS, Augment(), "CPU:0")
    val = ROWS[2:9]
    found = read(there.in_order(labels, val, 3), there.load)
    expected = list(tfdata.in_order(images, labels, val, 3))
    for (mine, of_mine), (theirs, of_theirs) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(of_mine, of_theirs)
    assert [len(mine) for mine, _ in found] == [3, 3, 1]


def test_settings_that_do_not_fit_are_refused():
    images = np.zeros((4, 10, 14, 1), np.uint8)
    there = Resident(images, np.arange(4), Augment(rotate90=True), "CPU:0")
    with pytest.raises(InputError, match="rotate90"):
        there.training(
            np.zeros(4, np.int32), np.arange(4), batch_size=2, seed=0, first_epoch=0, epochs=1
        )


def allows(kernel, operation):
    """Say whether a kernel takes the types of an operation."""
    return all(
        operation.get_attr(rule.name).as_datatype_enum in rule.allowed_values.list.type
        for rule in kernel.constraint
        if rule.allowed_values.list.type
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_has_a_kernel_for_every_operation_of_a_batch(kind):
    """A missing one would bring the images back to the processor, and say nothing."""
    if not tf.test.is_built_with_cuda():
        pytest.skip("this TensorFlow knows no GPU")
    images = np.zeros((8, 12, 12, 3), np.uint8)
    there = Resident(images, np.arange(8), Augment(**KINDS[kind]), "CPU:0")
    batches = there.training(
        np.zeros(8, np.int32), np.arange(8), batch_size=4, seed=0, first_epoch=0, epochs=1,
        alpha=0.3, num_classes=2,
    )  # fmt: skip
    function = tf.function(there.load, autograph=False)
    graph = function.get_concrete_function(batches.element_spec[0]).graph
    names = {operation.type for operation in graph.get_operations()}
    assert "ResourceGather" in names
    for operation in graph.get_operations():
        known = kernels.get_registered_kernels_for_op(operation.type).kernel
        on_gpu = [kernel for kernel in known if kernel.device_type in ("GPU", "DEFAULT")]
        assert any(allows(kernel, operation) for kernel in on_gpu), operation


def test_images_stay_where_one_gpu_holds_them(monkeypatch):
    def of(*names):
        devices = [tf.config.LogicalDevice(f"/device:{name}", "GPU") for name in names]
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices)
        return resident.device_for(images, 5)

    images = np.zeros((10, 4, 4, 3), np.uint8)
    assert of("GPU:0") == "/device:GPU:0"
    assert of() == of("GPU:0", "GPU:1") == ""
    monkeypatch.setattr(resident, "MOST_BYTES", 5 * 48)
    assert of("GPU:0"), "five of them fit exactly"
    monkeypatch.setattr(resident, "MOST_BYTES", 5 * 48 - 1)
    assert of("GPU:0") == ""
    monkeypatch.setattr(resident, "MOST_BYTES", 2**30)
    images = [images]  # as what is decoded when it is asked for, it is no array
    assert of("GPU:0") == ""
