"""The ways to begin a training that a recipe allows, each as a recipe of its own.

A network begins from random weights (`scratch`), or from weights that have learnt from many other
images. These stay as they are beneath a new head (`frozen`), or learn too (`finetune`). `auto`
tries several ways, see `choose`.
"""

from pathlib import Path
from typing import Any

from tfcnn import architectures
from tfcnn.base.errors import InputError
from tfcnn.recipes import ModelSettings, Recipe, TrainSettings

BACKBONE = "efficientnet_lite"  # of recipes whose network is none
MOST_IMAGES = 20_000  # more are enough to learn from, and would fill the disk at a backbone's size


def allowed(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return the recipe once per way to begin, the cheapest first, each with its network.

    Raises:
        InputError: if the network, an option, or the way to begin does not fit the others.
    """
    model = recipe.model
    architectures.check_options(model.network, model.options)
    has_learnt = architectures.weights(model.network, model.options) is not None
    usual = "finetune" if has_learnt else "scratch"
    starts: tuple[Any, ...] = (model.start or usual,)
    if model.start == "auto":
        starts = ("frozen", "finetune") if has_learnt else ("frozen", "scratch", "finetune")
    found = tuple(
        recipe.model_copy(update={"model": _model(model, start, has_learnt)}) for start in starts
    )
    _check_finetuning(recipe.train, any(way.model.start == "finetune" for way in found))
    return found


def _check_finetuning(train: TrainSettings, is_finetuned: bool) -> None:
    """Refuse settings of fine-tuning that leave nothing to do, or have nothing to be of."""
    if is_finetuned and not train.finetune_epochs:
        hint = "train.finetune_epochs=4, or model.start=frozen"
        raise InputError("train.finetune_epochs", "at least 1 to fine-tune", "0", hint)
    if is_finetuned and train.warmup_epochs >= train.finetune_epochs:
        expected = f"less than the {train.finetune_epochs} of train.finetune_epochs"
        hint = "train.warmup_epochs=1"
        raise InputError("train.warmup_epochs", expected, f"{train.warmup_epochs:g}", hint)
    if train.finetune_layers != "all" and not is_finetuned:
        expected, hint = "all, where nothing is fine-tuned", "model.start=finetune"
        raise InputError("train.finetune_layers", expected, f"{train.finetune_layers:g}", hint)


def _model(model: ModelSettings, start: str, has_learnt: bool) -> ModelSettings:
    """Return `[model]` of one way to begin: a backbone where weights are there to begin from."""
    changes: dict[str, Any] = {"start": start}
    if start == "scratch":
        if has_learnt:
            changes["options"] = {**model.options, "weights": "none"}
    elif not has_learnt:
        if model.start != "auto" and model.network != ModelSettings().network:
            backbones = [name for name in architectures.names() if architectures.is_backbone(name)]
            is_one = architectures.is_backbone(model.network)
            remedy = "no model.options.weights" if is_one else f"model.network={BACKBONE}"
            raise InputError(
                f"model.start={start}",
                f"a network that has learnt before: {' or '.join(backbones)}, with its weights",
                f"{model.network} with random weights",
                f"{remedy}, or model.start=scratch",
            )
        changes |= {"network": BACKBONE, "options": {}}
    return model.model_copy(update=changes)


def unsuited(way: Recipe, num_images: int) -> str:
    """Return why a way to begin is not tried where others are, "" where nothing speaks against it.

    Args:
        way: one of several, with its image size.
        num_images: in all splits.
    """
    network, size = way.model.network, way.data.image_size
    smallest = architectures.smallest_size(network)
    if size and (size[0] < smallest[0] or size[1] < smallest[1]):
        least, given = ("{} x {} px".format(*one) for one in (smallest, size))
        return f"{Path(network).name} needs {least}, not {given}"
    if way.model.start != "scratch" and num_images > MOST_IMAGES:
        return (
            f"{num_images:,} images, more than {MOST_IMAGES:,}, are enough to learn from; "
            f"--set model.start={way.model.start} does it"
        )
    return ""


def describe(way: Recipe) -> str:
    """Return in words what a way to begin trains, from what."""
    model, train = way.model, way.train
    network = Path(model.network).name  # of a user's own file
    if model.start == "scratch":
        return f"{network} from scratch, epochs: {train.epochs}"
    if model.start == "frozen":
        return (
            f"a linear model of the features of {network}, which stays as it is; "
            "images are not augmented"
        )
    return f"{network} fine-tuned from there, epochs: {train.finetune_epochs}"
