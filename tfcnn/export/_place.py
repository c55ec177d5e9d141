"""Where an export goes: it takes the place of an earlier one, and of nothing else."""

from pathlib import Path

from tfcnn.base import files
from tfcnn.base.errors import InputError
from tfcnn.export import find, names
from tfcnn.export._format import Format
from tfcnn.export._settings import SETTINGS
from tfcnn.export._snippet import SNIPPET

EXPECTED = "a new folder, or an earlier export"


def suffix(format_module: Format) -> str:
    """Return how the name of an export ends: "" for a folder."""
    return "" if format_module.SNIPPET is not None else Path(format_module.FILE).suffix


def check(target: Path, format_module: Format) -> None:
    """Refuse a place that holds something else than an earlier export.

    Raises:
        InputError: if it does, or if the name is not one for this format.
    """
    kind, ending = files.what(target), suffix(format_module)
    here = Path.cwd()
    if target.resolve() in (here, *here.parents):
        raise InputError(target, EXPECTED, "the working folder, or one above it", "--output NAME")
    if ending:
        if kind not in ("", files.NOTHING) or target.suffix.lower() != ending:
            received = kind if kind not in ("", files.NOTHING) else "a name without it"
            raise InputError(
                target, f"a name for a file, with {ending}", received, f"--output NAME{ending}"
            )
    elif kind != files.NOTHING and not (kind == files.FOLDER and _is_free(target)):
        received = "a folder of other files" if kind == files.FOLDER else kind or "a file"
        raise InputError(target, EXPECTED, received, "--output FOLDER")


def _is_free(folder: Path) -> bool:
    """Say whether a folder is empty, or holds an earlier export and nothing of somebody else."""
    found = {path.name for path in folder.iterdir()}
    beside = {SETTINGS, SNIPPET}
    return not found or (beside <= found <= beside | {find(name).FILE for name in names()})
