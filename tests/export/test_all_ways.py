"""One answer, whichever way it is asked for: each way is used as its user would use it.

What all are compared with is `model.keras`, opened by Keras alone, and the rules of
`settings.json` as `plain_use.py` writes them out anew. No code of tfcnn is in it.
"""

import csv
import functools
import importlib.util
import json
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plain_use
import pytest
from bare_python import make_site
from bare_python import run as run_bare
from conftest import MIRROR, needs_mirror, run_tfcnn
from PIL import Image
from served import serving

from tfcnn import runs
from tfcnn.export import find, litert_int8, names
from tfcnn.prediction import Predictor, domain

PLAIN = Path(plain_use.__file__)
TOLERANCE = 1e-4
ROUNDED = 0.1  # of `trained` in 8 bits
MOST_SENT = 20  # files of a request
DONE_MS = 600_000
MANY = 500
Answers = list[dict[str, Any]]

WITH_SNIPPET = [name for name in names() if find(name).SNIPPET is not None]
MISSING = {
    name: [library for library in find(name).LIBRARIES if importlib.util.find_spec(library) is None]
    for name in WITH_SNIPPET
}


def with_libraries() -> Any:
    """Parametrise by formats; one whose libraries are missing is skipped, and seen to be."""
    params = [
        pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=f"no {missing}"))
        for name, missing in MISSING.items()
    ]
    return pytest.mark.parametrize("name", params)


def exported(run: object, name: str, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litert_int8, "MOST_LOSS", 1)  # 16 val images could prove no less
        result = run_tfcnn("export", run, "--format", name, "--output", folder / name)
    assert result.returncode == 0, result.stderr
    return folder / name


def by_format(name: str, export: Path, files: list[Path], folder: Path) -> Answers:
    """Run the export's own program where only what it names can be imported."""
    site = make_site(folder / f"{name}-site", ["numpy", "pillow", *find(name).SNIPPET_LIBRARIES])
    answer = run_bare(site, PLAIN, export, *files, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def by_keras(run: Path, export: Path, files: list[Path]) -> Answers:
    settings = json.loads((export / "settings.json").read_text())
    computed = plain_use.by_keras(run / "model.keras", settings, files)
    return plain_use.answers(settings, computed)


def by_command(run: Path, files: list[Path], folder: Path) -> Answers:
    target = folder / "predictions.csv"
    result = run_tfcnn("predict", run, *files, "--output", target)
    assert result.returncode == 0, result.stderr
    return of_csv(target)


def of_csv(path: Path) -> Answers:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {
                "probs": [float(row[name]) for name in row if name.startswith("prob_")],
                "decision": row["decision"],
                "flag": row["flag"],
            }
            for row in csv.DictReader(file)
        ]


def by_service(run: Path, files: list[Path], folder: Path) -> Answers:
    with serving(run, folder / "log") as service:
        found = []
        for start in range(0, len(files), MOST_SENT):
            part = files[start : start + MOST_SENT]
            found += service.answers(*((file.name, file.read_bytes()) for file in part))
    return [{**row, "probs": list(row["probs"].values())} for row in found]


def by_page(opened: Any, files: list[Path], folder: Path) -> Answers:
    opened.locator("#images").set_input_files([str(path) for path in files])
    done = re.compile(rf"^{len(files):,} images? done$")
    opened.locator("#progress-text").get_by_text(done).wait_for(timeout=DONE_MS)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Download CSV").click()
    download.value.save_as(folder / "page.csv")
    return of_csv(folder / "page.csv")


def differences(found: Answers, expected: Answers) -> tuple[float, int, int]:
    """Return the largest difference of a probability, and how many decisions and flags differ."""
    assert len(found) == len(expected)
    probs = (np.array([row["probs"] for row in answers]) for answers in (found, expected))
    largest = float(np.abs(np.subtract(*probs)).max())
    pairs = list(zip(found, expected, strict=True))
    counts = [sum(one[key] != other[key] for one, other in pairs) for key in ("decision", "flag")]
    return largest, counts[0], counts[1]


def wary(run: Path, folder: Path, **changes: Any) -> Path:
    """Return a copy of a run that has another threshold, and does not always answer."""
    shutil.copytree(run, folder)
    (folder / runs.DONE).write_text("2026-11-28\n")  # which a shipped run does without
    card = json.loads((folder / runs.CARD).read_text())
    card |= {"threshold": 0.4, "abstention": {"low": 0.3, "high": 0.9}, **changes}
    there = [name for name in (*card["sha256"], runs.DOMAIN) if (folder / name).exists()]
    runs.write_card(runs.Run(folder, card).recorded(*(name for name in there if name != runs.CARD)))
    return folder


def pictures(count: int, noise: int, seed: int) -> Iterator[Image.Image]:
    """Yield pictures between those of the two classes of `trained`, then a few of noise."""
    rng = np.random.default_rng(seed)
    for i in range(count + noise):
        pixels = rng.integers(0, 60 if i < count else 256, (32, 32, 3), dtype=np.uint8)
        if i < count:
            pixels[:16, :, 0] += np.uint8(150 * i / (count - 1))
            pixels[16:, :, 1] += np.uint8(150 - 150 * i / (count - 1))
        yield Image.fromarray(pixels).resize((37, 41))


@pytest.fixture(scope="module")
def own(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small run, with every rule that a run can have."""
    folder, bilinear = tmp_path_factory.mktemp("own") / "cells", Image.Resampling.BILINEAR
    decoded = (picture.resize((32, 32), bilinear) for picture in pictures(120, 0, seed=1))
    images = np.stack([np.asarray(picture) for picture in decoded])
    probs, features = Predictor(runs.open_run(trained), "litert").probs_and_features(images)
    fitted = domain.fit(images, features)
    found = domain.calibrate(fitted, fitted.log_distances(images, features), None)
    run = Path(shutil.copytree(trained, folder.with_name("before")))
    (run / runs.DOMAIN).write_bytes(domain.to_bytes(found.domain))
    low, threshold, high = map(float, np.quantile(probs[:, 0], [0.2, 0.4, 0.6]))
    band = {"low": low, "high": high}
    return wary(run, folder, threshold=threshold, abstention=band, domain=found.settings)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate(pictures(16, 4, seed=0)):
        picture.save(folder / f"P{i:02}_0.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def exports(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("exports")
    return functools.cache(lambda name: exported(own, name, folder))


@pytest.fixture(scope="module")
def expected(own: Path, exports: Callable[[str], Path], files: list[Path]) -> Answers:
    answers = by_keras(own, exports("litert"), files)
    assert {row["decision"] for row in answers} == {"round", "square"}
    assert {row["flag"] for row in answers} == {"", "abstain", "out-of-domain"}
    return answers


def test_the_command_line_follows_the_rules_of_the_settings(own, files, expected, tmp_path):
    largest, decisions, flags = differences(by_command(own, files, tmp_path), expected)
    assert largest < TOLERANCE and decisions == flags == 0


@with_libraries()
def test_each_is_used_without_tfcnn(name, exports, files, expected, tmp_path):
    folder = exports(name)
    content, module = json.loads((folder / "settings.json").read_text()), find(name)
    assert content["class_names"] == ["round", "square"] and content["positive"] == "round"
    assert content["agreement"]["is_real"] and content["file"] == module.FILE
    answers = by_format(name, folder, files, tmp_path)
    largest, decisions, flags = differences(answers, expected)
    if module.TOLERANCE is None:
        assert 0 < largest < ROUNDED
    else:
        assert largest < TOLERANCE and decisions == flags == 0


def cells(mirror: Path, folder: Path) -> None:
    with zipfile.ZipFile(mirror / "cell_images.zip") as archive:
        found = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for name in found[:: len(found) // MANY][:MANY]:
            (folder / Path(name).name).write_bytes(archive.read(name))


def arrays(name: str) -> Callable[[Path, Path], None]:
    def write(mirror: Path, folder: Path) -> None:
        for i, picture in enumerate(np.load(mirror / f"{name}.npz")["x_test"][:MANY]):
            Image.fromarray(picture).save(folder / f"{i:03}.png")

    return write


REAL = {
    "malaria": cells,
    "mnist": arrays("mnist"),
    "fashion": arrays("fashion_mnist"),
    "cifar10": arrays("cifar10"),
}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@needs_mirror
@pytest.mark.parametrize("name", REAL)
def test_five_hundred_real_images_each_way(name, opener, tmp_path):
    """The shipped runs: `malaria` was trained in float32, the others in mixed precision."""
    run, folder = wary(Path(runs.ZOO) / name, tmp_path / name), tmp_path / "images"
    folder.mkdir()
    REAL[name](Path(str(MIRROR)), folder)
    files = sorted(folder.iterdir())
    exact = [one for one in WITH_SNIPPET if find(one).TOLERANCE is not None]
    made = {one: exported(run, one, tmp_path / "exports") for one in exact}
    expected = by_keras(run, made["litert"], files)
    ways = {
        "tfcnn predict": lambda: by_command(run, files, tmp_path),
        "tfcnn serve": lambda: by_service(run, files, tmp_path),
        **{one: functools.partial(by_format, one, made[one], files, tmp_path) for one in exact},
        "page": lambda: by_page(opener(run), files, tmp_path),
    }
    flags = Counter(row["flag"] or "none" for row in expected)
    print(f"\n{name}: {len(files)} images; flags: {dict(flags)}")
    assert len(flags) == 3  # or equal flags would say little
    for way, ask in ways.items():
        largest, decisions, other_flags = differences(ask(), expected)
        print(f"| `{name}` | `{way}` | {largest:.0e} | {decisions} | {other_flags} |", flush=True)
        assert largest < TOLERANCE and decisions == other_flags == 0
