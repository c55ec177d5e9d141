"""A saved Keras model, which may be a stranger's: opened in safe mode, and of Keras' own layers."""

from pathlib import Path
from typing import Any

from tfcnn.base import quiet
from tfcnn.base.errors import InputError
from tfcnn.decode import archives

EXPECTED = "a .keras file of Keras' own layers"
HINT = "the run folder as it was written; never a run whose maker you do not trust"
MOST_REASON = 200  # characters


def load(path: Path) -> Any:
    """Return the `keras.Model` in a `.keras` file; no code in it is run.

    Keras' safe mode refuses what would be run, such as a Lambda layer or a class of another
    package, and a zip archive that is a bomb, or leads elsewhere, is refused before.

    Raises:
        InputError: if it is something else.
    """
    for member in archives.members(path):
        if member.fault:
            received = f"an archive with {member.name!r}, {member.fault}"
            raise InputError(path, EXPECTED, received, HINT)
    quiet.load_tensorflow()
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError as error:
        raise InputError(path, EXPECTED, "more memory than there is", HINT) from error
    except Exception as error:  # nearly every type: of Lambda, unknown classes, broken JSON or HDF5
        reason = " ".join(str(error).split()) or "nothing"
        short = reason if len(reason) <= MOST_REASON else f"{reason[:MOST_REASON]} ..."
        raise InputError(path, EXPECTED, f"{type(error).__name__}: {short}", HINT) from error
