"""What there is: data sets, networks, recipes, runs and shipped models."""

from typing import Any

from tfcnn import architectures, datasets, runs
from tfcnn.base.errors import TfcnnError
from tfcnn.display.figures import percent
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.recipes import FOLDER as RECIPES

# a file that is none, or one whose content is not what was written
DAMAGE = (TfcnnError, OSError, KeyError, TypeError, AttributeError)


class Inventory(Shown, dict[str, list[dict[str, Any]]]):
    """Per kind a list of what there is, each a row of `name` and what is known of it."""

    def grids(self) -> list[Grid]:
        """Return a table per kind that has rows."""
        return [
            Grid(
                list(rows[0]),
                [[_cell(value) for value in row.values()] for row in rows],
                title=kind,
                num_texts=len(rows[0]),
            )
            for kind, rows in self.items()
            if rows
        ]

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        empty = [f"{kind}: none yet" for kind, rows in self.items() if not rows]
        return Panel("What tfcnn knows here", notes=empty, grids=self.grids())


def take() -> Inventory:
    """Return all of it; nothing heavy is imported for it."""
    lists: dict[str, list[dict[str, Any]]] = {
        "data sets": [
            {
                "name": name,
                "about": datasets.describe(name),
                "present": _is_present(name),
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
        "shipped models": [
            {"name": path.name, "for": about.purpose, "result": about.result}
            for path in sorted(runs.ZOO.glob("*/"))
            if (about := runs.read_about(path))
        ],
        "runs": [_run(name) for name in runs.names()],
        "cross-validations": [_crossval(name) for name in runs.crossvals()],
    }
    return Inventory(lists)


def _is_present(name: str) -> bool:
    """Say whether the images of a data set are on the disk, without listing them."""
    folder = datasets.data_home() / name
    if datasets.is_local(name):  # written under hidden names, then renamed
        return any(folder.glob("[!.]*"))
    return (folder / "origin.json").exists()  # written last


def _run(name: str) -> dict[str, Any]:
    accuracy, result = None, "no report"
    try:
        report = runs.read(runs.models_home() / name).report
        if report:
            accuracy = report["splits"].get("test", {}).get("accuracy", {}).get("value")
            result = report["sentence"]
    except DAMAGE as error:
        accuracy, result = None, _damaged(error, runs.REPORT)
    return {"name": name, "test accuracy": accuracy, "result": result}


def _crossval(name: str) -> dict[str, Any]:
    try:
        summary = runs.read_summary(runs.models_home() / name)
        accuracy, result = summary["metrics"]["accuracy"]["mean"], summary["sentence"]
    except DAMAGE as error:
        accuracy, result = None, _damaged(error, runs.SUMMARY)
    return {"name": name, "mean accuracy": accuracy, "result": result}


def _damaged(error: Exception, name: str) -> str:
    """Say what is wrong with a run, so that the others are listed all the same."""
    reason = str(error) if isinstance(error, TfcnnError) else f"{name}: {error!r}"
    return f"damaged: {reason}"


def _heading(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ").strip()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return percent(value) if isinstance(value, float) or value is None else str(value)
