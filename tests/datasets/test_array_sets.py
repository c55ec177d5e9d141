"""MNIST, Fashion-MNIST and CIFAR-10 in small: fetched, verified by content, opened unread."""

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_fakes import (
    Arrays,
    fake_arrays,
    served,
    tree,
    write_npz,
    write_official,
)

from tfcnn import datasets, manifest
from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.contracts.of_sources import stamps
from tfcnn.datasets import ArraySource, Source, _fetch, _install, cifar10, fashion_mnist, mnist
from tfcnn.datasets._arrays import ArraySet, Remote
from tfcnn.manifest import splits
from tfcnn.recipes import SplitSettings

SETS = {
    "mnist": mnist.MNIST,
    "fashion-mnist": fashion_mnist.FASHION_MNIST,
    "cifar10": cifar10.CIFAR10,
}
NPZ = {"mnist": "mnist.npz", "fashion-mnist": "fashion_mnist.npz", "cifar10": "cifar10.npz"}


@pytest.fixture(params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetch, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_truth(
    name: str, arrays: Arrays, address: str = "", files: Sequence[Path] = ()
) -> ArraySet:
    """Return a data set whose official content is a fake at an address of ours."""
    known = SETS[name]
    hashes = {key: sha256(array.tobytes()) for key, array in arrays.items()}
    remotes = tuple(
        Remote(f"{address}/{file.name}", sha256(file.read_bytes()) if remote.sha256 else None)
        for file, remote in zip(files, known.remotes, strict=False)
    )
    return replace(known, sha256=hashes, remotes=remotes or known.remotes)


def contents(source: Source) -> Arrays:
    """Return what a source's items say and show, as the four arrays it was made from."""
    names = SETS[source.name].class_names
    found: Arrays = {}
    for part in ("train", "test"):
        items = [item for item in source.items if item.official == part]
        assert all(item.path.startswith(f"{part}/") for item in items)
        found[f"x_{part}"] = np.stack([source.read(item.path) for item in items])
        found[f"y_{part}"] = np.array([names.index(item.label) for item in items])
    return found


def assert_equal(found: Arrays, expected: Arrays) -> None:
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array.reshape(found[key].shape), err_msg=key)


def one_line(info: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(info.value)
    return str(info.value)


def test_official_files_are_fetched_verified_and_opened(
    name: str, tmp_path: Path, folder: Path
) -> None:
    arrays = fake_arrays(name)
    files = write_official(name, tmp_path / "www", arrays)
    with served(tmp_path / "www") as (address, requested):
        known = with_truth(name, arrays, address, files)
        seen: list[int] = []
        known.download(folder, progress=lambda done, total: seen.append(done))
        assert sorted(requested) == sorted(f"/{file.name}" for file in files)
        known.download(folder)
        assert len(requested) == len(files)
    assert max(seen) == max(file.stat().st_size for file in files)
    source = known.open_source(folder)
    assert_equal(contents(source), arrays)
    origin = _install.read(folder)
    assert origin is not None
    assert (origin.official, origin.notes, source.notes) == (True, (), ())
    assert source.is_benchmark
    kept = {"images.npy", "train_labels.npy", "test_labels.npy", "origin.json"}
    assert set(tree(folder)) == kept


def test_other_content_at_the_official_address_is_refused(
    name: str, tmp_path: Path, folder: Path
) -> None:
    arrays = fake_arrays(name)
    files = write_official(name, tmp_path / "www", fake_arrays(name, seed=1))
    with served(tmp_path / "www") as (address, _):
        known = with_truth(
            name, arrays, address, files
        )  # the files' hashes fit, the arrays' do not
        with pytest.raises(InputError) as info:
            known.download(folder)
    assert address in one_line(info)
    assert "--from" in one_line(info)
    with pytest.raises(InputError, match=f"tfcnn download {name}"):
        known.open_source(folder)


def test_another_file_at_the_official_address_is_refused(tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("mnist")
    files = write_official("mnist", tmp_path / "www", arrays)
    with served(tmp_path / "www") as (address, _):
        known = with_truth("mnist", arrays, address, files)
        files[0].write_bytes(b"<html>not found</html>")
        with pytest.raises(InputError, match="sha256"):
            known.download(folder)


def test_off_line_the_address_and_the_way_out_are_named(name: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    known = replace(SETS[name], remotes=(Remote(address, None),))
    with pytest.raises(InputError) as info:
        known.download(folder)
    assert address in one_line(info)
    assert "--from" in one_line(info)


def test_real_addresses_and_hashes_are_whole() -> None:
    for name, known in SETS.items():
        assert known.name == name
        assert [len(digest) for digest in known.sha256.values()] == [64] * 4
        assert all(remote.url.startswith("https://") for remote in known.remotes)
        assert len(set(known.class_names)) == 10


def test_a_mirror_of_the_official_arrays_needs_no_note(
    name: str, tmp_path: Path, folder: Path
) -> None:
    arrays = fake_arrays(name)
    shaped = {k: a.reshape(-1, 1).astype(np.int64) if k[0] == "y" else a for k, a in arrays.items()}
    write_npz(tmp_path / "mirror" / NPZ[name], shaped)  # as cifar10's labels, and wider
    known = with_truth(name, arrays)
    known.download(folder, mirror=str(tmp_path / "mirror"))
    assert known.open_source(folder).notes == ()
    assert_equal(contents(known.open_source(folder)), arrays)


def test_other_arrays_of_a_mirror_are_taken_with_a_note(
    name: str, tmp_path: Path, folder: Path
) -> None:
    arrays = fake_arrays(name, train=40, test=20)
    mirror = write_npz(tmp_path / "my-copy.npz", arrays)
    SETS[name].download(folder, mirror=str(mirror))
    source = SETS[name].open_source(folder)
    assert len(source.notes) == 1
    assert source.notes[0].startswith(
        f"40 training and 20 test images; not the official {SETS[name].title}"
    )
    assert "x_train, y_train, x_test, y_test differ" in source.notes[0]
    assert_equal(contents(source), arrays)


def test_only_what_differs_is_named(tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("mnist")
    known = with_truth("mnist", arrays)
    arrays["y_test"] = np.roll(arrays["y_test"], 1)
    known.download(folder, mirror=str(write_npz(tmp_path / "mnist.npz", arrays)))
    assert "(y_test differ)" in known.open_source(folder).notes[0]


@pytest.mark.parametrize("kind", ["folder", "file", "address of a folder", "address of a file"])
@pytest.mark.parametrize("holds", ["npz", "official"])
def test_mirrors_of_every_kind(
    name: str, kind: str, holds: str, tmp_path: Path, folder: Path
) -> None:
    arrays = fake_arrays(name)
    if holds == "npz":
        files = [write_npz(tmp_path / "m" / NPZ[name], arrays)]
    else:
        files = write_official(name, tmp_path / "m", arrays)
    before = tree(tmp_path / "m")
    known = with_truth(name, arrays)
    with served(tmp_path) as (address, _):
        base = f"{address}/m" if kind.startswith("address") else str(tmp_path / "m")
        mirror = base if kind.endswith("folder") else f"{base}/{files[0].name}"
        if kind == "address of a folder" and files[0].suffix != ".npz":  # it cannot be listed
            with pytest.raises(InputError, match=rf"m/{NPZ[name]}.*404"):
                known.download(folder, mirror=mirror)
            return
        known.download(folder, mirror=mirror)
    assert_equal(contents(known.open_source(folder)), arrays)
    assert known.open_source(folder).notes == ()
    assert tree(tmp_path / "m") == before


def test_a_mirror_that_lacks_one_of_the_files_is_refused(tmp_path: Path, folder: Path) -> None:
    files = write_official("fashion-mnist", tmp_path / "m", fake_arrays("fashion-mnist"))
    files[3].unlink()
    with pytest.raises(InputError) as info:
        fashion_mnist.download(folder, mirror=str(tmp_path / "m"))
    assert str(files[3]) in one_line(info)


def test_a_second_mirror_replaces_the_first_and_the_same_changes_nothing(
    tmp_path: Path, folder: Path
) -> None:
    for seed, train in enumerate((60, 30)):
        arrays = fake_arrays("mnist", train=train, seed=seed)
        mirror = write_npz(tmp_path / str(seed) / "mnist.npz", arrays)
        mnist.download(folder, mirror=str(mirror))
        assert_equal(contents(mnist.open_source(folder)), arrays)
        before = stamps(folder)
        for again in (str(mirror), None):  # None: finished, from wherever
            mnist.download(folder, mirror=again)
            assert stamps(folder) == before


def test_an_open_source_survives_a_replacement(tmp_path: Path, folder: Path) -> None:
    first, second = fake_arrays("mnist"), fake_arrays("mnist", train=10, test=10, seed=1)
    mnist.download(folder, mirror=str(write_npz(tmp_path / "1.npz", first)))
    source = mnist.open_source(folder)
    mnist.download(folder, mirror=str(write_npz(tmp_path / "2.npz", second)))
    assert_equal(contents(source), first)
    assert_equal(contents(mnist.open_source(folder)), second)


WRONG = {
    "no array": lambda a: {k: v for k, v in a.items() if k != "y_test"},
    "floats": lambda a: a | {"x_train": a["x_train"] / 255},
    "labels beyond the classes": lambda a: a | {"y_train": a["y_train"] + 1},
    "negative labels": lambda a: a | {"y_test": a["y_test"].astype(int) - 1},
    "labels as text": lambda a: a | {"y_test": a["y_test"].astype(str)},
    "too few labels": lambda a: a | {"y_train": a["y_train"][1:]},
    "no images": lambda a: a | {"x_test": a["x_test"][:0], "y_test": a["y_test"][:0]},
    "flat images": lambda a: a | {"x_train": a["x_train"].reshape(len(a["x_train"]), -1)},
    "two channels": lambda a: a | {k: np.stack([a[k]] * 2, -1) for k in ("x_train", "x_test")},
    "two sizes": lambda a: a | {"x_test": a["x_test"][:, 1:]},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_arrays_that_are_no_images_with_labels_are_refused(
    wrong: str, tmp_path: Path, folder: Path
) -> None:
    good, bad = fake_arrays("mnist"), WRONG[wrong](fake_arrays("mnist", seed=1))
    mnist.download(folder, mirror=str(write_npz(tmp_path / "good.npz", good)))
    mirror = write_npz(tmp_path / "bad.npz", bad)
    with pytest.raises(InputError) as info:
        mnist.download(folder, mirror=str(mirror))
    assert str(mirror) in one_line(info)
    assert_equal(contents(mnist.open_source(folder)), good)


@pytest.mark.parametrize("file", ["images.npy", "train_labels.npy", "test_labels.npy"])
@pytest.mark.parametrize("damage", ["cut", "removed", "empty"])
def test_files_damaged_later_are_named(
    file: str, damage: str, tmp_path: Path, folder: Path
) -> None:
    mnist.download(folder, mirror=str(write_npz(tmp_path / "m.npz", fake_arrays("mnist"))))
    path = folder / file
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: -5 if damage == "cut" else 0])
    with pytest.raises(InputError, match="tfcnn download mnist") as info:
        mnist.open_source(folder)
    assert str(folder) in one_line(info)


def test_opening_maps_the_pixels_instead_of_reading_them(tmp_path: Path, folder: Path) -> None:
    mnist.download(folder, mirror=str(write_npz(tmp_path / "m.npz", fake_arrays("mnist"))))
    source = mnist.open_source(folder)
    assert isinstance(source, ArraySource)
    for array in source.arrays.values():
        base: Any = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)


def test_class_names_are_the_labels_in_the_authors_order(tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("fashion-mnist", train=10, test=10)
    arrays["y_test"] = np.arange(10, dtype=np.uint8)
    fashion_mnist.download(folder, mirror=str(write_npz(tmp_path / "m.npz", arrays)))
    shown = [
        item.label for item in fashion_mnist.open_source(folder).items if item.official == "test"
    ]
    assert (shown[0], shown[5], shown[9]) == ("T-shirt/top", "Sandal", "Ankle boot")
    assert cifar10.CIFAR10.class_names == tuple(sorted(cifar10.CIFAR10.class_names))


def test_the_official_test_set_is_kept_and_val_is_a_stratified_tenth(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = fake_arrays(name, train=200, test=50)
    arrays["x_train"][7] = arrays["x_test"][3]  # one training image is a test image
    datasets.download(name, mirror=str(write_npz(tmp_path / "m.npz", arrays)))
    listed = manifest.build(datasets.open_named(name))
    assigned = splits.assign(listed, SplitSettings())
    splits.gate(listed, assigned)
    by_split = Counter(assigned)
    assert by_split["test"] == 50
    assert by_split[""] == 1
    assert abs(by_split["val"] - 20) <= 1
    for row, split in zip(listed.rows, assigned, strict=True):
        assert (split == "test") == row.path.startswith("test/")
    val = Counter(row.label for row, s in zip(listed.rows, assigned, strict=True) if s == "val")
    assert len(val) == 10
    assert max(val.values()) - min(val.values()) <= 1


def test_two_processes_do_not_make_the_same_at_once(tmp_path: Path, folder: Path) -> None:
    mirror = str(write_npz(tmp_path / "m.npz", fake_arrays("mnist")))
    refused: list[str] = []

    def second() -> None:
        try:
            mnist.download(folder, mirror=mirror)
        except InputError as error:
            refused.append(str(error))

    with _install.replacing(folder):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "another process" in refused[0]
    mnist.download(folder, mirror=mirror)
    assert len(mnist.open_source(folder).items) == 90


def test_what_a_killed_process_left_of_digits_is_made_anew(home):
    """The folder is there, and the file is half-written under another name."""
    path = datasets.data_home() / "digits" / "digits.npz"
    path.parent.mkdir(parents=True)
    atomic.part_path(path).write_bytes(b"half")
    assert len(datasets.open_named("digits").items) == 1797
    path.unlink()
    (path.parent / "manifest.csv").write_text("somebody's\n")
    with pytest.raises(InputError, match="received no digits"):
        datasets.open_named("digits")
