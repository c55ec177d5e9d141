"""The schema of a recipe: sections and keys, their types, ranges and defaults."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tfcnn.base import naming
from tfcnn.base.errors import UnfitValueError
from tfcnn.decode import Background, Fit

# strict: neither true nor "3" is a number
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
Target = Annotated[float, Field(gt=0, lt=1, strict=True)]
# the usual rates of Muon are far too large for Adam, and those of Adam too small for Muon
MUON_LEAST, ADAM_MOST = 0.005, 0.05
Choices = Annotated[tuple[Finite, ...], Field(min_length=1)]
# of `[train]`, with an effect on epochs alone
OF_EPOCHS = (
    "batch_scaling", "warmup_epochs", "clip_norm", "ema", "loss", "mixup", "finetune_layers",
)  # fmt: skip
Start = Literal["auto", "frozen", "finetune", "scratch"]


class _Section(BaseModel):
    # a class folder may be called 1
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class SplitSettings(_Section):
    """`[data.split]`: who goes into which split.

    `val_fraction` is val's share of all images (default 15 %). Where there is an official test set,
    it is val's share of the other images (default 10 %). Groups are dealt in twentieths.
    """

    unit: Literal["group", "image"] = "group"
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 0
    test: Literal["auto", "none"] = "auto"
    val_fraction: Annotated[float, Field(gt=0, lt=0.5, strict=True)] | None = None
    demonstration: bool = False

    @model_validator(mode="after")
    def _leaks_are_meant(self) -> "SplitSettings":
        if self.unit == "image" and not self.demonstration:
            expected = (
                'data.split.demonstration = true with unit = "image", which lets a group be on '
                "both sides"
            )
            raise UnfitValueError(expected, "false", 'unit = "group"')
        return self


class DataSettings(_Section):
    """`[data]`: which images, who belongs together, and how they are decoded.

    None leaves a setting to the data. An empty `group_regex`, `positive` or `ignore_csv` means
    none, even where the data set has its own. Any other setting that is empty counts as absent.
    """

    source: str
    ignore: tuple[str, ...] = ()
    ignore_csv: str | None = None
    corrections_csv: str | None = None
    corrections_test: bool = False
    labels_csv: str | None = None
    label_column: str | None = None
    group_regex: str | None = None
    group_csv: str | None = None
    group_from: Literal["name", "folder", "folder-above"] = "name"
    path_column: str | None = None
    group_column: str | None = None
    positive: str | None = None
    image_size: tuple[int, int] | None = None
    channels: Literal[1, 3] = 3
    fit: Fit = "stretch"
    background: Background = "black"
    split: SplitSettings = SplitSettings()

    @model_validator(mode="after")
    def _grouped_once(self) -> "DataSettings":
        if self.group_regex and self.group_csv:
            raise UnfitValueError("group_regex or group_csv", "both", "one of them")
        if self.group_from != "name" and (self.group_regex or self.group_csv):
            other = "group_regex" if self.group_regex else "group_csv"
            expected = f'group_from = "{self.group_from}" or {other}'
            raise UnfitValueError(expected, "both", "one of them")
        if (self.path_column or self.group_column) and not (self.group_csv or self.labels_csv):
            expected = "group_csv beside path_column and group_column, which name its columns"
            hint = "data.group_csv=groups.csv, or data.labels_csv=labels.csv"
            raise UnfitValueError(expected, "none", hint)
        return self

    @model_validator(mode="after")
    def _labelled_once(self) -> "DataSettings":
        if self.label_column and not self.labels_csv:
            expected = "labels_csv beside label_column, which names its column"
            raise UnfitValueError(expected, "none", "data.labels_csv=labels.csv")
        if self.labels_csv and self.group_from != "name":
            expected = f'group_from = "{self.group_from}" or labels_csv'
            hint = "a column group in the table, or data.group_regex, which paths are searched for"
            raise UnfitValueError(expected, "both", hint)
        return self

    @model_validator(mode="after")
    def _corrected_by_a_table(self) -> "DataSettings":
        if self.corrections_test and not self.corrections_csv:
            expected = "corrections_csv beside corrections_test, which lets it reach the test split"
            raise UnfitValueError(expected, "none", "data.corrections_csv=corrections.csv")
        return self

    @field_validator("ignore", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        patterns = (value,) if isinstance(value, str) else value
        return tuple(filter(None, patterns)) if isinstance(patterns, list | tuple) else patterns

    @field_validator(
        "corrections_csv", "labels_csv", "label_column", "group_csv", "path_column",
        "group_column", mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        sides = (value, value) if isinstance(value, int) else value
        if value is None or (isinstance(sides, list | tuple) and [*map(type, sides)] == [int, int]):
            return sides
        raise UnfitValueError("a side in px, or height and width", repr(value), "64 or [48, 64]")

    @field_validator("image_size")
    @classmethod
    def _sensible(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not all(8 <= side <= 1024 for side in value):
            expected = "a height and width of 8 to 1024 px"
            raise UnfitValueError(expected, f"{value[0]} x {value[1]}", "64 or [48, 64]")
        return value


class Augment(_Section):
    """`[inputs.augment]`: random changes of a training image, drawn again in every epoch.

    The order is: quarter turn, rotation, shift, shear, zoom, channel shift, flips, contrast,
    brightness, gain. Angles are in degrees, gains and offsets in fractions of 255. A shift under 1
    is a fraction of the side, any other is in px; of a list, one is drawn and gets a random sign. A
    zoom over 1 shows more of the scene. `brightness = 0.1` means `[0.9, 1.1]`. `like_keras` repeats
    what ImageDataGenerator does and does not document: it exchanges the axes of shifts and of
    centres, and it rounds brightness down. `flip_horizontal = "auto"` mirrors unless class names
    or training images show that left and right tell the classes.
    """

    flip_horizontal: bool | Literal["alternating", "auto"] = False
    flip_vertical: bool | Literal["alternating"] = False
    rotate90: bool = False
    rotation_degrees: Size = 0.0
    shift_height: Size | Choices = 0.0
    shift_width: Size | Choices = 0.0
    shear_degrees: Size = 0.0
    zoom: tuple[Finite, Finite] = (1.0, 1.0)
    fill_mode: Literal["nearest", "constant", "reflect", "wrap"] = "nearest"
    fill_value: Annotated[float, Field(ge=0, le=255, strict=True)] = 0.0
    brightness: Fraction | tuple[Finite, Finite] = 0.0
    contrast: Fraction = 0.0
    channel_gain: Fraction = 0.0
    channel_shift: Size = 0.0
    like_keras: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> "Augment":
        if self.like_keras:  # allows what Keras allows
            return self
        lowest = self.brightness[0] if isinstance(self.brightness, tuple) else 0.0
        for name, is_right, expected, value in (
            ("zoom", min(self.zoom) > 0, "factors over 0", self.zoom),
            ("brightness", lowest >= 0, "factors of 0 or more", self.brightness),
            ("channel_shift", self.channel_shift <= 1, "a fraction of 255", self.channel_shift),
        ):
            if not is_right:
                raise UnfitValueError(f"{expected} as {name}", str(value), "less")
        return self


class InputSettings(_Section):
    """`[inputs]`: how files become batches.

    `generator` holds ImageDataGenerator's arguments, and `augment` is absent then. Both pipelines
    can do both. With `cache = "none"` images are decoded whenever they are needed, in each epoch.
    """

    pipeline: Literal["tfdata", "generator"] = "tfdata"
    cache: Literal["disk", "none"] = "disk"
    augment: Augment = Augment()
    generator: dict[str, Any] = {}

    @field_validator("augment", mode="before")
    @classmethod
    def _switched_off(cls, value: Any) -> Any:
        return {} if value is False or value == "none" else value

    @model_validator(mode="after")
    def _augmented_once(self) -> "InputSettings":
        if self.generator and self.augment != Augment():
            raise UnfitValueError("one of augment and generator", "both", "augment = false")
        return self


class ModelSettings(_Section):
    """`[model]`: which network, built with which options, and what its training begins from.

    `start` is absent for what the network is made for: "finetune" for a backbone, whose weights
    have learnt something before, "scratch" for any other.
    """

    network: str = "compact"
    options: dict[str, Any] = {}
    start: Start | None = None
    views: Literal["one", "mirrored", "turned", "shifted"] = "one"


# a setting of [train], and the value of another one that it belongs to
OWNED = (
    ("plateau_factor", "schedule", "reduce_on_plateau"),
    ("plateau_patience", "schedule", "reduce_on_plateau"),
    ("focal_gamma", "loss", "focal"),
)


class TrainSettings(_Section):
    """`[train]`: optimizer, schedule, loss, stopping; `finetune_*` where a backbone is fine-tuned.

    `batch_size` counts the images of a step over all devices. With `batch_scaling` it is of one
    device, and `learning_rate` is multiplied by their number, or by its root.
    `ema`, `clip_norm`, `mixup` and `warmup_epochs` are off at 0. `finetune_layers` under 1 is a
    fraction of the layers, any other number counts them.
    """

    epochs: Annotated[int, Field(ge=1, strict=True)] = 16
    batch_size: Annotated[int, Field(ge=1, strict=True)] = 128
    seed: Annotated[int, Field(ge=0, lt=2**31, strict=True)] = 0
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    deterministic: bool = True
    strategy: Literal["auto", "single", "mirrored", "multi-worker"] = "auto"
    batch_scaling: Literal["none", "linear", "root"] = "none"
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "muon"] = "adamw"
    learning_rate: Rate = 2e-3
    schedule: Literal["constant", "one_cycle", "cosine", "linear", "reduce_on_plateau"] = (
        "one_cycle"
    )
    warmup_fraction: Fraction = 0.25
    warmup_epochs: Size = 0.0
    plateau_factor: Target = 0.5
    plateau_patience: Annotated[int, Field(ge=1, strict=True)] = 3
    weight_decay: Size = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.9
    clip_norm: Size = 0.0
    ema: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    loss: Literal["crossentropy", "focal"] = "crossentropy"
    focal_gamma: Size = 2.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    class_weights: Literal["none", "balanced"] | dict[str, Rate] = "none"
    mixup: Fraction = 0.0
    patience: Annotated[int, Field(ge=0, strict=True)] = 0
    best_weights: bool = True
    finetune_epochs: Annotated[int, Field(ge=0, strict=True)] = 4
    finetune_learning_rate: Rate = 6e-4
    finetune_layers: Literal["all"] | Rate = "all"
    minutes: Rate | None = None

    @field_validator("class_weights", mode="before")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        weights = value.values() if isinstance(value, dict) else (1,)
        if not weights or not all(type(one) in (int, float) and one > 0 for one in weights):
            expected = '"none", "balanced", or a number over 0 for each class that is named'
            raise UnfitValueError(expected, str(value), "'train.class_weights={round = 2.0}'")
        return value

    @model_validator(mode="after")
    def _rate_suits_the_optimizer(self) -> "TrainSettings":
        rate = self.learning_rate
        if self.optimizer == "muon" and rate < MUON_LEAST:
            expected = f"train.learning_rate >= {MUON_LEAST} with muon"
            raise UnfitValueError(expected, str(rate), f"0.1, or train.optimizer=adamw with {rate}")
        if self.optimizer in ("adam", "adamw", "rmsprop") and rate > ADAM_MOST:
            expected = f"train.learning_rate <= {ADAM_MOST} with {self.optimizer}"
            raise UnfitValueError(expected, str(rate), "train.learning_rate=0.001")
        return self

    @model_validator(mode="after")
    def _decay_suits_the_optimizer(self) -> "TrainSettings":
        if self.optimizer == "muon" and self.weight_decay:
            expected = "weight_decay = 0, for muon keeps the kernels' norms"
            raise UnfitValueError(expected, str(self.weight_decay), "train.weight_decay=0")
        return self

    @model_validator(mode="after")
    def _warms_up_once_and_ends(self) -> "TrainSettings":
        if self.warmup_epochs and self.schedule == "one_cycle":
            expected = "no warmup_epochs with one_cycle, which has warmup_fraction"
            raise UnfitValueError(expected, f"{self.warmup_epochs:g}", "train.schedule=cosine")
        if self.warmup_epochs >= self.epochs:
            expected = f"warmup_epochs below the {self.epochs} epochs"
            raise UnfitValueError(expected, f"{self.warmup_epochs:g}", "train.warmup_epochs=1")
        return self

    @model_validator(mode="after")
    def _has_what_a_setting_is_of(self) -> "TrainSettings":
        for key, needed, value in OWNED:
            default = TrainSettings.model_fields[key].default
            if getattr(self, key) != default and getattr(self, needed) != value:
                expected = f'{needed} = "{value}" with {key}'
                raise UnfitValueError(expected, getattr(self, needed), f"train.{needed}={value}")
        return self

    @model_validator(mode="after")
    def _can_take_effect(self) -> "TrainSettings":
        if self.schedule == "reduce_on_plateau" and 0 < self.patience <= self.plateau_patience:
            expected = f"patience above the {self.plateau_patience} of plateau_patience, or 0"
            hint = f"train.patience={3 * self.plateau_patience}"
            raise UnfitValueError(expected, str(self.patience), hint)
        if self.mixup and self.batch_size == 1:
            expected = "batch_size >= 2 with mixup, which mixes images of a batch"
            raise UnfitValueError(expected, "1", "train.batch_size=32")
        if self.finetune_layers != "all" and self.finetune_layers > 1 and self.finetune_layers % 1:
            expected = 'finetune_layers = "all", a fraction under 1, or a whole number'
            raise UnfitValueError(expected, f"{self.finetune_layers:g}", "0.5, or 10")
        return self


class Guarantee(_Section):
    """`[evaluation.guarantee]`: a mean over new patients that the threshold is to promise."""

    sensitivity: Target | None = None
    specificity: Target | None = None
    confidence: Target = 0.9

    @model_validator(mode="after")
    def _one_share(self) -> "Guarantee":
        if (self.sensitivity is None) == (self.specificity is None):
            received = "neither" if self.sensitivity is None else "both"
            hint = "'evaluation.guarantee={sensitivity = 0.95, confidence = 0.9}'"
            raise UnfitValueError("a sensitivity or a specificity to promise", received, hint)
        return self

    @property
    def metric(self) -> Literal["sensitivity", "specificity"]:
        """What is promised."""
        return "specificity" if self.sensitivity is None else "sensitivity"

    @property
    def share(self) -> float:
        """The least mean of it."""
        return float(getattr(self, self.metric))


class EvaluationSettings(_Section):
    """`[evaluation]`: what is chosen on val: the operating point and when to abstain.

    `subgroups_csv` names a table of the parts that are compared once the run is tested.
    """

    sensitivity: Target | None = None
    specificity: Target | None = None
    guarantee: Guarantee | None = None
    calibrate: bool = True
    abstain_fraction: Target | None = None
    answered_accuracy: Target | None = None
    subgroups_csv: str | None = None

    @field_validator("subgroups_csv", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _one_target(self) -> "EvaluationSettings":
        if self.sensitivity is not None and self.specificity is not None:
            raise UnfitValueError("a target sensitivity or a target specificity", "both", "one")
        if self.guarantee is not None and (self.sensitivity or self.specificity):
            expected = "a guarantee, or a sensitivity or specificity without one"
            raise UnfitValueError(expected, "both", "evaluation.guarantee alone")
        if self.abstain_fraction is not None and self.answered_accuracy is not None:
            raise UnfitValueError("abstain_fraction or answered_accuracy", "both", "one")
        return self


class Recipe(_Section):
    """All that decides a run; the run folder keeps a copy."""

    name: str
    data: DataSettings
    inputs: InputSettings = InputSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _what_is_frozen_has_no_epochs(self) -> "Recipe":
        if self.model.start != "frozen":
            return self
        for key in OF_EPOCHS:
            value = getattr(self.train, key)
            if value != TrainSettings.model_fields[key].default:
                expected = f'no train.{key} with model.start = "frozen", which trains no epochs'
                raise UnfitValueError(expected, str(value), "model.start=finetune")
        return self

    @field_validator("name")
    @classmethod
    def _is_folder_name(cls, value: str) -> str:
        if not naming.is_folder_name(value):
            expected = "the name of one folder, which the run gets in models/"
            hint = f"{naming.as_folder_name(value)[:80]}, and --run for a path"
            raise UnfitValueError(expected, repr(value[:80]), hint)
        return value
