"""`tfcnn clean`: what goes, what stays, and the bound of the decoded images."""

import json
import os
import shutil
from pathlib import Path
from time import time

import numpy as np
import pytest
from conftest import NARROW, Heard, run_tfcnn

import tfcnn
from tfcnn.base import disk
from tfcnn.base.errors import InputError
from tfcnn.cli import cleaning
from tfcnn.inputs import arrays, cache

DAY = 24 * 3600


def written(path: Path, size_bytes: int, age_days: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size_bytes))
    os.utime(path, (time() - age_days * DAY,) * 2)
    return path


@pytest.fixture
def full(home) -> Path:
    """A home with a thing of each kind."""
    for name, age in (("old", 60), ("new", 1), ("middle", 10)):
        written(home / "data" / "cache" / f"{name}.npy", 1000, age)
    written(home / "data" / "cache" / ".cut-0123abcd.part.npy", 700)
    written(home / "data" / "malaria" / "cell_images.zip.part", 50, 99)
    written(home / "data" / "malaria" / ".cell_images-0123abcd.part" / "a.png", 50, 99)
    os.utime(home / "data" / "malaria" / ".cell_images-0123abcd.part", (0, 0))
    written(home / "data" / "folders" / "x-1" / ".manifest-0123abcd.part.csv", 30, 1)
    written(home / "models" / "run" / "DONE", 10, 99)
    (home / "models" / "run" / "DONE").write_text("2026-01-01\n")
    written(home / "models" / "run" / "logs" / "events", 10, 99)
    written(home / "models" / "run" / "checkpoint" / "state.npz", 60, 99)
    written(home / "models" / "half" / "checkpoint" / "state.npz", 60, 99)
    written(home / "data" / "mnist" / ".new" / "x_train.npy", 60)  # just being written
    written(home / "models" / "half" / "recipe.toml", 10, 99)
    written(home / "models" / "half" / ".model-0123abcd.part.keras", 20, 1)
    written(home / "models" / "half" / ".state-0123abcd.part.npz", 20)  # just being written
    written(home / "models" / ".old" / "run-20200101T000000Z" / "model.keras", 500)
    written(home / "models" / ".old" / "run-20990101T000000Z-2" / "model.keras", 400)
    written(home / "models" / "x-crossval" / "splits" / "fold-0.csv", 1)
    written(home / "models" / "x-crossval" / ".old" / "fold-0-20200101T000000Z" / "DONE", 5)
    return home


def names(found: cleaning.Leftovers) -> set[str]:
    return {one.path.name for one in found.removable}


LEFT = {
    ".cut-0123abcd.part.npy", ".manifest-0123abcd.part.csv", ".model-0123abcd.part.keras",
    ".cell_images-0123abcd.part", "checkpoint",
}  # fmt: skip


def test_without_a_wish_only_what_is_over_the_bound_and_left_over_goes(full, monkeypatch):
    assert names(cleaning.find()) == LEFT
    monkeypatch.setenv("TFCNN_CACHE_GB", "0.0000025")  # 2,500 bytes
    assert names(cleaning.find()) == LEFT | {"old.npy"}
    assert names(cleaning.find(keep_gb=0.0000015)) == LEFT | {"old.npy", "middle.npy"}
    assert names(cleaning.find(keep_gb=0)) == LEFT | {"old.npy", "middle.npy", "new.npy"}


def test_what_was_retired_or_unused_for_long_goes_if_asked(full):
    retired = {"run-20200101T000000Z", "fold-0-20200101T000000Z"}
    assert names(cleaning.find(older_than_days=30)) == LEFT | {"old.npy"} | retired
    assert names(cleaning.find(older_than_days=5)) == LEFT | {"old.npy", "middle.npy"} | retired


def test_the_lock_of_a_killed_process_goes_and_one_that_is_held_stays(home):
    """At any place where a command locks what it makes; a link of that name leads elsewhere."""
    places = ("models/run", "data/mnist/origin.json", "data/malaria/download/cell_images.zip",
              "data/cache/0.npy")  # fmt: skip
    left = [written((home / place).with_name(f".{Path(place).name}.lock"), 0) for place in places]
    (home / "models" / ".link.lock").symlink_to(written(home / "models" / "other", 3))
    with disk.locked(home / "models" / "run"):
        found = cleaning.find()
        assert names(found) == {path.name for path in left[1:]}
        with disk.locked(home / "data" / "cache" / "0.npy"):  # taken in the meantime
            found.remove()
            assert [path.name for path in left if path.exists()] == [".run.lock", ".0.npy.lock"]
    assert not any(path.exists() for path in left) and (home / "models" / "other").exists()


def test_what_a_process_is_making_stays(full):
    with disk.locked(full / "data" / "cache" / "cut.npy"):
        assert ".cut-0123abcd.part.npy" not in names(cleaning.find())


def test_a_dry_run_says_all_and_removes_nothing(full):
    before = sorted(full.rglob("*"))
    said = run_tfcnn("clean", "--dry-run", "--older-than", 30, home=full)
    assert said.returncode == 0 and sorted(full.rglob("*")) == before
    found = json.loads(run_tfcnn("clean", "--older-than", 30, "--json", home=full).stdout)
    assert not found["dry_run"] and found["bytes"] == 700 + 30 + 20 + 50 + 60 + 1000 + 500 + 5
    assert found["bytes"] == sum(one["bytes"] for one in found["removed"])
    for one in found["removed"]:
        assert one["path"] in said.stdout and not Path(one["path"]).exists()
    assert said.stdout.splitlines()[-1] == "would be removed: 8, 2.4 kB"
    assert "kept: 1 retired runs in .old, 400 bytes (--older-than" in said.stdout
    assert "kept: 2 arrays of decoded images, 2.0 kB" in said.stdout
    gone = {Path(one["path"]) for one in found["removed"]}
    after = {path for path in before if not {path, *path.parents} & gone}
    assert set(full.rglob("*")) == after, "nothing else"


def test_a_link_is_removed_and_not_what_it_leads_to(full, tmp_path):
    mine = written(tmp_path / "mine" / "thesis.txt", 10)
    (full / "models" / ".old" / "run-20200101T000000Z").rename(tmp_path / "away")
    (full / "models" / ".old" / "run-20200101T000000Z").symlink_to(mine.parent)
    cleaning.find(older_than_days=30).remove()
    assert mine.exists() and not (full / "models" / ".old" / "run-20200101T000000Z").exists()


def test_where_there_is_nothing_that_is_said(home):
    assert run_tfcnn("clean", home=home).stdout == "removed: 0, 0 bytes\n"
    assert not home.exists()


def test_the_bound_is_twenty_gb_or_a_tenth_of_the_disk(monkeypatch):
    usage = shutil.disk_usage("/")
    for total, expected in ((10**12, 20 * 10**9), (10**11, 10**10)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, t=total: usage._replace(total=t))
        assert arrays.bound_bytes() == expected
    monkeypatch.setenv("TFCNN_CACHE_GB", "1.5")
    assert arrays.bound_bytes() == 1_500_000_000


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_bound_that_is_none_is_said_before_a_training(make_tree, monkeypatch, text):
    monkeypatch.setenv("TFCNN_CACHE_GB", text)
    with pytest.raises(InputError, match="TFCNN_CACHE_GB: expected a number of gigabytes"):
        tfcnn.train(make_tree())


def test_a_training_keeps_the_bound_and_says_so(make_tree, home, monkeypatch):
    heard = Heard()
    folder = home / "data" / "cache"
    written(folder / "older.npy", 1000, 3)
    written(folder / "old.npy", 1000, 2)
    monkeypatch.setenv("TFCNN_CACHE_GB", "0")
    tfcnn.train(make_tree(), settings=[*NARROW, "train.epochs=1"], reporter=heard)
    (own,) = folder.glob("*.npy")
    assert np.load(own).shape == (48, 32, 32, 3), "the one that was used last stays"
    (said,) = [note for note in heard.notes if "TFCNN_CACHE_GB" in note]
    assert "the 2 least recently used arrays were removed" in said


def test_an_array_that_is_removed_meanwhile_is_made_again(make_tree, monkeypatch):
    from tfcnn import manifest
    from tfcnn.datasets.folder import open_folder
    from tfcnn.decode import Decoder

    source = open_folder(make_tree())
    rows, load, calls = manifest.build(source).rows, np.load, []

    def removed_once(path, **options):
        calls.append(path)
        if len(calls) == 1:
            Path(path).unlink()
        return load(path, **options)

    monkeypatch.setattr(np, "load", removed_once)
    assert cache.load(source, rows, Decoder((16, 16))).images.shape == (48, 16, 16, 3)
    assert len(calls) == 2


@pytest.mark.parametrize("size_gb", [float("inf"), 1e300])
def test_a_bound_that_no_disk_has_is_refused(home, size_gb):
    with pytest.raises(InputError, match="--keep-gb: expected a number of gigabytes"):
        cleaning.find(keep_gb=size_gb)
