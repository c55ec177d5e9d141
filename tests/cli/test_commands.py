"""The command line as a user meets it: help, lists, and one line for every mistake."""

import json
import os
import resource
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import NARROW, run_tfcnn, start_tfcnn
from PIL import Image
from small_backbone import shrink
from typer.testing import CliRunner

import tfcnn
from tfcnn import architectures, datasets, recipes
from tfcnn.__main__ import main
from tfcnn.base.errors import InputError
from tfcnn.cli import app


def fails(code: int, *words: object) -> str:
    """Run a command that must fail with one line and an exit code; return the line."""
    result = run_tfcnn(*words)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == code, result.stderr
    assert "" not in result.stderr.splitlines(), result.stderr
    assert len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    assert "expected" in lines[0] and "received" in lines[0] and "; try " in lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["bogus"], "bogus"),
        (["train"], "RECIPE|FOLDER"),
        (["train", "malaria", "--fres"], "--fresh"),
        (["explain", "malaria", "x", "--method", "foo"], "layer-cam"),
        (["crossval", "malaria", "--folds", "x"], "a valid integer"),
    ],
)
def test_a_mistaken_command_line_is_one_line(words, named):
    line = fails(2, *words)
    assert named in line and line.endswith(" -h") and "Value error" not in line


def test_no_words_are_a_call_for_help():
    result = start_tfcnn()
    assert result.returncode == 0 and "Usage: tfcnn" in result.stdout


def test_every_command_has_help_with_an_example():
    runner = CliRunner()
    for command in app.registered_commands:
        name = (command.name or command.callback.__name__).strip("_")
        result = runner.invoke(app, [name, "--help"])
        assert result.exit_code == 0
        if name not in ("list", "report"):
            assert "Example" in result.stdout, name


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout.split() == ["tfcnn", tfcnn.__version__]


def test_list_names_everything(trained):
    result = run_tfcnn("list", "--json", home=trained.parents[1])
    names = {
        kind: {row["name"] for row in rows} for kind, rows in json.loads(result.stdout).items()
    }
    assert names["data sets"] == set(datasets.names())
    assert names["networks"] == set(architectures.names())
    assert names["recipes"] == set(recipes.names())
    assert "cells" in names["runs"]
    assert "compact" in run_tfcnn("list", home=trained.parents[1]).stdout


def test_groups_of_no_folder_are_refused_and_not_ignored(trained):
    result = run_tfcnn("evaluate", trained, "--group-regex", "^(P)")
    assert result.returncode == 2
    assert result.stderr == (
        "error: labels or groups: expected a folder of images beside them; received none; "
        "try --data FOLDER\n"
    )


def test_a_folder_that_may_not_be_written_is_named_whole(monkeypatch, tmp_path, capsys):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", "models")

    monkeypatch.setattr("tfcnn.cli.app", refused)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    line = capsys.readouterr().err
    assert ended.value.code == 2 and line.startswith(f"error: {tmp_path / 'models'}: expected")
    assert "Permission denied; try its permissions" in line and "TFCNN_HOME" in line


@pytest.mark.parametrize("rule", [{"path_column": "file"}, {"group_column": "who"}])
def test_columns_of_no_folder_are_refused_too(trained, rule):
    with pytest.raises(InputError, match="try data FOLDER"):
        tfcnn.evaluate(trained, **rule)


def test_evaluate_shows_every_metric_and_json_holds_it(trained):
    text = start_tfcnn("evaluate", trained).stdout
    assert "sensitivity" in text and "95 % interval" in text and "On 2 unseen groups" in text
    content = json.loads(run_tfcnn("evaluate", trained, "--split", "val", "--json").stdout)
    assert set(content["splits"]) == {"val"}
    assert set(content["splits"]["val"]["accuracy"]) >= {"value", "low", "high"}
    assert "val, test" in fails(2, "evaluate", trained, "--split", "tset")


def test_check_audits_a_folder(make_tree):
    root = make_tree()
    first = root / "round" / "P0_0.png"
    (root / "square" / "copy.png").write_bytes(first.read_bytes())
    (root / "round" / "P0_9.png").write_bytes(b"")
    (root / "round" / "Thumbs.db").write_bytes(b"x")
    result = start_tfcnn("check", root)
    assert result.returncode == 3
    assert "BLOCKING: 1 picture is in two classes" in result.stdout
    assert "P0_9.png: " in result.stdout
    assert "left out: 1 of 26 files in round: 1 hidden or system files" in result.stdout
    (root / "square" / "copy.png").unlink()
    result = run_tfcnn("check", root, "--json")
    assert result.returncode == 0 and json.loads(result.stdout)["blocking"] is False
    assert "--group-regex" in run_tfcnn("check", root).stdout
    assert "nope.csv" in fails(2, "check", root, "--group-csv", "nope.csv")


def test_report_is_written_anew(run_copy):
    (run_copy / "report.html").unlink()
    assert start_tfcnn("report", run_copy).returncode == 0
    assert (run_copy / "report.html").exists()


def test_kernel_command(tmp_path):
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    out = tmp_path / "b.png"
    result = run_tfcnn("kernel", tmp_path / "a.png", "--kernel", "blur", "-o", out)
    assert result.returncode == 0 and Image.open(out).size == (14, 14)
    assert "identity" in fails(2, "kernel", tmp_path / "a.png", "--kernel", "nothing")


def test_mistakes_before_a_training(make_tree, home):
    root = make_tree()
    assert "no/such" in fails(2, "train", "no/such")
    assert "malaria" in fails(2, "train", "nonsense")
    assert 'source = "fashion-mnist"' in fails(2, "train", "fashion-mnist")
    assert "tfcnn download malaria" in fails(2, "train", "malaria")
    assert "train.epochs" in fails(2, "train", root, "--set", "train.epoch=3")
    assert "train.epochs" in fails(2, "train", root, "--set", "train.epochs=x")
    assert "compact" in fails(2, "train", root, "--set", "model.network=compct")
    assert "widths" in fails(2, "train", root, "--set", "model.options.width=3")
    one = make_tree(name="one", classes=("only",))
    assert "2 class folders" in fails(2, "train", one)
    (root / "hollow").mkdir()
    assert "hollow" in fails(2, "train", root)
    assert not (home / "models").exists() or not list((home / "models").glob("[!.]*"))


def test_mistakes_with_runs(home):
    assert "no such run" in fails(2, "evaluate", "nothing")
    assert "no such run" in fails(2, "predict", "nothing", "x.png")
    (home / "models" / "half").mkdir(parents=True)
    (home / "models" / "half" / "recipe.toml").write_text("")
    assert "--resume" in fails(2, "evaluate", "half")


def test_mistakes_with_archives(tmp_path, home):
    archive = tmp_path / "cell_images.zip"
    archive.write_bytes(b"PK\x03\x04 cut short")
    assert "cell_images.zip" in fails(2, "download", "malaria", "--from", archive)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../escape.png", b"x")
    assert "../escape.png" in fails(2, "download", "malaria", "--from", archive)
    assert "nowhere" in fails(2, "download", "malaria", "--from", tmp_path / "nowhere")
    assert "one of" in fails(2, "download", "nothing")
    assert not (tmp_path / "escape.png").exists()
    assert "tfcnn download malaria" in fails(2, "train", "malaria")


def test_no_network_is_said_in_one_line(home):
    closed = "http://127.0.0.1:9/cell_images.zip"
    line = fails(2, "download", "malaria", "--from", closed)
    assert closed in line and "--from" in line


def test_bad_files_are_set_aside_and_training_goes_on(make_tree, home):
    root = make_tree()
    (root / "round" / "P0_9.png").write_bytes(b"")
    (root / "round" / "P0_8.png").write_text("text")
    (root / "tfcnn-ignore.csv").write_text("path,reason\nround/P1_0.png,blurred\n")
    words = [w for s in (*NARROW, "train.epochs=1") for w in ("--set", s)]
    result = CliRunner().invoke(app, ["train", str(root), *words])
    assert result.exit_code == 0, result.stderr
    assert "P0_9.png" in result.stderr and "P0_8.png" in result.stderr
    report = json.loads((home / "models" / "shapes" / "report.json").read_text())
    assert {row["path"] for row in report["quarantined"]} == {
        "round/P0_8.png",
        "round/P0_9.png",
    }
    (line,) = report["left_out"]
    assert line == "left out: 1 of 26 files in round: 1 by tfcnn-ignore.csv"
    assert line in result.stderr
    assert line in (home / "models" / "shapes" / "report.html").read_text()
    split = (home / "models" / "shapes" / "split.csv").read_text()
    assert "round/P1_1.png" in split and "round/P1_0.png" not in split


def test_a_full_disk_is_said_and_leaves_nothing(make_tree, home):
    """A limit on file size stands in for a full disk: the write of the cache fails half-way."""
    root = make_tree(groups=30, per_group=8)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    result = subprocess.run(
        [sys.executable, "-m", "tfcnn", "train", str(root), "--set", "data.image_size=64"],
        capture_output=True, text=True, check=False, preexec_fn=limit,
        env={**os.environ, "TFCNN_HOME": str(home)},
    )  # fmt: skip
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr and "error: " in result.stderr
    assert not list((home / "data" / "cache").glob("*"))
    assert not list(home.rglob("*.part*"))


def test_an_interrupted_training_prints_the_line_that_continues_it(make_tree, home):
    root = make_tree(groups=12)
    settings = ("model.start=scratch", "train.epochs=400", "train.precision=float32")
    words = ["train", str(root), *(word for one in settings for word in ("--set", one))]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfcnn", *words],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TFCNN_HOME": str(home)},
    )  # fmt: skip
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("epoch  3/"):
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait(60) == 130, "".join(seen) + rest
    assert f"error: interrupted; to continue: tfcnn train {root}" in rest and "--resume" in rest
    assert "Traceback" not in rest
    line = fails(2, *words[:2])
    assert "--resume" in line


def test_any_mixture_of_formats_trains_without_a_recipe(tmp_path, home, monkeypatch):
    """Three classes; PNG, JPEG, WebP; grey, palette, RGBA and 16 bits among them."""
    shrink(monkeypatch)
    rng = np.random.default_rng(0)
    for label, name in enumerate(("disc", "ring", "star")):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for i in range(24):
            pixels = rng.integers(0, 60, (40 + i, 50, 3), dtype=np.uint8)
            pixels[:, label * 15 : label * 15 + 15] += 120
            image = Image.fromarray(pixels)
            if i % 4 == 1:
                image = image.convert(("L", "RGBA", "P")[i // 4 % 3])
            suffix = (".png", ".png", ".jpg", ".webp")[i % 4]
            image.save(tmp_path / "mixed" / name / f"{name}{i}{suffix}")
        deep = Image.fromarray(pixels[..., label].astype(np.uint16) * 257)
        deep.save(tmp_path / "mixed" / name / "deep.png")
    words = ["train", str(tmp_path / "mixed"), "--set", "train.epochs=3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    report = json.loads((home / "models" / "mixed" / "report.json").read_text())
    assert report["counts"]["test"]["images"] == 11 and not report["quarantined"]
    assert {"accuracy", "macro_f1", "log_loss"} <= set(report["splits"]["test"])
