"""The stress test: its figures by hand, its file, and what it does where images are gone."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from conftest import run_tfcnn
from paper_runs import make_run

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import stress
from tfcnn.evaluation.disturbances import SEVERITIES
from tfcnn.evaluation.table import Table

COUNT = 24


class Eye:
    """Answers by the red of the middle: infected from 100 upwards, and flags what is very dark."""

    def __init__(self, lost=()):
        self.lost, self.seen = lost, 0

    def expect(self, count):
        self.expected = count

    def answers(self, images):
        red = images[:, 8:-8, 8:-8, 0].mean(axis=(1, 2))
        infected = np.where(red >= 100, 0.9, 0.1).astype(np.float32)
        flags = [("out-of-domain", "dark") if one < 70 else ("", "") for one in red]
        if self.seen == 0:  # the undisturbed images come first
            flags = [("no-answer", "") if i in self.lost else one for i, one in enumerate(flags)]
        self.seen += len(images)
        return np.stack([1 - infected, infected], axis=1), flags


def images_and_table(groups=8):
    """Half the images have a red of 108, infected; half of 60, healthy."""
    labels = np.arange(COUNT) % 2
    images = np.full((COUNT, 24, 24, 3), 100, dtype=np.uint8)
    images[..., 0] = np.where(labels == 1, 108, 60)[:, None, None]
    names = np.array([f"C{i // 2 % groups}" if groups else "" for i in range(COUNT)])
    probs = np.eye(2, dtype=np.float32)[labels]
    splits = np.full(COUNT, "test")
    paths = np.array([f"{i}.png" for i in range(COUNT)])
    return images, Table(paths, splits, names, labels.astype(np.int32), probs)


@pytest.fixture
def run(tmp_path):
    decoder = {"image_size": [24, 24], "channels": 3, "fit": "stretch"}
    folder = tmp_path / "run"
    folder.mkdir()
    return make_run(folder, decoder=decoder, sha256={})


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Intervals are tested elsewhere."""
    monkeypatch.setattr(stress, "RESAMPLES", 200)


def levels(content, kind):
    return next(row for row in content["kinds"] if row["kind"] == kind)["levels"]


def test_the_figures_are_those_of_the_answers(run):
    images, table = images_and_table()
    heard = []
    content = stress.measure(run, table, images, Eye(), progress=lambda *one: heard.append(one))
    assert content["undisturbed"]["accuracy"]["value"] == 1 and content["groups"] == 8
    assert heard[-1] == (27 * COUNT, 27 * COUNT) and len(content["kinds"]) == 9
    # half the infected cells, by chance, get darker by 20 %, to 86: errors without a flag
    two = levels(content, "brightness")[1]
    errors = two["new_errors"]
    assert 0 < errors < COUNT // 2
    assert two["accuracy"]["value"] == pytest.approx(1 - errors / COUNT)
    assert two["difference"]["value"] == pytest.approx(-errors / COUNT)
    assert two["sensitivity"]["value"] == pytest.approx(1 - errors / (COUNT // 2))
    assert two["flagged_new_errors"]["value"] == 0
    # by 40 %, to 65: all flagged; and 60 becomes 84, no error yet
    three = levels(content, "brightness")[2]
    assert three["new_errors"] == errors and three["flagged_new_errors"]["value"] == 1
    assert three["difference"]["low"] < three["difference"]["value"] < three["difference"]["high"]
    assert levels(content, "blur")[2]["new_errors"] == 0
    assert levels(content, "blur")[2]["flagged_new_errors"]["reason"] == "no new error"


def test_the_worst_comes_first_and_is_named(run):
    images, table = images_and_table()
    content = stress.measure(run, table, images, Eye())
    means = [
        np.mean([one["accuracy"]["value"] for one in row["levels"]]) for row in content["kinds"]
    ]
    assert means == sorted(means) and means[0] < means[-1]
    least = min(
        (one["accuracy"]["value"], row["kind"]) for row in content["kinds"] for one in row["levels"]
    )
    assert f" {least[1]} (" in content["sentence"] and "by " in content["sentence"]
    assert "blur" in content["sentence"].rpartition("is lost by")[2]
    (grid,) = stress.grids(content)
    assert len(grid.rows) == 27 and grid.rows[0][0] == f"{content['kinds'][0]['kind']} 1"


def test_where_nothing_is_lost_it_says_so(run):
    images, table = images_and_table()
    images[..., 0] = np.where(table.labels == 1, 255, 0)[:, None, None]

    class Sure(Eye):
        def answers(self, images):
            infected = (images[:, 8:-8, 8:-8, 0].mean(axis=(1, 2)) > 60).astype(np.float32)
            return np.stack([1 - infected, infected], axis=1), [("", "")] * len(images)

    sentence = stress.measure(run, table, images, Sure())["sentence"]
    assert sentence == "None of these disturbances lowers the accuracy."


def test_what_gets_no_answer_is_an_error(run):
    images, table = images_and_table()
    content = stress.measure(run, table, images, Eye(lost=(0, 5)))
    assert content["undisturbed"]["accuracy"]["value"] == pytest.approx(1 - 2 / COUNT)


def test_grey_images_have_no_stain_and_it_is_said(run):
    card = {**run.card, "decoder": {**run.card["decoder"], "channels": 1}}
    images, table = images_and_table()
    content = stress.measure(dataclasses.replace(run, card=card), table, images[..., :1], Eye())
    assert len(content["kinds"]) == 8
    assert content["not_done"] == ["stain: grey images have no colour"]
    assert "stain" not in content["pictures"]


def test_without_groups_and_with_many_classes(tmp_path):
    decoder = {"image_size": [24, 24], "channels": 3, "fit": "stretch"}
    run = make_run(tmp_path, 3, decoder=decoder, sha256={})

    class Three(Eye):
        def answers(self, images):
            probs, flags = super().answers(images)
            return np.concatenate([probs, np.zeros((len(probs), 1), np.float32)], axis=1), flags

    images, table = images_and_table(groups=0)
    content = stress.measure(run, table, images, Three(), stress.warnings_of(run, table))
    assert content["groups"] == 0 and "sensitivity" not in content["kinds"][0]["levels"][0]
    assert content["warnings"][0].startswith("No patients are known")


def test_there_is_a_picture_of_one_image_at_each_strength(run):
    images, table = images_and_table()
    pictures = stress.measure(run, table, images, Eye())["pictures"]
    assert len(pictures[""]) == 1 and len(pictures) == 10
    assert all(len(pictures[kind]) == len(SEVERITIES) for kind in pictures if kind)
    assert len({uri for uris in pictures.values() for uri in uris}) > 15
    assert all(uri.startswith("data:image/") for uris in pictures.values() for uri in uris)


def test_leaky_and_val_are_said(run):
    _, table = images_and_table()
    leaky = dataclasses.replace(run, card={**run.card, "leaky": True})
    val = dataclasses.replace(table, splits=np.full(COUNT, "val"))
    found = stress.warnings_of(leaky, val)
    assert found[0].startswith("LEAKY") and "val images" in found[1]
    others = dataclasses.replace(table, splits=np.full(COUNT, "data"))  # none of them was seen
    assert not any(text.startswith("LEAKY") for text in stress.warnings_of(leaky, others))


def test_the_file_is_read_as_it_was_written_or_not_at_all(run):
    assert stress.read(run) == {}
    images, table = images_and_table()
    content = stress.measure(run, table, images, Eye())
    path = stress.write(run, content)
    assert stress.read(run)["kinds"] == json.loads(json.dumps(content["kinds"]))
    other = dataclasses.replace(run, card={**run.card, "threshold": 0.4})
    with pytest.raises(CheckError, match="before it was changed"):
        stress.read(other)
    path.write_text(path.read_text().replace('"new_errors": 0', '"new_errors": 1', 1))
    with pytest.raises(CheckError, match="a changed content"):
        stress.read(run)
    content["pictures"]["blur"] = ["https://example.org/a.png"] * 3
    stress.write(run, content)
    with pytest.raises(InputError, match="no 3 pictures of blur"):
        stress.read(run)
    path.write_text('{"sentence": 3}')
    with pytest.raises(InputError, match="stress test"):
        stress.read(run)


def test_a_trained_run_is_stressed_kept_and_shown(run_copy):
    result = run_tfcnn("evaluate", run_copy, "--stress", "--split", "test", "--json")
    assert result.returncode == 0, result.stderr
    content = json.loads(result.stdout)["stress"]
    assert "pictures" not in content and len(content["kinds"]) == 9
    kept = json.loads((run_copy / runs.STRESS).read_text())
    assert kept["kinds"] == content["kinds"] and kept["pictures"]
    test = json.loads((run_copy / runs.REPORT).read_text())["splits"]["test"]["accuracy"]
    assert content["undisturbed"]["accuracy"] == test
    page = (run_copy / runs.PAGE).read_text()
    assert (
        'id="stress"' in page and 'href="#stress"' in page and kept["pictures"]["jpeg"][2] in page
    )
    # a threshold that is set later makes it one of another run
    run_tfcnn("threshold", run_copy, "--value", "0.3")
    page = (run_copy / runs.PAGE).read_text()
    assert "The stress test in this folder is not shown" in page


def test_images_that_are_gone_are_named_with_the_way_out(run_copy, tmp_path):
    card = json.loads((run_copy / runs.CARD).read_text())
    recipe = run_copy / runs.RECIPE
    text = recipe.read_text()
    source = runs.open_run(run_copy).recipe.data.source
    recipe.write_text(text.replace(source, str(tmp_path / "gone")))
    card["sha256"].pop(runs.RECIPE)
    card["sha256"].pop(runs.CARD)
    runs.write_card(runs.Run(run_copy, card))
    result = run_tfcnn("evaluate", run_copy, "--stress")
    assert result.returncode == 2 and not (run_copy / runs.STRESS).exists()
    assert "expected the images of cells" in result.stderr and "--data FOLDER" in result.stderr


def test_a_changed_image_is_refused(run_copy, tmp_path):
    run = runs.open_run(run_copy)
    root = tmp_path / "cells"
    shutil.copytree(run.recipe.data.source, root)
    for path in root.rglob("*.png"):
        path.write_bytes(next(root.rglob("*.png")).read_bytes())
    recipe = run_copy / runs.RECIPE
    recipe.write_text(recipe.read_text().replace(run.recipe.data.source, str(root)))
    runs.write_card(run.recorded(runs.RECIPE))
    with pytest.raises(InputError, match="the file has changed"):
        tfcnn.evaluate(run_copy, stress=True, progress=False)


def test_other_data_is_stressed_and_nothing_is_kept(run_copy, make_tree):
    root = make_tree(name="new", groups=3, per_group=2, seed=9)
    for path in list(root.rglob("*.png")):
        path.rename(path.with_name(path.name.replace("P", "P9")))
    report = tfcnn.evaluate(run_copy, data=root, stress=True, progress=False)
    assert report.stress["split"] == "data" and report.stress["images"] == 12
    assert report.stress["undisturbed"]["accuracy"] == report.splits["data"]["accuracy"]
    assert not (run_copy / runs.STRESS).exists()
