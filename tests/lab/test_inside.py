"""A network laid open: its steps, what is refused, and what is kept."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.lab.inside import all_results, description, famous, opened_network, steps, val_answers

SMALL = ("lenet5", "alexnet", "compact", "speedrun")


def branched() -> keras.Model:
    """A model with a model inside that is called twice, a split, and layers of several inputs."""
    inside = keras.Sequential(
        [keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 3, padding="same", name="conv")],
        name="inside",
    )
    image = keras.Input((6, 6, 4), name="image")
    first, second = keras.ops.split(keras.layers.Rescaling(1 / 255)(image), 2, axis=-1)
    joined = keras.layers.Add()([inside(first), inside(second)])
    x = keras.layers.Concatenate()([joined, keras.layers.DepthwiseConv2D(3, padding="same")(image)])
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU(negative_slope=0.1)(x))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(3, 2, padding="same")(x))
    return keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))


def test_steps_compute_what_the_model_does():
    model = branched()
    found = steps.steps_of(model)
    images = np.random.default_rng(0).uniform(0, 255, (2, 6, 6, 4)).astype(np.float32)
    values = found.compute(tf.constant(images))
    assert [tuple(value.shape[1:]) for value in values] == list(found.shapes)
    np.testing.assert_allclose(values[found.answer], model(images), atol=1e-6)
    views = [step.within for step in found.steps if step.layer.name == "conv"]
    assert views == [("inside", "1"), ("inside", "2")]


def test_a_converted_network_gives_each_result():
    model = branched()
    found = steps.steps_of(model)
    converted = all_results.convert(model, found)
    described, rest = description.describe(found, converted)
    from ai_edge_litert.interpreter import Interpreter

    images = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 4), dtype=np.uint8)
    interpreter = Interpreter(model_content=converted.content)
    given = interpreter.get_signature_runner("serving_default")(images=images)
    expected = found.compute(tf.constant(images, tf.float32))
    for name, value in zip(converted.names, expected, strict=True):
        np.testing.assert_allclose(given[name], value, atol=1e-4)
    assert sum(step["parameters"] for step in described["steps"]) == model.count_params()
    for step in described["steps"]:
        for placed in step["weights"].values():
            content = converted.content if placed["file"] == "model" else rest
            count = 4 * int(np.prod(placed["shape"]))
            assert len(content[placed["start"] : placed["start"] + count]) == count


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("MOST_WEIGHT_BYTES", "MB of weights"), ("MOST_VALUES", "values in all")],
)
def test_a_network_too_large_for_a_page_is_refused(limit, expected, monkeypatch):
    model = branched()
    found = steps.steps_of(model)
    all_results.require_small("run own", model, found)
    monkeypatch.setattr(all_results, limit, 100)
    with pytest.raises(InputError, match=expected):
        all_results.require_small("run own", model, found)


def test_a_network_of_two_inputs_is_refused():
    one, other = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([one, other], keras.layers.Add()([one, other]))
    with pytest.raises(InputError, match="one input and one output"):
        steps.steps_of(model)


def test_a_run_without_a_model_is_refused(tmp_path):
    card = json.loads((runs.ZOO / "mnist" / "model.json").read_text())
    with pytest.raises(InputError, match=r"a model\.keras"):
        opened_network.open_network(runs.Run(tmp_path, {**card, "sha256": {}}))


def test_a_network_is_converted_once_and_again_where_it_was_damaged(home, monkeypatch):
    opened_network._opened.cache_clear()
    calls = []
    network = opened_network.OpenedNetwork({"image": [1]}, b"model", b"rest")
    monkeypatch.setattr(opened_network, "_convert", lambda *_: calls.append(1) or network)
    run = opened_network.shipped("mnist")
    for _ in range(2):
        assert opened_network.open_network(run) == network
        opened_network._opened.cache_clear()
    assert len(calls) == 1
    (kept,) = home.rglob("*.zip")
    content = bytearray(kept.read_bytes())
    content[40] ^= 255
    kept.write_bytes(content)
    assert opened_network.open_network(run) == network
    assert len(calls) == 2
    opened_network._opened.cache_clear()


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(one, marks=[] if one.key in SMALL else [pytest.mark.slow], id=one.key)
        for one in famous.FAMOUS
    ],
)
def test_a_drawing_is_what_the_code_builds(one):
    (drawn,) = (drawing for drawing in famous.drawings() if drawing["key"] == one.key)
    assert json.loads(json.dumps(famous.draw(one))) == drawn


def test_every_famous_network_has_a_drawing():
    assert [drawing["key"] for drawing in famous.drawings()] == [one.key for one in famous.FAMOUS]


def test_answers_of_val_are_those_of_the_run(trained):
    run = runs.read(trained)
    found = val_answers.val_answers(run)
    rows = [row for row in run.predictions if row["split"] == "val"]
    assert found["images"] == len(rows) == len(found["labels"])
    assert [run.class_names[label] for label in found["labels"]] == [row["label"] for row in rows]
    expected = [[float(row[f"prob_{name}"]) for name in run.class_names] for row in rows]
    np.testing.assert_allclose(found["probs"], expected, rtol=1e-5)
    assert not found["is_demo"]


def test_a_run_shipped_without_answers_gives_those_of_the_demo():
    found = val_answers.val_answers(opened_network.shipped("malaria"))
    assert found["is_demo"]
    assert (found["run"], found["instead_of"]) == ("smears", "malaria")
