"""Whether left and right tell the classes: by names and by images; then nothing is mirrored."""

import unicodedata

import numpy as np
import pytest
from conftest import Heard
from PIL import Image
from sklearn.datasets import load_digits

from tfcnn import recipes
from tfcnn.datasets import smears
from tfcnn.inputs import direction, pipeline
from tfcnn.recipes import Augment, InputSettings
from tfcnn.training.prepare import prepare

AUTO = InputSettings(augment=Augment(flip_horizontal="auto", brightness=0.1))


@pytest.mark.parametrize(
    "names",
    [
        ["left", "right"],
        ["Links", "Rechts"],
        ["gauche", "droite"],
        ["izquierda", "derecha"],
        ["L", "R"],
        ["eye_l", "eye_r"],
        ["handL", "handR"],
        ["OD", "OS"],
        ["east", "west"],
        ["NE", "NW", "SE", "SW"],
        ["clockwise", "counter-clockwise"],
        ["cw", "ccw"],
        ["TurnLeft", "Straight"],
        ["turnleft", "turnright"],
        ["linkskurve", "rechtskurve"],
        ["b", "d"],
        list("0123456789"),
        ["3", "8"],
        ["digit 2", "digit 5"],
        ["one", "two", "three"],
        ["左", "右"],
        ["arrow-up", "arrow-down"],
        ["text", "drawing"],
        ["doleva", "doprava"],
        ["ліво", "право"],
        ["αριστερά", "δεξιά"],
        ["sol", "sağ"],
        ["bal", "jobb"],
        ["kiri", "kanan"],
        ["왼쪽", "오른쪽"],
        ["बाएं", "दाएं"],
        ["ขวามือ", "ซ้ายมือ"],
        ["ימין", "שמאל"],
        [unicodedata.normalize("NFD", name) for name in ("vänster", "höger")],  # from a Mac
        [f"{digit:02}" for digit in range(10)],
    ],
    ids=" ".join,
)
def test_names_that_name_a_direction_switch_mirroring_off(names):
    settled, why = direction.by_names(AUTO, names)
    assert settled.augment == Augment(brightness=0.1)
    assert "not mirrored left-right: " in why and "flip_horizontal=true" in why
    for flip in (True, False, "alternating"):  # what a person asks for is done
        given = InputSettings(augment=Augment(flip_horizontal=flip))
        assert direction.by_names(given, names) == (given, "")


@pytest.mark.parametrize(
    "names",
    [
        ["Parasitized", "Uninfected"],
        ["cat", "dog"],
        ["0", "1"],
        ["daisy", "dandelion", "rose", "sunflower", "tulip"],
        ["class1", "class2"],
        ["bright", "dark"],
        ["cleft", "normal"],
        ["low", "high"],
        ["leftover", "meal"],
        ["grade_0", "grade_1", "grade_2"],
        ["vitamin E", "vitamin D"],
        ["sol", "luna"],
        ["001", "002", "003"],
    ],
    ids=" ".join,
)
def test_other_names_leave_it_to_the_images(names):
    assert direction.by_names(AUTO, names) == (AUTO, "")


def arrows(count=200, side=32, seed=0):
    """Draw heads of arrows to either side, about the middle, on noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, side, side, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(10, 15, 2)
        for step in range(8):
            reach = step if label else 7 - step
            image[top + 4 - reach // 2 : top + 5 + reach // 2, left + step] += 150
    return images, labels


def halves(symmetric: bool, count=200):
    """Draw images that are bright above or below (symmetric), or to the left or right."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 120, (count, 24, 24, 1), dtype=np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        half = slice(12 * label, 12 + 12 * label)
        image[(half,) if symmetric else (slice(None), half)] += 40
    return images, labels


def test_images_that_only_their_direction_tells_apart_are_not_mirrored():
    for images, labels in (arrows(), halves(symmetric=False)):
        groups = np.array([f"P{i // 10}" for i in range(len(labels))])
        for names_of_groups in (groups, np.full(len(labels), "")):
            why = direction.in_images(images, labels, names_of_groups)
            assert "% of the training images, and on" in why
        settled, why = direction.by_images(AUTO, images, labels, groups, np.arange(len(labels)))
        assert settled.augment.flip_horizontal is False and "not mirrored" in why


def symmetric_sets():
    yield halves(symmetric=True)
    rng = np.random.default_rng(0)
    yield rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8), rng.integers(0, 2, 200)  # noise
    turned, labels = arrows()
    turned[::4], turned[1::4] = turned[::4, :, ::-1], turned[1::4, :, ::-1]  # both ways in each
    yield turned, labels
    digits = load_digits()
    yield (digits.images * 15).astype(np.uint8)[..., None], digits.target  # other parts tell too


def test_images_that_something_else_tells_apart_are_mirrored():
    for images, labels in symmetric_sets():
        groups = np.full(len(labels), "")
        settled, why = direction.by_images(AUTO, images, labels, groups, np.arange(len(labels)))
        assert settled.augment == Augment(flip_horizontal=True, brightness=0.1)
        assert why.startswith("mirrored left-right")


def test_cells_are_mirrored(tmp_path):
    smears.generate(tmp_path / "cells", num_patients=8, cells_per_patient=12)
    settled = prepare(recipes.for_folder(tmp_path / "cells" / "cell_images"), None, False, Heard())
    assert settled.recipe.inputs.augment.flip_horizontal is True


def test_few_images_or_one_class_say_nothing():
    images, labels = halves(symmetric=False)
    assert direction.in_images(images[:30], labels[:30], np.full(30, "")) == ""
    assert direction.in_images(images, np.zeros(200, int), np.full(200, "")) == ""


def test_of_many_images_some_of_every_class_are_looked_at(monkeypatch):
    images, labels = np.zeros((10_000, 8, 8, 1), np.uint8), np.repeat([0, 1, 2], [9_900, 50, 50])
    counts = []

    def count(images, labels, groups):
        counts.append(np.bincount(labels).tolist())
        return ""

    monkeypatch.setattr(direction, "in_images", count)
    direction.by_images(AUTO, images, labels, np.full(10_000, ""), np.arange(10_000))
    assert counts == [[900, 50, 50]]


def write_halves(root, names):
    images, labels = halves(symmetric=False, count=120)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / names[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    return root


@pytest.mark.parametrize("names", [("left", "right"), ("kind_1", "kind_2")])
def test_a_folder_is_prepared_with_what_was_settled_and_why(names, tmp_path, home):
    recipe = recipes.for_folder(write_halves(tmp_path / "set", names))
    assert recipe.inputs.augment.flip_horizontal == "auto"
    reporter = Heard()
    prepared = prepare(recipe, None, False, reporter)
    assert prepared.recipe.inputs.augment.flip_horizontal is False
    (message,) = (text for text in reporter.notes if "not mirrored" in text)
    assert ("'left'" in message) == (names[0] == "left")
    assert pipeline.describe(prepared.recipe.inputs) == "brightness ±10 %"
    assert "flip_horizontal = false" in recipes.reader.to_toml(prepared.recipe)


def test_ranges_that_destroy_images_are_said_when_a_training_begins(make_tree, home):
    settings = ["inputs.augment=none", "inputs.generator.brightness_range=[-0.2, 0.2]"]
    reporter = Heard()
    prepare(recipes.override(recipes.for_folder(make_tree()), settings), None, False, reporter)
    assert [text.endswith("brightness_range=[0.8, 1.2]") for text in reporter.notes].count(
        True
    ) == 1


def test_other_folders_are_mirrored_as_before(make_tree, home):
    reporter = Heard()
    prepared = prepare(recipes.for_folder(make_tree()), None, False, reporter)
    assert prepared.recipe.inputs.augment.flip_horizontal is True
    assert not [text for text in reporter.notes if "not mirrored" in text]
