"""Files whose library reads them in one piece are opened by helpers, which can be ended."""

import io
import os
import signal
import threading
import time

import numpy as np
import pytest
from conftest import write_tree
from PIL import Image, features

import tfcnn
from tfcnn import manifest
from tfcnn.base import threads
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import (
    TooLargeError,
    UnreadableImageError,
    apart,
    effort,
    kind_of,
    limits,
    open_image,
    opening,
)

needs_jpeg2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow lacks JPEG 2000")


def noise(side: int, channels: int = 3) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (side, side, channels), dtype=np.uint8))


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    Image.init()
    if name not in Image.SAVE:
        pytest.skip(f"Pillow lacks {name}")
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.fixture(autouse=True)
def _small_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(apart.READERS, "WEBP", 0)


@pytest.fixture(scope="module")
def dear() -> bytes:
    """A JPEG 2000 of one piece that takes about a third of a second of a processor."""
    return saved(noise(800), "JPEG2000")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a tenth of a second of a processor, and any time of the clock."""
    monkeypatch.setattr(effort, "MOST_SECONDS", 0.1)
    monkeypatch.setattr(apart, "WAIT_FACTOR", 10_000)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("name", ["WEBP", "JPEG2000", "AVIF"])
def test_a_helper_gives_what_the_library_gives_here(name, mode):
    if mode == "I;16":
        if name != "JPEG2000":
            pytest.skip("holds 8 bits")
        values = np.random.default_rng(1).integers(0, 65536, (20, 30), dtype=np.uint16)
        content = saved(Image.fromarray(values), name)
    else:
        content = saved(noise(24, 4).convert(mode), name)
    kind = kind_of(content)
    here, helped = opening.from_file(content, kind), apart.from_file(content, kind)
    assert (helped.image.mode, helped.image.size) == (here.image.mode, here.image.size)
    assert helped.image.tobytes() == here.image.tobytes()
    assert (helped.remarks, helped.traits, helped.kind) == (here.remarks, here.traits, kind)
    if here.samples is None:
        assert helped.samples is None
    else:
        assert np.array_equal(helped.samples, here.samples)
        assert helped.samples.dtype == np.uint16


def test_an_error_of_a_helper_is_that_of_the_library(monkeypatch):
    content = saved(noise(64), "WEBP")
    told = []
    for readers in (apart.READERS, {}):
        monkeypatch.setattr(apart, "READERS", readers)
        with pytest.raises(UnreadableImageError) as info:
            open_image(content[:80], "cut.webp")
        told.append(str(info.value))
    assert told[0] == told[1]
    assert len(apart._idle) >= 1, "the helper waits for the next file"


def test_small_webps_and_what_is_read_in_pieces_start_no_helper(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(apart, "_Helper", None)
    monkeypatch.setattr(apart, "_idle", [])
    for name in ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"):
        assert open_image(saved(noise(64), name)).image.size == (64, 64)
    large = saved(noise(400), "WEBP", lossless=True)
    assert len(large) > apart.READERS["WEBP"]
    with pytest.raises(UnreadableImageError, match="NoneType"):
        open_image(large)


def test_a_bound_holds_in_a_helper_too(monkeypatch):
    content = saved(noise(64), "WEBP")
    monkeypatch.setenv(limits.VARIABLE, "0.001")
    with pytest.raises(TooLargeError, match=limits.VARIABLE):
        open_image(content, "large.webp")
    monkeypatch.setenv(limits.VARIABLE, "1")
    assert open_image(content).image.size == (64, 64)


@needs_jpeg2000
def test_what_takes_too_long_is_cut_and_named_and_others_are_read(dear, tmp_path, monkeypatch):
    """In one call of a library, which no thread could end."""
    root = write_tree(tmp_path / "cells", side=8)
    (root / "round" / "P0_9.png").write_bytes(dear)
    hurry(monkeypatch)
    data = manifest.build(open_folder(root), group_regex="")
    assert len(data.rows) == 48
    (row,) = data.quarantined
    assert row.path == "round/P0_9.png" and "over 0.1 s to decode" in row.unreadable


@needs_jpeg2000
def test_predict_names_what_takes_too_long_and_goes_on(dear, trained, tmp_path, monkeypatch):
    cells = write_tree(tmp_path / "cells", groups=2, per_group=2)
    (cells / "round" / "P0_9.png").write_bytes(dear)
    hurry(monkeypatch)
    answers = list(tfcnn.predict(trained, cells))
    assert len(answers) == 9
    (bad,) = [one for one in answers if one.flag == "unreadable"]
    assert bad.path.endswith("P0_9.png") and "over 0.1 s to decode" in bad.reason


@needs_jpeg2000
def test_other_threads_work_on_meanwhile(dear):
    """The library of JPEG 2000 keeps the interpreter until it returns."""
    beats, is_over = [], threading.Event()

    def beat():
        while not is_over.wait(0.01):
            beats.append(time.perf_counter())

    thread = threading.Thread(target=beat)
    thread.start()
    open_image(dear)
    is_over.set()
    thread.join()
    assert len(beats) > 5


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (signal.SIGSTOP, "made to take long: no answer within 1 s"),
        (signal.SIGSEGV, r"that brings its decoder down \(-11\)"),
    ],
)
def test_a_helper_that_hangs_or_crashes_costs_one_file(sent, reason, monkeypatch):
    content = saved(noise(64), "WEBP")
    open_image(content)
    os.kill(apart._idle[-1]._process.pid, sent)
    if sent == signal.SIGSTOP:
        monkeypatch.setattr(effort, "MOST_SECONDS", 0.1)
    with pytest.raises(UnreadableImageError, match=rf"bad\.webp: .* {reason}"):
        open_image(content, "bad.webp")
    monkeypatch.setattr(effort, "MOST_SECONDS", 60.0)
    assert open_image(content).image.size == (64, 64) and apart._idle


def test_large_images_wait_for_each_other_and_leave_no_helper(monkeypatch):
    """What a helper needs is counted here."""
    claimed = []
    monkeypatch.setattr(threads, "claim", claimed.append)
    monkeypatch.setattr(threads, "LARGE_BYTES", 32 << 20)
    helpers = len(apart._idle)
    assert open_image(saved(Image.new("RGB", (1500, 1500)), "WEBP")).image.size == (1500, 1500)
    assert len(claimed) == 1 and claimed[0] > 1500 * 1500 * 8
    assert len(apart._idle) == max(0, helpers - 1)
