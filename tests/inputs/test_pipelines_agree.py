"""Runs of both pipelines over one folder: the same classes, split, images and evaluation."""

import csv
import json

import pytest
from conftest import QUICK, write_tree

import tfcnn
from tfcnn.report import page

# SciPy 1: Keras reaches for a name that SciPy 2 is to drop
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")

SETTINGS = (
    *QUICK, "train.epochs=1", "data.image_size=16", "data.group_regex='^(P[0-9]+)_'",
    "model.network=mlp", "inputs.augment=none",
)  # fmt: skip
KERAS = "inputs.pipeline=generator"
TURNED = ("inputs.generator.rotation_range=20", "inputs.generator.horizontal_flip=true")
RUNS = {"tfdata": (), "generator": (KERAS,), "turned": (KERAS, *TURNED)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("pipelines") / "shapes", groups=8, side=16)


@pytest.fixture(scope="module")
def folders(root):
    """The run folders of `RUNS`, over the same images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(root.parent))
        patch.setattr(page, "write", lambda folder: None)  # no page is looked at here
        return {
            name: tfcnn.train(root, settings=[*SETTINGS, *words], run=name).path
            for name, words in RUNS.items()
        }


def rows_of(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_have_the_same_classes_and_split(folders):
    cards = [json.loads((folder / "model.json").read_text()) for folder in folders.values()]
    splits = [(folder / "split.csv").read_bytes() for folder in folders.values()]
    for card, split in zip(cards, splits, strict=True):
        assert card["class_names"] == ["round", "square"]
        assert card["decoder"] == cards[0]["decoder"]
        assert split == splits[0]


def test_without_changes_both_train_one_model_and_evaluate_every_file_alike(folders):
    """Every weight depends on the images fed and on their order."""
    ours, keras = folders["tfdata"], folders["generator"]
    assert (ours / "predictions.csv").read_bytes() == (keras / "predictions.csv").read_bytes()
    reports = [json.loads((folder / "report.json").read_text()) for folder in (ours, keras)]
    assert reports[0]["splits"] == reports[1]["splits"]


def test_changed_training_images_leave_the_evaluation_as_it_is(folders):
    """The same files in the same order with the same labels, predicted by another model."""
    rows, others = rows_of(folders["tfdata"]), rows_of(folders["turned"])
    for column in ("path", "split", "group", "label"):
        assert [row[column] for row in rows] == [row[column] for row in others]
    assert rows != others


@pytest.mark.parametrize("name", RUNS)
def test_a_file_alone_is_predicted_as_in_the_evaluation(folders, root, name):
    rows = rows_of(folders[name])
    assert len(rows) > 8
    predictions = tfcnn.predict(folders[name], [root / row["path"] for row in rows])
    for row, prediction in zip(rows, predictions, strict=True):
        assert prediction.predicted == row["predicted"]
        for class_name, prob in prediction.probs.items():
            assert prob == pytest.approx(float(row[f"prob_{class_name}"]), abs=1e-4)
