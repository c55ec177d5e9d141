"""What every page that opens from its file is made with: templates, and the hash of a script."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn.base import naming


def environment(*folders: Path) -> jinja2.Environment:
    """Return the templates of folders: all text is escaped, and a missing value is an error.

    Args:
        folders: where they lie; the first that has a template of a name gives it.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def script_hash(text: str) -> str:
    """Return what the policy of a page calls a script or a style that it allows."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _finalize(value: Any) -> Any:
    """Return a value that turns no letters of the page around it; tabs and line ends stay."""
    is_ours = not isinstance(value, str) or isinstance(value, Markup)
    return value if is_ours else naming.visible(value, is_one_line=False)
