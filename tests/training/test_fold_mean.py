"""The mean of the folds of a cross-validation: its arithmetic, and when there is none."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from paper_runs import make_run, random_table
from scipy.special import expit, softmax

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.evaluation import extras, scoring
from tfcnn.training import fold_mean


def network(seed: int, units: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 3))
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    activation = "sigmoid" if units == 1 else "softmax"
    outputs = keras.layers.Dense(units, activation=activation, name="head")(features)
    return keras.Model(images, outputs)


@pytest.mark.parametrize("units", [1, 3])
def test_the_logits_are_averaged_not_the_probabilities(units):
    models = [network(seed, units) for seed in range(3)]
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.float32)
    logits = []
    for model in models:
        kernel, bias = model.get_layer("head").get_weights()
        logits.append(images.reshape(5, -1) / 255 @ kernel + bias)
    mean = np.mean(logits, axis=0)
    expected = expit(mean) if units == 1 else softmax(mean, axis=1)
    united = fold_mean.united(models)
    np.testing.assert_allclose(united.predict(images, verbose=0), expected, atol=1e-5)
    inner = keras.Model(united.inputs[0], united.get_layer("head").input)
    found = inner.predict(images, verbose=0)  # what the first fold's domain looks at
    np.testing.assert_allclose(found, images.reshape(5, -1) / 255, atol=1e-6)


def test_folds_that_take_other_pixels_have_no_mean(tmp_path):
    runs = [make_run(tmp_path / f"fold-{i}") for i in range(3)]
    assert fold_mean.why_none(runs) == ""
    decoder = {"image_size": [16, 16], "channels": 3, "fit": "stretch"}
    runs[2] = replace(runs[2], card={**runs[2].card, "decoder": decoder})
    assert fold_mean.why_none(runs) == "fold-2 takes other pixels than fold-0"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("sensitivity at least 0.9 on 40 val images (there: sensitivity 0.95)",
         "sensitivity at least 0.9 on 40 out-of-fold images (there: sensitivity 0.95)"),
        ("default, as it cannot be had: val has no positive image",
         "default, as it cannot be had: the out-of-fold images have no positive image"),
        ("best sum over val's 3 positive and 4 negative groups",
         "best sum over the out-of-fold 3 positive and 4 negative groups"),
        ("default", "default"),
    ],
)  # fmt: skip
def test_reasons_do_not_speak_of_val(reason, expected):
    assert fold_mean._of_folds(reason) == expected


def test_the_threshold_of_the_mean_is_promised_by_its_folds(tmp_path):
    recipe = recipes.override(
        recipes.load("folder"),
        ["data.source=cells", "evaluation.guarantee={sensitivity = 0.6, confidence = 0.5}"],
    )
    table = replace(random_table(splits=("test",)), decisions=np.zeros(600, dtype=np.int32))
    run = make_run(tmp_path / "val", folds=2)  # a folder may have that name
    entries = fold_mean._rules(run, table, [], recipe)
    promise = entries["guarantee"]
    assert promise["is_kept"] and (promise["source"], promise["unit"]) == ("val", "patients")
    run = make_run(tmp_path / "cells-crossval", folds=2)
    entries = fold_mean._rules(run, table, [], recipe)
    promise = entries["guarantee"]
    assert promise["is_kept"] and promise["source"] == "cells-crossval"
    assert "13 patients that cells-crossval predicted unseen" in entries["threshold_reason"]
    run = replace(run, card={**run.card, **entries})
    point = scoring.score(run, table).operating_point
    assert point["guarantee"]["splits"] == {}  # each fold decided by a threshold of its own
    few = fold_mean._rules(run, table.take(np.arange(2)), [], recipe)
    assert not few["guarantee"]["is_kept"] and "cells-crossval has" in few["unmet"][0]
    leaky = fold_mean._rules(replace(run, card={**run.card, "leaky": True}), table, [], recipe)
    assert leaky["guarantee"] == {} and leaky["threshold"] == 0.5
    assert "leak promises nothing" in leaky["unmet"][0]


def test_the_card_has_the_corrections_of_all_folds(tmp_path):
    run = make_run(tmp_path)
    first = replace(run, card={**run.card, "data": {"corrections": {"of_test": 0}, "notes": ["a"]}})
    whole = SimpleNamespace(notes=("b",), corrections={"of_test": 4})
    assert fold_mean._data(first, whole) == {"corrections": {"of_test": 4}, "notes": ["b"]}
    run = make_run(tmp_path, folds=2, data={**run.card["data"], "corrections": {"of_test": 4}})
    report = scoring.score(run, random_table(splits=("test",)))
    summary = SimpleNamespace(
        metrics={"accuracy": {"mean": 0.8, "sd": None}}, folds=[{}, {}], by_class=()
    )
    said = fold_mean._sentence(run, report, summary)
    assert said.startswith("On 20 patients (labels of the test split were corrected), each tested")
    assert "corrections" not in fold_mean._data(first, SimpleNamespace(notes=(), corrections={}))


def test_no_stress_test_of_a_mean_on_what_its_folds_learnt_from(tmp_path):
    run, wanted = make_run(tmp_path, folds=2), extras.Wanted(progress=lambda done, of: None)
    with pytest.raises(InputError, match="learnt from all of them; try --stress of a fold"):
        extras.of_own_split(SimpleNamespace(main_split="test"), run, wanted)
