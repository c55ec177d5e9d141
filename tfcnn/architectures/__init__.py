"""What the network is: one file per network, each with `build` and `MIN_SIZE`.

A network has its file's name. Its options are read from the file's text, so that `tfcnn list` and a
mistyped option need no import of Keras. Files starting with `_` are private, and `structure` is
none. A user's own file is named by its path, which ends in `.py`, wherever a network's name may
stand.
"""

import ast
import functools
import importlib
import importlib.util
import json
import pkgutil
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tfcnn.base import own_files
from tfcnn.base.errors import InputError, UnfitValueError

if TYPE_CHECKING:
    import keras


def names() -> list[str]:
    """Return the names of all networks, sorted, without importing any."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_") and name != "structure")


def find(name: str) -> str:
    """Return the module name of a network, which a command line may spell with `-`.

    The path of a user's own file is returned as it is.

    Raises:
        InputError: if there is no such network.
    """
    if own_files.is_own(name):
        return name
    module_name = name.replace("-", "_")
    if module_name not in names():
        raise InputError("network", f"one of {', '.join(names())}", repr(name), "tfcnn list")
    return module_name


def describe(name: str) -> str:
    """Return the first line of a network's docstring, without importing it.

    Raises:
        InputError: if there is no such network.
    """
    return (ast.get_docstring(_source(find(name))) or "").partition("\n")[0]


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Check names and types of options against the signature of `build`, without Keras.

    Args:
        name: the network.
        options: values of int, float, bool, str, None, or lists or tuples of these.

    Raises:
        InputError: if there is no such network, or an option is unknown or of another type.
    """
    types = {key: option.annotation for key, option in _options(find(name)).items()}
    for key, value in options.items():
        subject = f"network {name}, option {key!r}"
        if key not in types and _takes_any(name):
            continue
        if key not in types:
            expected = f"one of: {', '.join(types) or 'none'}"
            raise InputError(subject, expected, repr(key), "another spelling")
        if not _is_valid(value, types[key]):
            raise InputError(subject, types[key], repr(value), "such a value")


def build(
    name: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    options: Mapping[str, Any] | None = None,
) -> "keras.Model":
    """Build a network by name, under the global dtype policy.

    Args:
        name: the network; `-` and `_` are the same.
        input_shape: `(height, width, channels)`.
        num_classes: at least 2.
        options: keyword arguments of the network's own `build`.

    Returns:
        A model from pixels in [0, 255], shape `(batch, height, width, channels)`, to probabilities.

    Raises:
        InputError: if the name, an option or the image size does not fit, or a user's own file
            returns something else.
    """
    model = build_unchecked(name, input_shape, num_classes, options)
    if own_files.is_own(name):
        _require_structure(name, model, input_shape, num_classes)
    return model


def build_unchecked(
    name: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Return what a network's `build` returns, whatever that is; see `build`."""
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in (options or {}).items()}
    check_options(name, options)
    if num_classes < 2:
        raise InputError(f"network {name}", "at least 2 classes", str(num_classes), "more folders")
    try:
        return part(name, "build")(tuple(input_shape), num_classes, **options)
    except ValueError as error:
        raise _refusal(name, input_shape, error) from error


def is_backbone(name: str) -> bool:
    """Return whether a network can begin with weights that it learnt before: its option `weights`.

    Raises:
        InputError: if there is no such network.
    """
    return "weights" in _options(find(name))


def weights(name: str, options: Mapping[str, Any]) -> str | None:
    """Return what a backbone begins with: the value of its option `weights`; None for nothing.

    Args:
        name: the network.
        options: as for `build`.
    """
    if not is_backbone(name):
        return None
    value = options.get("weights", _options(find(name))["weights"].default)
    return None if value in (None, "none") else str(value)


def smallest_size(name: str) -> tuple[int, int]:
    """Return the smallest images of a network, `(height, width)` in px, without importing it.

    A user's own file need not say it: `(1, 1)`.
    """
    if own_files.is_own(name) and not has_constant(name, "MIN_SIZE"):
        return 1, 1
    height, width = _constant(find(name), "MIN_SIZE")
    return height, width


def has_constant(name: str, constant: str) -> bool:
    """Say whether a network's file defines a constant, without importing it."""
    return _value(find(name), constant) is not None


def image_size(name: str, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size of the images a backbone learnt from, without importing it.

    A backbone's file has `IMAGE_SIDES = (option, {value: side in px})`, with a side for `None`
    where other values of the option may come.

    Args:
        name: the network.
        options: as for `build`.

    Returns:
        `(height, width)` in px; None for a network that is no backbone.
    """
    module_name = find(name)
    if not is_backbone(name):
        return None
    option, sides = _constant(module_name, "IMAGE_SIDES")
    side = sides.get(options.get(option, _options(module_name)[option].default), sides.get(None))
    return None if side is None else (side, side)


def part(name: str, attribute: str) -> Any:
    """Return what a network's file defines beside `build`, or None.

    Args:
        name: the network.
        attribute: "ORIGIN", what the weights of a backbone have learnt from; "LOSS_WEIGHTS", one
            per output of a network with auxiliary classifiers; "without_auxiliary", a function
            that returns such a network without them; "initialize", a function that sets weights
            from training images.

    Raises:
        InputError: if there is no such network.
    """
    if not own_files.is_own(name):
        return getattr(importlib.import_module(f"{__name__}.{find(name)}"), attribute, None)
    value = getattr(own_files.load(Path(name), own_files.NETWORK), attribute, None)
    return _guarded(Path(name), value) if callable(value) else value


def require_size(input_shape: tuple[int, int, int], smallest: tuple[int, int]) -> None:
    """Refuse images too small for a network's strides.

    Args:
        input_shape: `(height, width, channels)`.
        smallest: `(height, width)`.

    Raises:
        UnfitValueError: if a side is shorter than the smallest.
    """
    height, width = input_shape[:2]
    if height < smallest[0] or width < smallest[1]:
        least = f"{smallest[0]}x{smallest[1]}"
        raise UnfitValueError(f"images of at least {least}", f"{height}x{width}")


def _refusal(name: str, input_shape: tuple[int, int, int], error: ValueError) -> InputError:
    """Return the error that names the network: what it refuses itself, or what Keras says."""
    expected = f"options that fit {'x'.join(map(str, input_shape))} images"
    received = str(error)
    if isinstance(error, UnfitValueError):
        expected, received = error.expected, error.received
    hint = "another data.image_size, option or network"
    return InputError(f"network {name}", expected, received, hint)


def _guarded(path: Path, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a user's file that fails with an error of one line."""
    name = getattr(function, "__name__", "it")

    def guarded(*arguments: Any, **options: Any) -> Any:
        with own_files.running(path, f"a file whose {name} returns"):
            return function(*arguments, **options)

    return guarded


def _require_structure(
    name: str, model: Any, input_shape: tuple[int, int, int], num_classes: int
) -> None:
    """Refuse what a user's `build` returned, where tfcnn cannot train, save or load it.

    Raises:
        InputError: naming the file.
    """
    from tfcnn.architectures import structure  # late: it imports Keras

    hint = f"`tfcnn check {name}`, and docs/extend.md"
    with own_files.running(Path(name), "a network that can be looked into"):
        fault = structure.fault(model, input_shape, num_classes)
    if fault:
        expected, received = fault
        raise InputError(name, f"a network that {expected}", received, hint)
    others = len(model.outputs) - 1
    missing = [one for one in ("LOSS_WEIGHTS", "without_auxiliary") if part(name, one) is None]
    if others and missing:
        received = f"{others} more, without {' and '.join(missing)}"
        raise InputError(name, "a network of one output", received, hint)


def _source(module_name: str) -> ast.Module:
    if own_files.is_own(module_name):
        return own_files.tree(Path(module_name), own_files.NETWORK)
    return _packaged(module_name)


@functools.cache
def _packaged(module_name: str) -> ast.Module:
    spec = importlib.util.find_spec(f"{__name__}.{module_name}")
    if spec is None or spec.origin is None:
        raise InputError(f"network {module_name}", "a readable file", "none", "tfcnn list")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


class _Option(NamedTuple):
    annotation: str
    default: Any


def _options(module_name: str) -> dict[str, _Option]:
    """Return the options of `build`: all but its first two arguments."""
    function = own_files.functions(_source(module_name))["build"]
    positional = function.args.posonlyargs + function.args.args
    arguments = positional[2:] + function.args.kwonlyargs
    given = [*function.args.defaults, *function.args.kw_defaults]
    defaults = [*[None] * (len(arguments) - len(given)), *given]
    return {
        argument.arg: _Option(
            ast.unparse(argument.annotation) if argument.annotation else "Any", _literal(default)
        )
        for argument, default in zip(arguments, defaults, strict=True)
    }


def _takes_any(name: str) -> bool:
    """Say whether `build` takes options that it does not name: `**options`."""
    return own_files.functions(_source(find(name)))["build"].args.kwarg is not None


def _constant(module_name: str, constant: str) -> Any:
    """Return the value of a constant of a network's file, which is written out there."""
    node, subject = _value(module_name, constant), f"network {module_name}"
    if node is None:
        raise InputError(subject, constant, "none", "adding it to its file")
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        received = ast.unparse(node)
        raise InputError(subject, f"{constant} written out", received, "numbers") from error


def _value(module_name: str, constant: str) -> ast.expr | None:
    """Return what a constant of a network's file is set to there, or None."""
    for node in _source(module_name).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
            return node.value
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == constant:
            return node.value
    return None


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:  # an expression
        return None


def _is_valid(value: object, annotation: str) -> bool:
    """Return whether a value has the annotated type; an int counts as a float, no bool as an int.

    Options come from TOML. They are validated as JSON, where an array is a list and a tuple.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        kind = TypeAdapter(eval(annotation, vars(typing).copy()))
    except (NameError, TypeError, AttributeError, PydanticUserError):
        # a type of the network's own, which `build` checks
        return True
    try:
        kind.validate_json(json.dumps(value, default=repr, allow_nan=False), strict=True)
    except ValueError:  # pydantic's ValidationError is one, and json's of NaN
        return False
    return True
