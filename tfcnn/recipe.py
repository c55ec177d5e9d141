"""What to train and how: a TOML file under a schema in which an unknown key is an error."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from tfcnn import atomic
from tfcnn.decode import Fit
from tfcnn.errors import InputError

__all__ = [
    "Augment",
    "Recipe",
    "SplitSettings",
    "for_folder",
    "load",
    "names",
    "override",
    "parse",
    "to_toml",
    "write",
]

FOLDER = Path(__file__).parent / "recipes"
Fraction = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Choices = Annotated[tuple[Finite, ...], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSettings(_Section):
    """`[data.split]`: who goes into which split."""

    unit: Literal["group", "image"] = "group"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    test: Literal["auto", "none"] = "auto"
    demonstration: bool = False

    @model_validator(mode="after")
    def _leaks_are_meant(self) -> "SplitSettings":
        if self.unit == "image" and not self.demonstration:
            raise ValueError(
                'expected data.split.demonstration = true with unit = "image", which lets a '
                'patient be on both sides; received false; try unit = "group"'
            )
        return self


class DataSettings(_Section):
    """`[data]`: which images, who belongs together, and how they are decoded."""

    source: str
    group_regex: str | None = None
    group_csv: str | None = None
    positive: str | None = None
    image_size: tuple[int, int] | None = None
    channels: Literal[1, 3] = 3
    fit: Fit = "stretch"
    split: SplitSettings = SplitSettings()

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("image_size")
    @classmethod
    def _sensible(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not all(8 <= side <= 1024 for side in value):
            raise ValueError("expected a height and width of 8 to 1024 px")
        return value


class Augment(_Section):
    """`[inputs.augment]`: random changes of a training image, each drawn anew every epoch.

    Done in this order: quarter turn, rotation to zoom, channel shift, flips, contrast, brightness
    and gain. Angles in degrees, gains and offsets in fractions of 255; shifts under 1 in fractions
    of the side, from 1 on in px, one of a list with a random sign; a zoom over 1 shows more of the
    scene. `brightness = 0.1` means `[0.9, 1.1]`. `like_keras` does what ImageDataGenerator does
    against its words: shifts of height and width, and their centres, are exchanged; brightness
    rounds down.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotate90: bool = False
    rotation_degrees: Size = 0.0
    shift_height: Size | Choices = 0.0
    shift_width: Size | Choices = 0.0
    shear_degrees: Size = 0.0
    zoom: tuple[Finite, Finite] = (1.0, 1.0)
    fill_mode: Literal["nearest", "constant", "reflect", "wrap"] = "nearest"
    fill_value: Annotated[float, Field(ge=0, le=255)] = 0.0
    brightness: Fraction | tuple[Finite, Finite] = 0.0
    contrast: Fraction = 0.0
    channel_gain: Fraction = 0.0
    channel_shift: Size = 0.0
    like_keras: bool = False


class InputSettings(_Section):
    """`[inputs]`: how files become batches.

    `generator` holds ImageDataGenerator's arguments instead of `augment`; either pipeline does
    either.
    """

    pipeline: Literal["tfdata", "generator"] = "tfdata"
    augment: Augment = Augment()
    generator: dict[str, Any] = {}

    @field_validator("augment", mode="before")
    @classmethod
    def _switched_off(cls, value: Any) -> Any:
        return {} if value is False or value == "none" else value

    @model_validator(mode="after")
    def _said_once(self) -> "InputSettings":
        if self.generator and self.augment != Augment():
            raise ValueError(
                "expected one of augment and generator; received both; try augment = false"
            )
        return self


class ModelSettings(_Section):
    """`[model]`: which network, built with which options."""

    network: str = "compact"
    options: dict[str, Any] = {}


class TrainSettings(_Section):
    """`[train]`: optimizer, schedule and stopping."""

    epochs: Annotated[int, Field(ge=1)] = 16
    batch_size: Annotated[int, Field(ge=1)] = 128
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    deterministic: bool = True
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    schedule: Literal["constant", "one_cycle", "cosine"] = "one_cycle"
    warmup_fraction: Fraction = 0.25
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Fraction = 0.9
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    patience: Annotated[int, Field(ge=0)] = 0
    best_weights: bool = True


class EvaluationSettings(_Section):
    """`[evaluation]`: the operating point, chosen on val, and the resampling."""

    sensitivity: Annotated[float, Field(gt=0, lt=1)] | None = None
    specificity: Annotated[float, Field(gt=0, lt=1)] | None = None
    calibrate: bool = True

    @model_validator(mode="after")
    def _one_target(self) -> "EvaluationSettings":
        if self.sensitivity is not None and self.specificity is not None:
            raise ValueError("expected a target sensitivity or specificity, not both")
        return self


class Recipe(_Section):
    """All that decides a run; the run folder keeps a copy."""

    name: str
    data: DataSettings
    inputs: InputSettings = InputSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


def names() -> list[str]:
    """Return the recipes that come with tfcnn."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load(name: str) -> Recipe:
    """Read a recipe by its name, or by the path of a `.toml` file.

    Raises:
        InputError: if there is none, or it does not fit the schema.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise InputError(
            name, "a recipe", "an unknown name", f"one of {', '.join(names())}, or a folder's path"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "a TOML file", str(error), "mending that line") from error
    return parse({"name": path.stem, **content}, subject=str(path))


def for_folder(folder: Path) -> Recipe:
    """Return the default recipe for a user's own folder of class folders."""
    settings = load("folder").model_dump()
    settings["name"] = folder.resolve().name
    settings["data"]["source"] = str(folder.resolve())
    return parse(settings, subject=str(folder))


def override(recipe: Recipe, assignments: list[str]) -> Recipe:
    """Apply `section.key=value` assignments; a value is read as TOML, else as plain text.

    Raises:
        InputError: if one is no assignment, names an unknown key, or has a value of a wrong type.
    """
    settings = recipe.model_dump()
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {assignment}", "section.key=value", "no =", "train.epochs=5")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *sections, last = key.strip().split(".")
        target = settings
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise InputError(f"--set {key}", "a key", f"{section} has no keys", "section.key")
        target[last] = value
    return parse(settings, subject="--set" if assignments else recipe.name)


def parse(settings: dict[str, Any], subject: str) -> Recipe:
    """Check settings against the schema.

    Raises:
        InputError: naming the first key that does not fit, and the nearest one that would.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InputError(
                f"{subject}: {key}", "a key of the recipe", "an unknown one", _nearest(key)
            ) from error
        raise InputError(
            f"{subject}: {key}" if key else subject,
            first["msg"],
            repr(first["input"])[:80],
            "another value, or see the recipe's section in docs/recipes.md",
        ) from error


def _nearest(key: str) -> str:
    known = list(_keys(Recipe))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    section = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == section]
    return near[0] if near else f"one of {', '.join(siblings or known[:5])}"


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, info in model.model_fields.items():
        found.append(prefix + name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found += _keys(info.annotation, f"{prefix}{name}.")
    return found


def to_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML, every setting written out."""
    return tomli_w.dumps(recipe.model_dump(exclude_none=True, mode="json"))


def write(recipe: Recipe, path: Path) -> None:
    """Write a recipe beside the run it decided."""
    atomic.write_text(path, to_toml(recipe))
