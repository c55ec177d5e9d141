"""Suspected label errors: known wrong labels are found, ranked and shown."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from conftest import run_tfcnn, write_tree
from paper_crossval import write_crossval

import tfcnn
from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.datasets import smears
from tfcnn.evaluation import labels as labels_module

WRONG = ("round/P0_1.png", "square/P3_2.png")


@pytest.fixture
def crossval(tmp_path: Path, home: Path) -> Path:
    """A cross-validation whose models are fairly sure, and right but for two labels."""
    return write_crossval(write_tree(tmp_path / "cells", groups=6), home, WRONG)


def test_wrong_labels_come_first_and_all_are_ranked(crossval):
    found = tfcnn.label_errors("cells", top=5)
    assert found.count == 2 and found.path == crossval
    first = found.rows[:2]
    assert {row["path"] for row in first} == set(WRONG)
    assert all(row["suggested"] != row["label"] and row["is_suspect"] for row in first)
    believed = [row["prob_label"] for row in found.rows]
    assert believed == sorted(believed) and len(believed) == 48
    rows = list(csv.DictReader((crossval / "labels.csv").open(newline="")))
    assert [row["path"] for row in rows] == [row["path"] for row in found.rows]
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    assert "2 of 48 labels" in found.sentence


def content_of(folder: Path) -> dict:
    """Return what the page's script reads."""
    page = (folder / "labels.html").read_text(encoding="utf-8")
    text = page.split('<script type="application/json" id="content">')[1].split("</script>")[0]
    return json.loads(text)


def test_the_page_holds_the_suspects_and_others_drawn_at_random(crossval):
    tfcnn.label_errors(crossval, blind=3)
    content = content_of(crossval)
    kinds = {item["path"]: item["kind"] for item in content["items"]}
    assert [path for path, kind in kinds.items() if kind == "suspect"] == [
        row["path"] for row in tfcnn.label_errors(crossval, blind=3).rows[:2]
    ]
    assert sorted(kinds.values()) == ["random"] * 3 + ["suspect"] * 2
    assert content == content_of(crossval), "the same ones each time"
    for item in content["items"]:
        group = item["path"].split("/")[1].split("_")[0]
        assert item["near"] and all(group in one["shown"] for one in item["near"])
        assert not {one["shown"] for one in item["near"]} & {item["path"], *WRONG}
    assert all(uri.startswith("data:image/webp;base64,") for uri in content["pictures"])
    page = (crossval / "labels.html").read_text(encoding="utf-8")
    assert 'src="http' not in page and 'href="http' not in page


def test_others_are_mixed_in_by_default_and_none_where_nothing_is_doubted(crossval):
    found = tfcnn.label_errors(crossval)
    assert len(found.drawn()) == labels_module.LEAST_BLIND
    assert not {row["path"] for row in found.drawn()} & set(WRONG)
    many = replace(found, count=400)
    assert len(many.drawn()) == min(40, len(found.rows) - 2)
    assert replace(found, count=0).drawn() == []
    with pytest.raises(InputError, match="blind"):
        tfcnn.label_errors(crossval, blind=-1)


def test_weak_models_are_named_with_their_figures(crossval):
    found = tfcnn.label_errors(crossval)
    assert found.models.accuracy == pytest.approx(46 / 48)
    text = " ".join(found.models.weaknesses)
    assert "There are 1 folds" in text and "only 6 groups" in text and "agree" not in text
    page = (crossval / "labels.html").read_text(encoding="utf-8")
    assert all(weakness in page for weakness in found.models.weaknesses) and "95.8" in page


def test_models_that_find_little_are_said_to_be_weak():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    probs = np.tile([0.2, 0.8], (10, 1))
    probs[:2] = [0.9, 0.1]
    found = labels_module._models(labels, probs, ["a", "b"], np.array([""] * 10), 5)
    assert found.weaknesses[0].startswith("Of a they find 50.0 %")
    assert "No groups are known" in found.weaknesses[1] and len(found.weaknesses) == 2
    less = labels_module._models(1 - labels, probs, ["a", "b"], np.array([""] * 10), 5)
    assert less.weaknesses[0].startswith("They agree with 20.0 %")


HEADER = "path,sha256,label,judgement,corrected_label,shown_as,saw_opinion\n"


def test_a_review_says_what_follows_with_intervals(crossval, tmp_path, home):
    found = tfcnn.label_errors(crossval)
    drawn = [row["path"] for row in found.drawn(10)]
    lines = [f"{path},,x,flip,y,suspect,no" for path in WRONG]
    lines += [f"{drawn[0]},,x,flip,y,random,yes", f"{drawn[1]},,x,drop,,random,no"]
    lines += [f"{path},,x,keep,,random,no" for path in drawn[2:]] + ["gone.png,,x,keep,,random,no"]
    table = tmp_path / "corrections.csv"
    table.write_text(HEADER + "\n".join(lines))
    review = found.review(table)
    assert (review.suspects.changed, review.suspects.decided) == (2, 2)
    assert (review.random.changed, review.random.decided) == (1, 9)
    assert (review.dropped, review.unsure, review.saw_opinion, review.strangers) == (1, 0, 1, 1)
    exact = scipy.stats.binomtest(1, 9).proportion_ci(0.95, "exact")
    assert (review.random.low, review.random.high) == pytest.approx((exact.low, exact.high))
    assert review.wrong["value"] == pytest.approx((2 + 46 / 9) / 48)
    assert review.wrong["low"] == pytest.approx((2 + 46 * exact.low) / 48)
    assert review.wrong["high"] == pytest.approx((2 + 46 * exact.high) / 48)
    assert review.suspects_if_slips == pytest.approx((1 - 1 / 9) / (1 - 1 / 9))
    text = run_tfcnn("labels", "cells", "--review", table, home=home).stdout
    assert (
        "Suspects changed: 2 of 2, 100.0 %" in text and "1 of 9, 11.1 % (0.3 % to 48.2 %)" in text
    )
    content = json.loads(
        run_tfcnn("labels", "cells", "--review", table, "--json", home=home).stdout
    )
    assert content["review"] == json.loads(json.dumps(review.to_dict()))


def test_what_is_not_decided_widens_the_interval(crossval, tmp_path):
    found = tfcnn.label_errors(crossval)
    drawn = [row["path"] for row in found.drawn(5)]
    table = tmp_path / "corrections.csv"
    rows = [f"{WRONG[0]},,x,flip,y,,", f"{WRONG[1]},,x,unsure,,,"]
    table.write_text(HEADER + "\n".join([*rows, *(f"{path},,x,keep,,," for path in drawn)]))
    review = found.review(table)
    assert review.random.decided == 5, "told apart by the ranking where the table does not say"
    high = scipy.stats.binomtest(0, 5).proportion_ci(0.95, "exact").high
    assert review.wrong["low"] == pytest.approx(1 / 48)
    assert review.wrong["value"] == pytest.approx(2 / 48)
    assert review.wrong["high"] == pytest.approx((2 + 46 * high) / 48)
    assert any("1 of the 2 suspects are not decided" in one for one in review.lines())
    table.write_text(HEADER + rows[0])
    assert found.review(table).wrong is None
    table.write_text(HEADER + "elsewhere.png,,x,keep,,,")
    with pytest.raises(InputError, match="judgements on these images; received 1 on others"):
        found.review(table)


def test_what_was_judged_before_is_not_asked_again(crossval, tmp_path):
    table = tmp_path / "corrections.csv"
    lines = [f"{WRONG[0]},,,keep,,,", f"{WRONG[1]},,,unsure,,,"]
    table.write_text(HEADER + "\n".join(lines))
    recipe = recipes.load(str(crossval / "recipe.toml"))
    data = recipe.data.model_copy(update={"corrections_csv": str(table)})
    recipes.write(recipe.model_copy(update={"data": data}), crossval / "recipe.toml")
    found = tfcnn.label_errors(crossval)
    assert [row["path"] for row in found.suspected()] == [WRONG[1]] and found.count == 1
    assert "1 more were judged before" in found.sentence
    drawn = {row["path"] for row in found.drawn(100)}
    assert WRONG[0] not in drawn, "nor among those that are drawn"


def test_the_command_line(crossval, home):
    result = run_tfcnn("labels", "cells", home=home)
    assert result.returncode == 0, result.stderr
    assert WRONG[0] in result.stdout and "2 of 48 labels" in result.stdout
    content = json.loads(run_tfcnn("labels", "cells", "--json", "--top", 3, home=home).stdout)
    assert content["suspects"] == 2 and len(content["rows"]) == 3


def test_the_folder_of_images_means_their_cross_validation(crossval, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("cells/", f"{tmp_path / 'cells'}/"):
        assert tfcnn.label_errors(text, top=1).path == crossval
    write_tree(tmp_path / "other" / "cells", groups=1, per_group=1)
    with pytest.raises(InputError, match="a cross-validation of it; received one of"):
        tfcnn.label_errors("other/cells/")


def test_what_cannot_be_judged_is_refused(crossval, trained):
    with pytest.raises(InputError, match="tfcnn crossval nothing"):
        tfcnn.label_errors("nothing")
    with pytest.raises(InputError, match="a finished cross-validation"):
        tfcnn.label_errors(trained)
    (crossval / "DONE").unlink()
    with pytest.raises(InputError, match="a finished cross-validation"):
        tfcnn.label_errors("cells")


def test_the_way_to_a_cross_validation_is_said(crossval, trained, home):
    with pytest.raises(InputError, match=rf"crossval {trained}/recipe.toml --run cells-crossval$"):
        tfcnn.label_errors(trained)
    (crossval / "DONE").unlink()
    with pytest.raises(
        InputError, match=r"an unfinished one.* --run cells-crossval --folds 1 --resume"
    ):
        tfcnn.label_errors("cells")


def test_models_that_doubt_most_labels_are_not_believed(crossval):
    path = crossval / "predictions.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    for number, row in enumerate(rows):
        if number % 2:
            row["prob_round"], row["prob_square"] = row["prob_square"], row["prob_round"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = tfcnn.label_errors("cells", top=5)
    assert found.count == 0 and not any(row["is_suspect"] for row in found.rows)
    assert "too many to believe any of it" in found.sentence


def _leaning(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, logits of class 1 and groups: models take the last group for class 1 too often."""
    labels = rng.integers(0, 2, 600)
    groups = np.array([f"P{i // 100}" for i in range(600)])
    logits = 3 * (2 * labels - 1) + rng.normal(0, 1, 600) + 6 * (groups == "P5")
    return labels, logits, groups


def _probs(logits: np.ndarray) -> np.ndarray:
    of_one = 1 / (1 + np.exp(-logits))
    return np.column_stack([1 - of_one, of_one])


def test_a_group_that_models_lean_on_is_not_doubted_for_it():
    labels, logits, groups = _leaning(np.random.default_rng(0))
    flipped = np.zeros(600, bool)
    flipped[:500:25] = True  # none of them in the last group
    given = np.where(flipped, 1 - labels, labels)
    probs = _probs(logits)
    ranks = [
        np.argsort(found[np.arange(600), given])[: flipped.sum()]
        for found in (probs, labels_module.per_group(given, probs, groups))
    ]
    before, after = (flipped[first].mean() for first in ranks)
    assert after > before + 0.1


def test_a_series_of_wrong_labels_is_not_taken_for_the_rule_of_its_group():
    rng = np.random.default_rng(1)
    labels, _, groups = _leaning(rng)
    probs = _probs(6 * (2 * labels - 1) + rng.normal(0, 1, 600))
    wrong = (groups == "P2") & (labels == 0)
    given = np.where(wrong, 1, labels)  # every one of a patient, as a hasty reader does it
    found = labels_module.per_group(given, probs, groups)
    assert (found[wrong, 1] < 0.5).all()


def test_an_image_does_not_vouch_for_itself():
    labels, logits, groups = _leaning(np.random.default_rng(2))
    probs = _probs(logits)
    alone = groups.copy()
    alone[7] = "alone"  # a group of one: nothing is known of it
    expected = labels_module.per_group(labels, probs, alone)
    changed = labels.copy()
    changed[7] = 1 - labels[7]
    found = labels_module.per_group(changed, probs, alone)
    assert found[7] == pytest.approx(expected[7], abs=0.05)


def test_labels_that_nothing_believes_leave_the_probabilities_alone():
    labels = np.array([0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.99, 0.01], [0.98, 0.02]])
    assert labels_module.per_group(labels, probs, np.array(["a", "b", "a", "b"])) is probs


@pytest.mark.slow
def test_flipped_labels_of_drawn_cells_are_found(tmp_path):
    """Among the 5 % least believed of labels of which 5 % are wrong, at least .8 are."""
    smears.generate(tmp_path / "cells", wrong_label_fraction=0.05)
    settings = [f"data.source={tmp_path / 'cells' / 'cell_images'}", "data.group_regex=^(C[0-9]+)"]
    tfcnn.crossval("smears", settings=settings)
    found = tfcnn.label_errors("smears")
    truth = {
        row["path"].removeprefix("cell_images/"): row["true_label"] != row["given_label"]
        for row in csv.DictReader((tmp_path / "cells" / "truth.csv").open(newline=""))
    }
    top = found.rows[: round(0.05 * len(found.rows))]
    assert np.mean([truth[row["path"]] for row in top]) >= 0.8
