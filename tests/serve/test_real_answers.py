"""Shipped models over HTTP and on the command line: two classes, ten classes, one channel."""

import contextlib
import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
from conftest import MIRROR, needs_mirror, run_tfcnn
from picture_files import encoded
from PIL import Image
from sklearn.datasets import load_digits

from tfcnn.runs import open_run
from tfcnn.serve import Settings, server, web_app
from tfcnn.serve.answering import Answerer
from tfcnn.serve.gate import Gate
from tfcnn.serve.metering import Meter

TOLERANCE = 1e-4
IN_A_REQUEST = 50


@contextlib.contextmanager
def served(name):
    """Yield the address of a service of a shipped run, in a thread: a process takes seconds."""
    settings, meter, listens = Settings(port=0), Meter(), threading.Event()
    answerer = Answerer(open_run(name), meter, False, print)
    gate = Gate(web_app.make(answerer, meter, settings), settings, meter, print)
    with server.bind(settings) as bound:
        running = server._Server(server._config(gate, settings), listens.set)
        thread = threading.Thread(target=running.run, args=([bound],))
        thread.start()
        assert listens.wait(60)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1/predict"
        running.should_exit = True
        thread.join()
    answerer.close()


def largest_difference(name, files, monkeypatch):
    """Return the largest difference of a probability; decisions, flags and groups are equal."""
    monkeypatch.chdir(files[0].parent)
    result = run_tfcnn("predict", name, *(path.name for path in files), "--json")
    assert result.returncode == 0, result.stderr
    expected = [json.loads(line) for line in result.stdout.splitlines()]
    found = []
    with served(name) as address:
        for start in range(0, len(files), IN_A_REQUEST):
            part = files[start : start + IN_A_REQUEST]
            sent = [("images", (path.name, path.read_bytes())) for path in part]
            response = requests.post(address, files=sent, timeout=120)
            assert response.status_code == 200, response.text
            found += response.json()["predictions"]
    assert [{**row, "probs": 0} for row in found] == [{**row, "probs": 0} for row in expected]
    assert [row["probs"].keys() for row in found] == [row["probs"].keys() for row in expected]
    values = [[list(row["probs"].values()) for row in rows] for rows in (found, expected)]
    return float(np.abs(np.subtract(*values)).max())


@pytest.mark.parametrize("name", ["malaria", "mnist", "cifar10"])
def test_a_shipped_model_answers_as_on_the_command_line(name, tmp_path, monkeypatch):
    """On pictures of digits, grey and coloured: some are far from what the model learnt."""
    for i, picture in enumerate(load_digits().images[:12]):
        colours = np.stack([picture, picture[::-1], picture.T], axis=2) if i % 2 else picture
        image = Image.fromarray((colours * 15.9).astype(np.uint8)).resize((31 + i, 23))
        (tmp_path / f"C{i}P{i}_{i:02}.png").write_bytes(encoded(image))
    files = sorted(path for path in tmp_path.iterdir() if path.is_file())
    assert largest_difference(name, files, monkeypatch) < TOLERANCE


@pytest.mark.slow
@needs_mirror
def test_five_hundred_real_cells(tmp_path, monkeypatch):
    with zipfile.ZipFile(Path(str(MIRROR)) / "cell_images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for name in names[:: len(names) // 500][:500]:
            (tmp_path / Path(name).name).write_bytes(archive.read(name))
    files = sorted(tmp_path.glob("*.png"))
    largest = largest_difference("malaria", files, monkeypatch)
    print(f"{len(files)} cells: largest difference {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.slow
@needs_mirror
@pytest.mark.parametrize("name", ["mnist", "fashion", "cifar10"])
def test_real_images_of_ten_classes(name, tmp_path, monkeypatch):
    file = {"fashion": "fashion_mnist"}.get(name, name)
    pictures = np.load(Path(str(MIRROR)) / f"{file}.npz")["x_test"][:500]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i:03}.png")
    largest = largest_difference(name, sorted(tmp_path.glob("*.png")), monkeypatch)
    print(f"{name}, {len(pictures)} images: largest difference {largest:.1e}")
    assert largest < TOLERANCE
