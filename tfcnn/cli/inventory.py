"""What `tfcnn list` prints: data sets, networks, recipes and runs."""

from typing import Any

from rich.table import Table

from tfcnn import architectures, datasets, runs
from tfcnn.base.errors import TfcnnError
from tfcnn.cli.terminal import Console, percent
from tfcnn.recipes import FOLDER as RECIPES

# a file that is none, or one whose content is not what was written
DAMAGE = (TfcnnError, OSError, KeyError, TypeError, AttributeError)


def take() -> dict[str, list[dict[str, Any]]]:
    """Return a list of each kind; nothing heavy is imported for it."""
    return {
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
        "runs": [_run(name) for name in runs.names()],
        "cross-validations": [_crossval(name) for name in runs.crossvals()],
    }


def _is_present(name: str) -> bool:
    """Say whether the images of a data set are on the disk, without listing them."""
    folder = datasets.data_home() / name
    if datasets.is_local(name):  # written under hidden names, then renamed
        return any(folder.glob("[!.]*"))
    return (folder / "origin.json").exists()  # written last


def show(lists: dict[str, list[dict[str, Any]]], console: Console) -> None:
    """Print the lists as tables."""
    for title, rows in lists.items():
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
