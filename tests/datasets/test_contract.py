"""What every data set promises, made in small; the real ones too where a mirror is at hand."""

import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dataset_fakes import fake_arrays, write_cells, write_files, write_npz, write_zip

from tfcnn import datasets
from tfcnn.api import inventory
from tfcnn.base import records
from tfcnn.base.errors import InputError
from tfcnn.contracts import of_sources
from tfcnn.datasets import ArraySource, Source
from tfcnn.datasets.folder import open_folder

NAMES = datasets.names()
LOCAL = [name for name in NAMES if getattr(datasets.find(name), "IS_LOCAL", False)]
FETCHED = [name for name in NAMES if name not in LOCAL]
MIRROR = os.environ.get("TFCNN_TEST_MIRROR")
MIRROR_CELLS = {  # content: cells and patients
    "bbf8e97d0a8b42fbbd16af1938174da47bf37cf2e16469acfb327471ee8d2b04": (27_558, 200),
    "cb08a6622b9fefd9ccd89fe81b0baa4510ba1c2335108f1eb3676fdc1844d630": (9_065, 140),
}


def write_mirror(folder: Path, name: str, seed: int = 0) -> Path:
    """Write a tiny fake of a data set that is fetched; a new one is added here."""
    if name == "malaria":
        cells = write_cells(folder / "unpacked", patients=3 + seed, first=100 * seed)
        write_zip(cells, folder / "cell_images.zip")
    else:
        arrays = fake_arrays(name, train=20, test=10, seed=seed)
        write_npz(folder / f"{name.replace('-', '_')}.npz", arrays)
    return folder


@pytest.fixture(autouse=True)
def _few_smears(monkeypatch: pytest.MonkeyPatch) -> None:
    smears = datasets.find("smears")
    few = functools.partial(smears.generate, num_patients=3, cells_per_patient=3)
    monkeypatch.setattr(smears, "generate", few)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mirror(name: str, tmp_path: Path) -> str | None:
    return None if name in LOCAL else str(write_mirror(tmp_path / "mirror", name))


@pytest.fixture(params=[*NAMES, "folder"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    if request.param == "folder":
        names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(4)]
        return open_folder(write_files(tmp_path / "pets", names))
    place = None if request.param in LOCAL else str(write_mirror(tmp_path / "m", request.param))
    datasets.download(request.param, mirror=place)
    return datasets.open_named(request.param)


@pytest.mark.parametrize("promise", of_sources.LISTING, ids=lambda promise: promise[0])
def test_a_source_keeps_a_promise(source: Source, promise) -> None:
    text, why_not = promise
    assert why_not(source) == "", text


def test_it_lives_in_a_folder_of_its_name(name: str, mirror: str | None, home: Path) -> None:
    assert datasets.download(name, mirror=mirror) == home / "data" / name
    source = datasets.open_named(name)
    assert (source.name, source.store) == (name, home / "data" / name)
    assert len(datasets.describe(name)) > 20


@pytest.mark.parametrize(
    "promise", [*of_sources.DOWNLOAD, of_sources.AGAIN], ids=lambda promise: promise[0]
)
def test_a_download_keeps_a_promise(name: str, mirror: str | None, promise) -> None:
    datasets.download(name, mirror=mirror)
    text, why_not = promise
    assert why_not(name, mirror) == "", text


def test_the_list_says_whether_it_is_there(name: str, mirror: str | None) -> None:
    def is_present() -> bool:
        rows = inventory.take()["data sets"]
        return next(bool(row["present"]) for row in rows if row["name"] == name)

    assert not is_present()
    datasets.download(name, mirror=mirror)
    assert is_present()


@pytest.mark.parametrize("name", FETCHED)
def test_one_that_is_fetched_must_be_fetched_first(name: str, home: Path) -> None:
    for make in (lambda: None, lambda: (home / "data" / name).mkdir(parents=True)):
        make()
        with pytest.raises(InputError, match=f"tfcnn download {name}"):
            datasets.open_named(name)


@pytest.mark.parametrize("name", LOCAL)
def test_one_that_needs_no_network_is_made_when_it_is_opened(name: str) -> None:
    assert len(datasets.open_named(name).items) > 0


@pytest.mark.parametrize("name", LOCAL)
def test_one_that_needs_no_network_takes_no_mirror(name: str, home: Path) -> None:
    assert of_sources.takes_no_mirror(name, None) == ""
    assert not (home / "data" / name).exists()


def test_names_are_those_of_the_files() -> None:
    assert {"malaria", "mnist", "fashion-mnist", "cifar10", "digits", "smears"} <= set(NAMES)
    assert not {"folder", "_arrays", "-arrays"} & set(NAMES)
    with pytest.raises(InputError, match="fashion-mnist"):
        datasets.find("fashion")
    assert datasets.find("fashion_mnist") is datasets.find("fashion-mnist")


# A process that forks for every point at which its child is killed, having imported only once.
KILLS = """
import functools, hashlib, json, os, signal, sys, traceback
from pathlib import Path
import numpy as np
from tfcnn import datasets
from tfcnn.base.errors import InputError

name, base, before, after = sys.argv[1], Path(sys.argv[2]), *(word or None for word in sys.argv[3:])
smears = datasets.find("smears")
smears.generate = functools.partial(smears.generate, num_patients=1, cells_per_patient=2)
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def attempt(home, kill_at):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0

    def hook(event, args):
        nonlocal count
        if event in CHANGES or (event == "open" and (args[2] or 0) & WRITES):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        os.environ["TFCNN_HOME"] = str(home)
        datasets.download(name, mirror=after)
        if kill_at == 0:
            (home / "count").write_text(str(count))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def state(home):
    os.environ["TFCNN_HOME"] = str(home)
    folder = home / "data" / name
    if not folder.is_dir():
        return "absent"
    try:
        source = datasets.find(name).open_source(folder)
    except InputError as error:
        assert f"tfcnn download {name}" in str(error), error
        return "absent"
    digest = hashlib.sha256(json.dumps([list(source.notes)]).encode())
    for item in source.items[:200]:
        content = source.read(item.path)
        digest.update(repr((item, len(source.items))).encode())
        digest.update(content if isinstance(content, bytes) else content.tobytes())
    return digest.hexdigest()[:8]

def prepare(home, mirror):
    home.mkdir(parents=True)
    os.environ["TFCNN_HOME"] = str(home)
    if mirror:
        datasets.download(name, mirror=mirror)
    return state(home)

old = prepare(base / "old", before)
os.environ["TFCNN_HOME"] = str(base / "new")
datasets.download(name, mirror=after)  # here, so that children need import nothing
new = state(base / "new")
prepare(base / "count", before)
assert attempt(base / "count", 0) == 0
count = int((base / "count" / "count").read_text())
points = set(range(1, count + 1, 1 + count // 24)) | set(range(max(1, count - 12), count + 1))
found = []
for point in sorted(points):
    home = base / str(point)
    prepare(home, before)
    assert attempt(home, point) == -signal.SIGKILL, point
    killed = state(home)
    assert attempt(home, -1) == 0
    found.append([killed, state(home)])
print(json.dumps({"old": old, "new": new, "found": found}))
"""


def kill(name: str, base: Path, before: Path | None, after: Path | None) -> dict[str, object]:
    words = [name, str(base), str(before or ""), str(after or "")]
    done = subprocess.run(
        [sys.executable, "-c", KILLS, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_killed_at_any_point_it_is_absent_or_whole(
    name: str, mirror: str | None, tmp_path: Path
) -> None:
    result = kill(name, tmp_path / "homes", None, Path(mirror) if mirror else None)
    found = result["found"]
    assert isinstance(found, list)
    assert len(found) >= 2
    assert result["old"] == "absent"
    assert result["new"] != "absent"
    assert {killed for killed, _ in found} <= {"absent", result["new"]}
    assert "absent" in {killed for killed, _ in found}
    assert {again for _, again in found} == {result["new"]}


@pytest.mark.parametrize("name", FETCHED)
def test_killed_while_replacing_it_is_the_old_the_new_or_absent(name: str, tmp_path: Path) -> None:
    before = write_mirror(tmp_path / "before", name)
    after = write_mirror(tmp_path / "after", name, seed=1)
    result = kill(name, tmp_path / "homes", before, after)
    found = result["found"]
    assert isinstance(found, list)
    old, new = result["old"], result["new"]
    assert len({old, new, "absent"}) == 3
    assert {killed for killed, _ in found} == {old, "absent", new}
    assert {again for _, again in found} == {new}


needs_mirror = pytest.mark.skipif(
    MIRROR is None, reason="TFCNN_TEST_MIRROR names no folder with the real files"
)


@needs_mirror
@pytest.mark.parametrize("name", [name for name in FETCHED if name != "malaria"])
def test_the_real_arrays_have_the_published_hashes_and_are_opened_unread(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.download(name, mirror=MIRROR)
    hashed, digest = list[str](), records.sha256_of
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "sha256", lambda *_: pytest.fail("the arrays are hashed anew"))
        patch.setattr(records, "sha256_of", lambda path: hashed.append(path.name) or digest(path))
        source = datasets.open_named(name)
    assert set(hashed) == {"train_labels.npy", "test_labels.npy"}, "and not the images"
    assert source.notes == ()
    assert isinstance(source, ArraySource)
    module = datasets.find(name)
    (known,) = [value for value in vars(module).values() if hasattr(value, "remotes")]
    counts = {part: len(array) for part, array in source.arrays.items()}
    assert counts == {"train": 50_000 if name == "cifar10" else 60_000, "test": 10_000}
    for part, array in source.arrays.items():
        labels = [
            known.class_names.index(item.label) for item in source.items if item.official == part
        ]
        assert hashlib.sha256(array.tobytes()).hexdigest() == known.sha256[f"x_{part}"]
        assert hashlib.sha256(bytes(labels)).hexdigest() == known.sha256[f"y_{part}"]


@needs_mirror
def test_the_real_cells_are_counted_and_known() -> None:
    folder = datasets.download("malaria", mirror=MIRROR)
    source = datasets.open_named("malaria")
    content = datasets.find("malaria").content_sha256(folder / "cell_images")
    cells, patients = MIRROR_CELLS[content]
    assert len(source.items) == cells
    assert cells == 27_558 or source.notes == (
        f"{cells:,} cells of {patients} patients; "
        "not the official archive of 27,558 cells of 200 patients",
    )
