"""How large an image may be: small files that ask for much memory are refused by their header."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, Heard, run_tfcnn
from picture_files import deep_png, encoded, tiff
from PIL import Image

import tfcnn
from tfcnn import decode, manifest, runs
from tfcnn.base import threads
from tfcnn.base.errors import InputError
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder, TooLargeError, open_image, read_size, samples
from tfcnn.decode.limits import VARIABLE
from tfcnn.prediction import Predictor

DEEP = np.arange(4800, dtype=np.uint16).reshape(40, 30, 4) * 13
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import hostile  # noqa: E402

PEAKS = """
import json, sys
from pathlib import Path
from tfcnn import manifest
from tfcnn.decode import Decoder, TooLargeError, open_image, read_file, read_size

def kilobytes(key):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(key + ":")[2].split()[0])

open_image((Path(sys.argv[1]) / "pages.tif").read_bytes())  # what is loaded once
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    read_size(path)
    try:
        image = open_image(read_file(path, path), path)
        manifest.rows.hash_pixels(image)
        Decoder((32, 32)).pixels(image, path)
        told = "read"
    except TooLargeError as error:
        told = str(error)
    found[path.name] = [told, (kilobytes("VmHWM") - before) / 1000]
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of all the files."""
    found = tmp_path_factory.mktemp("hostile")
    for name, make in {**hostile.TOO_LARGE, **hostile.READABLE}.items():
        (found / name).write_bytes(make())
    return found


@pytest.fixture(scope="session")
def peaks(folder):
    """What is said of each file, and how much memory (MB) it took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


needs_proc = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")


@needs_proc
@pytest.mark.parametrize("name", hostile.TOO_LARGE)
def test_a_hostile_file_is_refused_by_its_header(peaks, name):
    told, peak_mb = peaks[name]
    assert f"{name}: expected an image that can be read; received an image too large: " in told
    assert VARIABLE in told and "try making it smaller, or " in told
    assert peak_mb < 50


@needs_proc
@pytest.mark.parametrize("name", hostile.READABLE)
def test_a_small_image_under_a_heap_of_other_things_is_read(peaks, name):
    told, peak_mb = peaks[name]
    assert told == "read"
    assert peak_mb < (250 if name == "plain_text.png" else 50)  # the first is a file of 100 MB


def test_a_part_that_is_too_large_for_pillow_is_named(monkeypatch):
    def fail(*_):
        raise Image.DecompressionBombError("200 megapixels")

    monkeypatch.setattr(decode.decoder.apart, "from_file", fail)
    with pytest.raises(TooLargeError, match=f"x: .*200 megapixels; try .*{VARIABLE}"):
        open_image(encoded(np.zeros((8, 8), np.uint8)), "x")


def test_a_large_file_is_not_read_at_all(tmp_path, make_tree):
    root = make_tree()
    path = root / "round" / "stack.tif"
    path.write_bytes(tiff(np.zeros((8, 8, 1), np.uint8), 1))
    os.truncate(path, 2**33)  # a hole of 8 GiB
    assert read_size(path) is None
    (row,) = manifest.build(open_folder(root)).quarantined
    assert row.path == "round/stack.tif" and "a file of 8,590 MB, over 450 MB" in row.unreadable


@pytest.mark.parametrize(
    ("image", "is_read"),
    [
        (encoded(np.zeros((1200, 1200, 3), np.uint8)), True),
        (encoded(np.zeros((1200, 1200), np.uint16)), True),
        (deep_png(np.zeros((1200, 1200, 3), np.uint16)), False),
        (tiff(np.zeros((1200, 1200, 3), np.uint16), 2), False),
        (encoded(np.zeros((1200, 1200, 4), np.uint8)), False),
        (encoded(np.zeros((1200, 1200, 3), np.uint8), "JPEG2000"), False),
        (encoded(np.zeros((2100, 800), np.uint8)), False),
        (encoded(np.zeros((1150, 1150, 3), np.uint8), "JPEG"), True),
        (encoded(np.zeros((1150, 1150, 3), np.uint8), "JPEG", progressive=True), False),
    ],
)
def test_memory_counts_and_not_pixels_alone(monkeypatch, image, is_read):
    monkeypatch.setenv(VARIABLE, "2")
    if is_read:
        assert open_image(image)
    else:
        with pytest.raises(TooLargeError, match=f"{VARIABLE}=2.*try .*{VARIABLE}="):
            open_image(image)


def test_what_is_just_within_the_bound_is_read(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    decode.limits.refuse((1000, 1000), 9, 0)
    with pytest.raises(decode.limits.TooLargeError, match="over 1,000 px a side"):
        decode.limits.refuse((1001, 10), 1, 0)


def test_a_refusal_names_a_bound_that_is_enough(monkeypatch):
    image = deep_png(np.zeros((1200, 1300, 4), np.uint16))
    monkeypatch.setenv(VARIABLE, "2")
    with pytest.raises(TooLargeError) as caught:
        open_image(image)
    enough = caught.value.reason.rpartition(f"{VARIABLE}=")[2].split()[0]
    monkeypatch.setenv(VARIABLE, enough)
    assert open_image(image)
    monkeypatch.setenv(VARIABLE, str(int(enough) - 1))
    with pytest.raises(TooLargeError):
        open_image(image)


@pytest.mark.parametrize("text", ["much", "-1", "0", "nan", "inf"])
def test_a_bound_that_is_none_is_named(monkeypatch, make_tree, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=f"{VARIABLE}: expected a number of megapixels; received"):
        manifest.build(open_folder(make_tree()))


def test_more_than_pillow_allows_can_be_allowed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    content = encoded(np.zeros((100, 100), np.uint8), "GIF")
    assert open_image(content), "Pillow's own bound is not asked"
    assert open_image(encoded(np.zeros((100, 100, 3), np.uint8), "WEBP"))


def test_an_image_is_looked_at_again_when_the_bound_changes(make_tree, monkeypatch):
    root = make_tree()
    Image.fromarray(np.zeros((120, 120, 3), np.uint8)).save(root / "round" / "P9_0.png")
    source = open_folder(root)
    monkeypatch.setenv(VARIABLE, "0.1")  # 100 px a side
    (row,) = manifest.build(source).quarantined
    assert row.path == "round/P9_0.png" and "120 x 120 px" in row.unreadable
    assert len(manifest.build(source).quarantined) == 1, "the same again"
    monkeypatch.delenv(VARIABLE)
    assert not manifest.build(source).quarantined
    monkeypatch.setenv(VARIABLE, "0.1")
    assert len(manifest.build(source, verify=True).quarantined) == 1


def test_too_little_memory_is_an_unreadable_row(make_tree, monkeypatch):
    source = open_folder(make_tree())
    path = source.items[3].path
    for place, name in ((decode.opening, "from_file"), (manifest.rows, "hash_pixels")):
        real, calls = getattr(place, name), []

        def failing(*arguments, real=real, calls=calls):
            calls.append(1)
            if len(calls) == 4:
                raise MemoryError
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(threads, "cores", lambda: 1)
            patch.setattr(place, name, failing)
            (row,) = manifest.build(source, verify=True).quarantined
        assert row.path == path and "more memory than there is" in row.unreadable
        assert not manifest.build(source).quarantined, "looked at again"


@pytest.fixture
def mixed(make_tree, folder):
    """A folder of class folders with ordinary images, and five hostile ones."""
    root = make_tree(groups=12)
    for name in ("column.png", "deep.png", "bomb.tif", "canvas.webp", "header.jp2"):
        shutil.copy(folder / name, root / "round" / f"P1_{name}")
    return root


def test_check_and_train_set_them_aside(mixed):
    names = {f"round/P1_{name}" for name in ("column.png", "deep.png", "bomb.tif")}
    listed = json.loads(run_tfcnn("check", mixed, "--json").stdout)
    (lost,) = [one for one in listed["findings"] if "unreadable" in one["what"]]
    assert names <= {text.partition(": ")[0] for text in lost["examples"]}
    assert all("too large" in text for text in lost["examples"])
    heard = Heard()
    tfcnn.train(mixed, settings=[*NARROW, "train.epochs=1"], reporter=heard)
    said = [note for note in heard.notes if note.startswith("set aside, unreadable: ")]
    assert len(said) == 5 and all("too large" in note for note in said)


def test_predict_gives_each_a_row(trained, mixed):
    found = list(Predictor(runs.open_run(trained)).predict([mixed / "round"]))
    lost = [one for one in found if one.flag == "unreadable"]
    assert len(lost) == 5 and len(found) == 53
    assert all("too large" in one.reason and VARIABLE in one.reason for one in lost)


def test_other_data_and_explain_name_them(trained, mixed, make_tree):
    other = make_tree(name="other", seed=5, groups=12)
    shutil.copy(mixed / "round" / "P1_deep.png", other / "round" / "Q1_deep.png")
    done = run_tfcnn("evaluate", trained, "--data", other, "--group-regex", "")
    assert done.returncode == 0 and "Q1_deep.png (an image too large" in done.stdout + done.stderr
    done = run_tfcnn("explain", trained, mixed / "round" / "P1_deep.png", "--output", mixed / "x")
    assert done.returncode in (2, 3) and "too large" in done.stdout + done.stderr
    done = run_tfcnn("kernel", mixed / "round" / "P1_deep.png", "--kernel", "blur")
    assert done.returncode == 2 and "too large" in done.stderr


def test_large_images_of_many_threads_share_memory(monkeypatch):
    monkeypatch.setattr(threads, "SHARED_BYTES", 100)
    monkeypatch.setattr(threads, "SMALL_BYTES", 10)
    lock, held, sums, alone = threading.Lock(), [], [], []

    def work(needed):
        with threads.sharing_memory():
            threads.claim(needed)
            with lock:
                held.append(needed)
                sums.append(sum(min(one, 100) for one in held if one > 10))
                alone.append(needed < 100 or len([one for one in held if one > 10]) == 1)
            threads.claim(10**9)  # a second one is not counted, and does not wait
            with threads.sharing_memory():
                pass
            with lock:
                held.remove(needed)
            if needed % 7 == 0:
                raise ValueError("an error gives back too")

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(work, needed) for needed in [5, 40, 60, 35, 1000, 90, 20, 70] * 50]
        errors = [one.exception() for one in done]
    assert max(sums) <= 100 and all(alone)
    assert sum(isinstance(error, ValueError) for error in errors) == 100
    assert threads._taken_bytes == 0


def test_without_a_block_nothing_is_claimed():
    threads.claim(2**40)
    assert threads._taken_bytes == 0


@pytest.mark.parametrize("content", [
    encoded(np.dstack([np.full((40, 30, 3), 9, np.uint8), np.arange(1200).reshape(40, 30) % 256])
            .astype(np.uint8)),
    encoded(np.arange(3600, dtype=np.uint8).reshape(40, 30, 3)),
    deep_png(DEEP),
    deep_png(np.arange(3600, dtype=np.uint16).reshape(40, 30, 3) * 17, transparent=(17, 34, 51)),
    tiff(DEEP, 2, extra=(1,)),
    tiff(DEEP, 5, deflated=True, predicted=True),
    tiff(np.arange(3600, dtype=np.uint16).reshape(40, 30, 3), 2, planar=True, tile=(16, 16)),
    b"P6 30 40 65535\n" + bytes(range(240)) * 30,
])  # fmt: skip
def test_a_few_rows_at_a_time_give_the_same(monkeypatch, content):
    decoder = Decoder((17, 13), background="white")
    whole = open_image(content)
    expected = decoder.decode(content), manifest.rows.hash_pixels(whole), whole.remarks
    monkeypatch.setattr(samples, "BLOCK_VALUES", 500)
    parts = open_image(content)
    assert (decoder.decode(content) == expected[0]).all()
    assert (manifest.rows.hash_pixels(parts), parts.remarks) == expected[1:]
    histogram = decode.histogram_of_16_bits(content)
    if whole.samples is not None:
        assert (parts.samples == whole.samples).all()
        colours = whole.samples[..., :3]
        assert (histogram == np.bincount(colours.ravel(), minlength=65536)).all()


def test_rows_are_cut_by_how_many_values_they_hold(monkeypatch):
    monkeypatch.setattr(samples, "BLOCK_VALUES", 10)
    assert list(samples.blocks(5, 4)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(samples.blocks(2, 40)) == [slice(0, 1), slice(1, 2)]


def test_a_wrong_bound_is_said_before_anything_is_written(trained, monkeypatch):
    monkeypatch.setenv("TFCNN_MAX_MEGAPIXELS", "much")
    told = run_tfcnn("predict", trained, trained.parents[2] / "cells")
    assert (told.returncode, told.stdout) == (2, "") and "TFCNN_MAX_MEGAPIXELS" in told.stderr
