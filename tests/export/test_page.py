"""The file that `tfcnn export --format page` writes, and what it refuses."""

import json
import re

import numpy as np
import pytest
from conftest import run_tfcnn, write_card

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError
from tfcnn.export import page
from tfcnn.export.page import assembly, card, packing
from tfcnn.training import twin


@pytest.mark.parametrize("size", [0, 1, 14, 15, 16, 1000])
def test_bytes_come_back_from_letters(size):
    content = np.random.default_rng(size).bytes(size)
    text = packing.pack(content)
    assert packing.unpack(text, size) == content
    assert len(text) == -(-8 * size // 15) and not re.search("[<&\r\n\0]", text)
    assert text.encode("utf-16-le").decode("utf-16-le") == text


def test_the_page_holds_the_model_its_hash_and_the_version(trained, exported):
    content = exported(trained).read_bytes()
    text = content.decode("utf-16")
    run = runs.read(trained)
    settings = json.loads(re.search('id="settings">(.*?)</script>', text)[1])
    assert settings["model_sha256"] == run.card["sha256"]["model.keras"]
    assert settings["made_by"] == f"tfcnn {tfcnn.__version__}"
    assert settings["model_sha256"] in text.partition("Model card")[2].partition("<script")[0]
    image = np.zeros((1, *run.decoder.shape), np.uint8)
    model = twin.runner(assembly.part(content, "model"))
    expected = twin.runner((trained / "model.tflite").read_bytes())(image)["probs"]
    np.testing.assert_allclose(model(image)["probs"], expected, atol=1e-6)
    assert card.NOT_MEDICAL in text and len(content) <= page.MOST_BYTES
    assert not re.search(r'(src|href)="(?!#)', text), "nothing is fetched"


def test_a_page_over_the_limit_is_refused_and_leaves_nothing(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 1_000_000)
    with pytest.raises(CheckError, match=r"at most 1 MB; received one of \d\.\d MB"):
        tfcnn.export(trained, "page", tmp_path / "new" / "x.html", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_leaky_run_gets_no_page(run_copy, tmp_path):
    content = json.loads((run_copy / "model.json").read_text())
    write_card(run_copy, content | {"leaky": True})
    result = run_tfcnn("export", run_copy, "--format", "page", "--output", tmp_path / "x.html")
    assert result.returncode == 3 and "LEAKY" in result.stderr
    assert not (tmp_path / "x.html").exists()


def test_the_vendored_runtime_is_the_one_that_is_recorded():
    """`README.md` beside it says what it is; a change of one needs the other."""
    import hashlib

    text = (assembly.LITERT / "README.md").read_text(encoding="utf-8")
    recorded = dict(re.findall(r"\| `([\w.-]+)` \| `([0-9a-f]{64})` \|", text))
    files = {path.name for path in assembly.LITERT.iterdir()} - {"README.md"}
    assert recorded.keys() == files
    for name, digest in recorded.items():
        assert hashlib.sha256((assembly.LITERT / name).read_bytes()).hexdigest() == digest, name
    script = (assembly.LITERT.parents[3] / "scripts" / "fetch_litert.sh").read_text("utf-8")
    (version,) = re.findall(r"^version=([\d.]+)$", script, re.MULTILINE)
    assert set(re.findall(r"\b\d+\.\d+\.\d+\b", text)) == {version}
