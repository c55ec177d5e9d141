"""A network that gives NaN or infinity gives no answer, and nobody is shown one."""

import ast
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, reseal, run_tfcnn, write_tree

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import table
from tfcnn.prediction import NO_ANSWER, Predictor, engines, output

PACKAGE = Path(tfcnn.__file__).parent


class Broken:
    """An engine that gives no number for bright images."""

    def __init__(self, engine: engines.Engine, value: float, share: int) -> None:
        self.engine, self.value, self.share = engine, value, share
        self.name, self.version = "litert", "0"

    def __call__(self, images):
        probs, features = self.engine(images)
        probs, features = probs.copy(), features.copy()
        rows = np.arange(len(images)) % self.share == 0
        probs[rows], features[rows] = self.value, np.nan
        return probs, features


@pytest.fixture
def broken(monkeypatch):
    """Break the engine of every run: each so manieth image of a batch gets no number."""
    real = engines.open_engine

    def break_it(value: float = np.nan, share: int = 2) -> None:
        def opened(run, wanted="auto"):
            choice = real(run, wanted)
            return choice._replace(engine=Broken(choice.engine, value, share))

        monkeypatch.setattr(engines, "open_engine", opened)

    return break_it


@pytest.fixture
def unseen(tmp_path):
    root = write_tree(tmp_path / "unseen", groups=3, seed=9)
    for path in root.rglob("*.png"):
        path.rename(path.with_name(f"P9{path.name[1:]}"))
    return root


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_without_a_number_has_a_flag_and_no_class(trained, unseen, broken, value):
    whole = tfcnn.predict(trained, unseen / "round")
    broken(value)
    found = tfcnn.predict(trained, unseen / "round")
    for number, (one, sound) in enumerate(zip(found, whole, strict=True)):
        if number % 2:
            assert one == sound
            continue
        assert (one.flag, one.predicted, one.decision, one.probs) == (NO_ANSWER, "", "", {})
        assert one.path == sound.path and one.group == sound.group and "NaN" in one.reason


def test_the_flag_goes_before_others(trained, broken):
    run = runs.open_run(trained)
    run.card["abstention"] = {"low": 0.0, "high": 1.1}
    broken()
    flags = [flag for flag, _ in Predictor(run).answers(np.zeros((4, 32, 32, 3), np.uint8))[1]]
    assert flags == [NO_ANSWER, "abstain", NO_ANSWER, "abstain"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_no_file_holds_a_nan(trained, unseen, broken, tmp_path, name):
    broken()
    run, path = runs.open_run(trained), tmp_path / name
    done = output.write(Predictor(run).predict([unseen]), run, output.format_of(path, False), path)
    assert (done.total, done.unreadable, done.no_answer) == (24, 0, 12)
    text = path.read_text()
    assert not any(cell in text.lower() for cell in (",nan", ": nan", ",inf", ": inf"))
    groups = list(csv.DictReader((tmp_path / "a-groups.csv").open()))
    assert sum(int(row["flagged"]) for row in groups) == 12
    counted = sum(int(row[f"predicted_{name}"]) for row in groups for name in run.class_names)
    assert counted == 12
    if name.endswith("csv"):
        rows = list(csv.DictReader(path.open()))
        lost = [row for row in rows if row["flag"] == NO_ANSWER]
        assert len(lost) == 12
        assert {
            row[key] for row in lost for key in row if key not in ("path", "flag", "group")
        } == {""}
    else:
        lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
        assert sum(line["probs"] == {} for line in lines) == 12


def test_other_data_counts_the_answered_and_says_so(trained, unseen, broken):
    broken()
    report = tfcnn.evaluate(trained, data=unseen)
    assert report.counts["data"]["images"] == 12
    (said,) = [warning for warning in report.warnings if "no number for 12 of 24" in warning]
    assert "not counted" in said
    json.dumps(report.to_dict(), allow_nan=False)
    broken(share=1)
    with pytest.raises(CheckError, match="none for any of the 24 images"):
        tfcnn.evaluate(trained, data=unseen)


@pytest.fixture
def nan_run(run_copy):
    """A run whose saved network gives NaN where an image is bright, though its hashes fit."""
    import keras

    model = keras.saving.load_model(run_copy / "model.keras", compile=False)
    head = model.get_layer("head")
    head.set_weights([np.full_like(weight, np.nan) for weight in head.get_weights()])
    model.save(run_copy / "model.keras")
    card = json.loads((run_copy / "model.json").read_text())
    del card["sha256"]["model.tflite"]
    (run_copy / "model.json").write_text(json.dumps(card))
    reseal(run_copy)
    return run_copy


def test_the_commands_count_what_got_no_answer(nan_run, unseen, tmp_path):
    image = unseen / "round" / "P90_0.png"
    result = run_tfcnn("predict", nan_run, image, unseen / "round" / "P90_1.png")
    assert result.returncode == 3 and "2 of 2 images got no answer" in result.stderr
    assert [line.split(",")[1:] for line in result.stdout.splitlines()[1:]] == [
        ["", "", "", "", NO_ANSWER, "P90"] for _ in range(2)
    ]
    result = run_tfcnn("explain", nan_run, image, "-o", tmp_path / "why", "--json")
    assert result.returncode == 3 and "1 of 1 images got no answer" in result.stderr
    content = json.loads(result.stdout, parse_constant=pytest.fail)
    (one,) = content["images"]
    assert (one["flag"], one["explained"], one["prob"], one["picture"]) == (NO_ANSWER, "", None, "")
    assert content["sanity"] is None and not list((tmp_path / "why").glob("*.png"))
    (row,) = csv.DictReader((tmp_path / "why" / "explanations.csv").open())
    assert row["flag"] == NO_ANSWER and row["prob"] == ""
    result = run_tfcnn("evaluate", nan_run, "--data", unseen)
    assert result.returncode == 3 and "numbers as answers" in result.stderr


def test_predictions_that_are_no_numbers_choose_no_threshold(run_copy):
    path = run_copy / "predictions.csv"
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([*cells[:5], "nan", "nan", *cells[7:]])
    path.write_text("\n".join(lines) + "\n")
    reseal(run_copy)
    for read in (lambda: table.read(runs.open_run(run_copy)),
                 lambda: tfcnn.set_threshold(run_copy, value=0.4)):  # fmt: skip
        with pytest.raises(InputError, match=r"predictions\.csv: .*a probability that is no numb"):
            read()


def test_a_training_whose_network_gives_no_numbers_ends_with_the_reason(tmp_path, monkeypatch):
    from tfcnn.training import form

    root, saved = write_tree(tmp_path / "shapes", groups=12), form.saved_form

    def spoilt(*arguments):
        model = saved(*arguments)
        weights = model.get_weights()
        weights[-1][:] = np.nan
        model.set_weights(weights)
        return model

    monkeypatch.setattr(form, "saved_form", spoilt)
    settings = [*NARROW, "train.epochs=1", "data.group_regex='^(P[0-9]+)_'"]
    with pytest.raises(CheckError, match=r"a network that answers with numbers; .*round/P\d+_\d"):
        tfcnn.train(root, settings=settings)
    assert runs.unfinished() == ["shapes"]


def test_no_json_may_hold_nan():
    """Every call says so: bare NaN is no JSON."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dumps", "json.dump"):
                assert "allow_nan=False" in ast.unparse(node), f"{path}: {ast.unparse(node)}"
