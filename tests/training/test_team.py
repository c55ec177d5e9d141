"""What processes agree on before they train, and how all end if one does; without TensorFlow."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

SILENT = 20  # seconds within which a process that died must be noticed
# what each process does: `team` is there, `me` is its number
START = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace
from tfcnn import recipes
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.training import cluster, lines, team as teams
lines.REMIND_SECONDS = REMIND = 10
found = cluster.read()
me, folder = found.index, Path(sys.argv[1])
recipe = recipes.load("digits")
def rows(*names):
    return SimpleNamespace(rows=[
        SimpleNamespace(path=name, label="a", group="", sha256=name * 2) for name in names])
def say(*words):
    print(*words, flush=True)
class Printed(Reporter):
    def note(self, text):
        if "waiting" in text:
            say("note:", text)
try:
    with teams.opened(found, folder, Printed()) as team:
        {work}
except TfcnnError as error:
    say("error:", error)
    sys.exit(error.exit_code)
"""


def start(tmp_path, work, count=2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    addresses = [f"127.0.0.1:{port + i}" for i in range(count)]
    program = START.replace("{work}", work.strip().replace("\n", "\n        "))
    processes = []
    for i in range(count):
        task = {"type": "worker", "index": i}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        environment = {**os.environ, "TF_CONFIG": config, "TFCNN_WAIT_SECONDS": "60"}
        command = [sys.executable, "-c", program, str(tmp_path)]
        processes.append(
            subprocess.Popen(
                command, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
        )  # fmt: skip
    return processes


def end(processes):
    said = [one.communicate(timeout=90)[0] for one in processes]
    return [one.returncode for one in processes], said


def test_all_get_what_the_chief_has(tmp_path):
    (tmp_path / "recipe.toml").write_text("x = 1")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/state.npz").write_bytes(b"\x00\xff" * 1000)
    work = """
team.refuse_other_setup(recipe, {"resume": True})
team.share_files(teams.START)
team.refuse_other_data(rows("p", "q"), ["train", "val"])
array, word = team.of_chief(lambda: 1 / 0 if me else [[1.5, 2.5], "float32"])
found = sorted(str(one.relative_to(team.folder)) for one in team.folder.rglob("*.*"))
say(list(array), str(word), found, (team.folder / "checkpoint/state.npz").stat().st_size)
say(team.folder)
if me:
    say(team.until_done())
else:
    team.done()
"""
    codes, said = end(start(tmp_path, work, count=3))
    assert codes == [0, 0, 0], said
    first = said[0].splitlines()
    assert first[0].endswith("['checkpoint/state.npz', 'recipe.toml'] 2000")
    for other in said[1:]:
        lines = other.splitlines()
        assert lines[0].split("]")[1:] == first[0].split("]")[1:]
        assert "1.5" in lines[0] and "float32" in lines[0], "the chief's array and word"
        assert lines[2] == str(tmp_path.resolve())
        assert lines[1] != str(tmp_path) and not os.path.exists(lines[1]), "removed"  # noqa: PTH110


@pytest.mark.parametrize(
    ("work", "code", "difference"),
    [
        (
            'team.refuse_other_setup(recipes.override(recipe, [f"train.epochs={5 + me}"]), {})',
            2,
            "train.epochs: expected 5, as the chief has; received 6",
        ),
        (
            'team.refuse_other_setup(recipe, {"resume": not me})',
            2,
            "--resume: expected True, as the chief has; received False",
        ),
        (
            "teams._version = lambda name: f'{name} {me}'\nteam.refuse_other_setup(recipe, {})",
            2,
            "version of keras: expected keras 0, as the chief has; received keras 1",
        ),
        (
            'team.refuse_other_data(rows("p", "qr"[me]), ["train", "val"])',
            2,
            "expected q: a, group none, val, sha256 qq, as the chief has; received r: a",
        ),
        (
            'team.refuse_other_data(rows("p", "q"), ["train", ["val", "test"][me]])',
            2,
            "expected q: a, group none, val, sha256 qq, as the chief has; received q: a, group no",
        ),
        (
            'team.refuse_other_data(rows("p", "q")'
            ' if me else rows("p", "q", "r"), ["train"] * (3 - me))',
            2,
            "expected 3 images, as the chief has; received 2",
        ),
    ],
)
def test_a_process_that_differs_is_refused_with_the_difference(tmp_path, work, code, difference):
    codes, said = end(start(tmp_path, work))
    assert codes == [code, code], said
    for one in said:
        assert difference in one and "worker 1 (127.0.0.1:" in one, one


def test_an_error_of_one_process_is_told_by_all(tmp_path):
    work = """
if me == 1:
    from tfcnn.base.errors import CheckError
    raise CheckError("cells", "no leak", "one", "another split")
team.refuse_other_data(rows("p"), ["train"])
"""
    codes, said = end(start(tmp_path, work, count=3))
    assert codes == [3, 3, 3], said
    assert all("cells: expected no leak; received one" in one for one in said)


@pytest.mark.parametrize("is_computing", [True, False])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_ends_the_others(tmp_path, victim, is_computing):
    work = f"""
if {is_computing}:
    team.compute()
say("there", team.folder)
if team.is_computing or me == {victim}:
    time.sleep(600)  # as in TensorFlow, which waits for tensors of a process that is gone
team.refuse_other_data(rows("p"), ["train"])
team._next(0 if me else 1)
"""
    processes = start(tmp_path, work)
    folders = [one.stdout.readline().split()[1] for one in processes]
    os.kill(processes[victim].pid, signal.SIGKILL)
    start_time = time.monotonic()
    codes, said = end(processes)
    assert time.monotonic() - start_time < SILENT
    assert codes[1 - victim] == 1, said
    name = "worker 1" if victim else "the chief"
    assert f"error: {name} (127.0.0.1:" in said[1 - victim]
    assert "expected all 2 processes to the end; received a process that ended" in said[1 - victim]
    assert "each with: the same call" in said[1 - victim], "the line that continues"
    if victim == 0:
        assert not os.path.exists(folders[1]), "a worker leaves nothing"  # noqa: PTH110


def test_a_process_that_ended_just_before_tensorflow_begins_ends_the_others(tmp_path):
    work = """
if me == 1:
    os.kill(os.getpid(), 9)
while not team.failure:
    time.sleep(0.01)
team.compute()
time.sleep(600)
"""
    codes, said = end(start(tmp_path, work))
    assert codes == [1, -9]
    assert said[0].startswith("error: worker 1 (127.0.0.1:"), said[0]


def test_an_error_of_tensorflow_waits_for_news_of_a_lost_process(tmp_path):
    work = """
Unavailable = type("Unavailable", (Exception,), {"__module__": "tensorflow.errors"})
if me == 1:
    time.sleep(1)
    os.kill(os.getpid(), 9)
raise Unavailable("tasks are unhealthy")
"""
    codes, said = end(start(tmp_path, work))
    assert codes == [1, -9]
    assert said[0].startswith("error: worker 1 (127.0.0.1:"), said[0]


def test_a_process_that_hangs_is_lost_once_all_have_begun(tmp_path):
    work = """
lines.PING_SECONDS, lines.SILENCE_SECONDS = 0.1, 1
team.compute()
say("there")
time.sleep(3)
say("not lost")  # it may be loading TensorFlow, when nothing can speak
team.joined()
time.sleep(600)
"""
    chief, worker = start(tmp_path, work)
    for one in (chief, worker):
        assert one.stdout.readline() == "there\n"
    os.kill(worker.pid, signal.SIGSTOP)
    said = chief.communicate(timeout=90)[0]
    worker.kill()
    worker.communicate()
    assert chief.returncode == 1
    assert said.startswith("not lost\nerror: worker 1 (127.0.0.1:"), said


@pytest.mark.parametrize(
    ("me", "missing"), [(0, "worker 1 (127.0.0.1:1)"), (1, "the chief (127.0.0.1:{port})")]
)
def test_a_process_that_does_not_come_is_named(tmp_path, me, missing):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {"cluster": {"worker": [f"127.0.0.1:{port}", "127.0.0.1:1"]},
              "task": {"type": "worker", "index": me}}  # fmt: skip
    environment = {**os.environ, "TF_CONFIG": json.dumps(config), "TFCNN_WAIT_SECONDS": "1"}
    program = START.replace("{work}", 'say("never")').replace("REMIND = 10", "REMIND = 0.3")
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    name = missing.format(port=port)
    assert f"note: waiting for {name}: " in result.stdout
    assert "within 1 seconds; received" in result.stdout.splitlines()[-1]
    assert name in result.stdout.splitlines()[-1]
