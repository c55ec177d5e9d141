"""Many images: commands that go on after a cut."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from conftest import run_tfcnn, write_tree

from tfcnn import runs
from tfcnn.base import interrupts
from tfcnn.base.errors import InputError
from tfcnn.prediction import Predictor, journal, many

KILLED = """
import os, signal, sys
from tfcnn.__main__ import main
from tfcnn.prediction import engines, many
from tfcnn.prediction.journal import Journal

engines.BATCH_SIZE, many.KEPT_FROM = 4, 10
keep = Journal.keep

def killed(self, batches):
    for number, prediction in enumerate(keep(self, batches)):
        if number == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        yield prediction

Journal.keep = killed
main()
"""


SLOW = """
import time
from tfcnn.__main__ import main
from tfcnn.prediction import Predictor, engines, many

engines.BATCH_SIZE, many.KEPT_FROM = 4, 10
of_batches = Predictor.of_batches

def slowed(self, batches):
    for batch in of_batches(self, batches):
        time.sleep(0.02)
        yield batch

Predictor.of_batches = slowed
main()
"""


def predict(run, *words):
    result = run_tfcnn("predict", run, *words)
    assert result.returncode == 3, result.stderr  # one image is broken
    return result


def test_a_killed_command_goes_on(trained, cells, tmp_path):
    whole, output = tmp_path / "whole.csv", tmp_path / "killed.csv"
    predict(trained, cells, "-o", whole)
    command = [sys.executable, "-c", KILLED, "predict", str(trained), str(cells), "-o", str(output)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    kept = tmp_path / "killed.csv.unfinished"
    assert kept.read_bytes().count(b"\n") == 1 + 12 and not output.exists()
    result = run_tfcnn("predict", trained, cells, "-o", output)
    assert result.returncode == 2 and "expected --resume or --fresh" in result.stderr
    result = predict(trained, cells, "-o", output, "--resume")
    assert "going on after 12 of 43 images" in result.stderr
    assert output.read_bytes() == whole.read_bytes() and not kept.exists()
    groups = [path.with_name(f"{path.stem}-groups.csv").read_bytes() for path in (whole, output)]
    assert groups[0] == groups[1], "what was predicted before the cut is counted too"


@pytest.mark.parametrize("words", [(), ("--resume",), ("--fresh",)])
def test_what_is_kept_never_goes_through_a_link(trained, cells, tmp_path, monkeypatch, words):
    monkeypatch.setattr(many, "KEPT_FROM", 10)
    (tmp_path / "another").write_text("something else\n")
    (tmp_path / "a.csv.unfinished").symlink_to(tmp_path / "another")
    os.mkfifo(tmp_path / "b.csv.unfinished")  # waits for ever, where it is opened as a file is
    for name, received in (("a.csv", "a link"), ("b.csv", "no regular file")):
        result = run_tfcnn("predict", trained, cells, "-o", tmp_path / name, *words)
        assert result.returncode == 2 and f"received {received}" in result.stderr
        assert not (tmp_path / name).exists()
    assert (tmp_path / "another").read_text() == "something else\n"


def test_another_file_of_the_name_is_no_fault(trained, cells, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "KEPT_FROM", 10)
    (tmp_path / "a.csv.unfinished").write_text('{"images": "many"}\n')
    for words, message in (((), "received many images"), (("--resume",), "expected tfcnn None")):
        result = run_tfcnn("predict", trained, cells, "-o", tmp_path / "a.csv", *words)
        assert result.returncode == 2 and message in result.stderr


@pytest.mark.parametrize(
    "content",
    [b"a table of mine\n1,2\n", b"a table of mine", b"{}}\n", b"[1]\n", b"\0\0x", b"[" * 100_000],
)
@pytest.mark.parametrize("words", [(), ("--resume",)])
def test_what_is_not_of_predict_is_not_overwritten(
    trained, cells, tmp_path, monkeypatch, words, content
):
    monkeypatch.setattr(many, "KEPT_FROM", 10)
    kept = tmp_path / "a.csv.unfinished"
    kept.write_bytes(content)
    result = run_tfcnn("predict", trained, cells, "-o", tmp_path / "a.csv", *words)
    assert result.returncode == 2 and "received something else; try --fresh" in result.stderr
    assert kept.read_bytes() == content and not (tmp_path / "a.csv").exists()
    predict(trained, cells, "-o", tmp_path / "a.csv", "--fresh")
    assert not kept.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 300, b'{"tfcnn": "1.', b'{"tfcnn": "1.0"}'])
def test_half_a_first_line_is_nothing_yet(trained, cells, tmp_path, monkeypatch, content):
    """A kill leaves the beginning of it, and a power cut zeros."""
    monkeypatch.setattr(many, "KEPT_FROM", 10)
    (tmp_path / "a.csv.unfinished").write_bytes(content)
    predict(trained, cells, "-o", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").exists() and not (tmp_path / "a.csv.unfinished").exists()


def begun(run, cells, output, monkeypatch, batches=5):
    """Leave what a command leaves that was stopped after some batches; return that file."""

    def stopped(self, whole):
        for number, batch in enumerate(whole):
            if number == batches:
                raise interrupts.Interrupted
            yield batch

    with monkeypatch.context() as patch:
        of_batches = Predictor.of_batches
        patch.setattr(Predictor, "of_batches", lambda *args: stopped(None, of_batches(*args)))
        result = run_tfcnn("predict", run, cells, "-o", output)
    assert result.returncode == 130
    line = f"to continue: tfcnn predict {run} {cells} -o {output} --resume"
    assert line in result.stderr
    return output.with_name(f"{output.name}{journal.SUFFIX}")


@pytest.mark.parametrize(
    ("damage", "done"),
    [
        (lambda lines: lines, 20),
        (lambda lines: [*lines[:-1], lines[-1][:30]], 16),  # half a line
        (lambda lines: [*lines[:-3], b"\0" * 500], 16),  # what a power cut leaves
        (lambda lines: [*lines[:9], lines[12], *lines[10:]], 8),  # another image's line
        (lambda lines: lines[:1], 0),
        (lambda lines: [lines[0][:20]], None),  # begun anew: nothing says what was predicted
        (lambda lines: [*lines[:9], b"[" * 100_000 + b"\n", *lines[10:]], 8),
        (lambda lines: [*lines[:9], lines[9].replace(b'"round"', b'"dog"'), *lines[10:]], 8),
        (lambda lines: [*lines[:9], lines[9].replace(b"[0", b'["a0', 1), *lines[10:]], 8),
    ],
)
def test_what_a_cut_left_is_dropped(trained, cells, tmp_path, monkeypatch, damage, done):
    whole, output = tmp_path / "whole.csv", tmp_path / "cut.csv"
    predict(trained, cells, "-o", whole)
    kept = begun(trained, cells, output, monkeypatch)
    kept.write_bytes(b"".join(damage(kept.read_bytes().splitlines(keepends=True))))
    result = predict(trained, cells, "-o", output, "--resume")
    assert (f"going on after {done} of 43 images" in result.stderr) == (done is not None)
    assert output.read_bytes() == whole.read_bytes()


def test_another_work_is_not_continued(trained, cells, tmp_path, monkeypatch):
    output = tmp_path / "cut.csv"
    kept = begun(trained, cells, output, monkeypatch)
    for words, name in (
        ([cells, "--shard", "1/2"], "shard 1/1"),
        ([cells / "round"], "images 43"),
        ([cells, "--engine", "keras"], "engine litert"),
    ):
        result = run_tfcnn("predict", trained, *words, "-o", output, "--resume")
        assert (
            result.returncode == 2 and name in result.stderr and "as it was begun" in result.stderr
        )
    (cells / "round" / "P0_0.png").rename(cells / "round" / "P0_00.png")
    result = run_tfcnn("predict", trained, cells, "-o", output, "--resume")
    assert result.returncode == 2 and "paths" in result.stderr
    predict(trained, cells, "-o", output, "--fresh")
    assert output.exists() and not kept.exists()


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_image_that_changed_after_it_was_predicted_is_named(
    trained, cells, tmp_path, monkeypatch, is_packed
):
    images = cells
    if is_packed:
        images = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", cells))
    output = tmp_path / "cut.csv"
    kept = begun(trained, images, output, monkeypatch)
    last = max(path.stat().st_ctime_ns for path in [*cells.rglob("*.png"), images])
    os.utime(kept, ns=(last, last))
    changed, unseen = (cells / name / "P0_1.png" for name in ("round", "square"))
    unseen.write_bytes(changed.read_bytes())
    if is_packed:
        images.write_bytes(images.read_bytes())
    else:
        result = predict(trained, images, "-o", output, "--resume")
        kept = begun(trained, images, output, monkeypatch)
        os.utime(kept, ns=(unseen.stat().st_ctime_ns,) * 2)
        changed.write_bytes(unseen.read_bytes())
    result = run_tfcnn("predict", trained, images, "-o", output, "--resume")
    name = f"{images}/round/P0_0.png" if is_packed else changed
    assert f"{name}: expected the image that was predicted before the cut" in result.stderr
    assert result.returncode == 2 and kept.exists()


def test_a_full_disk_costs_nothing_that_was_predicted(trained, cells, tmp_path):
    whole, output = tmp_path / "whole.csv", tmp_path / "cut.csv"
    predict(trained, cells, "-o", whole)
    kept = tmp_path / "cut.csv.unfinished"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        result = run_tfcnn("predict", trained, cells, "-o", output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.returncode == 2
    assert f"{kept}: expected enough disk space; received a full disk" in result.stderr
    assert kept.stat().st_size == 3000 and not output.exists()
    result = predict(trained, cells, "-o", output, "--resume")
    assert "going on after" in result.stderr and output.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_20_kills_at_random_moments_lose_nothing(trained, tmp_path, small_batches):
    images = write_tree(tmp_path / "new", groups=30, per_group=25, side=16)
    whole, output = tmp_path / "whole.csv", tmp_path / "killed.csv"
    assert run_tfcnn("predict", trained, images, "-o", whole, "--engine", "litert").returncode == 0
    words = ["predict", trained, images, "-o", output, "--engine", "litert", "--resume"]
    command, kept = [sys.executable, "-c", SLOW, *map(str, words)], Path(f"{output}.unfinished")
    rng, done = random.Random(0), 0
    for _ in range(20):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        least = done + rng.randrange(1, 8000)  # of about 165,000 bytes
        while not (kept.exists() and kept.stat().st_size > least):
            assert process.poll() is None, "it ended: the test proves nothing"
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        done = kept.stat().st_size
    result = run_tfcnn(*words)
    assert result.returncode == 0 and "going on after" in result.stderr
    assert output.read_bytes() == whole.read_bytes()


def test_a_command_goes_on_with_the_engine_it_was_begun_with(trained, cells, tmp_path, monkeypatch):
    kept = begun(trained, cells, tmp_path / "cut.csv", monkeypatch)
    head, *lines = kept.read_bytes().splitlines(keepends=True)
    version = metadata.version("keras")
    other = {**json.loads(head), "engine": f"keras {version}"}
    kept.write_bytes(b"".join([json.dumps(other).encode() + b"\n", *lines]))
    result = predict(trained, cells, "-o", tmp_path / "cut.csv", "--resume")
    assert f"computed by Keras {version}" in result.stderr


def test_a_job_script_may_always_say_resume(trained, cells, tmp_path):
    result = predict(trained, cells, "-o", tmp_path / "a.csv", "--resume")
    assert "going on" not in result.stderr and (tmp_path / "a.csv").exists()


def test_few_images_leave_nothing_beside_their_table(trained, cells, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "KEPT_FROM", 44)
    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "begin", lambda *_: pytest.fail("it is kept"))
        predict(trained, cells, "-o", tmp_path / "a.csv")


def test_two_commands_do_not_write_one_table(trained, cells, tmp_path):
    run, how = runs.open_run(trained), many.How(tmp_path / "a.csv")
    with many.predicting(run, [cells], how) as stream:
        next(stream)
        second = many.predicting(run, [cells], how)
        with pytest.raises(InputError, match="another process"):
            second.__enter__()
        assert len([*stream]) == 42


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume",), "expected a file to go on with"),
        (("--resume", "--fresh", "-o", "a.csv"), "expected --resume or --fresh"),
        (("--shard", "1/2", "-o", "a.xlsx"), "expected a file that can be joined"),
        (("--shard", "1/2", "--cam", "maps"), "expected all images"),
        (("a.csv", "--only-groups"), "expected one file of predictions and no other option"),
        (("--only-groups", "-o", "a.csv"), "expected one file of predictions and no other option"),
    ],
)
def test_what_cannot_be_done_together_is_refused(words, message):
    result = run_tfcnn("predict", "malaria", "nowhere", *words)
    assert result.returncode == 2 and message in result.stderr


def test_an_engine_can_be_named(trained, cells, monkeypatch):
    answers = {}
    for engine in ("litert", "keras"):
        result = predict(trained, cells, "--engine", engine)
        answers[engine] = result.stdout.count("\n")
        assert ("computed by Keras" in result.stderr) == (engine == "keras")
    assert set(answers.values()) == {44}
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = run_tfcnn("predict", trained, cells, "--engine", "openvino")
    assert result.returncode == 2 and "pip install 'tfcnn[fast]'" in result.stderr


def test_openvino_can_be_named(trained, cells):
    pytest.importorskip("openvino", reason="the extra [fast] is not installed")
    result = predict(trained, cells, "--engine", "openvino")
    assert "computed by OpenVINO" in result.stderr, "though there are few images"


def test_names_that_are_no_text_come_back():
    one = many.Prediction(
        os.fsdecode(b"a\xff\n\x1b.png"), "b", {"a": 0.1, "b": 0.9}, "b", "", "", "r"
    )
    line = journal.encode(one)
    assert line.count(b"\n") == 1 and journal.decode(line, ("a", "b")) == one
    assert journal.decode(line, ("a", "b")).remark == "r"
    assert Path(journal.decode(line, ("a", "b")).path) == Path(one.path)
