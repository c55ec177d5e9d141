"""What leaves the house: a run as a file that needs no tfcnn, one Python file per format.

A format is a module, or a package, of this folder that fulfils `Format`. It is found by its name,
which a command line spells with `-`. Names that begin with `_` are parts of the frame:
`_write` makes an export, `_place` says where it may go, `_job` holds the model, `_images` the
images on which both are compared, `_verify` compares them, `_settings` and `_snippet` write the
files beside the model.
"""

import importlib
import pkgutil
from typing import cast

from tfcnn.base.errors import InputError, nearest
from tfcnn.export._format import Format

__all__ = ["Format", "find", "names"]

OTHER_NAMES = {
    "html": "page",
    "int8": "litert-int8",
    "quantized": "litert-int8",
    "tf": "saved-model",
}


def names() -> list[str]:
    """Return the names of all formats, sorted, as a command line spells them; none is imported."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))


def find(name: str) -> Format:
    """Return the format of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in names():
        near = nearest(OTHER_NAMES.get(_plain(name), _plain(name)), names())
        received = repr(name) + (f" (did you mean {near}?)" if near else "")
        hint = f"--format {near or names()[0]}"
        raise InputError("--format", f"one of {', '.join(names())}", received, hint)
    module = importlib.import_module(f"tfcnn.export.{name.replace('-', '_')}")
    return cast(Format, module)


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")
