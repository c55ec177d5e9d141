"""What a model learnt from is "train" only where nothing that can be known speaks against it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcnn
from tfcnn.training import learnt

pytestmark = pytest.mark.filterwarnings("ignore:test is read before")


@pytest.fixture
def tree(make_tree):
    return make_tree(groups=8, per_group=4, side=24)


def small(tree, **options):
    return tfcnn.data(tree, image_size=16, batch_size=8, group_regex="^(P[0-9]+)_", **options)


def network(data):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(data.shape), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    return compiled(model)


def compiled(model):
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def fitted(model, *arguments, **options):
    model.fit(*arguments, verbose=0, **options)
    return model


def test_ordinary_training_is_known(tree):
    data = small(tree)
    generator = tf.keras.preprocessing.image.ImageDataGenerator()
    for model in (
        fitted(network(data), data.train, epochs=2, validation_data=data.val, shuffle=False),
        fitted(network(data), *data.arrays("train"), batch_size=3, epochs=2),
        fitted(network(data), data.flow(generator)),
    ):
        assert learnt.doubt(model, data) == "" and data.has_trained(model)
    again = compiled(fitted(network(data), data.train, shuffle=False))  # as after an unfreezing
    assert data.has_trained(fitted(again, data.train, epochs=2, shuffle=False))
    for fold in data.folds(2):
        assert fold.has_trained(fitted(network(fold), *fold.arrays("train")))


def test_a_loaded_or_cloned_model_is_not(tree, tmp_path):
    data = small(tree)
    model = fitted(network(data), *data.arrays("train"))
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one in (
        loaded,
        fitted(keras.saving.load_model(tmp_path / "model.keras"), *data.arrays("train")),
        fitted(compiled(keras.saving.load_model(tmp_path / "model.h5")), *data.arrays("train")),
        fitted(compiled(keras.Sequential(loaded.layers)), data.train, shuffle=False),
        fitted(compiled(keras.models.clone_model(model)), *data.arrays("train")),
    ):
        assert "comes from a file, or is a clone" in learnt.doubt(one, data)


def test_a_model_that_is_older_than_the_images_is_not(tree):
    first = small(tree)
    model = fitted(network(first), *first.arrays("train"))
    data = small(tree, seed=1)
    fitted(compiled(model), *data.arrays("train"))  # a cell of a notebook that is run again
    assert "built before" in learnt.doubt(model, data)


def test_a_model_that_saw_test_is_not(tree):
    data = small(tree)
    images, labels = data.arrays("test")
    model = fitted(network(data), images, labels)
    fitted(compiled(model), *data.arrays("train"))
    assert learnt.doubt(model, data) == "test was read"


@pytest.mark.parametrize("read", ["arrays", "dataset", "flow"])
def test_test_counts_also_after_it_was_scored(tree, read):
    data = small(tree)
    data.is_scored = True
    generator = tf.keras.preprocessing.image.ImageDataGenerator()
    _ = {"arrays": lambda: data.arrays("test"), "dataset": lambda: data.test,
         "flow": lambda: data.flow(generator, "test")}[read]()  # fmt: skip
    assert learnt.doubt(fitted(network(data), *data.arrays("train")), data) == "test was read"


def test_images_of_test_may_come_from_another_object(tree):
    data, other = small(tree), small(tree, seed=1)
    same = small(tree)
    model = network(data)
    fitted(model, data.train, shuffle=False)
    assert data.has_trained(model)
    same.arrays("train")
    assert data.has_trained(model), "the same split gives none of test"
    _ = other.train
    assert data.has_trained(model), "nothing was read of it"
    next(iter(other.train))
    assert "test were also given by the train of other" in learnt.doubt(model, data)


def test_other_steps_than_those_of_train_are_noticed(tree):
    data = small(tree)
    images, labels = data.arrays("train")
    model = fitted(network(data), images, labels)
    assert "other steps than those of the last fit" in learnt.doubt(
        fitted(model, images, labels), data
    )
    count = len(labels)
    many = np.concatenate([images, images])
    model = fitted(network(data), many, np.tile(labels, 2), batch_size=1)
    assert f"of the {count} images of train" in learnt.doubt(model, data)
    by_hand = network(data)
    by_hand.optimizer.build(by_hand.trainable_variables)
    by_hand.optimizer.apply([tf.zeros_like(one) for one in by_hand.trainable_variables])
    assert "did not learn by fit" in learnt.doubt(by_hand, data)


def test_a_batch_of_train_is_not_enough(tree):
    data = small(tree)
    older = network(data)
    for _ in data.train:
        pass
    stranger = fitted(network(data), np.zeros((8, *data.shape)), np.zeros(8))
    assert "other steps than data.train gave" in learnt.doubt(stranger, data)
    next(iter(data.train))
    assert "other steps than data.train gave" in learnt.doubt(stranger, data)
    assert learnt.doubt(older, data) == "it has no optimizer that took steps"
    assert "no optimizer" in learnt.doubt(keras.Sequential([keras.layers.Dense(2)]), data)
