"""Commands without TensorFlow are killed, interrupted and starved at many moments.

After each fault nothing untrue is trusted, and a second call ends as if nothing had happened.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import write_tree
from dataset_fakes import fake_arrays, tree, write_cells, write_npz, write_official, write_zip
from fault_forks import Forks
from fault_hooks import BROKEN, FULL, INTERRUPT, KILL, TORN
from fault_walks import Command, Walker, age, finished_runs

from tfcnn.base import atomic

IGNORED = "tfcnn-ignore.csv"
Commands = dict[str, Callable[[Path, Path, Path], Command]]
MOST = {KILL: 16, TORN: 3, INTERRUPT: 4, FULL: 4, BROKEN: 3}
MANIFEST = r"manifest\.csv$"  # of `check`, which is asked right after the fault
FEW = {KILL: 2, TORN: 1, INTERRUPT: 1, FULL: 1}


def _data(*names: str) -> Callable[[Path], list[str]]:
    """Return what reads the files of data sets that say that they are whole."""
    return lambda home: [
        path.relative_to(home).as_posix()
        for name in names for path in home.glob(f"data/{name}/**/*") if path.is_file()
        if (home / "data" / name / "origin.json").exists()
    ]  # fmt: skip


def of_digits(base: Path, home: Path, cells: Path) -> Command:
    return Command(("download", "digits"), trusted=lambda _: ["data/digits/digits.npz"])


def of_folder(base: Path, home: Path, cells: Path) -> Command:
    mirror = write_cells(base / "mirror")
    words, asks = ("download", "malaria", "--from", mirror), ("check", "malaria")
    return Command(words, trusted=_data("malaria"), asks=asks, ignored=MANIFEST)


def of_zip(base: Path, home: Path, cells: Path) -> Command:
    archive = write_zip(write_cells(base / "mirror"), base / "cell_images.zip")
    return Command(("download", "malaria", "--from", archive), trusted=_data("malaria"))


def of_npz(base: Path, home: Path, cells: Path) -> Command:
    write_npz(base / "mirror" / "mnist.npz", fake_arrays("mnist"))
    return Command(("download", "mnist", "--from", base / "mirror"), trusted=_data("mnist"))


def of_tar(base: Path, home: Path, cells: Path) -> Command:
    write_official("cifar10", base / "mirror", fake_arrays("cifar10"))
    return Command(("download", "cifar10", "--from", base / "mirror"), trusted=_data("cifar10"))


def of_newer(base: Path, home: Path, cells: Path) -> Command:
    """Other cells take the place of those that are there."""
    newer = write_cells(base / "newer", first=100)
    before = base / "before"
    words = ("download", "malaria", "--from")
    asks = ("check", "malaria", "--json")
    return Command((*words, newer), before, trusted=_data("malaria"), asks=asks, ignored=MANIFEST)


def of_check(base: Path, home: Path, cells: Path) -> Command:
    return Command(("check", cells), trusted=lambda _: _manifests(_))


def _manifests(home: Path) -> list[str]:
    return [path.relative_to(home).as_posix() for path in home.glob("data/**/manifest.csv")]


def of_predict(base: Path, home: Path, cells: Path) -> Command:
    return _predict(base, home, cells, "csv")


def of_predict_jsonl(base: Path, home: Path, cells: Path) -> Command:
    return _predict(base, home, cells, "jsonl")


def _predict(base: Path, home: Path, cells: Path, suffix: str) -> Command:
    """The table takes the place of an older one."""
    before, name = base / "before", f"answers.{suffix}"
    shutil.copytree(home, before)
    (before / name).write_text("an older table\n")
    words = ("predict", "cells", cells, "--output", name)
    return Command(words, before, trusted=lambda _: [name])


def of_threshold(base: Path, home: Path, cells: Path) -> Command:
    words = ("threshold", "cells", "--value", "0.3")
    return Command(words, home, asks=("evaluate", "cells"))


def of_report(base: Path, home: Path, cells: Path) -> Command:
    return Command(("report", "cells"), home, trusted=finished_runs)


def of_evaluation(base: Path, home: Path, cells: Path) -> Command:
    unseen = write_tree(base / "unseen", groups=3, side=16, seed=1)
    words = ("evaluate", "cells", "--data", unseen, "--group-regex", "")
    return Command(words, home, trusted=finished_runs)


def of_export(base: Path, home: Path, cells: Path) -> Command:
    words = ("export", "cells", "--format", "litert", "--output", "out")
    before = base / "before"
    shutil.copytree(home, before)
    return Command(words, before, trusted=lambda home: tree(home / "out"))


def of_page(base: Path, home: Path, cells: Path) -> Command:
    words = ("export", "cells", "--format", "page", "--output", "page.html")
    return Command(words, home, trusted=lambda _: ["page.html"])


def of_explain(base: Path, home: Path, cells: Path) -> Command:
    words = ("explain", "cells", cells / "round", "--output", "maps")
    return Command(words, home, trusted=lambda _: ["maps/explanations.csv"])


def of_pictures(base: Path, home: Path, cells: Path) -> Command:
    words = ("predict", "cells", cells / "round", "--output", "a.csv", "--cam", "maps")
    return Command(words, home, trusted=lambda _: ["a.csv"])


def of_lab(base: Path, home: Path, cells: Path) -> Command:
    return Command(
        ("lab", "--export", "site", "--no-lessons"),
        trusted=lambda home: [f"site/{name}" for name in tree(home / "site")],
    )


def of_fix(base: Path, home: Path, cells: Path) -> Command:
    """Two copies are listed, behind a row that a person has added to the list."""
    images = shutil.copytree(cells, base / "before" / "cells")
    for number in (0, 1):
        shutil.copy(images / "round" / f"P{number}_0.png", images / "round" / f"P{number}_9.png")
    (images / IGNORED).write_text("path,reason\nround/P2_0.png,blurred\n")
    words = ("check", "cells", "--fix")
    return Command(words, base / "before", trusted=lambda _: [f"cells/{IGNORED}"], ignored=MANIFEST)


def with_list(folder: Path) -> Path:
    """Return a folder with a list of one image that is left out."""
    first = sorted(folder.rglob("*.png"))[0].relative_to(folder).as_posix()
    (folder / IGNORED).write_text(f"path,reason\n{first},blurred\n")
    return folder


def of_listed_evaluation(base: Path, home: Path, cells: Path) -> Command:
    command = of_evaluation(base, home, cells)
    with_list(base / "unseen")
    return command


def of_listed_predict(base: Path, home: Path, cells: Path) -> Command:
    """It answers for all of them, and not for the list."""
    return _predict(base, home, with_list(Path(shutil.copytree(cells, base / "cells"))), "csv")


def of_clean(base: Path, home: Path, cells: Path) -> Command:
    before = base / "before"
    shutil.copytree(home, before)
    for path in (before / "models/cells/report.html", before / "data/cache/a.npy"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.part_path(path).write_bytes(b"half")
    (before / "models/cells/checkpoint").mkdir()
    (before / "models/cells/checkpoint/state.npz").write_bytes(b"state")
    age(before)
    return Command(("clean",), before, trusted=finished_runs)


COMMANDS: Commands = {
    "download digits": of_digits,
    "download malaria --from FOLDER": of_folder,
    "download malaria --from ZIP": of_zip,
    "download malaria, newer ones": of_newer,
    "download mnist --from FOLDER": of_npz,
    "download cifar10 --from FOLDER": of_tar,
    "check FOLDER": of_check,
    "check --fix": of_fix,
    "predict --output CSV": of_predict,
    "predict --output JSONL": of_predict_jsonl,
    "predict, with an ignore list": of_listed_predict,
    "evaluate --data FOLDER": of_evaluation,
    "evaluate --data, with an ignore list": of_listed_evaluation,
    "threshold": of_threshold,
    "report": of_report,
    "export --format litert": of_export,
    "export --format page": of_page,
    "explain": of_explain,
    "predict --cam": of_pictures,
    "lab --export": of_lab,
    "clean": of_clean,
}
# others start without TensorFlow
WITH_KERAS = {"export --format litert", "export --format page", "explain", "predict --cam"}
SAMPLED = ("download malaria, newer ones", "predict --output CSV", "check FOLDER")


def prepare(name: str, forks: Forks, base: Path, used_home: Path, cells: Path) -> Command:
    """Return a command, with what it needs in `base`."""
    command = COMMANDS[name](base, used_home, cells)
    if name == "download malaria, newer ones":
        older = write_cells(base / "older")
        ended = forks.run("download", "malaria", "--from", older, home=base / "before")
        assert ended.code == 0, str(ended)
    return command


def walk(
    name: str, forks: Forks, base: Path, used_home: Path, cells: Path, most: dict[str, int]
) -> Walker:
    """Inject so many faults of each kind into a command."""
    command = prepare(name, forks, base, used_home, cells)
    walker = Walker(forks, base, command)
    walker.inject(name, most)
    return walker


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COMMANDS)
def test_cut_anywhere_it_loses_nothing(name, request, tmp_path, used_home, cells):
    forks = request.getfixturevalue("keras_forks" if name in WITH_KERAS else "forks")
    walker = walk(name, forks, tmp_path, used_home, cells, MOST)
    assert not walker.walk.losses, "\n".join(walker.walk.losses)


@pytest.mark.parametrize("name", SAMPLED)
def test_cut_at_a_few_moments(name, forks, tmp_path, used_home, cells):
    walker = walk(name, forks, tmp_path, used_home, cells, FEW)
    assert not walker.walk.losses, "\n".join(walker.walk.losses)
    assert walker.walk.faults[KILL] == 2
