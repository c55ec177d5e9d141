"""What a report takes from the runs beside its own, and what it tells a reader to do next."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from report_html import Page, write_page
from report_runs import write_run

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.evaluation.labels import COLUMNS
from tfcnn.report import page


def prose(folder: Path) -> str:
    html = write_page(folder)
    return html.prose


def finished(folder: Path, kind: str = "binary", **changes: Any) -> Path:
    write_run(folder, kind, **changes)
    (folder / "model.json").write_text((folder / "model.json").read_text())
    runs.stamp(folder)
    return folder


def accuracy(folder: Path) -> dict[str, float]:
    row: dict[str, float] = json.loads((folder / "report.json").read_text())["splits"]["test"][
        "accuracy"
    ]
    return row


def test_a_leak_is_weighed_against_the_run_that_differs_in_the_split_only(home: Path) -> None:
    own, leaky = finished(home / "models/own"), finished(home / "models/leaky", "leaky")
    points = 100 * (accuracy(leaky)["value"] - accuracy(own)["value"])
    for folder in (own, leaky):
        text = prose(folder)
        assert f"the same recipe seems {points:.1f} points better" in text
        for name, run in (("split by patient", own), ("split by image", leaky)):
            row = accuracy(run)
            value, low, high = (f"{100 * row[key]:.1f}" for key in ("value", "low", "high"))
            assert f"{name} {value} % {low} to {high} %" in text.replace("\u00a0", " ")


def test_another_recipe_is_no_demonstration(home: Path) -> None:
    own = finished(home / "models/own")
    data = {"source": "malaria", "positive": "Parasitized", "image_size": 48}
    leak = {**data, "split": {"unit": "image", "demonstration": True}}
    finished(home / "models/leaky", "leaky", data=leak)
    text = prose(own)
    assert "points better" not in text and "has not been measured" in text
    recipe = home / "models/own/recipe.toml"
    assert (
        f"tfcnn train {recipe} --set data.split.unit=image --set data.split.demonstration=true"
        " --run own-by-image" in text
    )
    assert f"tfcnn crossval {recipe}" in text and "tfcnn labels own" in text


def test_commands_that_a_report_gives_are_understood(home: Path) -> None:
    from tfcnn import recipes

    own = finished(home / "models/own")
    loaded = recipes.load(str(own / "recipe.toml"))
    settings = ["data.split.unit=image", "data.split.demonstration=true"]
    assert recipes.override(loaded, settings).data.split.unit == "image"
    sensitivity = recipes.override(loaded, ["evaluation.sensitivity=0.97"])
    assert sensitivity.evaluation.sensitivity == 0.97


def test_doubted_labels_and_folds_come_from_the_cross_validation(home: Path) -> None:
    own = finished(home / "models/own")
    assert "label that is doubted" not in prose(own)
    with (own / "predictions.csv").open() as file:
        lines = [line.split(",") for line in file.read().splitlines()[1:]]
    wrong = [line for line in lines if line[1] == "test" and line[3] != line[4]]
    folder = home / "models/own-crossval"
    (folder / "splits").mkdir(parents=True)
    (folder / "splits/fold-0.csv").touch()
    recipe = (own / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(recipe.replace("epochs = ", "epochs = 1"))
    (folder / "summary.json").write_text(json.dumps({"sentence": "Five folds agree."}))
    rows = [
        [rank, line[0], line[2], line[3], line[4], 0.013, rank <= len(wrong)]
        for rank, line in enumerate([*wrong, lines[0]], start=1)
    ]
    runs.stamp(folder)
    assert "Five folds agree." not in prose(own), "it is of another recipe"
    (folder / "recipe.toml").write_text(recipe)
    assert "tfcnn labels own-crossval" in prose(own), "not ranked yet"
    is_open = re.sub("flip_horizontal = .*", 'flip_horizontal = "auto"', recipe)
    (folder / "recipe.toml").write_text(is_open)
    assert "tfcnn labels own-crossval" in prose(own), "each fold settles what is left open"
    (folder / "recipe.toml").write_text(recipe)
    atomic.write_text(folder / "labels.csv", atomic.csv_text(COLUMNS, rows))
    text = prose(own)
    assert "Five folds agree. Measured in own-crossval." in text
    assert f"{len(wrong)} of {len(rows)} labels" in text and wrong[0][0] in text


def test_what_is_damaged_beside_a_run_is_named(home: Path) -> None:
    own, leaky = finished(home / "models/own"), finished(home / "models/leaky", "leaky")
    folder = home / "models/own-crossval"
    (folder / "splits").mkdir(parents=True)
    (folder / "splits/fold-0.csv").touch()
    runs.stamp(folder)
    (folder / "labels.csv").write_text("rank\nx\n")
    (folder / "recipe.toml").write_text((own / "recipe.toml").read_text())
    (folder / "summary.json").write_text("{}")
    text = prose(own)
    assert "The ranking there cannot be read" in text and "tfcnn labels own-crossval" in text
    assert "Its summary cannot be read" in text and "points better" in text
    (folder / "recipe.toml").write_text("[")
    (leaky / "recipe.toml").write_text("[")
    text = prose(own)
    assert "own-crossval cannot be read" in text and "tfcnn crossval" in text
    assert "leaky is left out, as it cannot be read" in text and "not been measured" in text


def test_a_fold_names_the_cross_validation_it_is_part_of(home: Path) -> None:
    fold = finished(home / "models/own-crossval/fold-0")
    (fold.parent / "splits").mkdir()
    (fold.parent / "splits/fold-0.csv").touch()
    text = prose(fold)
    assert "This run is one fold of own-crossval" in text
    assert "tfcnn crossval" not in text
    assert "tfcnn labels own-crossval" in text


@pytest.mark.parametrize(
    ("kind", "changes", "expected", "absent"),
    [
        ("binary", {}, ("tfcnn crossval", "Look at the", "Use it on images"), "split by group"),
        ("binary", {"num_groups": 60, "reason": "default"},
         ("Look at the", "still the default", "Use it on images"), "tfcnn crossval"),
        ("no_test", {}, ("Test on all patients",), "split by group"),
        ("leaky", {}, ("--set data.split.unit=group",), "Use it on images of your own"),
    ],
)  # fmt: skip
def test_what_to_do_next(
    tmp_path: Path, kind: str, changes: dict[str, Any], expected: tuple[str, ...], absent: str
) -> None:
    folder = write_run(tmp_path / "run", kind, **changes)
    text = page.write(folder).read_text("utf-8")
    steps = Page(text.split('<div class="steps">')[1].split("</div>")[0]).prose
    assert all(words in steps for words in expected)
    assert absent not in steps
