"""What a training finds in its folder: a cut run, none, a finished one, one of other images."""

import importlib
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK, Heard, run_tfcnn, write_tree

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.errors import InputError
from tfcnn.base.interrupts import Interrupted
from tfcnn.base.progress import Reporter
from tfcnn.training import resume

GROUPED = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "train.epochs=2", "model.network=mlp")


class Cut(Heard):
    """Ends a training at the end of an epoch, and remembers what was said."""

    def __init__(self, at: int = 2) -> None:
        super().__init__()
        self.at = at

    def epoch(self, epoch, epochs, logs):
        if epoch == self.at:
            raise KeyboardInterrupt


def begin(folder: Path, **data: object) -> None:
    """Leave what a training leaves that was cut right after it wrote its recipe."""
    settings = ["model.start=scratch", *(f"data.{key}={value}" for key, value in data.items())]
    made = recipes.override(recipes.for_folder(folder), settings)
    recipes.write(made, runs.folder_of(folder.name) / "recipe.toml")


def test_resume_without_a_run_is_refused_and_names_what_was_begun(make_tree, home):
    root = make_tree()
    with pytest.raises(InputError, match=r"an unfinished run to resume; received none of this.*no"):
        tfcnn.train(root, resume=True)
    with pytest.raises(InputError, match="received none of this name"):
        tfcnn.crossval(root, resume=True)
    begin(make_tree(name="other"))
    with pytest.raises(InputError, match="one that was begun: other"):
        tfcnn.train(root, resume=True)
    (home / "models" / "shapes").mkdir(parents=True)  # an empty folder is none either
    with pytest.raises(InputError, match="received none of this name"):
        tfcnn.train(root, resume=True)


def test_nothing_is_typed_again_to_resume(make_tree, home):
    """The recipe of the run is gone on with, to the figures of one that was not cut."""
    root = make_tree(groups=8)
    whole = tfcnn.train(root, settings=GROUPED, run="whole")
    with pytest.raises(KeyboardInterrupt) as cut:
        tfcnn.train(root, settings=GROUPED, run="cut", reporter=Cut())
    assert cut.value.__notes__ == [resume.RESUMABLE]
    heard = Cut(at=-1)
    again = ["train.epochs=2", "data.image_size=[32, 32]"]  # as it was: agreed with
    made = tfcnn.train(root, run="cut", resume=True, settings=again, reporter=heard)
    assert (made.path / "predictions.csv").read_bytes() == (
        whole.path / "predictions.csv"
    ).read_bytes()
    (said,) = [note for note in heard.notes if note.startswith("going on as it was begun")]
    assert "train.batch_size=16" in said and "model.network=mlp" in said and "recipe.toml" in said


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["train.epochs=9"], "train.epochs: expected 2, as it was begun; received 9"),
        (["data.image_size=24"], "data.image_size"),
        (["model.network=compact"], "model.network"),
        (["model.options.units=[8]"], "model.options.units"),
        (["train.epoch=2"], "train.epochs"),
    ],
)
def test_a_setting_with_another_value_is_refused_by_name(make_tree, settings, named):
    root = make_tree()
    recipes.write(
        recipes.override(recipes.for_folder(root), list(GROUPED)),
        runs.folder_of("shapes") / "recipe.toml",
    )
    with pytest.raises(InputError) as refused:
        tfcnn.train(root, settings=settings, resume=True)
    assert named in str(refused.value)
    with pytest.raises(InputError) as refused:  # a cross-validation is begun with a recipe too
        resume.resumed_recipe(
            recipes.for_folder(root), settings, runs.folder_of("shapes"), Reporter()
        )
    assert named in str(refused.value)


def test_another_recipe_or_folder_is_refused(make_tree, tmp_path):
    begin(make_tree())
    with pytest.raises(InputError, match="recipe: expected shapes, as it was begun; received dig"):
        tfcnn.train("digits", run="shapes", resume=True)
    elsewhere = write_tree(tmp_path / "elsewhere" / "shapes")
    with pytest.raises(InputError, match=r"data\.source: expected .*as it was begun"):
        tfcnn.train(elsewhere, resume=True)


def test_a_recipe_that_was_given_another_source_goes_on_with_it(make_tree):
    """What was typed with --set when it was begun need not be typed again."""
    root, folder = make_tree(), runs.folder_of("malaria")
    made = recipes.override(recipes.load("malaria"), [f"data.source={root}"])
    recipes.write(made, folder / "recipe.toml")
    found = resume.resumed_recipe(recipes.load("malaria"), [], folder, Reporter())
    assert found.data.source == str(root)


def test_a_run_that_has_learnt_nothing_starts_anew(make_tree, home):
    root = make_tree(groups=8)
    begin(root, group_regex="^(P[0-9]+)_", image_size=32)
    heard = Cut(at=1)
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, resume=True, reporter=heard)
    assert any("nothing had been learnt yet" in note for note in heard.notes)
    assert not (home / "models" / ".old").exists()
    assert "^(P[0-9]+)_" in (home / "models" / "shapes" / "recipe.toml").read_text()


def test_a_cut_is_noted_only_where_its_own_run_was_begun(make_tree, home):
    folder = home / "models" / "x"
    with pytest.raises(KeyboardInterrupt) as cut, resume.resumable(folder):
        raise KeyboardInterrupt
    assert not hasattr(cut.value, "__notes__")
    begin(make_tree(name="x"))
    with (
        pytest.raises(KeyboardInterrupt) as cut,
        resume.resumable(folder),
        resume.resumable(folder),
    ):
        raise KeyboardInterrupt
    assert cut.value.__notes__ == [resume.RESUMABLE]


def interrupt(*_: object, **__: object) -> None:
    """Do what Ctrl+C does; `test_commands.py` sends the signal to a process."""
    raise Interrupted


@pytest.mark.parametrize(
    ("module", "name", "resumes"),
    [
        ("training.train", "prepare", False),
        pytest.param("training.train", "make_room", False, marks=pytest.mark.slow),
        ("manifest.splits", "write", True),
        pytest.param("training.measure", "card", True, marks=pytest.mark.slow),
        ("report.page", "write", True),
    ],
)
def test_cut_at_any_time_the_printed_line_works(
    make_tree, home, monkeypatch, module, name, resumes
):
    """Before it is begun: the same line again; --fresh must not go on with the run before it."""
    root = make_tree(groups=8)
    begin(root, image_size=16)  # of an earlier training, cut too
    settings = [*GROUPED, "train.epochs=1"]
    words = ["train", str(root), "--fresh", *(w for s in settings for w in ("--set", s))]
    with monkeypatch.context() as patch:
        # the verb `report` has the name of a room
        patch.setattr(importlib.import_module(f"tfcnn.{module}"), name, interrupt)
        result = run_tfcnn(*words, home=home)
    assert result.returncode == 130, result.stderr
    line = result.stderr.split("to continue: ")[1].strip()
    assert ("--resume" in line, "--fresh" in line) == (resumes, not resumes)
    again = run_tfcnn(*shlex.split(line)[1:], home=home)
    assert again.returncode == 0, again.stderr
    stored = recipes.load(str(home / "models" / "shapes" / "recipe.toml"))
    assert stored.data.image_size == (32, 32)


def test_a_finished_run_cut_anew_is_not_resumed(run_copy, home):
    """A second training, cut while it reads: the first one is whole, and nothing is to resume."""
    source = runs.source_of(run_copy)
    target = home / "models" / "cells"
    target.parent.mkdir(parents=True)
    run_copy.rename(target)
    process = subprocess.Popen(
        [sys.executable, "-c", "import time\nfrom tfcnn import __main__\n"
         "import tfcnn.training.train as t\n"
         "def wait(*_): print('reading', flush=True); time.sleep(60)\n"
         "t.prepare = wait\nimport sys\nsys.argv[0] = 'tfcnn'\n__main__.main()",
         "train", str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "reading\n"
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "--resume" not in said
    assert runs.state(target) == "finished"


def test_folders_of_one_name_do_not_replace_each_others_runs(tmp_path, home):
    one, other = (write_tree(tmp_path / name / "cells") for name in "xy")
    begin(one)
    (home / "models" / "cells" / "DONE").write_text("now\n")
    for verb in (tfcnn.train, tfcnn.crossval):
        with pytest.raises(InputError) as refused:
            if verb is tfcnn.crossval:
                (home / "models" / "cells").rename(home / "models" / "cells-crossval")
            verb(other)
        assert "a run of" in str(refused.value) and "run with another name" in str(refused.value)
        assert str(one) in str(refused.value)


def test_the_same_folder_and_a_named_run_are_moved_aside_and_that_is_said(make_tree, home):
    root = make_tree(groups=8)
    begin(root)
    (home / "models" / "shapes" / "split.csv").write_text("")
    (home / "models" / "shapes" / "DONE").write_text("now\n")
    resume.refuse_other_source(recipes.for_folder(root), home / "models" / "shapes")
    heard = Cut()
    resume.make_room(home / "models" / "shapes", heard)
    assert "the earlier run is now" in heard.notes[0]
    assert len(list((home / "models" / ".old").iterdir())) == 1


def test_crossval_resumes_with_its_own_settings_and_folds(make_tree, home):
    root = make_tree(groups=8)
    with pytest.raises(KeyboardInterrupt) as cut:
        tfcnn.crossval(root, folds=2, settings=GROUPED, reporter=Cut())
    assert cut.value.__notes__ == [resume.RESUMABLE]
    with pytest.raises(InputError, match=r"folds: expected 2, as it was begun; received 3"):
        tfcnn.crossval(root, folds=3, resume=True)
    with pytest.raises(InputError, match=r"train\.epochs: expected 2, as it was begun"):
        tfcnn.crossval(root, settings=["train.epochs=3"], resume=True)
    summary = tfcnn.crossval(root, resume=True)
    assert len(summary.folds) == 2
    assert json.loads((summary.path / "summary.json").read_text())["counts"]["images"] == 64
