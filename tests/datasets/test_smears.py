"""The generator of synthetic blood cells: same bytes from the same seed, and a truth that holds."""

import csv
import hashlib
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfcnn.base.errors import InputError
from tfcnn.datasets import smears

Row = dict[str, str]


def read_truth(folder: Path) -> list[Row]:
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smears") / "set"
    smears.generate(folder, seed=3, num_patients=12, cells_per_patient=12)
    return folder


@pytest.fixture(scope="module")
def rows(small: Path) -> list[Row]:
    return read_truth(small)


def test_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    smears.generate(tmp_path / "here", seed=5, num_patients=4, cells_per_patient=4)
    code = (
        "import sys; from pathlib import Path; from tfcnn.datasets import smears; "
        "smears.generate(Path(sys.argv[1]), seed=5, num_patients=4, cells_per_patient=4)"
    )
    there = tmp_path / "elsewhere" / "there"
    subprocess.run([sys.executable, "-c", code, str(there)], check=True)
    assert hashes(tmp_path / "here") == hashes(there)


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    for seed in (0, 1):
        smears.generate(tmp_path / str(seed), seed=seed, num_patients=2, cells_per_patient=3)
    assert not set(hashes(tmp_path / "0").values()) & set(hashes(tmp_path / "1").values())


def test_truth_names_every_picture_and_its_folder(small: Path, rows: list[Row]) -> None:
    on_disk = {path.relative_to(small).as_posix() for path in small.glob("cell_images/*/*")}
    assert on_disk == {row["path"] for row in rows}
    assert len(on_disk) == len(rows) == len({Path(row["path"]).name for row in rows})
    for row in rows:
        assert row["path"].startswith(f"{smears.IMAGES}/{row['given_label']}/")
        assert row["given_label"] == row["true_label"]
    assert {row["given_label"] for row in rows} == {smears.POSITIVE, smears.NEGATIVE}


def test_names_are_spelt_as_in_the_archive(rows: list[Row]) -> None:
    shape = re.compile(r"^C\d+\w*_IMG_\d{8}_\d{6}_cell_\d+\.png$")
    for row in rows:
        name = Path(row["path"]).name
        assert shape.match(name)
        group = re.match(smears.GROUP_REGEX, name)
        assert group and group[1] == row["patient"]
    spellings = {re.sub(r"\d+", "", Path(row["path"]).name.split("_IMG_")[0]) for row in rows}
    assert len(spellings) > 1


def test_masks_mark_exactly_the_infected_cells(small: Path, rows: list[Row]) -> None:
    infected = {Path(row["path"]).name for row in rows if row["true_label"] == smears.POSITIVE}
    assert {path.name for path in (small / "masks").iterdir()} == infected
    for row in rows:
        name = Path(row["path"]).name
        if name not in infected:
            continue
        picture = np.asarray(Image.open(small / row["path"]))
        mask = np.asarray(Image.open(small / "masks" / name))
        assert mask.dtype == np.uint8 and mask.shape == picture.shape[:2]
        assert set(np.unique(mask)) == {0, 255}
        assert picture[mask == 255].min() > 0  # a parasite lies on the cell, not on the black
        assert 0.002 < (mask == 255).mean() < 0.6


def test_parasites_are_stained_darker_than_the_cell_around_them(
    small: Path, rows: list[Row]
) -> None:
    darker = []
    for row in rows:
        if row["true_label"] == smears.POSITIVE:
            green = np.asarray(Image.open(small / row["path"]))[..., 1].astype(float)
            mask = np.asarray(Image.open(small / "masks" / Path(row["path"]).name)) == 255
            darker.append(np.percentile(green[mask], 5) < np.median(green[~mask & (green > 0)]))
    assert np.mean(darker) > 0.95


def test_pictures_are_cells_on_black_of_different_sizes(small: Path, rows: list[Row]) -> None:
    sizes, black = set(), []
    for row in rows:
        with Image.open(small / row["path"]) as image:
            assert image.mode == "RGB"
            pixels = np.asarray(image)
        sizes.add(pixels.shape)
        assert all(46 <= side <= 130 for side in pixels.shape[:2])
        assert not pixels[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        black.append((pixels.sum(axis=2) == 0).mean())
    assert len(sizes) > 20
    assert 0.15 < np.mean(black) < 0.4


def test_a_quarter_of_the_patients_is_healthy_and_sizes_are_skewed(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    smears.generate(folder, num_patients=16, cells_per_patient=6)
    by_patient = defaultdict(list)
    for row in read_truth(folder):
        by_patient[row["patient"]].append(row["true_label"] == smears.POSITIVE)
    assert sum(not any(infected) for infected in by_patient.values()) >= 4
    assert any(any(infected) for infected in by_patient.values())
    counts = [len(infected) for infected in by_patient.values()]
    assert 5 <= np.median(counts) <= 7 < np.mean(counts) < max(counts)


def test_wrong_labels_move_exactly_that_share_and_change_no_picture(
    small: Path, rows: list[Row], tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    smears.generate(folder, seed=3, num_patients=12, cells_per_patient=12, wrong_label_fraction=0.1)
    wrong_rows = read_truth(folder)
    moved = [row for row in wrong_rows if row["given_label"] != row["true_label"]]
    assert len(moved) == round(0.1 * len(rows))
    assert len({row["true_label"] for row in moved}) == 2
    truth = {Path(row["path"]).name: row["true_label"] for row in rows}
    assert truth == {Path(row["path"]).name: row["true_label"] for row in wrong_rows}
    clean, wrong = hashes(small), hashes(folder)
    clean_pictures = {Path(path).name: clean[path] for path in clean if "cell_images" in path}
    wrong_pictures = {Path(path).name: wrong[path] for path in wrong if "cell_images" in path}
    assert clean_pictures == wrong_pictures


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.5, 0.9])
def test_label_correlation_is_the_intraclass_correlation(correlation: float) -> None:
    # between-patient variance of the share, over the variance p (1 - p) of one label
    shares = smears._infected_shares(2000, correlation)
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert shares.var() / 0.25 == pytest.approx(correlation, abs=0.02)


def test_progress_and_atomic_folder(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def stop(done: int, total: int | None) -> None:
        seen.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        smears.generate(tmp_path / "set", num_patients=3, cells_per_patient=4, progress=stop)
    assert [done for done, _ in seen] == [1, 2, 3]
    assert not list(tmp_path.iterdir())  # neither the folder nor what was drawn so far


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": -1},
        {"num_patients": 0},
        {"cells_per_patient": 0},
        {"wrong_label_fraction": 1.5},
        {"label_correlation": 1.0},
        {"label_correlation": float("nan")},
    ],
)
def test_arguments_out_of_range_are_named(tmp_path: Path, arguments: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(arguments))):
        smears.generate(tmp_path / "set", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="holds files"):
        smears.generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_download_draws_once_and_refuses_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()
    whole = smears.generate

    def few(folder: Path, **arguments: object) -> None:
        calls["drawn"] += 1
        whole(folder, num_patients=2, cells_per_patient=2)

    monkeypatch.setattr(smears, "generate", few)
    smears.download(tmp_path / "smears", mirror=None, progress=None)
    smears.download(tmp_path / "smears", mirror=None, progress=None)
    assert calls["drawn"] == 1
    with pytest.raises(InputError, match="mirror"):
        smears.download(tmp_path / "other", mirror="somewhere", progress=None)
    assert not (tmp_path / "other").exists()


def test_the_readme_says_what_the_pictures_are(small: Path) -> None:
    text = " ".join((small / "README.md").read_text(encoding="utf-8").split())
    assert "not photographs of real cells" in text.replace("*", "")
    assert "not for diagnosis" in text


def test_a_small_set_is_drawn_quickly(tmp_path: Path) -> None:
    started = time.process_time()  # of this process alone, so a busy machine does not fail it
    smears.generate(tmp_path / "set", num_patients=6, cells_per_patient=10)
    count = len(read_truth(tmp_path / "set"))
    assert (time.process_time() - started) / count < 0.025
