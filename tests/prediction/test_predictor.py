"""Predictions: ordered, streaming, the same from every file, and never silent about a bad one."""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import NARROW, run_tfcnn, write_card, write_tree
from PIL import Image

import tfcnn
from tfcnn.base import quiet
from tfcnn.base.errors import CheckError, InputError
from tfcnn.decode import Decoder
from tfcnn.prediction import Predictor, abstains, decide, engines, two_columns
from tfcnn.runs import open_run


@pytest.fixture
def cells(trained: Path) -> Path:
    return trained.parents[2] / "cells"


def test_both_engines_and_any_batch_agree(trained, cells):
    run = open_run(trained)
    images = np.stack(
        [run.decoder.decode(path.read_bytes()) for path in sorted(cells.rglob("*.png"))[:70]]
    )
    fast, slow = Predictor(run), Predictor(run, engine="keras")
    assert (fast.engine, slow.engine) == ("litert", "keras")
    probs, features = fast.probs_and_features(images)
    np.testing.assert_allclose(probs, slow.probs(images), atol=1e-4)
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probs[:1], fast.probs(images[:1]), atol=1e-6)
    assert features.shape == (70, 256)


def test_large_images_are_computed_a_few_at_a_time(trained, tmp_path):
    run = open_run(trained)
    assert Predictor(run).batch_size == 64
    for side, size in ((512, 16), (4096, 1)):
        card = {**run.card, "decoder": {**run.card["decoder"], "image_size": [side, side]}}
        assert Predictor(replace(run, card=card)).batch_size == size


def test_answers_of_all_images_are_those_of_each(trained, cells):
    run = open_run(trained)
    paths = sorted(cells.rglob("*.png"))[:70]
    images = np.stack([run.decoder.decode(path.read_bytes()) for path in paths])
    probs, flags = Predictor(run).answers(images)
    single = [Predictor(run).answers(image[None]) for image in images[::23]]
    np.testing.assert_allclose(probs[::23], np.concatenate([p for p, _ in single]), atol=1e-6)
    assert flags[::23] == [flag for _, (flag,) in single]


def timed(monkeypatch, seconds):
    """Let the probe find these times: what a machine takes would decide the test."""
    monkeypatch.setattr(engines, "_seconds", lambda engine, _: seconds[engine.name])


def test_many_images_are_computed_by_openvino_and_few_by_litert(trained, monkeypatch):
    timed(monkeypatch, {"openvino": 0.9, "litert": 1.0})
    run = open_run(trained)
    images = np.random.default_rng(0).integers(0, 256, (500, *run.decoder.shape), dtype=np.uint8)
    plain, many = Predictor(run, engine="litert"), Predictor(run)
    few = many.probs_and_features(images[:20])
    assert many.engine == "litert"
    found = many.probs_and_features(images)
    expected = plain.probs_and_features(images)
    assert (many.engine, plain.engine) == ("openvino", "litert")
    assert many.computed_by == {"name": "openvino", "version": metadata.version("openvino")}
    for ours, theirs, first in zip(found, expected, few, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
        np.testing.assert_allclose(ours[:20], first, atol=1e-3 * np.abs(theirs).max())
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)


@pytest.mark.parametrize("seconds", [0.97, 2.0])
def test_litert_stays_where_openvino_is_hardly_sooner(trained, monkeypatch, seconds):
    timed(monkeypatch, {"openvino": seconds, "litert": 1.0})
    notes = []
    predictor = Predictor(open_run(trained), note=notes.append)
    predictor.expect(500)
    reason = f"OpenVINO takes {seconds:.2g} times as long"
    assert (predictor.engine, predictor.computed_by["reason"], notes) == ("litert", reason, [])


def test_the_time_of_an_engine_is_its_least(monkeypatch):
    clock = iter([0.0, 3.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(engines, "perf_counter", lambda: next(clock))
    assert engines._seconds(lambda _: None, np.zeros(1, np.uint8)) == 1.0


def failing(error):
    def fail(*_, **__):
        raise error

    return SimpleNamespace(Core=fail)


@pytest.mark.parametrize(
    ("fault", "reason", "is_said"),
    [
        ("lacks", "OpenVINO is not installed", False),
        ("differs", "its answers are not LiteRT's (differences of", True),
        (RuntimeError("no such\ndevice"), "did not start (RuntimeError: no such device)", True),
        (ImportError("libx.so: wrong ELF class"), "did not start (ImportError: libx.so", True),
        (ModuleNotFoundError("No module", name="x"), "did not start (ModuleNotFoundError", True),
    ],
)
def test_litert_goes_on_where_openvino_does_not_give_its_answers(
    trained, monkeypatch, fault, reason, is_said
):
    run, notes = open_run(trained), []
    if fault == "lacks":
        monkeypatch.setitem(sys.modules, "openvino", None)
    elif fault == "differs":
        monkeypatch.setattr(engines, "TOLERANCE", -1.0)
    else:
        monkeypatch.setitem(sys.modules, "openvino", failing(fault))
    predictor = Predictor(run, note=notes.append)
    predictor.expect(500)
    assert predictor.engine == "litert"
    assert "no OpenVINO: " in quiet.log_path().read_text(encoding="utf-8")
    found = predictor.computed_by
    assert (found["name"], found["version"]) == ("litert", metadata.version("ai-edge-litert"))
    assert reason in found["reason"] and "\n" not in found["reason"]
    assert notes == ([found["reason"]] if is_said else [])
    predictor.expect(500)
    assert len(notes) == is_said, "once"


def test_keras_answers_where_litert_does_not_start(trained, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", fail)
    notes = []
    predictor = Predictor(open_run(trained), note=notes.append)
    assert predictor.computed_by["name"] == "keras"
    assert "LiteRT did not start (RuntimeError: illegal instruction)" in notes[0]
    assert notes[1].startswith("computed by Keras 3.")
    with pytest.raises(RuntimeError):
        Predictor(open_run(trained), engine="litert")


def test_the_command_says_what_computed_where_it_is_not_litert(run_copy, cells, home):
    path = cells / "round" / "P0_0.png"
    result = run_tfcnn("predict", run_copy, path, home=home)
    assert result.returncode == 0 and result.stderr == ""
    card = json.loads((run_copy / "model.json").read_text())
    del card["sha256"]["model.tflite"]
    write_card(run_copy, card)
    again = run_tfcnn("predict", run_copy, path, home=home)
    assert again.returncode == 0 and "computed by Keras 3." in again.stderr
    assert "Keras" not in again.stdout and again.stdout.splitlines()[0].startswith("path,")


def test_a_run_records_what_computed_its_figures(trained):
    engine = {"name": "litert", "version": metadata.version("ai-edge-litert")}
    for name, content in (("model.json", open_run(trained).card["record"]),
                          ("report.json", open_run(trained).report)):  # fmt: skip
        assert content["engine"] == engine, name
    old = {key: value for key, value in open_run(trained).card["record"].items() if key != "engine"}
    run = open_run(trained)
    answers = Predictor(replace(run, card={**run.card, "record": old}))
    assert answers.probs(np.zeros((1, *run.decoder.shape), np.uint8)).shape == (1, 2)


def test_plain_keras_and_plain_litert_give_what_predict_gives(trained, cells, tmp_path):
    """Neither process imports tfcnn; the LiteRT one does not import TensorFlow."""
    run = open_run(trained)
    paths = sorted(cells.rglob("*.png"))[:8]
    images = np.stack([run.decoder.decode(path.read_bytes()) for path in paths])
    np.save(tmp_path / "images.npy", images)
    scripts = {
        "keras": "import keras; p = keras.saving.load_model(sys.argv[1] + '/model.keras')"
        ".predict(x.astype('float32'), verbose=0)",
        "litert": "from ai_edge_litert.interpreter import Interpreter; "
        "i = Interpreter(sys.argv[1] + '/model.tflite'); "
        "p = i.get_signature_runner()(images=x)['probs']; assert 'tensorflow' not in sys.modules",
    }
    expected = [list(p.probs.values()) for p in tfcnn.predict(run, paths)]
    for name, code in scripts.items():
        script = (
            f"import sys, numpy as np; x = np.load(sys.argv[2]); {code}; "
            "assert not any(m.startswith('tfcnn') for m in sys.modules); np.save(sys.argv[3], p)"
        )
        words = [str(trained), str(tmp_path / "images.npy"), str(tmp_path / f"{name}.npy")]
        subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True)
        tolerance = 1e-5 if name == "keras" else 1e-4
        np.testing.assert_allclose(
            np.load(tmp_path / f"{name}.npy"),
            expected if name == "litert" else Predictor(run, "keras").probs(images),
            atol=tolerance,
        )
    np.testing.assert_allclose(np.load(tmp_path / "keras.npy"), expected, atol=1e-5)


def test_files_folders_and_zips_give_the_same_in_order(trained, cells, tmp_path):
    run = open_run(trained)
    folder = cells / "round"
    paths = sorted(folder.glob("*.png"))
    archive = tmp_path / "cells.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in reversed(paths):
            file.write(path, path.name)
        file.writestr("Thumbs.db", b"x")
        file.writestr("__MACOSX/._a.png", b"x")
    from_folder = tfcnn.predict(run, folder)
    assert [p.path for p in from_folder] == [str(path) for path in paths]
    from_zip = tfcnn.predict(run, archive)
    assert [p.path for p in from_zip] == [f"{archive}/{path.name}" for path in paths]
    assert [p.probs for p in from_zip] == [p.probs for p in from_folder]
    assert [p.probs for p in tfcnn.predict(run, paths)] == [p.probs for p in from_folder]


def test_an_unreadable_image_is_a_row_and_exit_3(trained, cells, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    good = next((cells / "round").glob("*.png"))
    (folder / "a.png").write_bytes(good.read_bytes())
    (folder / "b.png").write_bytes(b"")
    (folder / "c.png").write_text("text")
    (folder / "d.png").write_bytes(good.read_bytes())
    output = tmp_path / "out.csv"
    result = run_tfcnn("predict", trained, folder, "--output", output)
    assert result.returncode == 3, result.stderr
    rows = list(csv.DictReader(output.open()))
    assert [row["flag"] for row in rows] == ["", "unreadable", "unreadable", ""]
    assert list(rows[0]) == [
        "path",
        "predicted",
        "prob_round",
        "prob_square",
        "decision",
        "flag",
    ]
    assert rows[0]["prob_round"] == rows[3]["prob_round"] and rows[1]["predicted"] == ""


def test_a_damaged_member_of_a_zip_is_a_row(trained, cells, tmp_path):
    paths = sorted((cells / "round").glob("*.png"))[:3]
    archive = tmp_path / "cells.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            file.writestr(path.name, path.read_bytes() * 3)
        offset = file.getinfo(paths[1].name).header_offset + 60 + len(paths[1].name)
    content = bytearray(archive.read_bytes())
    content[offset : offset + 400] = b"\xff" * 400
    archive.write_bytes(content)
    flags = [prediction.flag for prediction in tfcnn.predict(trained, archive)]
    assert flags == ["", "unreadable", ""]


def test_json_lines_and_csv_say_the_same(trained, cells, tmp_path):
    folder = cells / "square"
    as_csv = run_tfcnn("predict", trained, folder)
    as_json = run_tfcnn("predict", trained, folder, "--json")
    assert as_csv.returncode == as_json.returncode == 0
    rows = list(csv.DictReader(as_csv.stdout.splitlines()))
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [row["path"] for row in rows] == [line["path"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert float(row["prob_square"]) == pytest.approx(line["probs"]["square"], rel=5e-6)


def test_predict_repeats_what_was_measured(trained, cells):
    """`predictions.csv`, from which every metric comes, holds what `predict` says."""
    rows = list(csv.DictReader((trained / "predictions.csv").open()))
    predictions = tfcnn.predict(trained, [cells / row["path"] for row in rows])
    for row, prediction in zip(rows, predictions, strict=True):
        assert row["predicted"] == prediction.predicted
        assert row["decision"] == prediction.decision
        assert float(row["prob_round"]) == pytest.approx(prediction.probs["round"], abs=1e-6)


def test_renaming_the_class_folders_changes_nothing(trained, cells, tmp_path):
    renamed = tmp_path / "renamed"
    shutil.copytree(cells / "round", renamed / "zzz")
    shutil.copytree(cells / "square", renamed / "aaa")
    before = {
        Path(p.path).name + Path(p.path).parent.name: p for p in tfcnn.predict(trained, cells)
    }
    for p in tfcnn.predict(trained, renamed):
        old = {"zzz": "round", "aaa": "square"}[Path(p.path).parent.name]
        assert before[Path(p.path).name + old].probs == p.probs


def test_mistakes_are_named(trained, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        tfcnn.predict(trained, tmp_path / "missing.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="images; received none"):
        tfcnn.predict(trained, tmp_path / "empty")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="zip archive"):
        tfcnn.predict(trained, tmp_path / "bad.zip")
    result = run_tfcnn("predict", trained, tmp_path / "bad.zip", "-o", tmp_path / "x.txt")
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert not (tmp_path / "x.txt").exists()


def test_a_changed_model_file_is_refused(run_copy, cells):
    image = next((cells / "round").glob("*.png"))
    with (run_copy / "model.tflite").open("ab") as file:
        file.write(b"0")
    with pytest.raises(CheckError, match=r"model\.tflite"):
        tfcnn.predict(run_copy, image)


def test_a_foreign_keras_file_is_refused_with_the_way(trained):
    with pytest.raises(InputError, match="a run folder"):
        tfcnn.load(trained / "model.keras")


def test_decide_and_two_columns():
    assert decide(np.float32([0.4, 0.6]), None, 0.5) == (1, 1)
    assert decide(np.float32([0.4, 0.6]), 0, 0.3) == (1, 0)
    assert decide(np.float32([0.4, 0.6]), 0, 0.4) == (1, 0)
    np.testing.assert_allclose(two_columns(np.float32([[0.25]])), [[0.75, 0.25]])
    assert two_columns(np.float32([[0.1, 0.9]])).shape == (1, 2)


def test_a_big_image_is_decoded_like_in_training(trained, cells, tmp_path):
    source = next((cells / "round").glob("*.png"))
    Image.open(source).resize((300, 200)).save(tmp_path / "big.png")
    run = open_run(trained)
    pixels = Decoder((32, 32)).decode((tmp_path / "big.png").read_bytes())
    expected = Predictor(run).probs(pixels[np.newaxis])[0]
    got = tfcnn.predict(run, tmp_path / "big.png")[0]
    np.testing.assert_allclose(list(got.probs.values()), expected, atol=1e-6)


@pytest.fixture(scope="module")
def with_domain(tmp_path_factory) -> Path:
    """A run on images enough to know what is usual, that leaves a tenth of val unanswered."""
    base = tmp_path_factory.mktemp("domain")
    root = write_tree(base / "cells", groups=40, per_group=9, side=32)
    settings = [*NARROW, "train.epochs=1", "evaluation.abstain_fraction=0.1"]
    settings += ["data.group_regex='^(P[0-9]+)_'", "data.positive=round"]
    words = [word for setting in settings for word in ("--set", setting)]
    result = run_tfcnn("train", root, *words, home=base / "home")
    assert result.returncode == 0, result.stderr
    return base / "home" / "models" / "cells"


def test_pictures_of_other_things_are_flagged_and_answered_all_the_same(with_domain, tmp_path):
    rng = np.random.default_rng(0)
    pictures = {
        "a_noise": rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),
        "b_white": np.full((40, 40, 3), 255, np.uint8),
        "c_ramp": np.tile(np.arange(0, 240, 6, dtype=np.uint8)[:, None, None], (1, 40, 3)),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "d_broken.png").write_bytes(b"")
    output = tmp_path / "out.csv"
    result = run_tfcnn("predict", with_domain, tmp_path, "--output", output)
    assert result.returncode == 3, "one could not be read"
    assert "d_broken.png: an empty file" in result.stderr
    rows = list(csv.DictReader(output.open()))
    assert [row["flag"] for row in rows] == ["out-of-domain"] * 3 + ["unreadable"]
    assert all(row["predicted"] and row["decision"] for row in rows[:3])
    assert "unlike" in tfcnn.predict(with_domain, tmp_path / "b_white.png")[0].reason


def test_flags_are_those_that_were_measured(with_domain):
    """The card, `predictions.csv`, `report.json` and `predict` say the same."""
    card = json.loads((with_domain / "model.json").read_text())
    assert card["domain"]["aimed_fraction"] == 0.01 and "1% aimed for" in card["domain_reason"]
    assert 0 < card["abstention"]["low"] < card["threshold"] < card["abstention"]["high"] < 1
    assert card["group_rule"]["reason"] == "no rule: val has no negative group among its 6"
    rows = list(csv.DictReader((with_domain / "predictions.csv").open()))
    paths = [with_domain.parents[2] / "cells" / row["path"] for row in rows]
    flags = [p.flag for p in tfcnn.predict(with_domain, paths)]
    assert [row["flag"] for row in rows] == flags
    report = json.loads((with_domain / "report.json").read_text())
    for split in ("val", "test"):
        own = [row["flag"] for row in rows if row["split"] == split]
        found = report["flags"][split]
        for flag in ("out-of-domain", "abstain"):
            assert found[flag]["count"] == own.count(flag)
    val = [row["flag"] for row in rows if row["split"] == "val"]
    assert 0.05 < val.count("abstain") / len(val) <= 0.1
    assert val.count("out-of-domain") / len(val) <= 0.01
    text = run_tfcnn("evaluate", with_domain).stdout
    assert "Flagged as out of domain" in text and "Left unanswered" in text


def test_a_changed_domain_file_is_refused_and_a_run_without_one_answers(with_domain, tmp_path):
    image = next((with_domain.parents[2] / "cells").rglob("*.png"))
    copy = Path(shutil.copytree(with_domain, tmp_path / "copy"))
    (copy / "domain.npz").write_bytes(b"other")
    with pytest.raises(CheckError, match=r"domain\.npz"):
        tfcnn.predict(copy, image)
    card = json.loads((copy / "model.json").read_text())
    for key in ("domain_reason", "abstention", "abstention_reason", "group_rule"):
        del card[key]
    write_card(copy, {**card, "domain": None})  # as before there was one
    (copy / "domain.npz").unlink()
    (found,) = tfcnn.predict(copy, image)
    assert found.flag == "" and found.probs == tfcnn.predict(with_domain, image)[0].probs


def test_the_first_flag_that_applies_is_said(with_domain):
    """Out of the domain goes before abstaining."""
    run = open_run(with_domain)
    run.card["abstention"] = {"low": 0.0, "high": 1.1}
    predictor = Predictor(run)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    usual = run.decoder.decode(next((with_domain.parents[2] / "cells").rglob("*.png")).read_bytes())
    flags = [flag for flag, _ in predictor.answers(np.concatenate([white, usual[None]]))[1]]
    assert flags == ["out-of-domain", "abstain"]


def test_other_data_says_how_many_were_flagged(with_domain, tmp_path):
    unseen = write_tree(tmp_path / "other", groups=8, seed=9)
    for number, path in enumerate(sorted(unseen.rglob("*.png"))):
        if number % 4 == 0:
            Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
        path.rename(path.with_name(f"P9{path.name[1:]}"))
    report = tfcnn.evaluate(with_domain, data=unseen)
    assert report.flags["data"]["out-of-domain"]["count"] >= 16
    assert any(line.startswith("Flagged as out of domain: 1") for line in report.remarks("data"))


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 64, 64, 3), np.uint8), np.zeros((32, 32, 3), np.uint8),
     np.zeros((2, 32, 32, 3), np.float32), np.zeros((0, 32, 32, 3), np.uint8)],
)  # fmt: skip
def test_arrays_of_another_shape_are_refused(trained, images):
    with pytest.raises(InputError, match=r"images: expected uint8 of shape \(images, 32, 32, 3\)"):
        Predictor(tfcnn.load(trained)).probs(images)


def test_arrays_are_no_paths(trained):
    with pytest.raises(InputError, match=r"paths: expected a text .* received a ndarray"):
        tfcnn.predict(trained, np.zeros((1, 32, 32, 3), np.uint8))


def test_the_band_is_of_the_positive_class_or_of_the_largest():
    two = np.array([[0.3, 0.7], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    assert abstains(two, (0.2, 0.4), 0).tolist() == [True, True, False, False], "from, to below"
    assert abstains(two, (0.1, 0.7), 1).tolist() == [False, False, True, True]
    assert not abstains(two, None, 0).any()
    three = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.35, 0.55], [0.4, 0.3, 0.3]])
    assert abstains(three, (0.5, 0.6), None).tolist() == [True, False, True, False]
