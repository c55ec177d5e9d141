"""`check` on real cells: near copies, false alarms, corrupt files; needs TFCNN_TEST_MIRROR."""

import csv
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import MIRROR, needs_mirror, run_tfcnn

import tfcnn
from tfcnn.manifest.audit import Audit

pytestmark = [needs_mirror, pytest.mark.slow, pytest.mark.timeout(3600)]
IMAGES = 9065
CORRUPT = 20


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "check.py"
    spec = importlib.util.spec_from_file_location("check_benchmark", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[misc]
    folder = tmp_path_factory.mktemp("real-check")
    assert run_tfcnn("download", "malaria", "--from", MIRROR, home=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def audit(home: Path) -> Audit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(home))
        found = tfcnn.check("malaria", progress=False)
    assert isinstance(found, Audit)
    return found


def test_real_cells_are_hardly_called_near_copies(audit, measuring):
    called = {path for paths in measuring.near_sets(audit) for path in paths}
    assert sum(audit.counts.values()) == IMAGES
    assert len(called) < 0.001 * IMAGES, called
    assert not audit.is_blocking


def test_changed_cells_in_another_split_are_found(audit, measuring, tmp_path):
    copies = measuring.changed(audit, tmp_path / "cells", 200)
    found = tfcnn.check(tmp_path / "cells", progress=False)
    assert found.is_blocking, "what is tested was trained on"
    assert measuring.tell_found(found, copies) >= 0.95


def corrupt(root: Path) -> set[str]:
    """Damage files in five ways; return their paths."""
    rng = np.random.default_rng(0)
    paths = sorted(root.glob("*/*.png"))
    chosen = [paths[i] for i in rng.choice(len(paths), CORRUPT, replace=False)]
    for number, path in enumerate(chosen):
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes(
            (
                data[:middle],
                b"",
                bytes(len(data)),
                rng.bytes(len(data)),
                data[:middle] + bytes(64) + data[middle + 64 :],
            )[number % 5]
        )
    return {path.relative_to(root).as_posix() for path in chosen}


def test_corrupt_files_are_named_and_the_rest_is_trained_on(home, tmp_path):
    root = Path(shutil.copytree(home / "data/malaria/cell_images", tmp_path / "cells"))
    broken = corrupt(root)
    told = json.loads(run_tfcnn("check", root, "--json", home=tmp_path / "home").stdout)
    (unreadable,) = [one for one in told["findings"] if one["kind"] == "unreadable"]
    assert {line.split(":")[0] for line in unreadable["examples"]} == broken
    words = ("--group-regex", r"^(C\d+)", "--epochs", 1, "--image-size", 32)
    result = run_tfcnn("train", root, "--run", "rest", *words, "--set", "model.start=scratch",
                       "--set", "model.options.widths=[16, 32, 64, 128]",
                       home=tmp_path / "home")  # fmt: skip
    assert result.returncode == 0, result.stderr
    run = tmp_path / "home/models/rest"
    report = json.loads((run / "report.json").read_text())
    assert {row["path"] for row in report["quarantined"]} == broken
    with (run / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == IMAGES - CORRUPT and all(row["split"] for row in rows)
    assert not {row["path"] for row in rows} & broken
    page = (run / "report.html").read_text()
    assert all(path in page for path in broken)
