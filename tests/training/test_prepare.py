"""What a recipe leaves to the data, and what of it does not fit them."""

from collections import Counter
from dataclasses import replace

import pytest

from tfcnn import decode, manifest, recipes
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import open_image
from tfcnn.inputs import cache
from tfcnn.training import prepare
from tfcnn.training.prepare import survey


def surveyed(root, *settings):
    return survey(recipes.override(recipes.for_folder(root), list(settings)), Reporter())[0]


@pytest.mark.parametrize(
    ("num_classes", "setting", "message"),
    [
        (3, "data.positive=a", r"two classes, one of them positive; received 3 \(a, b, c\)"),
        (3, "evaluation.sensitivity=.9", r"evaluation\.sensitivity: .*a, b, c; try leaving it out"),
        (2, "evaluation.sensitivity=.9", r"data\.positive=a, or =b"),
        (2, "evaluation.specificity=.9", r"evaluation\.specificity: expected two classes"),
        (2, "data.positive=c", "one of a, b; received c"),
    ],
)
def test_a_positive_class_that_is_none_of_two_is_refused_first(
    make_tree, monkeypatch, num_classes, setting, message
):
    root = make_tree(classes=("a", "b", "c")[:num_classes])
    monkeypatch.setattr(manifest, "build", lambda *_, **__: pytest.fail("read the images"))
    with pytest.raises(InputError, match=message):
        surveyed(root, setting)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [(("a", "b"), "a"), (("b", "c"), None), (("a", "b", "c"), None)],
)
def test_the_positive_class_of_a_data_set_is_that_of_its_whole(
    make_tree, monkeypatch, classes, expected
):
    source = replace(open_folder(make_tree(classes=classes)), positive="a")
    monkeypatch.setattr(prepare, "open_any", lambda *_: source)
    assert surveyed(source.root).data.positive == expected


def test_a_csv_goes_before_the_regex_of_a_data_set(make_tree, monkeypatch, tmp_path):
    """The run must not say that its groups were read with that regex."""
    source = replace(open_folder(make_tree()), group_regex=r"^(P\d)")
    monkeypatch.setattr(prepare, "open_any", lambda *_: source)
    assert surveyed(source.root).data.group_regex == r"^(P\d)"
    table = tmp_path / "groups.csv"
    lines = [f"{item.path},{i}" for i, item in enumerate(source.items)]
    table.write_text("\n".join(["path,group", *lines]))
    settings = recipes.override(recipes.for_folder(source.root), [f"data.group_csv={table}"])
    for _ in range(2):  # `crossval` surveys once for all, then once per fold
        settings, _, listed, *_ = survey(settings, Reporter())
        assert settings.data.group_regex is None
        assert listed.summary() == "48 images of 48 groups"


def test_classes_may_be_numbers(make_tree):
    assert surveyed(make_tree(classes=("0", "1")), "data.positive=1").data.positive == "1"


def test_an_image_is_opened_once_to_be_hashed_and_decoded(make_tree, home, monkeypatch):
    opened = Counter()

    def counted(content, name="image", least=None):
        opened[name] += 1
        return open_image(content, name, least)

    for module in (manifest.rows, decode.decoder):
        monkeypatch.setattr(module, "open_image", counted)
    root = make_tree()
    (root / "round" / "broken.png").write_bytes(b"no image")
    chosen = recipes.for_folder(root)
    prepared = prepare.prepare(chosen, None, False, Reporter())
    assert len(opened) == len(prepared.images) + 1
    assert set(opened.values()) == {1}
    assert prepared.decode_seconds > 0
    for i, row in enumerate(prepared.manifest.rows):
        expected = prepared.decoder.decode((root / row.path).read_bytes())
        assert (prepared.images[i] == expected).all()


def test_what_memory_does_not_hold_is_opened_again(make_tree, home, monkeypatch):
    root = make_tree()
    chosen = recipes.for_folder(root)
    monkeypatch.setattr(cache, "EARLY_BYTES", 5 * 32 * 32 * 3)
    few = prepare.prepare(chosen, None, False, Reporter()).images
    monkeypatch.setattr(cache, "VERSION", 0)  # another key: everything is opened again
    assert (few == prepare.prepare(chosen, None, False, Reporter()).images).all()


def test_memory_holds_the_images_of_other_ways_to_begin_alone(make_tree, home):
    whole = recipes.parse({"name": "a", "data": {"source": str(make_tree())}}, "a")
    auto = recipes.override(whole, ["model.start=auto"])
    for recipe, sizes in ((auto, [(32, 32)]), (whole, [])):
        prepared = prepare.prepare(recipe, None, False, Reporter())
        assert [one.decoder.image_size for one in prepared.early] == sizes


def test_a_class_that_is_weighted_must_be_one(make_tree):
    recipe = recipes.override(recipes.for_folder(make_tree()), ["train.class_weights={rund = 2.0}"])
    with pytest.raises(InputError) as refused:
        survey(recipe, Reporter())
    assert str(refused.value) == (
        "train.class_weights: expected names of classes: round, square; received 'rund' (did you "
        "mean round?); try 'train.class_weights={round = 2.0}'"
    )
