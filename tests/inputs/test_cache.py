"""The cache of decoded images: made by one process at a time, and believed only as it was made."""

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from threading import Thread
from time import sleep

import numpy as np
import pytest
from conftest import Heard
from PIL import Image

from tfcnn import manifest, recipes
from tfcnn.base import disk
from tfcnn.base.errors import InputError
from tfcnn.datasets import ArraySource, Item, data_home
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder, content_sha256
from tfcnn.inputs import arrays, cache
from tfcnn.manifest import Row
from tfcnn.training import prepare

DECODER = Decoder((16, 16))

SLOWLY = """
import sys, time
from pathlib import Path
from tfcnn import manifest
from tfcnn.base import atomic
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder
from tfcnn.inputs import cache

def progress(done, total):
    print(done, flush=True)
    time.sleep(60)

source = open_folder(Path(sys.argv[1]))
rows = manifest.build(source).rows
cache.load(source, rows, Decoder((16, 16)), progress)
"""


def test_what_a_killed_process_left_is_removed(make_tree):
    root = make_tree()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline()  # an image is decoded
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = data_home() / "cache"
    assert list(folder.glob(".*.part.npy")), "nothing was left: the test proves nothing"
    source = open_folder(root)
    images = cache.load(source, manifest.build(source).rows, Decoder((16, 16))).images
    assert images.shape == (48, 16, 16, 3)
    assert [path.suffix for path in folder.iterdir()] == [".npy"]
    assert not list(folder.glob(".*"))


def test_two_processes_decode_once(make_tree, monkeypatch):
    source, rows, path = stored(make_tree())
    decoder, read, aside = DECODER, Counter(), path.with_name("aside")
    path.rename(aside)
    got = []
    with disk.locked(path):  # as another process that is at it
        waiting = Thread(target=lambda: got.append(cache.load(source, rows, decoder).images))
        waiting.start()
        sleep(0.3)
        assert not got
        aside.rename(path)
        monkeypatch.setattr(type(source), "read", lambda _, path: read.update([path]))
    waiting.join(timeout=60)
    assert got[0].shape == (48, 16, 16, 3) and not read
    with pytest.raises(ValueError, match="read-only"):
        got[0][0] = 1


def stored(root):
    """Return a folder's source, its rows, and the array file of its images."""
    source = open_folder(root)
    rows = manifest.build(source).rows
    cache.load(source, rows, DECODER)
    return source, rows, cache.form_of(rows, DECODER).path


def expected(root, rows):
    return np.stack([DECODER.decode((root / row.path).read_bytes()) for row in rows])


def flipped(at):
    def damage(path, _):
        content = bytearray(path.read_bytes())
        content[at] ^= 4
        path.write_bytes(content)

    return damage


def cut(size):
    def damage(path, _):
        content = path.read_bytes()
        path.write_bytes(content[:size] if size < len(content) else content + bytes(4))

    return damage


def header(old, new):
    def damage(path, _):
        content = path.read_bytes()
        assert old in content and len(old) == len(new)
        path.write_bytes(content.replace(old, new, 1))

    return damage


def changed(change):
    def damage(path, images):
        change(images)
        content = path.read_bytes()
        start = len(content) - len(images) * 4 - images.nbytes
        path.write_bytes(content[:start] + images.tobytes() + content[start + images.nbytes :])

    return damage


def zero_rows(images):
    images[3:9] = 0


def exchange_classes(images):
    images[[0, -1]] = images[[-1, 0]]


def move_all(images):
    images[:] = np.roll(images, 1, axis=0)


def save_again(path, images):
    np.save(path, images)  # the same pixels, whose checksums are lost


def exchange_with_checksums(path, images):
    """Exchange two rows and their checksums: each is bound to its own image."""
    changed(exchange_classes)(path, images)
    content = bytearray(path.read_bytes())
    end = len(content) - 4 * len(images)
    content[end : end + 4], content[-4:] = content[-4:], content[end : end + 4]
    path.write_bytes(content)


DAMAGES = {
    "empty": cut(0),
    "within the header": cut(60),
    "header only": cut(128),
    "in the middle": cut(20_000),
    "one byte short": cut(48 * 16 * 16 * 3 + 128 + 48 * 4 - 1),
    "too long": cut(10**9),
    "magic": flipped(1),
    "length of the header": flipped(8),
    "another type": header(b"|u1", b"|i1"),
    "another order": header(b"'fortran_order': False", b"'fortran_order': True "),
    "fewer images": header(b"(48, 16, 16, 3)", b"(40, 16, 16, 3)"),
    "turned": header(b"(48, 16, 16, 3)", b"(48, 3, 16, 16)"),
    "objects": header(b"|u1", b"|O8"),
    "one bit": flipped(10_001),
    "a checksum": flipped(-2),
    "rows zeroed": changed(zero_rows),
    "rows exchanged": changed(exchange_classes),
    "all rows moved": changed(move_all),
    "all zeroed": changed(lambda images: images.fill(0)),
    "checksums lost": save_again,
    "exchanged with their checksums": exchange_with_checksums,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_array_is_named_and_made_anew(make_tree, damage):
    root = make_tree()
    source, rows, path = stored(root)
    before = path.read_bytes()
    DAMAGES[damage](path, np.load(path))
    assert path.read_bytes() != before, "not damaged: the test proves nothing"
    result = cache.load(source, rows, DECODER)
    assert (result.images == expected(root, rows)).all()
    (note,) = result.notes
    assert note.startswith(f"{path}: ") and note.endswith("; the images are decoded again")
    assert path.read_bytes() == before
    again = cache.load(source, rows, DECODER)
    assert not again.notes and again.decode_seconds == 0


def test_the_array_of_other_images_is_not_taken_for_these(make_tree):
    _, _, other = stored(make_tree(name="others", seed=1))
    root = make_tree()
    source, rows, path = stored(root)
    shutil.copy(other, path)
    result = cache.load(source, rows, DECODER)
    assert result.notes and (result.images == expected(root, rows)).all()


def test_arrays_are_listed_by_their_last_use(home):
    for name, at in (("a.npy", 30), ("b.npy", 10), ("c.npy", 20), (".d.npy", 5), ("e.txt", 5)):
        path = data_home() / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(at))
        os.utime(path, (at, at))
    found = [(one.path.name, one.size_bytes, one.last_use) for one in arrays.array_files()]
    assert found == [("b.npy", 10, 10), ("c.npy", 20, 20), ("a.npy", 30, 30)]


def test_a_training_says_so_and_goes_on(make_tree):
    root = make_tree()
    chosen = recipes.override(recipes.for_folder(root), ["data.image_size=16"])
    prepare.prepare(chosen, None, False, Heard())
    (path,) = (data_home() / "cache").glob("*.npy")
    changed(exchange_classes)(path, np.load(path))
    heard = Heard()
    prepared = prepare.prepare(chosen, None, False, heard)
    assert (prepared.images == expected(root, prepared.manifest.rows)).all()
    assert [note for note in heard.notes if str(path) in note and "2 images" in note]


def test_a_cache_that_cannot_be_written_serves_as_well(make_tree, monkeypatch):
    source, rows, _ = stored(make_tree())

    def denied(*_, **__):
        raise PermissionError(13, "denied")

    for name in ("utime", "open", "replace"):
        monkeypatch.setattr(arrays.os, name, denied)
    assert cache.load(source, rows, DECODER).images.shape == (48, 16, 16, 3)


def test_a_disk_that_keeps_nothing_is_named(make_tree, monkeypatch):
    source = open_folder(make_tree())
    rows = manifest.build(source).rows
    monkeypatch.setattr(arrays, "_write_checksums", lambda *_: None)
    with pytest.raises(InputError, match=r"cache/\w+\.npy: expected a disk that keeps"):
        cache.load(source, rows, DECODER)


def exchanged(root, name="round/P0_1.png"):
    """Exchange an image for another of the same size in bytes and the same time."""
    path, other = root / name, root / "square/P3_2.png"
    status, size = path.stat(), max(path.stat().st_size, other.stat().st_size)
    content = other.read_bytes().ljust(size, b"\0")
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    rows = manifest.build(open_folder(root)).rows
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return rows


def test_an_image_that_changed_after_it_was_hashed_is_refused(make_tree):
    root = make_tree()
    rows = exchanged(root)
    source = open_folder(root)
    assert manifest.build(source).rows == rows, "remembered by size and time"
    with pytest.raises(InputError, match=r"round/P0_1\.png: .* has changed; try `tfcnn c"):
        cache.load(source, rows, DECODER)
    assert not list(data_home().glob("cache/*")), "nothing of it was kept"
    anew = manifest.build(source, verify=True).rows
    assert (cache.load(source, anew, DECODER).images == expected(root, anew)).all()


@pytest.mark.parametrize("size", [(24, 40), (100, 90), (330, 200)])  # read at an 8th, a half, whole
def test_a_large_jpeg_is_decoded_early_as_it_is_alone(make_tree, size):
    root = make_tree()
    down, across = np.mgrid[:650, :803]
    picture = np.dstack([down % 256, across % 256, (down + across) % 256]).astype(np.uint8)
    for number, path in enumerate(sorted(root.glob("*/*.png"))[:2]):
        Image.fromarray(np.roll(picture, number, axis=0)).save(path.with_suffix(".jpg"))
    early = cache.Early(Decoder(size))
    rows = manifest.build(open_folder(root), on_image=early.see).rows
    for row in rows:
        alone = Decoder(size).decode((root / row.path).read_bytes())
        np.testing.assert_array_equal(early.pixels[row.sha256], alone)
    assert sum(row.path.endswith(".jpg") for row in rows) == 2


def test_an_image_that_changed_after_it_was_decoded_early_is_not_seen(make_tree):
    root = make_tree()
    source, early = open_folder(root), cache.Early(DECODER)
    rows = manifest.build(source, on_image=early.see).rows
    was = expected(root, rows)
    shutil.copy(root / "square/P3_2.png", root / "round/P0_1.png")
    assert (cache.load(source, rows, DECODER, early=early).images == was).all()
    fresh = manifest.build(source).rows
    assert fresh != rows
    result = cache.load(source, fresh, DECODER, early=early).images  # of other files by now
    assert (result == expected(root, fresh)).all()


def test_pixels_of_an_array_that_changed_are_refused_by_name():
    stored_arrays = {"train": np.zeros((4, 8, 8), np.uint8)}
    items = tuple(Item(f"train/{i}", "ab"[i % 2]) for i in range(4))
    source = ArraySource("arrays", data_home(), items, arrays=stored_arrays)
    rows = [
        Row(item.path, item.label, "", "", content_sha256(source.read(item.path)), "", 0, 0)
        for item in items
    ]
    stored_arrays["train"][2] = 9
    with pytest.raises(InputError, match=r"train/2: .*has changed"):
        cache.load(source, rows, DECODER)
