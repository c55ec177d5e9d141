"""What holds for every module of `tfcnn.concepts`: NumPy alone, examples that run, one slide."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfcnn.concepts

MODULES = sorted(
    f"tfcnn.concepts.{module.name}" for module in pkgutil.iter_modules(tfcnn.concepts.__path__)
)


def public_functions(name):
    module = importlib.import_module(name)
    functions = inspect.getmembers(module, inspect.isfunction)
    own = [function for _, function in functions if function.__module__ == name]
    return [function for function in own if not function.__name__.startswith(("_", "check_"))]


def test_all_modules_are_found():
    assert len(MODULES) == 9


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_run(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_only_numpy_and_the_standard_library_are_imported(name):
    tree = ast.parse(Path(importlib.import_module(name).__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported = [node.module]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        else:
            continue
        for target in imported:
            first = target.split(".")[0]
            ours = target.startswith("tfcnn.concepts.")
            assert ours or first == "numpy" or first in sys.stdlib_module_names, target


def test_importing_loads_no_framework():
    # What else `import tfcnn` loads is tested elsewhere; these are what a lesson would wait for.
    heavy = "{'tensorflow', 'keras', 'sklearn', 'scipy', 'matplotlib'}"
    program = f"import sys, {', '.join(MODULES)}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_each_function_fits_on_a_wall_and_is_explained(name):
    for function in public_functions(name):
        source = inspect.getsource(function)
        body = ast.parse(source).body[0].body
        lines = body[-1].end_lineno - body[1].lineno + 1
        assert lines <= 16, function.__name__
        for part in ("Args:", "Returns:"):
            assert part in source, (function.__name__, part)
