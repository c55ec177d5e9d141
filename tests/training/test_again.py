"""A run is trained again from its folder: equal digit by digit, or it is said what differs."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import QUICK, Heard, run_tfcnn
from PIL import Image

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation.reproduction import compare
from tfcnn.runs import Run

SETTINGS = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "data.positive=round")


def rewrite(run: Run, name: str, change: Callable[[str], str]) -> Run:
    """Change a file of a run, and let its card vouch for it."""
    path = run.path / name
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")
    changed = run.recorded(name)
    runs.write_card(changed)
    return runs.read(run.path)


@pytest.fixture(scope="module")
def seeded(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of another seed, trained on the same images in the same split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(tmp_path_factory.mktemp("seeded")))
        source = trained.parents[2] / "cells"
        return tfcnn.train(
            source, settings=[*SETTINGS, "train.seed=5"], split=trained / runs.SPLIT, progress=False
        )


def test_a_run_is_reproduced_also_where_that_was_cut(run_copy: Path) -> None:
    class Cut(Reporter):
        def epoch(self, *_: object) -> None:
            raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in run_copy.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt) as info:
        tfcnn.reproduce(run_copy, reporter=Cut())
    assert "--resume" in info.value.__notes__[0]
    assert run_tfcnn("reproduce", run_copy).returncode == 2, "it wants --resume or --fresh"
    done = run_tfcnn("reproduce", run_copy, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    again = runs.open_run(run_copy.with_name("cells-reproduced"))
    assert told["equal"] and told["reproduced"] == str(again.path)
    assert all(one["is_equal"] for one in told["comparisons"])
    assert {path: path.read_bytes() for path in run_copy.rglob("*") if path.is_file()} == before
    assert again.predictions == runs.read(run_copy).predictions
    for image in sorted((run_copy.parents[1]).rglob("*.png"))[:3]:
        assert tfcnn.predict(again, image) == tfcnn.predict(run_copy, image)


def test_another_seed_is_noticed(trained: Path, seeded: Run) -> None:
    found = compare(runs.read(trained), seeded)
    differing = {one.what for one in found.comparisons if not one.is_equal}
    assert {"recipe", "history", "predictions"} <= differing
    assert not {"images, labels and split", "versions", "machine"} & differing
    assert not found.is_equal and "not reproduced: other recipe and history" in found.sentence
    (recipe,) = [one for one in found.comparisons if one.what == "recipe"]
    assert recipe.text == "train.seed is 5, was 0"
    (history,) = [one for one in found.comparisons if one.what == "history"]
    assert history.text.startswith("from epoch 1 on: loss is ")
    assert not found.notes
    shown = repr(found) + found._repr_html_()
    assert "differs" in shown and "train.seed is 5" in shown


def test_sums_in_any_order_may_be_why(run_copy: Path, seeded: Run) -> None:
    text = ("deterministic = true", "deterministic = false")
    free = rewrite(runs.read(run_copy), runs.RECIPE, lambda toml: toml.replace(*text))
    assert "without train.deterministic=true" in compare(free, seeded).notes[0]


def one_digit(text: str, column: str) -> str:
    """Change the last digit of the first row of a column."""
    rows = list(csv.reader(io.StringIO(text)))
    place = rows[0].index(column)
    value = rows[1][place]
    rows[1][place] = value[:-1] + ("1" if value[-1] != "1" else "2")
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


CHANGES = {
    "history": (
        runs.HISTORY, lambda text: one_digit(text, "val_loss"), "from epoch 1 on: val_loss"),
    "predictions": (
        runs.PREDICTIONS, lambda text: one_digit(text, "prob_round"), "another answer for 0"),
    "images, labels and split": (
        runs.SPLIT, lambda text: one_digit(text, "pixels_sha256"), "another pixels_sha256"),
    "recipe": (
        runs.RECIPE, lambda text: text.replace("batch_size = 16", "batch_size = 8"),
        "train.batch_size is 8, was 16"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_one_digit_is_noticed(what: str, trained: Path, run_copy: Path) -> None:
    name, change, said = CHANGES[what]
    found = compare(runs.read(trained), rewrite(runs.read(run_copy), name, change))
    (other,) = [one for one in found.comparisons if not one.is_equal]
    assert other.what == what and said in other.text and not found.is_equal
    assert found.to_dict()["equal"] is False


def test_times_and_versions_decide_nothing(trained: Path, run_copy: Path) -> None:
    run = rewrite(
        runs.read(run_copy), runs.HISTORY, lambda text: one_digit(text, "images_per_second")
    )
    record = run.card["record"]
    record = {**record, "versions": {**record["versions"], "numpy": "1.0"}, "machine": "another"}
    other = Run(run.path, {**run.card, "record": record})
    found = compare(runs.read(trained), other)
    differing = {one.what: one.text for one in found.comparisons if not one.is_equal}
    assert found.is_equal and differing.keys() == {"versions", "machine"}
    assert differing["versions"].startswith("numpy is 1.0, was ")
    changed = Run(run.path, {**other.card, "temperature": 9.0})
    found = compare(runs.read(trained), changed)
    assert not found.is_equal and "temperature is 9.0" in found.grid().rows[3][2]
    assert "Other versions and machine may be why" in found.sentence


def test_the_command_ends_with_3_where_something_differs(run_copy: Path, monkeypatch) -> None:
    from tfcnn import api

    other = rewrite(
        runs.read(Path(shutil.copytree(run_copy, run_copy.parent / "other"))),
        *CHANGES["history"][:2],
    )
    found = compare(runs.read(run_copy), other)
    monkeypatch.setattr(api, "reproduce", lambda *_, **__: found)
    done = run_tfcnn("reproduce", run_copy)
    assert done.returncode == 3 and "differs" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("cells is not reproduced: other history")
    assert run_tfcnn("reproduce", run_copy, "--json").returncode == 3


def with_images(run_copy: Path, source: Path) -> Run:
    """Let a run be one of other images."""
    recipe = runs.read(run_copy).recipe
    data = recipe.data.model_copy(update={"source": str(source)})
    text = recipes.reader.to_toml(recipe.model_copy(update={"data": data}))
    return rewrite(runs.read(run_copy), runs.RECIPE, lambda _: text)


def test_other_images_are_named(run_copy: Path, trained: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(trained.parents[2] / "cells", tmp_path / "images"))
    run = with_images(run_copy, source)
    path = source / "round" / "P0_0.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    with pytest.raises(CheckError, match=r"round/P0_0.png: expected the image that was split"):
        tfcnn.reproduce(run, progress=False)
    shutil.copy(source / "round" / "P0_1.png", path.with_name("P0_9.png"))
    path.write_bytes((trained.parents[2] / "cells" / "round" / "P0_0.png").read_bytes())
    with pytest.raises(CheckError, match="expected the 96 images it was begun with; received 97"):
        tfcnn.reproduce(run, reporter=Heard())
    assert not run.path.with_name("cells-reproduced").exists(), "nothing was written"
    shutil.rmtree(source)
    done = run_tfcnn("reproduce", run.path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert f"{source}: expected the images of cells; received no such folder" in done.stderr


def test_what_cannot_be_trained_again_is_refused(run_copy: Path) -> None:
    run = runs.read(run_copy)
    for network, said in (({"start": runs.ADOPTED}, "an adopted model"),):
        adopted = Run(run.path, {**run.card, "network": {**run.card["network"], **network}})
        with pytest.raises(InputError, match=f"can train again; received {said}"):
            tfcnn.reproduce(adopted)
    with pytest.raises(InputError, match="as a shipped model is"):
        tfcnn.reproduce("malaria")
    with pytest.raises(InputError, match="another name than that of the run"):
        tfcnn.reproduce(run, name=str(run.path))
    report = {**run.report, "continues": {"run": "first", "epochs": 4, "runs": 2}}
    continued = rewrite(run, runs.REPORT, lambda _: json.dumps(report))
    with pytest.raises(InputError, match="received one that went on from first"):
        tfcnn.reproduce(continued)
