"""The entry point: runs the command line and turns every error into one line and an exit code."""

import gc
import os
import sys
import traceback
from typing import Any

from tfcnn.base import continuing, interrupts, naming, quiet
from tfcnn.base.errors import TfcnnError, did_you_mean, of_system


def main() -> None:
    """Run the command line: exit 0 done, 1 internal fault, 2 bad input, 3 a check failed.

    An interrupted command (exit 130) prints the line that continues it.
    """
    import typer

    from tfcnn.cli import app

    interrupts.listen()
    try:
        words = sys.argv[1:] or ["--help"]
        continuing.remember(words)
        sys.exit(app(words, prog_name="tfcnn", standalone_mode=False))
    except typer.TyperException as error:
        _fail(_misused(error), 2)
    except TfcnnError as error:
        _fail(str(error), error.exit_code)
    except interrupts.Interrupted as error:
        _fail(f"interrupted; to continue: {continuing.line(bool(_notes(error)))}", 130)
    except OSError as error:
        known = of_system(error)
        if known is not None:
            _fail(str(known), known.exit_code)
        _internal(error)
    except Exception as error:
        _internal(error)
    finally:
        gc.freeze()  # at its end Python looks for garbage in all that TensorFlow made: a second


def _notes(error: BaseException) -> list[str]:
    """Return the notes on an error; `training.resume` notes that a run can be resumed."""
    return getattr(error, "__notes__", [])


def _misused(error: Any) -> str:
    """Return in one line, and in our words, what Typer says in a box of several."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tfcnn"
    if type(error).__name__ == "NoSuchOption":
        return _unknown_option(error.option_name, context, command)
    text = error.format_message().replace("Value error, ", "").rstrip(".")
    received = f"something else: {text[:1].lower()}{text[1:]}"
    return f"{command}: expected what its help lists; received {received}; try {command} -h"


def _unknown_option(name: str, context: Any, command: str) -> str:
    """Say which option may have been meant, or which commands have one of this name."""
    from typer.main import get_command

    from tfcnn.cli import app

    own = [text for parameter in context.command.params for text in parameter.opts]
    group: Any = get_command(app)
    others = [
        other for other, subcommand in group.commands.items()
        if _has(subcommand, name)
    ]  # fmt: skip
    is_short = any(_has(group.commands[other], "--set") for other in others)
    key = _key(name) if "--set" in own and not is_short else None
    hint = f"--set {key}=..." if key else f"{command} -h"
    received = name
    if others:  # one that is spelt right there
        received += f", which is an option of {', '.join(others)}"
    elif not key:
        received += did_you_mean(name, own)
    return f"{command}: expected an option that it has; received {received}; try {hint}"


def _has(command: Any, option: str) -> bool:
    return any(option in parameter.opts for parameter in command.params)


def _key(option: str) -> str | None:
    """Return the recipe's key that has the name of an option, such as train.class_weights."""
    from tfcnn import recipes

    last = option.lstrip("-").replace("-", "_")
    keys = [key for key in recipes.known_keys() if last == key.rpartition(".")[2] != key]
    return keys[0] if len(keys) == 1 else None


def _fail(message: str, code: int) -> None:
    print(f"error: {naming.visible(message)}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def _internal(error: Exception) -> None:
    if os.environ.get("TFCNN_DEBUG"):
        raise error
    try:
        place = f"details in {quiet.write_details(traceback.format_exc())}; "
    except OSError:  # a full disk, a folder that may not be written
        place = ""
    summary = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    _fail(f"a fault in tfcnn: {summary} ({place}TFCNN_DEBUG=1 shows them)", 1)


if __name__ == "__main__":
    main()
