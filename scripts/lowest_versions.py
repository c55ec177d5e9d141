"""Print the lowest version of each library that pyproject.toml allows, for pip to install.

Those of the extra `serve` are among them: they are small, and a service is easily broken by one.
"""

import re
import tomllib
from pathlib import Path

project = Path(__file__).parents[1] / "pyproject.toml"
told = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
for needed in [*told["dependencies"], *told["optional-dependencies"]["serve"]]:
    name, lowest = re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", needed).groups()
    print(f"{name}=={lowest}")
