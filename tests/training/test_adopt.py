"""`tfcnn.adopt`: models that tfcnn did not build become runs that answer as they do."""

import json
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import run_tfcnn
from keras import layers, ops

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation.calibration import apply_temperature
from tfcnn.training import foreign, mismatch

GROUPS = "^(P[0-9]+)_"
SHAPE = (32, 32, 3)
pytestmark = pytest.mark.filterwarnings("ignore:.*may not be calibrated")


class Block(layers.Layer):
    """A layer of one's own, which no file could hold."""

    def __init__(self, filters):
        super().__init__()
        self.convolution = layers.Conv2D(filters, 3, padding="same")
        self.normalization = layers.BatchNormalization()

    def call(self, inputs, training=None):
        return ops.relu(self.normalization(self.convolution(inputs), training=training))


class Weighted(layers.Layer):
    """A layer with a weight of its own, and no layer of Keras in it."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2))

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel)


class Subclassed(keras.Model):
    """A model whose computation is in its `call` alone."""

    def __init__(self):
        super().__init__()
        self.block, self.pool = Block(8), layers.GlobalAveragePooling2D()
        self.dropout, self.classify = layers.Dropout(0.5), layers.Dense(2, activation="softmax")

    def call(self, inputs, training=None):
        features = self.pool(self.block(inputs, training=training))
        return self.classify(self.dropout(features, training=training))


class Reshaped(keras.Model):
    """A model that reads the size of a batch, which a graph of layers does not know."""

    def __init__(self):
        super().__init__()
        self.pool, self.classify = layers.AveragePooling2D(4), layers.Dense(2)

    def call(self, inputs):
        maps = self.pool(inputs)
        return self.classify(ops.reshape(maps, (ops.shape(maps)[0], -1)))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, *SHAPE), np.float32))
    return model


def mobilenet():
    return on_a_trunk(
        keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=SHAPE)
    )


def small_trunk():
    trunk = keras.Sequential(
        [
            keras.Input(SHAPE), layers.Conv2D(8, 3, strides=2, use_bias=False),
            layers.BatchNormalization(), layers.ReLU(6), layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
        ]
    )  # fmt: skip
    return on_a_trunk(trunk)


def on_a_trunk(trunk):
    """A classifier on a trunk, as Keras' guide to transfer learning writes it."""
    images = keras.Input(SHAPE)
    features = trunk(keras.applications.mobilenet_v2.preprocess_input(images), training=False)
    pooled = layers.GlobalAveragePooling2D()(features)
    return keras.Model(images, layers.Dense(2, activation="softmax")(pooled))


def sequential(*last):
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), *last]
    )


def operation(function, units=1):
    """A model that ends in a function of `keras.ops`, behind a Dense layer of logits."""
    images = keras.Input(SHAPE)
    pooled = layers.Flatten()(layers.AveragePooling2D(8)(images))
    return keras.Model(images, function(layers.Dense(units)(pooled)))


class Sigmoid(keras.Model):
    """A subclass whose last layer gives a logit; its call makes a probability of it."""

    def __init__(self):
        super().__init__()
        self.pool, self.flatten, self.unit = (
            layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(1)
        )  # fmt: skip

    def call(self, inputs):
        return ops.sigmoid(self.unit(self.flatten(self.pool(inputs))))


def sigmoid():
    return sequential(layers.Flatten(), layers.Dense(1, activation="sigmoid"))


MODELS = {  # what is built, what it takes, whether its head takes features
    "subclass": (subclassed, "-1..1", True),
    "mobilenet": (mobilenet, "0..255", True),
    "trunk": (small_trunk, "0..255", True),
    "sigmoid": (sigmoid, "0..1", True),
    "logit": (lambda: sequential(layers.Flatten(), layers.Dense(1)), "0..1", True),
    "logits": (lambda: sequential(layers.Flatten(), layers.Dense(2, use_bias=False)), "0..1", True),
    "activation": (
        lambda: sequential(layers.Flatten(), layers.Dense(2), layers.Activation("softmax")),
        "imagenet", True,
    ),
    "no-head": (
        lambda: sequential(
            layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Softmax()
        ),
        "0..1", False,
    ),
    "no-head-logits": (
        lambda: sequential(layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()), "0..1", False,
    ),
    "no-head-sigmoid": (
        lambda: sequential(
            layers.Conv2D(1, 3), layers.GlobalAveragePooling2D(), layers.Activation("sigmoid")
        ),
        "0..1", False,
    ),
    "sigmoid-operation": (lambda: operation(ops.sigmoid), "0..1", False),
    "sigmoid-subclass": (Sigmoid, "0..1", False),
    "softmax-operation": (lambda: operation(ops.softmax, units=2), "0..1", False),
    "hard-sigmoid": (
        lambda: sequential(layers.Flatten(), layers.Dense(1, activation="hard_sigmoid")),
        "0..1", False,
    ),
    "same-names": (
        lambda: sequential(
            keras.Sequential([layers.Rescaling(2.0, name="pixels"), layers.Flatten(name="image")]),
            keras.Sequential([layers.Dense(3, name="head")]),
            keras.Sequential([layers.Dense(2, name="head")]),
        ),
        "0..1", True,
    ),
    "own-weight": (
        lambda: sequential(layers.Flatten(), Weighted(), layers.Softmax()), "0..1", False
    ),
    "nested": (
        lambda: keras.Sequential([keras.Input(SHAPE), layers.Rescaling(1 / 255), sigmoid()]),
        "0..255", True,
    ),
    "tensorflow-functions": (
        lambda: sequential(
            layers.Conv2D(4, 3, activation=tf.nn.relu), layers.Flatten(),
            layers.Dense(2, activation=tf.nn.softmax),
        ),
        "0..1", True,
    ),
    "half-head": (
        lambda: sequential(
            layers.Flatten(), layers.Dense(2, activation="softmax", dtype="float16")
        ),
        "0..1", True,
    ),
    "lambda": (
        lambda: sequential(
            layers.Lambda(lambda maps: ops.relu(maps)), layers.Flatten(), layers.Dense(2)
        ),
        "0..1", True,
    ),
}  # fmt: skip
LOGITS = ("logit", "logits", "no-head-logits", "lambda", "same-names")
FEW = ("subclass", "trunk", "sigmoid", pytest.param("mobilenet", marks=pytest.mark.slow))


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(1)


@pytest.fixture(scope="module")
def tree(trained):
    return trained.parents[2] / "cells"


def small(tree, **options):
    return tfcnn.data(tree, image_size=32, batch_size=16, group_regex=GROUPS, **options)


@pytest.mark.parametrize("name", MODELS)
def test_the_saved_form_answers_as_the_model_does(name):
    build, pixels, has_features = MODELS[name]
    model = build()
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    outputs = np.asarray(model(foreign.scaled(images, pixels)))
    names = [layer.name for layer in model._flatten_layers()]
    foreign.check(model, SHAPE, 2, pixels)
    found = foreign.saved_form(model, images, pixels)
    got = np.asarray(found.model(images.astype(np.float32)))
    if name == "logit":
        expected = 1 / (1 + np.exp(-outputs))
    elif name in LOGITS:
        expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    else:
        expected = outputs
    atol = 0.01 if name == "half-head" else 1e-5
    np.testing.assert_allclose(got, expected, atol=atol)
    assert found.has_features == has_features and found.difference <= atol
    assert found.is_probs == (name not in LOGITS)
    assert found.model.layers[-1].name == "head"
    assert all(type(layer).__module__.startswith("keras.") for layer in found.model.layers)
    if not isinstance(model, Subclassed | Sigmoid):
        assert all(len(layer._inbound_nodes) == 1 for layer in model.layers), "as it was"
    assert [layer.name for layer in model._flatten_layers()] == names


@pytest.mark.parametrize("name", FEW)
def test_a_run_predicts_what_the_model_does(name, tree, home):
    build, pixels, _ = MODELS[name]
    model, data = build(), small(tree)
    run = tfcnn.adopt(model, data, name=name, pixels=pixels, calibrate=False)
    paths = sorted(tree.rglob("*.png"))[::5]
    rows = tfcnn.predict(run, paths)
    images = np.stack([run.decoder.decode(path.read_bytes()) for path in paths])
    outputs = model.predict(foreign.scaled(images, pixels), verbose=0)
    expected = outputs if outputs.shape[1] == 2 else np.concatenate([1 - outputs, outputs], axis=1)
    got = np.array([[row.probs[one] for one in run.class_names] for row in rows])
    np.testing.assert_allclose(got, expected, atol=1e-5)
    plain = keras.saving.load_model(run.path / "model.keras")
    np.testing.assert_allclose(
        plain.predict(images.astype(np.float32), verbose=0), outputs, atol=1e-5
    )
    assert run.card["temperature"] == 1 and (run.path / "model.tflite").exists()
    assert tfcnn.evaluate(run).sentence and (run.path / "report.html").exists()
    maps = tfcnn.explain_images(run, paths[:1])
    assert len(maps.explanations) == 1


def test_a_temperature_is_fitted_on_val_and_said(tree, home):
    model, data = sigmoid(), small(tree)
    head = model.layers[-1]
    head.set_weights([20 * weight for weight in head.get_weights()])
    run = tfcnn.adopt(model, data, name="sure", pixels="0..1")
    temperature = run.card["temperature"]
    images, labels = data.arrays("val")
    probs = model.predict(images / np.float32(255), verbose=0)
    both = np.concatenate([1 - probs, probs], axis=1)
    assert temperature > 1
    rows = {row["path"]: row for row in run.predictions if row["split"] == "val"}
    found = np.array([[float(row[f"prob_{name}"]) for name in run.class_names]
                      for row in rows.values()])  # fmt: skip
    np.testing.assert_allclose(found, apply_temperature(both, temperature), atol=1e-4)
    assert [row["label"] for row in rows.values()] == [run.class_names[i] for i in labels]


def test_what_it_learnt_from_is_recorded_where_it_is_known(tree, home):
    data, model = small(tree), sigmoid()
    model.compile("adam", "binary_crossentropy")
    model.fit(data.train, epochs=1, verbose=0, shuffle=False)
    known = tfcnn.adopt(model, data, name="known")
    model.save(home / "other.keras")
    unknown = tfcnn.adopt(home / "other.keras", small(tree))
    assert known.card["network"]["trained_on"] == "train" and unknown.name == "other"
    assert unknown.card["network"]["trained_on"] == "unknown"
    words = "is unknown to tfcnn"
    for run, is_said in ((known, False), (unknown, True)):
        page = (run.path / "report.html").read_text(encoding="utf-8")
        assert (words in page) == is_said
        assert "tfcnn did not train" in page and "no epochs" not in page
        report = tfcnn.evaluate(run)
        assert ("On 2 unseen groups: " in report.sentence) == (not is_said)
        assert ("groups that the model may have learnt from: " in report.sentence) == is_said
        assert any(words in warning for warning in report.warnings) == is_said
    both = tfcnn.compare(known, unknown)
    assert "unseen" not in both.sentence and any(words in text for text in both.warnings)
    assert data.is_scored


def test_features_before_the_head_tell_what_is_out_of_the_domain(make_tree, home):
    tree = make_tree(groups=40, per_group=4)
    data = tfcnn.data(
        tree, image_size=32, group_regex=GROUPS, settings=["data.split.val_fraction=0.4"]
    )
    model = sigmoid()
    with_features = tfcnn.adopt(model, data, name="features")
    assert with_features.card["domain"] and (with_features.path / "domain.npz").exists()
    without = tfcnn.adopt(MODELS["no-head"][0](), data, name="none", pixels="0..1")
    assert without.card["domain"] is None and not (without.path / "domain.npz").exists()
    assert "does not end in a Dense layer" in without.card["domain_reason"]


def test_another_scaling_that_fits_better_is_named():
    images = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    model = keras.Sequential([keras.Input(SHAPE), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    kernel = np.zeros((3, 2), np.float32)
    kernel[0, 1] = 1.0
    model.layers[-1].set_weights([kernel, np.array([0.5, 0], np.float32)])
    images[:20, ..., 0] = images[:20, ..., 0] // 4
    images[20:, ..., 0] = 255 - images[20:, ..., 0] // 4
    labels = np.repeat([0, 1], 20)
    said = model, images, labels

    def remarks(pixels, order=(0, 1)):
        return mismatch.remarks(*said, pixels, order, ("round", "square"), is_probs=False)

    assert remarks("0..1") == []
    (remark,) = remarks("0..255")
    assert "right on 20 of 40 images of val with what was said of it, and on 40 with" in remark
    assert "with pixels=0..1: which" in remark or "with pixels=-1..1: which" in remark
    (remark,) = remarks("0..1", order=(1, 0))
    assert "right on 0 of 40" in remark and "on 40 if its outputs are round, square, in" in remark


@pytest.mark.parametrize("build", [sigmoid, MODELS["logits"][0]])
def test_outputs_in_another_order_of_classes(tree, home, build):
    data, model = small(tree), build()
    own = tfcnn.adopt(model, data, name="own", pixels="0..1", calibrate=False)
    names = ["square", "round"]
    other = tfcnn.adopt(
        model, data, name="other", pixels="0..1", class_names=names, calibrate=False
    )
    paths = sorted(tree.rglob("*.png"))[::7]
    for one, two in zip(tfcnn.predict(own, paths), tfcnn.predict(other, paths), strict=True):
        assert one.probs["round"] == pytest.approx(two.probs["square"], abs=1e-6)
    for wrong in (["round", "oval"], {"square": 0, "round": 1}, "round", 3, [0, 1]):
        with pytest.raises(InputError, match=r"expected (\[round, square\], in|a list, each)"):
            tfcnn.adopt(model, data, name="own", class_names=wrong)


def refused(tree, model, message, **options):
    with pytest.raises(InputError, match=message):
        tfcnn.adopt(model, small(tree), **{"name": "mine", **options})
    assert not (runs.models_home() / "mine").exists(), "nothing is written"


def test_what_is_no_classifier_of_these_images_is_refused(tree, home):
    refused(tree, object(), "a keras.Model of Keras 3")
    refused(tree, sigmoid(), r"'0..255' or '0..1' or '-1..1' or 'imagenet'", pixels="0-1")
    refused(tree, sigmoid(), "'0..255' or", pixels=["0..1"])
    for option in ({"settings": ["data.channels=1"]}, {"split": "split.csv"}, {"resplit": True}):
        refused(tree, sigmoid(), "expected the images alone", **option)
    for wrong in ((np.zeros((4, *SHAPE)), np.zeros(4)), None):
        with pytest.raises(InputError, match="data: expected a Data or a text or a path"):
            tfcnn.adopt(sigmoid(), wrong, name="mine")
    three = sequential(layers.Flatten(), layers.Dense(3, activation="softmax"))
    refused(tree, three, "2 outputs, one per class; received outputs of shape")
    maps = sequential()
    refused(tree, maps, "2 outputs, one per class")
    units = sequential(layers.Flatten(), layers.Dense(2, activation="sigmoid"))
    refused(tree, units, "probabilities that sum to 1; received 2 sigmoid units")
    refused(tree, operation(ops.sigmoid, units=2), "received 2 sigmoid units")
    pair = [keras.Input(SHAPE), keras.Input((4,))]
    flat = layers.Flatten()(pair[0])
    refused(tree, keras.Model(pair[0], [flat, flat]), "expected one output; received 2")
    both = layers.Concatenate()([flat, pair[1]])
    refused(tree, keras.Model(pair, layers.Dense(2)(both)), "expected one input; received 2")
    other = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(2)])
    refused(tree, other, r"images of 16x16x3 .*; received 32x32x3")
    broken = sigmoid()
    broken.layers[-1].set_weights([np.full((900, 1), np.nan), np.zeros(1)])
    refused(tree, broken, "expected numbers; received NaN")


def test_what_no_file_can_hold_is_refused(tree, home):
    own = sequential(layers.Lambda(tf.nn.relu), layers.Flatten(), layers.Dense(2))
    refused(tree, own, "Keras' own layers and functions")
    refused(tree, Reshaped(), "Keras' own layers and functions")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lambda", "Keras' own layers; received ValueError: Requested the deserialization of a"),
        ("foreign", "Keras' own layers; received TypeError: Could not locate class 'Subclassed'"),
        ("text", "a .keras file; received no zip archive"),
        ("nothing", "a .keras file; received no such file"),
        ("h5", "a .keras file; received a .h5 file"),
    ],
)
def test_a_file_that_would_bring_code_is_refused(tree, tmp_path, home, content, message):
    path = tmp_path / ("model.h5" if content == "h5" else "model.keras")
    if content == "lambda":
        sequential(
            layers.Lambda(lambda maps: maps), layers.Flatten(), layers.Dense(2)
        ).save(path)  # fmt: skip
    elif content == "foreign":
        subclassed().save(path)
    elif content != "nothing":
        path.write_text("not a model")
    result = run_tfcnn("adopt", path, tree, "--run", "mine", home=home)
    assert result.returncode == 2 and message in result.stderr
    assert result.stderr.count("\n") == 1 and not (home / "models" / "mine").exists()


def test_the_command_reads_the_images_at_the_models_size(tree, tmp_path, home):
    path = tmp_path / "mine.keras"
    grey = keras.Sequential(
        [keras.Input((20, 24, 1)), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    grey.save(path)
    words = ("--group-regex", GROUPS, "--positive", "round", "--pixels", "0..1")
    result = run_tfcnn("adopt", path, tree, *words, "--as-is", home=home)
    assert result.returncode == 0, result.stderr
    run = tfcnn.load(home / "models" / "mine")
    assert run.decoder.shape == (20, 24, 1) and run.positive == 0
    assert run.card["temperature"] == 1 and "may have learnt from" in result.stdout
    again = run_tfcnn("adopt", path, tree, *words, "--json", home=home)
    assert json.loads(again.stdout)["run"] == str(home / "models" / "mine")
    assert len(list((home / "models" / ".old").iterdir())) == 1, "the earlier run is moved aside"
    told = run_tfcnn("predict", path, tree, home=home)
    assert told.returncode == 2 and f"try `tfcnn adopt {path} SOURCE`" in told.stderr


def test_a_model_of_any_size_wants_one(tree, tmp_path, home):
    path = tmp_path / "any.keras"
    model = keras.Sequential(
        [keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    )
    model.save(path)
    result = run_tfcnn("adopt", path, tree, home=home)
    assert result.returncode == 2 and "data.image_size=96" in result.stderr
    result = run_tfcnn("adopt", path, tree, "--set", "data.image_size=24", home=home)
    assert result.returncode == 0, result.stderr
    assert tfcnn.load(home / "models" / "any").decoder.shape == (24, 24, 3)


def test_an_adoption_that_was_cut_begins_again_and_a_training_is_kept(tree, trained, home):
    data = small(tree)
    run = tfcnn.adopt(sigmoid(), data, name="mine")
    (run.path / "DONE").unlink()
    assert tfcnn.adopt(sigmoid(), data, name="mine").path == run.path
    training = home / "models" / "cut"
    shutil.copytree(trained, training)
    (training / "DONE").unlink()
    with pytest.raises(InputError, match="expected resume=True or fresh=True"):
        tfcnn.adopt(sigmoid(), data, name="cut")
    assert runs.state(training) == "unfinished"
    tfcnn.adopt(sigmoid(), data, name="cut", fresh=True)


def test_an_adopted_run_is_compared_and_set_like_others(tree, trained, home):
    data = small(tree, settings=["data.positive=round"])
    shutil.copytree(trained, home / "models" / "cells")
    own = tfcnn.adopt(sigmoid(), small(tree, split=trained / "split.csv"), name="own")
    assert "images" in tfcnn.compare(own, "cells").sentence
    run = tfcnn.adopt(sigmoid(), data, name="mine")
    assert tfcnn.set_threshold(run, value=0.3).run.threshold == 0.3
    with pytest.raises(CheckError):
        tfcnn.evaluate(run, data=tree)
    result = run_tfcnn("train", run.path / "recipe.toml", home=home)
    assert result.returncode == 2 and "adopted" in result.stderr


def test_a_model_in_sixteen_bits_is_saved_in_float32(tree, home):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = sequential(layers.Flatten(), layers.Dense(1, activation="sigmoid", dtype="float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    run = tfcnn.adopt(model, small(tree), name="mixed", pixels="0..1")
    plain = keras.saving.load_model(run.path / "model.keras")
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    assert run.card["record"]["precision"] == "mixed_bfloat16"


def test_a_report_names_no_command_that_would_train_it_again(tree, home):
    run = tfcnn.adopt(sigmoid(), small(tree), name="mine", pixels="0..1")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    page = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    for command in ("tfcnn crossval", "tfcnn train", "tfcnn labels"):
        assert command not in page
    assert "data.folds(5)" in page and "tfcnn predict" in page


def test_a_very_sure_model_has_a_twin(tree, home):
    model, data = sigmoid(), small(tree)
    head = model.layers[-1]
    head.set_weights([100 * weight for weight in head.get_weights()])
    run = tfcnn.adopt(model, data, name="surest", pixels="0..1")
    assert run.card["temperature"] > 1 and (run.path / "model.tflite").exists()
    assert "[train]" not in (run.path / "recipe.toml").read_text()


def test_without_test_nothing_offers_to_train_it(tree, home):
    data = small(tree, settings=["data.split.test=none"])
    run = tfcnn.adopt(sigmoid(), data, name="all", pixels="0..1")
    assert tfcnn.evaluate(run).sentence.startswith("No test split: `evaluate --data` measures")


def test_a_leak_of_an_adopted_model_is_not_trained_again(tree, home):
    settings = ["data.split.unit=image", "data.split.demonstration=true"]
    run = tfcnn.adopt(sigmoid(), small(tree, settings=settings), name="leaky", pixels="0..1")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "train on these, and adopt that model" in page and "tfcnn train" not in page
