"""Ways to begin: which a recipe allows, with which network, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Heard

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.recipes import Recipe
from tfcnn.training import checkpoint, learn, prepare, ways
from tfcnn.training.checkpoint import Start, State


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


def sized(start, *settings, size=(64, 64)):
    whole = recipe("model.start=auto", *settings)
    way = next(way for way in ways.allowed(whole) if way.model.start == start)
    data = way.data.model_copy(update={"image_size": size})
    return way.model_copy(update={"data": data})


@pytest.mark.parametrize("start", ["frozen", "finetune", "scratch"])
def test_a_choice_leaves_out_what_images_do_not_suit(start):
    most, is_new = ways.MOST_IMAGES, start == "scratch"
    assert ways.unsuited(sized(start), most) == ""
    assert bool(ways.unsuited(sized(start), most + 1)) is not is_new
    assert bool(ways.unsuited(sized(start, size=(32, 31)), 10)) is not is_new
    assert ways.unsuited(sized(start, size=(32, 32)), 10) == ""


def test_what_is_left_out_is_said_and_the_rest_is_tried(make_tree):
    heard = Heard()
    folder = recipes.for_folder(make_tree())
    small = recipes.override(folder, ["data.image_size=16"])
    prepared = prepare.prepare(small, None, False, heard)
    assert [way.model.start for way in prepared.allowed] == ["scratch"]
    assert prepared.place == "scratch"
    assert "frozen was not tried: efficientnet_lite needs 32 x 32 px, not 16 x 16 px" in heard.notes
    assert len(prepared.left_out) == 2
    tiny = recipes.override(folder, ["data.image_size=8"])  # the network itself refuses it
    assert len(prepare.prepare(tiny, None, False, heard).allowed) == 1


def test_each_way_has_the_size_it_learnt_from(make_tree):
    root = make_tree()
    prepared = prepare.prepare(recipes.for_folder(root), None, False, Heard())
    sizes = [way.data.image_size for way in prepared.allowed]
    assert sizes == [(224, 224), (32, 32), (224, 224)]
    assert prepared.images.shape[1:] == (224, 224, 3)
    other = prepared.by(prepared.allowed[1], Heard())
    assert other.images.shape[1:] == (32, 32, 3)
    assert other.splits == prepared.splits
    assert prepared.asked.data.image_size is None
    alone = recipes.override(recipes.for_folder(root), ["model.start=frozen"])
    recorded = prepare.prepare(alone, None, False, Heard()).asked
    assert recorded.data.image_size == (224, 224)
    assert recorded.model.network == "efficientnet_lite"


def test_a_checkpoint_of_an_earlier_way_to_fine_tune_is_refused(monkeypatch, tmp_path):
    start = Start(State(epoch=1), weights=(np.zeros(3),))
    monkeypatch.setattr(checkpoint, "read", lambda *_: start)
    monkeypatch.setattr(learn, "build", lambda *_: "a model")
    monkeypatch.setattr(learn.precision, "settle", lambda *_: None)
    asked = recipe("model.start=finetune", "model.network=efficientnet_lite")
    prepared = SimpleNamespace(recipe=asked, place="")
    with pytest.raises(InputError, match="one of an earlier tfcnn, which fine-tuned otherwise"):
        learn.begin(prepared, tmp_path, True, Reporter())
    start.state.head = {"strength": 1.0}
    assert learn.begin(prepared, tmp_path, True, Reporter()).start is start
