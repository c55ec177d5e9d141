"""How many patients: against the textbook, at its own number, and what is refused."""

import json

import numpy as np
import pytest
from conftest import run_tfcnn
from paper_runs import make_run, random_table

from tfcnn.base.errors import InputError
from tfcnn.evaluation import planning, table
from tfcnn.evaluation.planning import Spread, spread
from tfcnn.evaluation.sample import Sample


@pytest.fixture
def run(tmp_path):
    made = make_run(tmp_path)
    table.write(made, random_table())
    return made


def test_independent_images_need_what_the_textbook_says():
    """n = (2 z)**2 p (1 - p) / width**2, Cochran (1977), section 4.4."""
    right = np.arange(4000) % 5 > 0
    probs = np.where(right[:, None], [[0.1, 0.9]], [[0.9, 0.1]])
    found = spread(Sample(np.ones(4000, int), probs), "accuracy")
    expected = (2 * 1.96) ** 2 * 0.8 * 0.2 / 0.02**2
    assert found.needed(0.02) == pytest.approx(expected, rel=0.06)


def test_the_number_is_the_smallest_that_is_narrow_enough():
    found = Spread(0.95, 0.012, 12.0, 40, (0.0, 1.0))
    count = found.needed(0.03)
    assert found.width(count) <= 0.03 < found.width(count - 1)
    assert found.needed(0.015) == pytest.approx(4 * count, rel=0.15)
    assert found.scaled(0.025).needed(0.03) < count < found.scaled(0.975).needed(0.03)
    assert Spread(0.5, 0.3, 2.0, 3, (0.0, 1.0)).needed(1e-5) is None


def test_the_width_now_is_that_of_the_interval(run):
    from tfcnn.evaluation.intervals import bootstrap

    part = table.read(run).part("test")
    sample = Sample(part.labels, part.probs, part.known_groups, positive=1)
    for metric in ("accuracy", "sensitivity", "roc_auc", "mcc"):
        interval = bootstrap(sample, names=[metric])[metric]
        plan = planning.plan(run, 0.05, metric)
        assert plan.width_now == pytest.approx(interval.high - interval.low, rel=1e-6)
        assert plan.now == 20 and plan.split == "test" and plan.value == interval.value


def test_the_report_shows_narrower_ones_only(run):
    part = table.read(run).part("test")
    sample = Sample(part.labels, part.probs, part.known_groups, positive=1)
    content = planning.describe(sample, "patients")
    assert content["unit"] == "patients" and content["rows"]
    assert all(row["width"] < content["width_now"] for row in content["rows"])
    assert all(row["low"] <= row["needed"] <= row["high"] for row in content["rows"])
    alike = Sample([0, 1], [[0.9, 0.1], [0.1, 0.9]], positive=1)
    assert "nothing shows how it varies" in planning.describe(alike, "patients")["reason"]


def test_without_groups_images_are_counted_and_it_says_so(tmp_path):
    made = make_run(tmp_path)
    rows = random_table()
    table.write(made, type(rows)(**{**vars(rows), "groups": np.full(len(rows.labels), "")}))
    plan = planning.plan(made, 0.05)
    assert plan.unit == "cells" and plan.now == 300
    assert "every image counts as independent" in plan.sentence


@pytest.mark.parametrize(
    ("options", "named"), [({"width": 0}, "--width"), ({"width": 1.2}, "--width"),
                           ({"width": 0.1, "metric": "log_loss"}, "--metric")],
)  # fmt: skip
def test_what_means_nothing_is_refused(run, options, named):
    with pytest.raises(InputError, match=named):
        planning.plan(run, **options)


def test_the_command_says_it_in_a_sentence_and_in_json(trained):
    result = run_tfcnn("plan", trained, "--width", 0.5, "--metric", "roc_auc", "--json")
    if result.returncode:  # its few images may all be right
        assert "a spread of roc_auc" in result.stderr
    else:
        assert json.loads(result.stdout)["metric"] == "roc_auc"
    result = run_tfcnn("plan", trained, "--metric", "nothing")
    assert result.returncode == 2 and "one of accuracy" in result.stderr
