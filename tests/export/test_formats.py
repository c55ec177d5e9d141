"""What every format promises, for runs of any shape; `test_all_ways.py` uses each."""

import importlib.util
import json
import runpy

import numpy as np
import pytest
from bare_python import make_site
from bare_python import run as run_bare
from keras_runs import make_model, write_run
from PIL import Image

import tfcnn
from tfcnn import runs
from tfcnn.decode import Decoder
from tfcnn.export import _images, _snippet, find, names
from tfcnn.prediction import Predictor
from tfcnn.training import form


def with_libraries(chosen):
    """Parametrise by formats; one whose libraries are missing is skipped, and seen to be."""
    params = []
    for name in chosen:
        missing = [
            package
            for module, package in find(name).LIBRARIES.items()
            if importlib.util.find_spec(module) is None
        ]
        reason = f"not installed: {', '.join(missing)}"
        params.append(pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=reason)))
    return pytest.mark.parametrize("name", params)


WITH_SNIPPET = [name for name in names() if find(name).SNIPPET is not None]
EXACT = [name for name in WITH_SNIPPET if find(name).TOLERANCE is not None]


@pytest.mark.parametrize("name", names())
def test_a_format_has_what_the_frame_asks_for(name):
    module = find(name)
    assert module.FILE and module.TITLE and isinstance(module.LIBRARIES, dict)
    assert callable(module.write) and callable(module.open_file)
    assert module.TOLERANCE in ((None,) if hasattr(module, "accept") else (1e-4,))


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_program_decodes_as_the_run_does(fit, channels, tmp_path):
    decoder = {"image_size": [16, 24], "channels": channels, "fit": fit, "background": "white"}
    run = write_run(tmp_path / "run", make_model((16, 24, channels), 2), 2, decoder=decoder)
    tfcnn.export(run, "litert", tmp_path / "out", progress=False)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 31, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = 6  # a camera that was turned
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    site = make_site(tmp_path / "site", ["numpy", "pillow", "ai-edge-litert"])
    answer = run_bare(site, tmp_path / "out" / "predict.py", tmp_path / "photo.png", cwd=tmp_path)
    (expected,) = tfcnn.predict(run, tmp_path / "photo.png", progress=False)
    assert json.loads(answer.stdout) == pytest.approx(expected.probs, abs=1e-5)


def test_a_program_without_an_image_says_how_it_is_used(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", make_model((16, 24, 3), 2), 2)
    tfcnn.export(run, "litert", tmp_path / "out", progress=False)
    monkeypatch.setattr("sys.argv", ["predict.py"])
    with pytest.raises(SystemExit, match=r"pip install .*python predict.py IMAGE"):
        runpy.run_path(str(tmp_path / "out" / "predict.py"), run_name="__main__")


@pytest.mark.parametrize("name", WITH_SNIPPET)
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_a_program_is_short_and_complete(name, fit):
    text = _snippet.text(find(name), Decoder((160, 160), 3, fit, "white"))
    compile(text, "predict.py", "exec")
    assert len(text.splitlines()) <= 15 and "tfcnn" not in text
    assert max(map(len, text.splitlines())) <= 110


@with_libraries(EXACT)
@pytest.mark.parametrize(("units", "num_classes", "channels"), [(1, 2, 3), (10, 10, 1)])
def test_a_run_without_images_is_compared_on_drawn_ones(
    name, units, num_classes, channels, tmp_path
):
    run = write_run(tmp_path / "run", make_model((12, 20, channels), units), num_classes)
    exported = tfcnn.export(run, name, tmp_path / "out", progress=False)
    assert exported.agreement["largest_difference"] <= 1e-5
    assert "the images of malaria are not here" in exported.agreement["note"]
    rng = np.random.default_rng(3)
    light = rng.integers(0, 256, (5, 1, 1, channels))  # or all answers would be much alike
    images = np.uint8(rng.integers(0, 256, (5, 12, 20, channels)) * light / 255)
    expected = Predictor(run, engine="keras").probs_and_features(images)
    given = find(name).open_file(tmp_path / "out" / exported.files[0])(images)
    assert given[0].shape == (5, num_classes) and given[0].dtype == np.float32
    assert np.ptp(expected[0][:, 0]) > 0.01  # or equal answers would say little
    for ours, theirs in zip(expected, given, strict=True):
        assert np.abs(ours - theirs).max() < 1e-5


@with_libraries(EXACT)
def test_views_are_part_of_an_export(name, tmp_path):
    model = form.averaged(make_model((16, 16, 3), 2), "turned")
    run = write_run(tmp_path / "run", model, 2)
    exported = tfcnn.export(run, name, tmp_path / "out", progress=False)
    answer = find(name).open_file(tmp_path / "out" / exported.files[0])
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    turned = np.rot90(image, axes=(1, 2))
    assert answer(image)[0] == pytest.approx(answer(turned)[0], abs=1e-5)


def test_drawn_images_have_the_light_of_the_training_images():
    run = runs.open_run("malaria")
    sample = _images.sample(run)
    arrays = np.load(run.path / "domain.npz")
    means, spreads = arrays["pixel_mean"][:18].reshape(2, 3, 3)  # of channels, in three zones
    own = sample.images.reshape(-1, 3) / 255
    assert not sample.is_real and len(sample.images) == 200
    whole = np.sqrt(means.var(axis=1) + (spreads**2).mean(axis=1))
    assert own.mean(axis=0) == pytest.approx(means.mean(axis=1), abs=0.03)
    assert own.std(axis=0) == pytest.approx(whole, rel=0.2)
