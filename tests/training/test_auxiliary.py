"""Networks whose auxiliary heads help training only."""

import keras
import numpy as np
import pytest
from conftest import QUICK

import tfcnn
from tfcnn.architectures import googlenet
from tfcnn.recipes import TrainSettings
from tfcnn.training import form
from tfcnn.training.fit import compile_model


def test_auxiliary_losses_count_in_training_only():
    inputs = keras.Input((4,))
    heads = [keras.layers.Dense(3, name=name)(inputs) for name in ("head", "aux_head")]
    model = keras.Model(inputs, form.AllInTraining()(heads))
    compile_model(model, TrainSettings(optimizer="sgd", learning_rate=1e-12), 4, (1.0, 0.3))
    vectors = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    labels = np.array([0, 2, 1, 2])
    logits = [np.asarray(keras.Model(inputs, head)(vectors)) for head in heads]
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    first, second = (float(cross_entropy(labels, given)) for given in logits)
    trained = model.fit(vectors, labels, batch_size=4, verbose=0).history["loss"][0]
    assert trained == pytest.approx(first + 0.3 * second, rel=1e-5)
    evaluated = model.evaluate(vectors, labels, verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(first, rel=1e-5)
    right = np.mean(logits[0].argmax(axis=1) == labels)
    assert evaluated["sparse_categorical_accuracy"] == pytest.approx(right)
    np.testing.assert_allclose(model.predict(vectors, verbose=0), logits[0], atol=1e-6)


@pytest.mark.slow
def test_googlenet_trains_with_its_auxiliary_heads_and_is_saved_without(make_tree):
    settings = [
        *QUICK, "data.group_regex='^(P[0-9]+)_'", "data.image_size=65", "train.epochs=1",
        "model.network=googlenet", "model.options={auxiliary=true, batch_norm=true}",
    ]  # fmt: skip
    run = tfcnn.train(make_tree(groups=8), settings=settings)
    saved = keras.saving.load_model(run.path / "model.keras")
    assert len(saved.outputs) == 1
    assert not [layer.name for layer in saved.layers if layer.name.startswith("aux")]
    plain = googlenet.build((65, 65, 3), 2, batch_norm=True)
    assert saved.count_params() == plain.count_params()
