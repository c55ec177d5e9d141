"""Commands that lack something: space, the right to write, a file that is there to the end.

Each ends with exit 2 and one line, loses nothing, and is right when it is called again.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fault_tally
import pytest
from conftest import write_tree
from dataset_fakes import write_cells, write_zip
from fault_hooks import HOLD, Fault
from fault_walks import STARVED, Command, Walker, finished_runs
from test_use_is_cut import WITH_KERAS, prepare

WRITERS = (
    "download digits", "download malaria --from FOLDER", "download malaria --from ZIP",
    "check FOLDER", "predict --output CSV", "threshold", "report", "export --format litert",
    "lab --export",
)  # fmt: skip
PAGE = 4096  # bytes, the unit of a tmpfs


def mounted(folder: Path, *options: str) -> None:
    """Mount a small file system in memory, or skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", ",".join(("mode=777", *options)), "tmpfs", folder]
    told = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip(f"no file system can be mounted here: {told.stderr.strip()}")


def remounted(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.fixture
def walker(request: pytest.FixtureRequest, tmp_path, used_home, cells) -> Iterator[Walker]:
    """Give the walker of a command; afterwards nothing is mounted in its home."""
    name = request.param
    forks = request.getfixturevalue("keras_forks" if name in WITH_KERAS else "forks")
    made = Walker(forks, tmp_path, prepare(name, forks, tmp_path, used_home, cells))
    yield made
    subprocess.run(["umount", str(made.home)], capture_output=True, check=False)
    fault = request.node.name.removeprefix("test_").partition("[")[0].replace("_", " ")
    fault_tally.add(name, fault, made.walk.faults.get(STARVED, 0), len(made.walk.losses))


def ends_right(walker: Walker) -> None:
    assert not walker.walk.losses, "\n".join(walker.walk.losses)


def size_of(folder: Path | None) -> int:
    """Return how much memory a tmpfs needs for a folder."""
    paths = [] if folder is None else folder.rglob("*")
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in paths if path.is_file())


@pytest.mark.faults
@pytest.mark.parametrize("walker", WRITERS, indirect=True)
def test_no_file_may_be_large(walker):
    for most in (3000, 20_000, 100_000):
        walker.fresh()
        walker.starve(f"files of at most {most} bytes: ", limits={"RLIMIT_FSIZE": most})
    ends_right(walker)


@pytest.mark.faults
@pytest.mark.parametrize("walker", WRITERS, indirect=True)
def test_the_disk_is_small(walker):
    before, after = size_of(walker.command.template), size_of(walker.home)
    for share in (0.0, 0.3, 0.7):
        shutil.rmtree(walker.home)
        room = max(PAGE, before + int(max(0, after - before) * share))
        mounted(walker.home, f"size={room}")
        walker.fresh()
        walker.starve(f"{share:.0%} of the space: ", lambda: remounted(walker.home, "size=1g"))
        subprocess.run(["umount", str(walker.home)], check=True)
    ends_right(walker)


@pytest.mark.faults
@pytest.mark.parametrize("walker", WRITERS, indirect=True)
def test_the_disk_is_read_only(walker):
    shutil.rmtree(walker.home)
    mounted(walker.home, "size=1g")
    walker.fresh()
    remounted(walker.home, "ro")
    walker.starve("a read-only disk: ", lambda: remounted(walker.home, "rw"))
    ends_right(walker)
    assert walker.walk.faults == {STARVED: 1}


TINY = [
    word for setting in (
        "model.network=mlp", "model.options.units=[8]", "model.start=scratch", "train.epochs=2",
        "train.batch_size=512", "train.precision=float32", "train.deterministic=true",
        "data.image_size=8",
    ) for word in ("--set", setting)
]  # fmt: skip
GROUPED = ["--set", "data.group_regex='^(P[0-9]+)_'", "--set", "data.positive=round"]
READERS = {
    "check": lambda cells: ("check", cells),
    "predict": lambda cells: ("predict", "cells", cells, "--output", "answers.csv"),
}


def spoil(victim, other, change):
    """Remove a file, cut it, or put another image in its place."""
    if change == "gone":
        victim.unlink()
    else:
        content = other.read_bytes()
        victim.write_bytes(content if change == "another" else content[: len(content) // 2])


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("change", ["gone", "cut", "another"])
def test_a_file_changes_while_it_is_read(name, change, forks, used_home, tmp_path):
    """One is named, and the others are used; the next call sees what is there then."""
    cells = write_tree(tmp_path / "cells", groups=4, per_group=3, side=16)
    victim, other = sorted(cells.rglob("*.png"))[-1], sorted(cells.rglob("*.png"))[0]
    kept = shutil.copy2(victim, tmp_path / "kept.png")
    words = READERS[name](cells)
    walker = Walker(forks, tmp_path, Command(words, used_home))
    walker.fresh()
    log = tmp_path / "held"
    fault = Fault(str(cells), HOLD, 5, str(log), reads=True)
    forks.start(*words, home=walker.home, fault=fault)
    process = held(log)
    spoil(victim, other, change)
    os.kill(process, signal.SIGCONT)
    ended = forks.wait()
    assert "Traceback" not in ended.err, str(ended)
    told = ended.out + ended.err
    if name == "predict":
        table = (walker.home / "answers.csv").read_text()
        assert table.count("\n") == 1 + 24
        told += table
    if change != "another":  # which is an image as good as the one before
        assert ended.code in (0, 2, 3) and victim.name in told, str(ended)
    shutil.copy2(kept, victim)
    walker.starve("as it was: ")
    fault_tally.add(name, f"a file {change} meanwhile", 1, len(walker.walk.losses))
    ends_right(walker)


# when an image of a training changes: settings, and the number of images read before
WHILE_IT_TRAINS = {
    "it is hashed": ((), 5),
    "it is decoded": ((), 5),  # after `check`, which hashed it
    # each is hashed, and looked at for its light; of train also, whether its sides tell classes
    "it is learnt": (("--set", "inputs.cache=none"), 24 + 24 + 12 + 10),
}


@pytest.mark.faults
@pytest.mark.parametrize("change", ["gone", "cut", "another"])
@pytest.mark.parametrize("when", WHILE_IT_TRAINS)
def test_a_file_changes_while_a_training_reads_it(when, change, keras_forks, tmp_path):
    """It is named, and set aside or refused; with the file as it was the run is as it would be."""
    settings, reads = WHILE_IT_TRAINS[when]
    cells = write_tree(tmp_path / "cells", groups=4, per_group=3, side=16)
    victim, other = sorted(cells.rglob("*.png"))[-1], sorted(cells.rglob("*.png"))[0]
    kept = shutil.copy2(victim, tmp_path / "kept.png")
    words = ("train", cells, *TINY, *GROUPED, *settings)
    before = tmp_path / "before" if when == "it is decoded" else None
    if before:
        assert keras_forks.run("check", cells, home=before).code == 0
    walker = Walker(keras_forks, tmp_path, Command(words, before, trusted=finished_runs))
    walker.fresh()
    log = tmp_path / "held"
    fault = Fault(str(cells), HOLD, reads, str(log), reads=True)
    keras_forks.start(*words, home=walker.home, fault=fault)
    process = held(log)
    spoil(victim, other, change)
    os.kill(process, signal.SIGCONT)
    ended = keras_forks.wait()
    assert "Traceback" not in ended.err and ended.err.count("error:") <= 1, str(ended)
    if when == "it is hashed":
        assert ended.code == 0, str(ended)
        assert change == "another" or victim.name in ended.out + ended.err, str(ended)
        walker.fresh()
    else:
        assert ended.code == 2 and victim.name in ended.err, str(ended)
    shutil.copy2(kept, victim)
    walker.starve("as it was: ")
    fault_tally.add(f"train, while {when}", f"a file {change}", 1, len(walker.walk.losses))
    ends_right(walker)


def held(log: Path) -> int:
    """Return the number of the process that waits at its event."""
    for _ in range(6000):
        if log.exists() and (text := log.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("it does not come to its event")


class _Liar(BaseHTTPRequestHandler):
    """Sends a file as its server says: cut, with a length that is not its own, or a web page."""

    def do_GET(self) -> None:
        content, way = self.server.content, self.server.way  # type: ignore[attr-defined]
        length = {"longer than said": len(content) // 2, "shorter than said": 2 * len(content)}
        if way == "a web page":
            content = b"<!doctype html><html><body>Sign in</body></html>"
        self.send_response(200)
        self.send_header("Content-Length", str(length.get(way, len(content))))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if way == "cut" else content)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def lying(content: bytes, way: str) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Liar)
    server.daemon_threads = True
    server.content, server.way = content, way  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.faults
@pytest.mark.parametrize("way", ["cut", "longer than said", "shorter than said", "a web page"])
def test_a_server_does_not_keep_its_word(way, forks, tmp_path):
    archive = write_zip(write_cells(tmp_path / "mirror"), tmp_path / "cell_images.zip")
    with lying(archive.read_bytes(), "honest") as server:
        words = (
            "download", "malaria", "--from", f"http://127.0.0.1:{server.server_port}/cell_images.zip",
        )  # fmt: skip
        walker = Walker(forks, tmp_path, Command(words))
        walker.fresh()
        server.way = way  # type: ignore[attr-defined]
        walker.starve(f"{way}: ", lambda: setattr(server, "way", "honest"))
    fault_tally.add("download", f"a server: {way}", 1, len(walker.walk.losses))
    ends_right(walker)
    assert walker.walk.faults == {STARVED: 1}
