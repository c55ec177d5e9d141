"""Python in a process that can import some libraries, what they need, and nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

NAME = re.compile(r"[\w.-]+")


def needed_by(libraries: Iterable[str]) -> Iterator[Distribution]:
    """Yield the installed distributions of libraries and of all that they need."""
    waiting, seen = list(libraries), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another Python or system
            continue
        yield found
        for line in found.requires or ():
            if "extra ==" not in line:
                waiting.append(NAME.match(line)[0])


def make_site(folder: Path, libraries: Iterable[str]) -> Path:
    """Fill a folder with links to libraries and all that they need."""
    folder.mkdir(parents=True)
    for found in needed_by(libraries):
        for path in found.files or ():
            top = path.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(found.locate_file(top))
    return folder


def run(site: Path, program: Path, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program with the libraries of `make_site`; `tfcnn` cannot be imported."""
    start = (
        f"import sys, runpy; sys.path.append({str(site)!r}); sys.argv = sys.argv[1:]; "
        "sys.modules['tfcnn'] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, str(program), *map(str, words)],
        capture_output=True, text=True, check=False, cwd=cwd, timeout=900,
    )  # fmt: skip
