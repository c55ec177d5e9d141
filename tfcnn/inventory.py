"""What there is: data sets, networks, recipes and runs, for `tfcnn list`."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from tfcnn import architectures, datasets, runs
from tfcnn.recipe import FOLDER as RECIPES
from tfcnn.terminal import percent

__all__ = ["show", "take"]

COMPLETE = ("origin.json", "truth.csv", "digits.npz")  # the last file that a download writes


def take() -> dict[str, list[dict[str, Any]]]:
    """Return a list of each kind; nothing heavy is imported for it."""
    return {
        "data sets": [
            {
                "name": name,
                "about": datasets.describe(name),
                "present": any((datasets.data_home() / name / file).exists() for file in COMPLETE),
            }
            for name in datasets.names()
        ],
        "networks": [
            {"name": name, "about": architectures.describe(name)} for name in architectures.names()
        ],
        "recipes": [
            {"name": file.stem, "about": _heading(file.read_text(encoding="utf-8"))}
            for file in sorted(RECIPES.glob("*.toml"))
        ],
        "runs": [_run(name) for name in runs.names()],
        "cross-validations": [_crossval(name) for name in runs.crossvals()],
    }


def show(found: dict[str, list[dict[str, Any]]], console: Console) -> None:
    """Print the lists as tables."""
    for title, rows in found.items():
        table = Table(title=title, title_justify="left", show_header=bool(rows))
        for column in rows[0] if rows else ():
            table.add_column(column)
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        if rows:
            console.print(table)
        else:
            console.print(f"{title}: none yet", style="dim")


def _run(name: str) -> dict[str, Any]:
    folder = runs.models_home() / name
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        accuracy = report["splits"].get("test", {}).get("accuracy", {}).get("value")
        return {"name": name, "test accuracy": accuracy, "result": report["sentence"]}
    except (OSError, ValueError, KeyError):
        return {"name": name, "test accuracy": None, "result": "no report"}


def _crossval(name: str) -> dict[str, Any]:
    path = runs.models_home() / name / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        accuracy = summary["metrics"]["accuracy"]["mean"]
        return {"name": name, "mean accuracy": accuracy, "result": summary["sentence"]}
    except (OSError, ValueError, KeyError):
        return {"name": name, "mean accuracy": None, "result": "no summary"}


def _heading(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ").strip()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return percent(value) if isinstance(value, float) or value is None else str(value)
