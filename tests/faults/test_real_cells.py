"""A training on real cells that is killed again and again ends as one that was not."""

import shutil
from pathlib import Path

import fault_tally
import pytest
from conftest import MIRROR, needs_mirror, run_tfcnn
from fault_hooks import KILL
from fault_walks import Command, Walker, finished_runs

PATIENTS, CELLS = 24, 8  # of each class
SETTINGS = [
    word for setting in (
        "model.network=compact", "model.start=scratch", "train.epochs=3", "train.batch_size=32",
        "train.deterministic=true", "data.image_size=32", "data.group_regex='^(C[0-9]+)'",
        "data.positive=Parasitized",
    ) for word in ("--set", setting)
]  # fmt: skip
MOMENTS = {  # the last of the events of this name
    "in the second epoch": "moment before epoch 3/3",
    "in the last epoch": "moment in an epoch",
    "while a checkpoint is written": "write /models/cells/checkpoint/.state.part.npz",
    "between the two checkpoints": "rename /models/cells/checkpoint/before.npz",
    "after the calibration": "open /models/cells/.model.part.keras",
    "before the twin": "open /models/cells/.model.part.tflite",
    "before the report": "open /models/cells/.report.part.html",
    "before DONE": "rename /models/cells/DONE",
}


@pytest.fixture(scope="module")
def real_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return class folders of a few real cells of some patients."""
    base = tmp_path_factory.mktemp("real")
    told = run_tfcnn("download", "malaria", "--from", MIRROR, home=base / "home")
    assert told.returncode == 0, told.stderr
    images, folder = base / "home/data/malaria/cell_images", base / "cells"
    patients = sorted({path.name.partition("P")[0] for path in images.rglob("*.png")})[:PATIENTS]
    for name in ("Parasitized", "Uninfected"):
        (folder / name).mkdir(parents=True)
        for patient in patients:
            for path in sorted((images / name).glob(f"{patient}P*.png"))[:CELLS]:
                shutil.copy2(path, folder / name)
    return folder


@pytest.mark.slow
@needs_mirror
def test_killed_at_each_stage_it_has_the_same_weights_history_and_answers(
    keras_forks, real_cells, tmp_path
):
    words = ("train", real_cells, *SETTINGS)
    command = Command(words, trusted=finished_runs, asks=("evaluate", "cells"))
    walker = Walker(keras_forks, tmp_path, command)
    told = {"models/cells/model.keras", "models/cells/history.csv", "models/cells/predictions.csv"}
    assert told < walker.whole.keys()
    for moment, event in MOMENTS.items():
        at = max(n for n, name in enumerate(walker.walk.events, 1) if name == event)
        walker.cut(at - (moment == "in the second epoch"), KILL)
        walker.cut(at, KILL, times=2)  # and the second call too, at the event of this number
    fault_tally.add("train, real cells", KILL, walker.walk.faults[KILL], len(walker.walk.losses))
    assert not walker.walk.losses, "\n".join(walker.walk.losses)
    assert walker.walk.faults[KILL] >= 2 * len(MOMENTS)
