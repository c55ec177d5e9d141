"""A damaged file of a run is named in one line; it takes no other run with it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run_tfcnn
from typer.testing import CliRunner

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, TfcnnError
from tfcnn.cli import app

Damage = Callable[[bytes], bytes]


def flipped(place: float) -> Damage:
    def flip(content: bytes) -> bytes:
        i = int(place * (len(content) - 1))
        return content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :]

    return flip


DAMAGES: dict[str, Damage] = {
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "a list": lambda _: b"[]",
    "null": lambda _: b"null",
    "not UTF-8": lambda content: content[:40] + b"\xff\xfe" + content[40:],
    "half of its lines": lambda content: b"".join(
        content.splitlines(keepends=True)[: len(content.splitlines()) // 2]
    ),
    **{f"a bit at {place}": flipped(place) for place in (0.02, 0.31, 0.57, 0.93)},
}
# which files a verb reads: where one is damaged, it ends with 2 or 3 and the file's name
READ = {
    "evaluate": ("model.json", "report.json"),
    "predict": ("model.json", "model.tflite"),
    "compare": ("model.json", "predictions.csv", "split.csv"),
    "report": ("model.json", "report.json", "predictions.csv", "split.csv", "history.csv",
               "recipe.toml"),
    "threshold": ("predictions.csv", "recipe.toml", "report.json"),
}  # fmt: skip
WORDS = {"threshold": ["--value", "0.4"]}


def outcome(*words: object) -> tuple[int, str, Exception | None]:
    """Run a command in this process: its exit code, what it printed, and its error."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    error = result.exception
    if isinstance(error, TfcnnError):
        return error.exit_code, str(error), None
    return result.exit_code, result.stdout, None if isinstance(error, SystemExit) else error


@pytest.fixture
def run(trained: Path, home: Path) -> Path:
    """A copy of the trained run in this test's own home."""
    return Path(shutil.copytree(trained, home / "models" / "cells"))


@pytest.mark.parametrize("verb", READ)
def test_a_damaged_file_is_named(verb, run, trained, monkeypatch):
    image = next((trained.parents[2] / "cells" / "round").iterdir())
    more = {"predict": [image], "compare": [trained]}.get(verb, WORDS.get(verb, []))
    for name in READ[verb]:
        path, whole = run / name, (run / name).read_bytes()
        for damage, change in {**DAMAGES, "removed": None, "a folder": None}.items():
            path.unlink()
            if damage == "a folder":
                path.mkdir()
            elif change:
                path.write_bytes(change(whole))
            code, said, error = outcome(verb, run, *more)
            assert code in (2, 3) and name in said and error is None, (name, damage, said, error)
            assert "\n" not in said and "expected" in said and "try" in said
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            path.write_bytes(whole)
    assert outcome(verb, run, *more)[0] == 0, "as it was, it is used again"


def test_a_list_says_which_run_is_damaged_and_lists_the_others(run, home):
    for name in ("cut", "odd", "empty"):
        shutil.copytree(run, home / "models" / name)
    (home / "models" / "cut" / "report.json").write_text('{"splits": {')
    (home / "models" / "odd" / "report.json").write_text("[1, 2]")
    (home / "models" / "empty" / "model.json").write_bytes(b"")
    folds = home / "models" / "cells-crossval"
    (folds / "splits").mkdir(parents=True)
    (folds / "splits" / "fold-0.csv").write_text("path,split\n")
    (folds / "summary.json").write_text('{"metrics": []}')
    runs.stamp(folds)
    result = run_tfcnn("list", "--json", home=home)
    assert result.returncode == 0, result.stderr
    listed = {row["name"]: row for row in json.loads(result.stdout)["runs"]}
    assert listed["cells"]["result"].startswith("On ") and listed["cells"]["test accuracy"]
    for name, file in (("cut", "report.json"), ("odd", "report.json"), ("empty", "model.json")):
        assert listed[name]["result"].startswith("damaged: ") and file in listed[name]["result"]
    (row,) = json.loads(result.stdout)["cross-validations"]
    assert row["result"].startswith("damaged: summary.json")
    assert "damaged" in run_tfcnn("list", home=home).stdout


def test_a_damaged_run_beside_it_takes_no_report_with_it(run, home):
    shutil.copytree(run, home / "models" / "other")
    for name in ("report.json", "recipe.toml"):
        (home / "models" / "other" / name).write_text("{")
    assert outcome("report", run)[0] == 0


def test_a_card_of_other_content_is_refused(run):
    """Reversed class names gave every image the other class."""
    path = run / "model.json"
    card, text = json.loads(path.read_text()), path.read_text()
    changes = {
        "class_names": card["class_names"][::-1],
        "threshold": 0.9,
        "positive": "square",
        "decoder": {**card["decoder"], "fit": "crop"},
        "leaky": True,
        "new": 1,
        "sha256": {**card["sha256"], "model.keras": "0" * 64},
    }
    for key, value in changes.items():
        path.write_text(json.dumps({**card, key: value}))
        with pytest.raises(CheckError, match=r"model\.json: .*as it was written; received a chang"):
            tfcnn.load(run)
    for name in ("class_names", "sha256", "record"):
        path.write_text(json.dumps({key: value for key, value in card.items() if key != name}))
        with pytest.raises(TfcnnError, match=r"model\.json"):
            tfcnn.load(run)
    bare = {name: value for name, value in card["sha256"].items() if name != "model.json"}
    path.write_text(json.dumps({**card, "sha256": bare}))
    with pytest.raises(CheckError, match=r"with its own sha256; received none"):
        tfcnn.load(run)
    path.write_text(json.dumps(card, indent=7, sort_keys=True))
    assert tfcnn.load(run).card == json.loads(text), "spaces and order are no content"


def test_a_run_of_an_earlier_tfcnn_is_opened_with_a_note(run, trained):
    card = json.loads((run / "model.json").read_text())
    later = ("model.json", "recipe.toml", "history.csv", "predictions.csv", "report.json")
    hashes = {name: value for name, value in card["sha256"].items() if name not in later}
    (run / "model.json").write_text(json.dumps({**card, "version": 1, "sha256": hashes}))
    image = next((trained.parents[2] / "cells" / "round").iterdir())
    for words in (["predict", run, image], ["evaluate", run], ["report", run]):
        result = run_tfcnn(*words)
        assert result.returncode == 0, result.stderr
        assert result.stderr.count("which would not notice damage to it") == 1
    assert tfcnn.predict(run, image) == tfcnn.predict(trained, image)
    rows = (run / "predictions.csv").read_text().splitlines(keepends=True)
    (run / "predictions.csv").write_text("".join(rows[:-3]))
    code, said, _ = outcome("compare", run, trained)
    assert code == 2 and "predictions.csv" in said and "were measured" in said
    shutil.copy(trained / "predictions.csv", run)
    assert outcome("threshold", run, "--value", "0.4")[0] == 0
    assert tfcnn.load(run).caution == "", "what is written anew vouches for itself"


def test_a_threshold_that_was_cut_at_any_write_can_be_set_again(run, monkeypatch):
    whole = tfcnn.evaluate(run)
    for writes in range(1, 5):
        left = [writes]

        def cut(path: Path, text: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            path.write_text(text)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("tfcnn.base.atomic.write_text", cut)
            tfcnn.set_threshold(run, value=0.3)
        with pytest.raises(CheckError, match="a change of it that was cut"):
            tfcnn.evaluate(run)
        tfcnn.set_threshold(run, value=0.3)
        assert tfcnn.load(run).threshold == 0.3
        tfcnn.set_threshold(run, value=0.5)
        assert tfcnn.evaluate(run).splits == whole.splits


def test_the_shipped_cards_vouch_for_themselves():
    for card in runs.ZOO.glob("*/model.json"):
        assert tfcnn.load(card.parent).caution == ""


def test_predictions_of_a_cross_validation_vouch_for_themselves(tmp_path):
    from tfcnn.base import records

    (tmp_path / "predictions.csv").write_text("path,group,label,prob_a,prob_b\nx,,a,0.9,0.1\n")
    hashes = {"predictions.csv": records.sha256_of(tmp_path / "predictions.csv")}
    content = records.sealed({"sentence": "fine", "sha256": hashes}, "summary.json")
    (tmp_path / "summary.json").write_text(json.dumps(content))
    assert runs.read_out_of_fold(tmp_path)[0]["prob_a"] == "0.9"
    (tmp_path / "predictions.csv").write_text("path,group,label,prob_a,prob_b\nx,,a,0.1,0.9\n")
    with pytest.raises(CheckError, match=r"predictions\.csv"):
        runs.read_out_of_fold(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({**content, "sentence": "better"}))
    with pytest.raises(CheckError, match=r"summary\.json"):
        runs.read_summary(tmp_path)
