"""`predict` says what it has not seen of the images, and answers all the same."""

import hashlib
import json
from dataclasses import replace

import numpy as np
from conftest import run_tfcnn
from picture_files import drawing, encoded, frames, tiff
from PIL import Image

from tfcnn import api
from tfcnn.prediction import Predictor
from tfcnn.recipes import DataSettings
from tfcnn.report import exhibits


def test_other_pages_and_vanished_drawings_are_said(trained, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(3):
        (folder / f"drawing{i}.png").write_bytes(encoded(drawing(seed=i)))
    (folder / "stack.tif").write_bytes(tiff(np.full((9, 9, 1), 9, np.uint16), 1, pages=40))
    (folder / "moving.gif").write_bytes(frames("GIF", 6))
    (folder / "plain.png").write_bytes(encoded(np.full((9, 9, 3), 90, np.uint8)))
    answers = list(Predictor(api.load(trained)).predict([folder]))
    remarks = {answer.path.rpartition("/")[2]: answer.remark for answer in answers}
    assert {name: remark.partition(",")[0] for name, remark in remarks.items()} == {
        "drawing0.png": "a drawing that vanishes over black",
        "drawing1.png": "a drawing that vanishes over black",
        "drawing2.png": "a drawing that vanishes over black",
        "moving.gif": "several frames",
        "plain.png": "",
        "stack.tif": "several pages",
    }
    assert all(answer.predicted for answer in answers)
    result = run_tfcnn("predict", trained, folder, "--json")
    assert result.returncode == 0
    said = result.stderr.splitlines()
    assert any(line.startswith("3 images with a drawing that vanishes over black") for line in said)
    assert any(line.endswith("stack.tif (40)") for line in said)
    assert any(line.endswith("moving.gif (6)") for line in said)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("remark", "") for row in rows] == [answer.remark for answer in answers]


def test_a_report_shows_images_over_the_background_the_model_saw(make_tree, home):
    root = make_tree()
    content = encoded(drawing())
    (root / "round" / "ink.png").write_bytes(content)
    hashes = {"round/ink.png": hashlib.sha256(content).hexdigest()}
    album = exhibits.open_album(DataSettings(source=str(root)), hashes)
    for background, darkest in (("black", 0), ("white", 255)):
        image = replace(album, background=background).open("round/ink.png", 128)
        assert isinstance(image, Image.Image) and image.getpixel((0, 0))[0] == darkest
