"""The straight line of the design: imports go one way, and heavy libraries come late."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfcnn"
HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib")
# | `room/` | ... | the rooms it imports |
ROW = re.compile(r"^\| `([\w.]+?)/?` \|.*\| ([^|]*) \|$", re.MULTILINE)


def table() -> dict[str, list[str]]:
    """Return the rooms that docs/architecture.md lists, in order, with the rooms each imports."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {room.removesuffix(".py"): imports.split() for room, imports in ROW.findall(page)}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    parts = ("tfcnn", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


NAMES = {module_name(path) for path in modules()}


def imports(path: Path) -> set[str]:
    """Return the modules of tfcnn that a file imports, at any depth."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            module = name if name in NAMES else name.rpartition(".")[0]
            modules |= {module} & NAMES
    return modules - {module_name(path), "tfcnn"}


def rooms_imported(room: str) -> set[str]:
    """Return the other rooms that a room imports."""
    used = (imports(path) for path in modules() if room_of(path) == room)
    return {name.split(".")[1] for names in used for name in names} - {room}


def test_every_room_is_in_the_table():
    rooms = {room_of(path) for path in modules()} - {"__init__", "__main__"}
    assert sorted(table()) == sorted(rooms), "docs/architecture.md lists the rooms"


@pytest.mark.parametrize("room", table())
def test_imports_go_one_way(room):
    others, order = rooms_imported(room), list(table())
    assert sorted(others) == sorted(table()[room]), f"what {room} imports, in docs/architecture.md"
    for other in others:
        assert order.index(other) < order.index(room), f"{room} imports {other}, which comes later"


def test_no_two_modules_import_each_other():
    graph = {module_name(path): imports(path) for path in modules()}
    list(TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle


def test_no_two_modules_have_one_name():
    stems = Counter(path.stem for path in modules() if path.stem != "__init__")
    assert [stem for stem, count in stems.items() if count > 1] == []
    assert [stem for stem in stems if stem in table()] == []


def test_the_course_needs_numpy_only():
    for path in (PACKAGE / "concepts").glob("*.py"):
        assert all(name.startswith("tfcnn.concepts") for name in imports(path))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_short(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(path.read_text(encoding="utf-8").splitlines()) < 450
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node)
            length = (node.end_lineno or 0) - node.lineno + 1
            length -= len(docstring.splitlines()) if docstring else 0
            # a Typer command's parameters are its documentation, one to a line
            assert length < (70 if room_of(path) == "cli" else 45), f"{node.name} is {length} lines"


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


@pytest.mark.parametrize("code", ["import tfcnn", "import tfcnn.cli", "import tfcnn.prediction"])
def test_heavy_libraries_come_late(code):
    assert not loaded_by(code) & {*HEAVY, "pydantic"}


def test_a_service_loads_no_heavy_library():
    assert not loaded_by("import tfcnn.serve.server") & {*HEAVY}


def test_help_needs_not_even_numpy():
    assert "numpy" not in loaded_by("import tfcnn.cli")


def test_mistakes_before_a_training_are_told_without_tensorflow():
    code = """import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.training import crossval
try:
    tfcnn.train('malaria', settings=['data.source=nowhere'])
except InputError:
    pass
else:
    raise SystemExit('trained')"""
    assert not loaded_by(code) & {"tensorflow", "keras"}
