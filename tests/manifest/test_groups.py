"""Groups from names, paths, folders and tables, and what is asked where they are not known."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import recipe_of
from dataset_fakes import write_files

from tfcnn import manifest, recipes
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest import folds, groups, splits
from tfcnn.training import prepare


def nested(root: Path) -> Path:
    names = [
        f"{label}/C{i}01/img{j}.png"
        for label, first in (("gesund", 1), ("krank", 5))
        for i in range(first, first + 4)
        for j in range(2)
    ]
    return write_files(root, names)


@pytest.mark.parametrize(
    ("regex", "place"),
    [
        ("(C[0-9]+)", "the paths below the class folders"),
        ("^(C[0-9]+)/", "the paths below the class folders"),
        ("^[a-z]+/(C[0-9]+)", "paths"),
        ("/(C[0-9]+)/", "paths"),
    ],
)
def test_a_regex_is_searched_in_the_path_where_names_do_not_fit(tmp_path, regex, place):
    data = manifest.build(open_folder(nested(tmp_path)), group_regex=regex)
    assert {row.group for row in data.rows} == {f"C{i}01" for i in range(1, 9)}
    assert place in data.group_rule


def test_a_regex_that_fits_the_names_is_not_searched_in_paths(tmp_path):
    """An anchor means the begin of the name, as before, whatever the folders are called."""
    names = [f"P{label}/P{i}_{j}.png" for label in "xy" for i in range(3) for j in range(2)]
    data = manifest.build(open_folder(write_files(tmp_path, names)), group_regex="^(P.)")
    assert {row.group for row in data.rows} == {"P0", "P1", "P2"}
    assert "file names" in data.group_rule


def test_only_images_that_can_be_read_need_a_group(make_tree, tmp_path):
    root = make_tree()
    (root / "round" / "cut short.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = open_folder(root)
    assert len(manifest.build(source, group_regex=r"^(P\d)_").rows) == 48
    table = tmp_path / "groups.csv"
    lines = [f"{item.path},{item.path[-7:-4]}" for item in source.items if "cut" not in item.path]
    table.write_text("\n".join(["path,group", *lines]))
    data = manifest.build(source, group_csv=str(table))
    assert all(row.group for row in data.rows) and len(data.quarantined) == 1
    table.write_text("\n".join(["path,group", *lines[1:]]))
    with pytest.raises(InputError, match=r"a group for every image; received none for 1 images"):
        manifest.build(source, group_csv=str(table))


def test_folders_that_look_like_groups_are_proposed(tmp_path):
    source = open_folder(nested(tmp_path))
    assert "data.group_from=folder" in (groups.propose_folder(source) or "")
    deep = [f"{a}/SOB/{t}/{p}/{m}X/{i}.png" for a, t in (("ill", "x"), ("well", "y"))
            for p in ("P1", "P2") for m in (40, 100) for i in range(2)]  # fmt: skip
    hint = groups.propose_folder(open_folder(write_files(tmp_path / "deep", deep))) or ""
    assert "such as well/SOB/y/P2/40X" in hint and "data.group_regex" in hint
    flat = open_folder(write_files(tmp_path / "flat", ["a/1.png", "a/x/2.png", "b/3.png"]))
    assert groups.propose_folder(flat) is None


def test_a_name_that_repeats_the_class_is_no_group(tmp_path):
    files = [f"{label}/{label}-{i}.png" for label in ("COVID", "Normal", "Viral") for i in range(4)]
    assert groups.propose_regex([(path, path.split("/")[0]) for path in files]) is None
    files = [f"{'ill' if i % 2 else 'well'}/P{p}-{i}.png" for p in range(4) for i in range(4)]
    assert groups.propose_regex([(path, path.split("/")[0]) for path in files])


def test_an_image_in_no_group_folder_is_named(tmp_path):
    root = write_files(nested(tmp_path), [f"krank/{i}.png" for i in range(2)], first=90)
    with pytest.raises(InputError, match=r"a folder below the class folder .* first krank/0\.png"):
        manifest.build(open_folder(root, group_from="folder"))


def surveyed(root: Path, *settings: str) -> tuple[recipes.Recipe, manifest.Manifest]:
    recipe = recipes.override(recipes.for_folder(root), list(settings))
    recipe, _, data, *_ = prepare.survey(recipe, Reporter())
    return recipe, data


@pytest.mark.parametrize("source_has", [True, False])
def test_an_empty_regex_means_no_groups_even_where_the_data_have_some(
    make_tree, monkeypatch, source_has
):
    own = replace(open_folder(make_tree()), group_regex=r"^(P\d)" if source_has else None)
    monkeypatch.setattr(prepare, "open_any", lambda *_: own)
    recipe, data = surveyed(own.root, "data.group_regex=''")
    assert not data.has_groups and recipe.data.group_regex == ""
    again = recipes.parse(recipe.model_dump(), "again")
    assert prepare.survey(again, Reporter()).manifest.has_groups is False, "a resume finds it so"
    assert 'group_regex = ""' in recipes.reader.to_toml(recipe)


def test_an_empty_positive_class_means_none_even_where_the_data_have_one(make_tree, monkeypatch):
    own = replace(open_folder(make_tree()), positive="round")
    monkeypatch.setattr(prepare, "open_any", lambda *_: own)
    assert surveyed(own.root)[0].data.positive == "round"
    recipe, _ = surveyed(own.root, "data.positive=''")
    assert recipe.data.positive == "" and 'positive = ""' in recipes.reader.to_toml(recipe)
    assert prepare.survey(recipe, Reporter())[0].data.positive == ""
    with pytest.raises(InputError, match=r"evaluation\.sensitivity.*data\.positive=round"):
        surveyed(own.root, "data.positive=''", "evaluation.sensitivity=.9")


def test_a_source_without_folders_has_no_groups_in_them():
    with pytest.raises(InputError, match=r"data\.group_from: expected \"name\" for digits"):
        prepare.survey(recipe_of("digits", group_from="folder"), Reporter())


def test_a_named_data_set_can_be_ignored_in_part(home):
    recipe = recipe_of("digits", ignore=["*/0001*", "nothing*"])
    data = prepare.survey(recipe, Reporter()).manifest
    assert data.source.ignored > 0
    assert not any("/0001" in row.path for row in data.rows)
    assert any("'nothing*' matches no file" in note for note in data.notes)


def test_classes_that_are_the_groups_are_refused(tmp_path):
    """Patients as class folders, whose names a regex reads as groups too."""
    root = write_files(tmp_path, [f"P{i}/P{i}_{j}.png" for i in range(5) for j in range(4)])
    data = manifest.build(open_folder(root), group_regex="^(P[0-9])_")
    with pytest.raises(InputError, match="classes that are one group each, such as class P0"):
        splits.assign(data, recipes.SplitSettings())
    with pytest.raises(InputError, match="classes that are one group each"):
        folds.assign(data, recipes.SplitSettings(), 3)


@pytest.mark.parametrize(
    ("rules", "group_from", "received"),
    [
        ({"group_regex": "^(P.)"}, "folder", "--group-from: expected it or --group-regex"),
        ({"group_csv": "groups.csv"}, "folder-above", "--group-from: expected it or --group-csv"),
        ({"columns": (None, "patient")}, "name", "expected --group-csv beside --path-column"),
    ],
)
def test_a_rule_that_would_be_passed_over_is_refused(tmp_path, rules, group_from, received):
    source = replace(open_folder(nested(tmp_path)), group_from=group_from)
    with pytest.raises(InputError, match=received):
        manifest.build(source, **rules)


def test_groups_that_are_written_in_several_ways_are_said(make_tree, tmp_path):
    """A spreadsheet writes 007 as 7; what is meant cannot be known, so nothing is joined."""
    source = open_folder(make_tree())
    path = tmp_path / "groups.csv"
    for spellings, notes in [
        (("007", "7", "7.0", "x"), ["007 = 7 = 7.0"]),
        (("P1", "p01", "P2", "P3"), ["P1 = p01"]),
        (("1", "10", "100", "0"), []),
        (("a1b", "a01b", "a", "b"), []),
    ]:
        lines = [f"{item.path},{spellings[i % 4]}" for i, item in enumerate(source.items)]
        path.write_text("\n".join(["path,group", *lines]))
        data = manifest.build(source, group_csv=str(path))
        assert len({row.group for row in data.rows}) == 4
        assert [note.rpartition(": ")[2] for note in data.notes] == notes


@pytest.mark.parametrize("empty", ["data.group_csv=''", "data.ignore=''", "data.path_column=''"])
def test_an_empty_setting_is_as_if_it_were_not_given(make_tree, empty):
    root = make_tree()
    recipe, data = surveyed(root, empty)
    assert recipe == surveyed(root)[0]
    assert not [note for note in data.notes if "matches no file" in note]


def test_the_first_image_without_a_group_is_named():
    known = groups.Groups({"a": "A"}, "a table", refusal=("a group for each", "another table"))
    known.require(["a"])
    with pytest.raises(InputError, match=r"^c: expected a group.* 2 images, this one first"):
        known.require(["a", "c", "d"])
    of_table = replace(known, subject="groups.csv")
    with pytest.raises(InputError, match=r"^groups\.csv: expected a group.* 2 images, first c"):
        of_table.require(["a", "c", "d"])


def test_long_names_are_not_searched_for_numbers():
    assert groups._alike(["7", "007"])
    assert groups._alike(["7", "0" * groups.MAX_LENGTH + "7"]) == []
