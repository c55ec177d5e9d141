"""Rows as a pandas table; pandas is no dependency of tfcnn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfcnn.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    """Return these columns of rows as a pandas `DataFrame`.

    Raises:
        InputError: if pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise InputError("to_frame", "the library pandas", "none", "pip install pandas") from error
    return pd.DataFrame(rows, columns=list(columns))
