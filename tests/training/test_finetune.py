"""Fine-tuning: from the frozen solution, at its own rate, with batch normalisation as it was."""

from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import QUICK
from small_backbone import shrink

import tfcnn
from tfcnn.base.progress import Progress, Reporter
from tfcnn.datasets import data_home
from tfcnn.recipes import ModelSettings
from tfcnn.training import form

SETTINGS = (
    *QUICK[1:], "model.start=finetune", "train.optimizer=muon", "train.learning_rate=0.1",
    "train.finetune_epochs=2", "train.finetune_learning_rate=0.0005",
    "data.group_regex='^(P[0-9]+)_'",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_backbone():
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        yield


@pytest.fixture(scope="module")
def runs(small_backbone, tmp_path_factory):
    """A frozen run and a fine-tuned one of the same images."""
    from conftest import write_tree

    root = write_tree(tmp_path_factory.mktemp("finetune") / "shapes", groups=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(tmp_path_factory.mktemp("home")))
        settings = [one for one in SETTINGS if not one.startswith("model.start")]
        frozen = tfcnn.train(root, settings=[*settings, "model.start=frozen"], run="frozen")
        finetuned = tfcnn.train(root, settings=SETTINGS, run="finetuned")
    return {"frozen": frozen, "finetune": finetuned}


@pytest.fixture(scope="module")
def saved(runs):
    models = {name: keras.saving.load_model(run.path / "model.keras") for name, run in runs.items()}
    lite = ModelSettings(network="efficientnet_lite")
    return {"start": form.plain(lite, (32, 32, 3), 2), **models}


def changed(first, second) -> set[str]:
    pairs = zip(first.layers, second.layers, strict=True)
    return {
        new.name
        for old, new in pairs
        if any(
            not np.array_equal(a, b)
            for a, b in zip(old.get_weights(), new.get_weights(), strict=True)
        )
    }


def test_what_is_frozen_gets_a_new_head_and_nothing_else(saved):
    assert changed(saved["start"], saved["frozen"]) == {"head"}


def test_all_layers_are_fine_tuned_but_batch_normalisation(saved):
    learning = {
        layer.name
        for layer in saved["start"].layers
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization)
    }
    assert changed(saved["start"], saved["finetune"]) == learning


def test_fine_tuning_has_its_own_epochs_and_rate(runs):
    history = runs["finetune"].history
    assert history["epoch"] == [1, 2]
    assert max(history["learning_rate"]) <= 0.0005
    assert runs["finetune"].report["epochs"] == 2
    assert runs["frozen"].report["epochs"] == 0
    assert not (runs["frozen"].path / "history.csv").exists()


def test_fine_tuning_begins_with_the_frozen_solution(runs):
    both = [run.report["head"] for run in runs.values()]
    assert both[0] == both[1] and both[0]["tried"]


def test_at_a_rate_of_nothing_it_stays_there(runs, tmp_path):
    settings = [*SETTINGS, "train.finetune_learning_rate=1e-12", "train.finetune_epochs=1"]
    source = runs["frozen"].recipe.data.source
    still = tfcnn.train(source, settings=settings, run=str(tmp_path / "still"))
    probs = [
        np.array([float(row["prob_round"]) for row in run.predictions])
        for run in (still, runs["frozen"])
    ]
    np.testing.assert_allclose(*probs, atol=1e-4)


@pytest.mark.parametrize("start", ["frozen", "finetune"])
def test_the_twin_the_report_and_the_card_say_what_it_began_from(runs, start):
    run = runs[start]
    assert run.report["agreement"]["twin_difference"] < 1e-4
    assert run.report["agreement"]["forms_mean_difference"] < 1e-3
    assert run.card["network"]["start"] == start
    assert "ImageNet" in run.card["network"]["origin"]
    page = (run.path / "report.html").read_text()
    assert "1.28 million photographs" in page
    assert ("A linear model of what" in page) == (start == "frozen")


class Cut(Reporter):
    """Stops when a stage begins, as a kill would."""

    def stage(self, text: str) -> Progress:
        if text == "saving and scoring":
            raise KeyboardInterrupt
        return super().stage(text)


def test_a_frozen_training_that_was_cut_goes_on(runs, tmp_path):
    settings = [*SETTINGS, "model.start=frozen"]
    source, cut = runs["frozen"].recipe.data.source, str(tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(source, settings=settings, run=cut, reporter=Cut())
    resumed = tfcnn.train(source, settings=settings, run=cut, resume=True)
    names = [run.path / "predictions.csv" for run in (resumed, runs["frozen"])]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.slow
def test_a_backbone_of_keras_shares_the_ways(runs, tmp_path):
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    path = tmp_path / "own.weights.h5"
    backbone.save_weights(path)
    settings = [
        *SETTINGS, "model.network=pretrained", f"model.options.weights={path}",
        "train.finetune_epochs=1",
    ]  # fmt: skip
    source = runs["frozen"].recipe.data.source
    for start in ("frozen", "finetune"):
        chosen = [*settings, f"model.start={start}"]
        run = tfcnn.train(source, settings=chosen, run=str(tmp_path / start))
        network = run.card["network"]
        assert (network["start"], network["origin"]) == (start, str(path))
        assert run.report["agreement"]["twin_difference"] < 1e-4


def test_folds_are_frozen_and_fine_tuned_too(runs, tmp_path):
    settings = [*SETTINGS, "model.start=frozen"]
    source = runs["frozen"].recipe.data.source
    summary = tfcnn.crossval(source, folds=2, settings=settings, run=str(tmp_path / "folds"))
    assert summary.metrics["accuracy"]["mean"] > 0.5
    # one array of features serves both folds
    assert len(list((data_home() / "cache").glob("*.npy"))) == 2


def test_maps_are_drawn_of_a_backbone(runs, tmp_path):
    run = runs["finetune"]
    image = next(Path(run.recipe.data.source).rglob("*.png"))
    study = tfcnn.explain_images(run, image)
    assert len(study.explanations) == 1


def test_the_last_layers_alone_are_fine_tuned_where_asked(runs, saved, tmp_path):
    settings = [*SETTINGS, "train.finetune_layers=2", "train.finetune_epochs=1"]
    source = runs["frozen"].recipe.data.source
    run = tfcnn.train(source, settings=settings, run=str(tmp_path / "last"))
    model = keras.saving.load_model(run.path / "model.keras")
    names = [layer.name for layer in model.layers if layer.weights]
    learning = [name for name in names if not hasattr(model.get_layer(name), "moving_mean")]
    assert changed(saved["start"], model) == set(learning[-2:])
    assert "The last layers (finetune_layers = 2" in (run.path / "report.html").read_text()
