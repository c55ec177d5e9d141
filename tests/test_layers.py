"""The straight line of the design: imports go one way, and heavy libraries come late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfcnn"
# a module may import from lines above its own, and from its own line
ORDER = [
    {"base"},
    {"decode"},
    {"recipes"},
    {"datasets"},
    {"manifest"},
    {"inputs", "architectures"},
    {"runs"},
    {"prediction"},
    {"evaluation", "explain"},
    {"training"},
    {"report"},
    {"lab"},
    {"api"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[str]:
    """Return the units of tfcnn that a file imports, at any depth."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [name.split(".")[1] for name in names if name.startswith("tfcnn.")]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    name = unit(path)
    if name in ("__init__", "__main__"):
        return
    if name == "concepts":
        assert set(imported(path)) <= {"concepts"}, "concepts imports NumPy only"
        return
    assert name in LEVEL, f"{name} has no place in the line: add it to ORDER"
    for other in imported(path):
        if other in LEVEL:
            assert LEVEL[other] <= LEVEL[name], f"{name} imports {other}, which comes after it"


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
            assert length < (70 if unit(path) == "cli" else 45), f"{node.name} is {length} lines"


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


@pytest.mark.parametrize("code", ["import tfcnn", "import tfcnn.cli", "import tfcnn.prediction"])
def test_heavy_libraries_come_late(code):
    assert not loaded_by(code) & {*HEAVY, "pydantic"}


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
