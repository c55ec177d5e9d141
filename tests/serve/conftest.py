"""Services that tests share: a start takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import TOKEN, Service, serving


@pytest.fixture
def cell(trained: Path) -> bytes:
    """An image that is round."""
    return (trained.parents[2] / "cells/round/P0_0.png").read_bytes()


@pytest.fixture(scope="session")
def plain(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service as it is without an option."""
    with serving(trained, tmp_path_factory.mktemp("plain") / "log") as opened:
        yield opened


@pytest.fixture(scope="session")
def guarded(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that others reach, with a token."""
    log = tmp_path_factory.mktemp("guarded") / "log"
    with serving(trained, log, "--host", "0.0.0.0", TFCNN_TOKEN=TOKEN) as opened:
        yield opened
