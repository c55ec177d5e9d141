"""The warm parents of the processes that are cut, what they work on, and a table at the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fault_tally
import pytest
from conftest import write_tree
from fault_forks import Forks, warm


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show how often each fault was injected."""
    if fault_tally.COUNTS:
        terminalreporter.section("faults injected")
        for line in fault_tally.table():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Give a warm parent without TensorFlow."""
    with warm(tmp_path_factory.mktemp("forks"), with_keras=False) as parent:
        yield parent


@pytest.fixture(scope="session")
def keras_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Give a warm parent that has imported TensorFlow, and has run nothing of it."""
    with warm(tmp_path_factory.mktemp("keras_forks"), with_keras=True) as parent:
        yield parent


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 48 images of 8 groups in two classes, which nothing changes."""
    return write_tree(tmp_path_factory.mktemp("images") / "cells", groups=8, per_group=3, side=16)


@pytest.fixture(scope="session")
def used_home(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a finished run `cells`, to be copied."""
    home = tmp_path_factory.mktemp("used") / "home"
    shutil.copytree(trained, home / "models" / "cells")
    return home
