"""Two phases, frozen then fine-tuned, and networks whose auxiliary heads help training only."""

import csv
import json

import keras
import numpy as np
import pytest
from conftest import QUICK

import tfcnn
from tfcnn import architectures
from tfcnn.architectures import compact, googlenet
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.recipes import ModelSettings, TrainSettings
from tfcnn.training import form
from tfcnn.training.fit import compile_model

GROUPED = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "train.epochs=2", "train.finetune_epochs=2")


@pytest.fixture
def freezing(monkeypatch):
    """Give `compact` a second phase, in which its first convolution stays as it is."""
    seen = []

    def finetune(model: keras.Model) -> None:
        model.get_layer("conv1").trainable = False
        seen.append(model.get_layer("conv1").get_weights()[0])

    monkeypatch.setattr(compact, "finetune", finetune, raising=False)
    monkeypatch.setattr(architectures, "defines", lambda *_: True)  # what is read from its file
    return seen


@pytest.mark.parametrize("at", [pytest.param(3, marks=pytest.mark.slow), 4])
def test_the_second_phase_has_its_rate_and_a_cut_resumes_to_the_same_result(
    make_tree, freezing, at
):
    class Cut(Reporter):
        def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
            if epoch == at:
                raise KeyboardInterrupt

    root = make_tree(groups=8)
    settings = [
        *GROUPED, "train.optimizer=adamw", "train.learning_rate=0.001",
        "train.finetune_learning_rate=0.0005",
    ]  # fmt: skip
    whole = tfcnn.train(root, settings=settings, run="whole")
    rows = list(csv.DictReader((whole.path / "history.csv").open()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    rates = np.array([float(row["learning_rate"]) for row in rows])
    assert rates[0] > 1e-4
    np.testing.assert_allclose(rates[2:], rates[:2] / 2)
    saved = keras.saving.load_model(whole.path / "model.keras")
    np.testing.assert_array_equal(saved.get_layer("conv1").get_weights()[0], freezing[0])
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=settings, run="cut", reporter=Cut())
    resumed = tfcnn.train(root, settings=settings, run="cut", resume=True)
    cut, uncut = (run.path / "predictions.csv" for run in (resumed, whole))
    assert cut.read_bytes() == uncut.read_bytes()
    assert len((resumed.path / "history.csv").read_text().splitlines()) == 1 + 4


def test_other_networks_have_no_second_phase(make_tree, home):
    with pytest.raises(InputError, match=r"train\.finetune_epochs.*model\.network=pretrained"):
        tfcnn.train(make_tree(), settings=GROUPED)
    assert not (home / "models" / "shapes").exists()


def test_muon_would_rescale_what_is_pretrained(make_tree, home):
    settings = ["model.network=pretrained", "train.optimizer=muon", "train.learning_rate=0.1"]
    with pytest.raises(InputError, match=r"train\.optimizer: .* pretrained.*train\.optimizer=adam"):
        tfcnn.train(make_tree(), settings=settings)
    assert not (home / "models" / "shapes").exists()


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


@pytest.mark.slow
def test_pretrained_learns_its_head_first_and_then_all_but_its_normalisation(make_tree):
    class Watch(Reporter):
        def note(self, text: str) -> None:
            notes.append(text)

    notes: list[str] = []
    settings = [*GROUPED, "model.network=pretrained", "model.options.weights=none"]
    run = tfcnn.train(make_tree(groups=8), settings=settings, reporter=Watch())
    assert "fine-tuning pretrained" in notes
    history = list(csv.DictReader((run.path / "history.csv").open()))
    assert len(history) == 4
    report = json.loads((run.path / "report.json").read_text())
    assert report["agreement"]["forms_mean_difference"] < 0.02
    keras.utils.set_random_seed(0)
    start = form.training_form(
        ModelSettings(network="pretrained", options={"weights": "none"}), (32, 32, 3), 2, "float32"
    )
    saved = keras.saving.load_model(run.path / "model.keras")
    changed = {
        new.name
        for old, new in zip(start.layers, saved.layers, strict=True)
        if any(
            not np.array_equal(a, b)
            for a, b in zip(old.get_weights(), new.get_weights(), strict=True)
        )
    }
    norms = {
        layer.name for layer in saved.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert {"Conv_1", "head"} <= changed
    assert not changed & norms
