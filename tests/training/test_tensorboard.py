"""TensorBoard is an extra: used where it is, done without, and that said, where it is not."""

import sys

import pytest
from conftest import QUICK, Heard

import tfcnn
from tfcnn.training import fit


@pytest.mark.parametrize("absent", ["tensorboard", "tensorboard.plugins.scalar.summary_v2"])
def test_without_it_a_training_ends_and_says_how_to_get_it(make_tree, monkeypatch, absent):
    for name in [name for name in sys.modules if name.startswith(absent)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    heard = Heard()
    run = tfcnn.train(make_tree(), settings=[*QUICK, "train.epochs=1"], reporter=heard)
    assert not (run.path / "logs").exists() and (run.path / "history.csv").exists()
    (said,) = [note for note in heard.notes if "TensorBoard" in note]
    assert said.endswith("it is not installed; for them: pip install tensorboard")


def test_one_that_does_not_start_is_named(monkeypatch, tmp_path):
    def broken(name):
        raise TypeError("Descriptors cannot be created directly")

    monkeypatch.setattr(fit.importlib, "import_module", broken)
    heard = Heard()
    assert fit.tensorboard_callbacks(tmp_path, heard) == []
    assert "does not start (Descriptors cannot" in heard.notes[0]
