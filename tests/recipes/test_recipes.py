"""Recipes: every shipped one is valid, and every mistake is named."""

import os

import pytest

from tfcnn import recipes
from tfcnn.base.errors import InputError


@pytest.mark.parametrize("name", recipes.names())
def test_shipped_recipes_load_and_survive_a_round_trip(name, tmp_path):
    loaded = recipes.load(name)
    path = tmp_path / f"{name}.toml"
    recipes.write(loaded, path)
    assert recipes.load(str(path)) == loaded


@pytest.mark.parametrize("name", recipes.names())
def test_shipped_recipes_open_with_their_command(name):
    text = (recipes.FOLDER / f"{name}.toml").read_text()
    assert text.startswith("#") and f"tfcnn train {'FOLDER' if name == 'folder' else name}" in text


def test_values_are_read_as_toml_else_as_text():
    changed = recipes.override(
        recipes.load("malaria"),
        ["train.epochs=3", "data.fit=pad", "data.image_size=[48, 64]", "inputs.augment=none"],
    )
    assert changed.train.epochs == 3
    assert changed.data.fit == "pad"
    assert changed.data.image_size == (48, 64)
    assert changed.inputs.augment == recipes.Augment()
    assert recipes.override(changed, ["data.image_size=32"]).data.image_size == (32, 32)


def test_a_text_may_be_a_number(tmp_path):
    assert recipes.override(recipes.load("malaria"), ["data.positive=1"]).data.positive == "1"
    path = tmp_path / "mine.toml"
    path.write_text("[data]\nsource = 2024\npositive = 0\n")
    assert (recipes.load(str(path)).data.source, recipes.load(str(path)).data.positive) == (
        "2024",
        "0",
    )


@pytest.mark.parametrize("order", [1, -1])
def test_another_network_starts_from_its_own_options(order):
    malaria = recipes.load("malaria")
    own = {"equalize": True, "widths": [24, 48, 96, 192]}
    assert malaria.model.options == own
    assert recipes.override(malaria, ["model.network=lenet5"]).model.options == {}
    assert recipes.override(malaria, ["model.network=compact"]).model.options == own
    both = ["model.network=resnet", "model.options.depth=32"][::order]
    assert recipes.override(malaria, both).model.options == {"depth": 32}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epoch=3", "train.epochs"),
        ("train.epochs=many", "train.epochs"),
        ("train.epochs=0", "train.epochs"),
        ("nonsense=1", "nonsense"),
        ("train.epochs", "section.key=value"),
        ("train.epochs.more=1", "no keys"),
        ("data.image_size=4", "8 to 1024"),
        ("data.split.unit=image", "demonstration"),
        ("data.split.seed=-1", "data.split.seed"),
        ("inputs.augment.rotation_degree=3", "rotation_degrees"),
        ("inputs.generator.zoom_range=1", "augment = false"),
        ("train.weight_decay=0.02", "muon keeps"),
    ],
)
def test_mistakes_are_named_in_one_line(assignment, message):
    with pytest.raises(InputError) as caught:
        recipes.override(recipes.load("malaria"), [assignment])
    text = str(caught.value)
    assert message in text and "\n" not in text
    for once in ("expected ", "; received ", "; try "):
        assert text.count(once) == 1, text


def test_groups_come_from_one_place():
    both = ["data.group_regex=^(P)", "data.group_csv=groups.csv"]
    with pytest.raises(InputError, match="data: expected group_regex or group_csv; received both"):
        recipes.override(recipes.load("malaria"), both)


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(InputError, match="malaria"):
        recipes.load("nothing")


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[data\n")
    with pytest.raises(InputError, match=r"mine\.toml"):
        recipes.load(str(path))


def test_every_key_is_documented():
    text = (recipes.FOLDER.parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    leaves = [key for key in recipes.known_keys() if "." in key and key != "data.split"]
    missing = [key for key in leaves if f"`{key}`" not in text]
    assert not missing


def test_a_folder_that_no_recipe_can_name_is_refused_first(tmp_path):
    folder = tmp_path / os.fsdecode(b"cells-\xff")
    folder.mkdir()
    with pytest.raises(InputError, match=r"cells-\\udcff: expected a name in UTF-8"):
        recipes.for_folder(folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(".9", 0.9), ("5.", 5.0), ("-.5e1", -5.0), ("1.2.3", "1.2.3"), (".", ".")],
)
def test_numbers_may_lack_a_digit_beside_the_point(text, expected):
    assert recipes.read_assignment(f"a.b={text}") == ("a.b", expected)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "data.image_size=[28]",
            r"image_size: expected a side in px, or height and width; received",
        ),
        ("data.image_size=28.5", r"received 28\.5; try 64 or"),
        ("inputs.augment.flip_horizontal=sometimes", "expected true or false or 'alternating'"),
        ("inputs.augment.shift_height=x", "expected a number or a list of numbers; received 'x'"),
        ("model.options={width=.5}", "expected a table of TOML; .*0.5 instead of .5"),
        ("train=5", "train: expected a table of settings; received 5"),
        ("train.epochs=true", "expected a whole number; received True"),
        ("train.learning_rate=inf", "expected a finite number"),
        ("train.learning_rate=0.001", "rate >= 0.005 with muon; received 0.001; try 0.1, or"),
        ("train.optimizer=adam", "rate <= 0.05 with adam; received 0.1; try train.learning_rate="),
        ("inputs.augment.zoom=[0, 0]", "factors over 0 as zoom"),
        ("inputs.augment.channel_shift=2", "a fraction of 255 as channel_shift"),
    ],
)
def test_nonsense_is_refused_in_words(setting, message):
    with pytest.raises(InputError, match=message):
        recipes.override(recipes.load("malaria"), [setting])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["warmup_epochs=2"], "no warmup_epochs with one_cycle, which has warmup_fraction; rec"),
        (["schedule=cosine", "warmup_epochs=16"], "below the 16 epochs; received 16; try"),
        (
            ["plateau_factor=0.2"],
            'expected schedule = "reduce_on_plateau" with plateau_factor; rec',
        ),
        (["plateau_patience=9"], '"reduce_on_plateau" with plateau_patience; received one_cycle'),
        (["schedule=reduce_on_plateau", "patience=3"], "patience above the 3 of plateau_patience"),
        (["schedule=reduce_on_plateau", "plateau_factor=1"], "less than 1"),
        (["focal_gamma=1"], 'expected loss = "focal" with focal_gamma; received crossentropy'),
        (["mixup=0.2", "batch_size=1"], "batch_size >= 2 with mixup"),
        (["mixup=1.5"], "train.mixup: expected less than or equal to 1"),
        (["ema=1"], "train.ema: expected less than 1; received 1"),
        (["clip_norm=-1"], "train.clip_norm: expected greater than or equal to 0"),
        (["loss=hinge"], "'crossentropy' or 'focal'; received 'hinge'"),
        (["finetune_layers=2.5"], "a fraction under 1, or a whole number; received 2.5"),
        (["class_weights={round = 0}"], "train.class_weights: expected .* over 0 for each"),
        (["class_weights={}"], r"train.class_weights: .*; received {}; try"),
    ],
)
def test_settings_that_cannot_work_together_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        recipes.override(recipes.load("malaria"), [f"train.{one}" for one in settings])


@pytest.mark.parametrize("setting", ["ema=0.9", "clip_norm=1", "mixup=0.2", "loss=focal"])
def test_what_concerns_epochs_is_refused_without_any(setting):
    both = ["model.network=efficientnet_lite", f"train.{setting}"]
    assert recipes.override(recipes.load("folder"), both)
    with pytest.raises(InputError, match=r'with model\.start = "frozen", which trains no epochs'):
        recipes.override(recipes.load("folder"), [*both, "model.start=frozen"])


def test_weights_of_classes_survive_a_round_trip(tmp_path):
    made = recipes.override(recipes.load("malaria"), ['train.class_weights={"a b" = 2, c = 0.5}'])
    assert made.train.class_weights == {"a b": 2.0, "c": 0.5}
    recipes.write(made, tmp_path / "malaria.toml")
    assert recipes.load(str(tmp_path / "malaria.toml")) == made


def test_another_schedule_or_loss_leaves_the_settings_of_the_former_behind():
    words = ["schedule=reduce_on_plateau", "plateau_patience=2", "loss=focal", "focal_gamma=1"]
    recipe = recipes.override(recipes.load("folder"), [f"train.{one}" for one in words])
    assert (recipe.train.plateau_patience, recipe.train.focal_gamma) == (2, 1)
    kept = recipes.override(recipe, ["train.schedule=reduce_on_plateau", "train.epochs=9"])
    assert (kept.train.plateau_patience, kept.train.focal_gamma) == (2, 1)
    other = recipes.override(recipe, ["train.schedule=linear", "train.loss=crossentropy"])
    assert (other.train.plateau_patience, other.train.focal_gamma) == (3, 2)
    with pytest.raises(InputError, match="with plateau_patience"):
        recipes.override(recipe, ["train.schedule=linear", "train.plateau_patience=2"])
