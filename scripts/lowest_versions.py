"""Print the lowest version of each library that pyproject.toml allows, for pip to install."""

import re
import tomllib
from pathlib import Path

project = Path(__file__).parents[1] / "pyproject.toml"
for needed in tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]:
    name, lowest = re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", needed).groups()
    print(f"{name}=={lowest}")
