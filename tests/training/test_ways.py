"""Ways to begin: which a recipe allows, with which network, and what is refused."""

import pytest

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.recipes import Recipe
from tfcnn.training import ways


def recipe(*settings: str) -> Recipe:
    whole = recipes.parse({"name": "a", "data": {"source": "a"}}, "a")
    return recipes.override(whole, list(settings))


def allowed(*settings: str) -> list[tuple[str | None, str, dict]]:
    return [
        (way.model.start, way.model.network, way.model.options)
        for way in ways.allowed(recipe(*settings))
    ]


LITE = "efficientnet_lite"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), [("scratch", "compact", {})]),
        (("model.network=lenet5",), [("scratch", "lenet5", {})]),
        (("model.network=efficientnet_lite",), [("finetune", LITE, {})]),
        (("model.network=pretrained",), [("finetune", "pretrained", {})]),
        (
            ("model.network=pretrained", "model.options.weights=none"),
            [("scratch", "pretrained", {"weights": "none"})],
        ),
        (("model.start=frozen",), [("frozen", LITE, {})]),
        (("model.start=finetune",), [("finetune", LITE, {})]),
        (
            ("model.start=auto", "model.options={widths=[8,16]}"),
            [
                ("frozen", LITE, {}),
                ("scratch", "compact", {"widths": [8, 16]}),
                ("finetune", LITE, {}),
            ],
        ),
        (
            ("model.network=efficientnet_lite", "model.start=auto", "model.options.variant=1"),
            [("frozen", LITE, {"variant": 1}), ("finetune", LITE, {"variant": 1})],
        ),
        (
            ("model.network=lenet5", "model.start=auto"),
            [("frozen", LITE, {}), ("scratch", "lenet5", {}), ("finetune", LITE, {})],
        ),
        (
            ("model.network=efficientnet_lite", "model.start=scratch", "model.options.variant=1"),
            [("scratch", LITE, {"variant": 1, "weights": "none"})],
        ),
    ],
)
def test_what_a_recipe_allows_the_cheapest_first(settings, expected):
    assert allowed(*settings) == expected


def test_a_network_that_has_learnt_nothing_is_not_begun_from():
    for settings in (
        ["model.network=lenet5", "model.start=frozen"],
        ["model.network=pretrained", "model.options.weights=none", "model.start=finetune"],
    ):
        with pytest.raises(InputError, match=r"model\.start=.*efficientnet_lite or pretrained"):
            allowed(*settings)


def test_no_epochs_to_fine_tune_are_refused():
    with pytest.raises(InputError, match=r"train\.finetune_epochs: expected at least 1"):
        allowed("model.start=auto", "train.finetune_epochs=0")
    allowed("model.start=frozen", "train.finetune_epochs=0")  # where none are asked for


def test_who_names_a_network_in_the_folder_recipe_gets_that_one(tmp_path):
    folder = recipes.for_folder(tmp_path)
    assert [way.model.start for way in ways.allowed(folder)] == ["frozen", "scratch", "finetune"]
    for settings in (["model.network=lenet5"], ["model.network=compact"]):
        (way,) = ways.allowed(recipes.override(folder, settings))
        assert way.model.start == "scratch"
    both = recipes.override(folder, ["model.start=auto", "model.network=lenet5"])
    assert both.model.start == "auto"
