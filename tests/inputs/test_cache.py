"""The cache of decoded images: made by one process at a time, and nothing left by a killed one."""

import signal
import subprocess
import sys
from threading import Thread
from time import sleep

import numpy as np
import pytest

from tfcnn import disk, manifest
from tfcnn.datasets import data_home
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder
from tfcnn.inputs import cache

SLOWLY = """
import sys, time
from pathlib import Path
from tfcnn import atomic, manifest
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder
from tfcnn.inputs import cache

def progress(done, total):
    print(done, flush=True)
    time.sleep(60)

source = open_folder(Path(sys.argv[1]))
rows = manifest.build(source).rows
cache.decoded(source, rows, Decoder((16, 16)), progress)
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
    images = cache.decoded(source, manifest.build(source).rows, Decoder((16, 16))).images
    assert images.shape == (48, 16, 16, 3)
    assert [path.suffix for path in folder.iterdir()] == [".npy"]
    assert not list(folder.glob(".*"))


def test_two_processes_decode_once(make_tree, monkeypatch):
    source = open_folder(make_tree())
    rows, decoder = manifest.build(source).rows, Decoder((16, 16))
    path = cache._cache_path(rows, decoder)
    got = []
    with disk.locked(path):  # as another process that is at it
        waiting = Thread(target=lambda: got.append(cache.decoded(source, rows, decoder).images))
        waiting.start()
        sleep(0.3)
        assert not got
        np.save(path, np.full((48, 16, 16, 3), 7, np.uint8))
    waiting.join(timeout=60)
    assert got[0].min() == got[0].max() == 7
    with pytest.raises(ValueError, match="read-only"):
        got[0][0] = 1
