"""On what a training runs: one process, one device or several, and how it goes on there."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.training import checkpoint, form, strategy
from tfcnn.training.checkpoint import Start, State
from tfcnn.training.fit import compile_model, fit_epochs

VARIABLES = ("TF_CONFIG", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_NPROCS", *strategy.TASKS)
CLUSTER = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
ALONE = '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}'


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SLURM_NTASKS": "4"},  # sbatch --ntasks=4, and no srun
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "4(x2)", "SLURM_STEP_NUM_TASKS": ""},
        {"OMPI_COMM_WORLD_SIZE": "1", "PMI_SIZE": "1"},
        {"TF_CONFIG": ""},
        {"TF_CONFIG": "{}"},
        {"TF_CONFIG": ALONE},
    ],
)
def test_one_process_trains(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    strategy.refuse_clusters()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"}, "SLURM_STEP_NUM_TASKS"),
        ({"SLURM_PROCID": "1"}, "SLURM_PROCID"),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, "OMPI_COMM_WORLD_SIZE"),
        ({"PMI_SIZE": "2"}, "PMI_SIZE"),
        ({"TF_CONFIG": CLUSTER}, "TF_CONFIG"),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS.*whole number.*'two'"),
        ({"SLURM_PROCID": "0x1"}, "SLURM_PROCID.*whole number"),
        ({"TF_CONFIG": "2"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": "not JSON"}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": {"worker": 3}}'}, "TF_CONFIG.*JSON"),
        ({"TF_CONFIG": '{"cluster": ["a:1"]}'}, "TF_CONFIG.*JSON"),
    ],
)
def test_one_of_several_is_refused_and_nonsense_too(variables, named, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=named):
        strategy.refuse_clusters()


class Cut(Exception):
    """Ends a training in its second epoch, as a kill would."""


class Cutting(Reporter):
    def epoch(self, epoch, epochs, logs):
        if epoch == 2:
            raise Cut


def compiled(recipe, device):
    keras.utils.set_random_seed(0)
    with tf.distribute.MirroredStrategy([device]).scope():
        model = form.training_form(recipe.model, (16, 16, 3), 2, "float32")
    compile_model(model, recipe.train, 24)
    return model


@pytest.mark.parametrize("device", ["CPU:0", pytest.param("GPU:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    "schedule", [pytest.param("constant", marks=pytest.mark.slow), "one_cycle"]
)
def test_a_run_on_several_devices_goes_on_after_a_cut(tmp_path, schedule, device):
    settings = [f"train.schedule={schedule}", "train.epochs=2", "train.batch_size=8"]
    recipe = recipes.override(recipes.load("malaria"), [*settings, "data.image_size=16"])
    rng = np.random.default_rng(0)
    prepared = SimpleNamespace(
        images=rng.integers(0, 256, (32, 16, 16, 3), np.uint8),
        labels=np.arange(32, dtype=np.int32) % 2,
        rows={"train": np.arange(24), "val": np.arange(24, 32)},
        place="",
        team=None,
    )

    def fitted(folder, start, reporter):
        model = compiled(recipe, device)
        return fit_epochs(model, recipe, prepared, folder, start, reporter)

    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    start = Start(State(precision="float32"))
    whole = fitted(tmp_path / "whole", start, Reporter())
    start = Start(State(precision="float32"))
    with pytest.raises(Cut):
        fitted(tmp_path / "cut", start, Cutting())
    start = checkpoint.read(tmp_path / "cut", Reporter())
    assert start.state.epoch == 1
    resumed = fitted(tmp_path / "cut", start, Reporter())
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 if device == "CPU:0" else 1e-2)


def test_one_gpu_is_trained_on_as_it_is(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    assert not isinstance(strategy.choose(), tf.distribute.MirroredStrategy)
