"""Subgroups of a user's table: who is compared with whom, what is said, and how often by chance."""

import dataclasses
import json

import numpy as np
import pytest
from conftest import run_tfcnn
from paper_runs import make_run, random_table

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.evaluation import attributes, extras, scoring, subgroups


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


def part_of(table, split="test"):
    return table.part(split)


def write(tmp_path, text, name="meta.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def by_group(tmp_path, part, value_of, column="site"):
    """A table that gives each group a value."""
    rows = [f"{group},{value_of(i)}" for i, group in enumerate(np.unique(part.groups))]
    return write(tmp_path, "\n".join([f"group,{column}", *rows]) + "\n")


def spoil(part, groups, seed=0):
    """Turn most answers of some groups into errors."""
    probs = part.probs.copy()
    rows = np.isin(part.groups, groups) & (np.random.default_rng(seed).random(len(probs)) < 0.8)
    wrong = np.eye(2)[1 - part.labels[rows]]
    probs[rows] = 0.9 * wrong + 0.05
    return dataclasses.replace(part, probs=probs)


def column(content, name):
    return next(one for one in content["columns"] if one["name"] == name)


def test_a_subgroup_that_is_worse_is_named(run, tmp_path):
    part = part_of(random_table(num_groups=30))
    names = np.unique(part.groups)
    part = spoil(part, names[::2])
    content = subgroups.measure(run, part, by_group(tmp_path, part, lambda i: "AB"[i % 2]))
    rows = {row["value"]: row for row in column(content, "site")["rows"]}
    assert rows["A"]["differs"] and rows["B"]["differs"] and content["tests"] == 1
    assert (
        rows["A"]["difference"] == pytest.approx(-rows["B"]["difference"])
        and rows["A"]["difference"] < -0.3
    )
    assert rows["A"]["p_corrected"] == rows["B"]["p_corrected"] < 0.01
    assert content["sentence"].startswith("More than chance lies between the rest and site A (")
    assert rows["A"]["groups"] == 15 and not rows["A"]["is_few"]


def test_the_figures_are_those_of_its_images(run, tmp_path):
    part = part_of(random_table(num_groups=12))
    content = subgroups.measure(run, part, by_group(tmp_path, part, lambda i: "ABC"[i % 3]))
    names = np.unique(part.groups)
    right = part.probs.argmax(axis=1) == part.labels
    for place, row in enumerate(column(content, "site")["rows"]):
        mine = np.isin(part.groups, names[place::3])
        assert row["images"] == mine.sum() and row["groups"] == 4 and row["is_few"]
        assert row["accuracy"]["value"] == pytest.approx(right[mine].mean())
        assert row["difference"] == pytest.approx(right[mine].mean() - right[~mine].mean())
        is_positive = part.labels == 1
        found = right[mine & is_positive].mean()
        assert row["sensitivity"]["value"] == pytest.approx(found)
        assert row["accuracy"]["low"] < row["accuracy"]["value"] < row["accuracy"]["high"]
        assert not row["differs"] and row["p"] <= row["p_corrected"]
    assert content["tests"] == 3
    assert any("under 10 patients is marked few" in note for note in content["notes"])
    assert content["sentence"] == (
        "No subgroup is shown to differ from the rest (3 comparisons, corrected together by Holm)."
    )


def test_all_columns_are_corrected_together(run, tmp_path):
    part = spoil(part_of(random_table(num_groups=30)), [f"C{i}" for i in range(0, 30, 2)])
    rows = [
        f"{group},{'AB'[i % 2]},{i % 3},{i % 4}" for i, group in enumerate(np.unique(part.groups))
    ]
    path = write(tmp_path, "\n".join(["group,site,shift,plate", *rows]) + "\n")
    content = subgroups.measure(run, part, path)
    assert content["tests"] == 1 + 3 + 4
    asked = [row for one in content["columns"] for row in one["rows"]]
    least = min(asked, key=lambda row: row["p"])
    assert least["p_corrected"] == pytest.approx(min(1, 8 * least["p"]))


def test_what_cannot_be_compared_is_said(run, tmp_path):
    part = part_of(random_table(num_groups=30))
    groups = np.unique(part.groups)
    rows = [
        f"{group},Giemsa,{i / 7},N/A,{'m' if i % 2 else ''},p{i}" for i, group in enumerate(groups)
    ]
    path = write(
        tmp_path, "\n".join(["group,stain,age,hospital,sex,code", *rows, "C99,x,1,y,m,q"]) + "\n"
    )
    content = subgroups.measure(run, part, path)
    assert column(content, "stain")["refusal"] == "all images have Giemsa"
    assert column(content, "hospital")["refusal"] == "no image has a value"
    assert column(content, "sex")["refusal"] == "all images have m"
    assert "images without a value" in column(content, "sex")["note"]
    assert column(content, "code")["refusal"] == "30 values are too many to compare: at most 12"
    ages = column(content, "age")
    assert ages["note"].startswith("numbers, cut at their quartiles ") and len(ages["rows"]) == 4
    assert [row["groups"] for row in ages["rows"]] == [8, 7, 7, 8]
    assert any("1 of 31 rows name no group of this run, such as C99" in n for n in content["notes"])
    texts = subgroups.remarks(content)
    assert "stain: not compared, all images have Giemsa." in texts
    assert len(subgroups.grids(content)) == 2


def test_rows_may_name_images_and_some_may_lack(run, tmp_path):
    part = part_of(random_table(num_groups=12))
    lines = [f"{path},{'AB'[i % 2]}" for i, path in enumerate(part.paths) if i >= 10]
    content = subgroups.measure(
        run, part, write(tmp_path, "\n".join(["path,scope", *lines]) + "\n")
    )
    assert any("10 of 300 images have no row" in note for note in content["notes"])
    scope = column(content, "scope")
    assert sum(row["images"] for row in scope["rows"]) == 290
    assert scope["note"].endswith("compared within the 12 groups that have several values")


def test_groups_with_two_values_are_left_out_where_they_are_few(run, tmp_path):
    part = part_of(random_table(num_groups=30))
    names = np.unique(part.groups)
    value = {name: "AB"[i % 2] for i, name in enumerate(names)}
    lines = [f"{path},{value[group]}" for path, group in zip(part.paths, part.groups, strict=True)]
    lines[0] = f"{part.paths[0]},{'BA'['AB'.index(value[part.groups[0]])]}"
    content = subgroups.measure(
        run, part, write(tmp_path, "\n".join(["path,scope", *lines]) + "\n")
    )
    assert column(content, "scope")["note"] == ("left out of the test: 1 group with several values")


def test_without_groups_images_are_compared_and_it_is_said(run, tmp_path):
    part = part_of(random_table())
    part = dataclasses.replace(part, groups=np.full(len(part.labels), ""))
    lines = [f"{path},{'AB'[i % 2]}" for i, path in enumerate(part.paths)]
    content = subgroups.measure(
        run, part, write(tmp_path, "\n".join(["path,scope", *lines]) + "\n")
    )
    assert any(note.startswith("no groups are known") for note in content["notes"])
    assert [row["groups"] for row in column(content, "scope")["rows"]] == [0, 0]


def test_many_classes_have_accuracy_alone(tmp_path):
    run = make_run(tmp_path / "run", 4)
    part = part_of(random_table(4))
    content = subgroups.measure(run, part, by_group(tmp_path, part, lambda i: "AB"[i % 2]))
    assert "sensitivity" not in column(content, "site")["rows"][0]
    assert len(subgroups.grids(content)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,site\na,b\n", "expected a CSV with columns path"),
        ("group\nC1\n", "a column to compare by"),
        ("group,site\n", "a row for each image or group"),
        ("group,site\nC1,a\nC1,b\n", "one site; received a and b"),
        ("group,site\nX1,a\nX2,b\n", "rows for the images that were tested"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(run, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        subgroups.measure(run, part_of(random_table()), write(tmp_path, text))


def test_groups_are_refused_where_none_are_known(run, tmp_path):
    part = part_of(random_table())
    part = dataclasses.replace(part, groups=np.full(len(part.labels), ""))
    with pytest.raises(InputError, match="images of no known group"):
        subgroups.measure(run, part, write(tmp_path, "group,site\nC1,a\n"))


def test_few_numbers_are_values_in_their_order():
    cells = ["10", "9", "10", "2"]
    found = attributes._attribute("batch", cells, np.array(list("abcd")))
    assert found.order == ("2", "9", "10") and not found.note


def test_equal_quartiles_are_not_cut():
    found = attributes._attribute("count", ["0"] * 30 + list("123456"), np.full(36, ""))
    assert found.refusal == "its quartiles are one number"


def test_a_recipe_that_names_a_table_is_refused_before_training(make_tree, tmp_path, home):
    root = make_tree(groups=6)
    path = write(tmp_path, "path,site\nnobody.png,A\n")
    result = run_tfcnn("train", root, "--set", f"evaluation.subgroups_csv={path}", home=home)
    assert result.returncode == 2 and "rows for the images that were tested" in result.stderr
    assert not (home / "models" / "shapes" / "model.keras").exists()


def test_a_trained_run_is_compared_and_keeps_nothing(trained, tmp_path):
    before = (trained / runs.REPORT).read_bytes()
    split = runs.open_run(trained).split
    names = sorted({row["group"] for row in split if row["split"] == "test"})
    rows = [f"{name},{'AB'[i % 2]}" for i, name in enumerate(names)]
    path = write(tmp_path, "\n".join(["group,site", *rows]) + "\n")
    result = run_tfcnn("evaluate", trained, "--subgroups", path)
    assert result.returncode == 0 and "No subgroup is shown to differ" in result.stdout
    content = json.loads(run_tfcnn("evaluate", trained, "--subgroups", path, "--json").stdout)
    assert content["subgroups"]["split"] == "test" and content["subgroups"]["key"] == "group"
    assert (trained / runs.REPORT).read_bytes() == before
    assert "subgroups" not in json.loads(before)


def test_a_table_that_is_gone_after_training_becomes_a_warning(run, tmp_path):
    table = random_table()
    report = scoring.score(run, table)
    kept = extras.after_training(report, run, table, str(tmp_path / "gone.csv"))
    assert not kept.subgroups and kept.warnings[-1].startswith("subgroups: not compared (")
    path = by_group(tmp_path, table, lambda i: "AB"[i % 2])
    kept = extras.after_training(report, run, table, str(path))
    assert kept.to_dict()["subgroups"]["split"] == "test" and kept.panel().grids[-1].rows
