"""The optimizer of a recipe, and the schedule of its learning rate."""

from typing import Any

import keras

from tfcnn.recipes import TrainSettings
from tfcnn.training.muon import FilterMuon


def optimizer_for(train: TrainSettings, steps: int) -> Any:
    """Return the recipe's optimizer with its schedule over `steps` steps."""
    rate = rate_for(train, steps)
    # clipped by the norm of all gradients together, as is usual
    options: dict[str, Any] = {"global_clipnorm": train.clip_norm or None}
    if train.ema:
        options |= {"use_ema": True, "ema_momentum": train.ema}
    decay = train.weight_decay or None
    if train.optimizer == "muon":
        return FilterMuon(rate, momentum=train.momentum, **options)
    if train.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=train.momentum, nesterov=True, weight_decay=decay, **options
        )
    else:
        kinds = {
            "adam": keras.optimizers.Adam,
            "adamw": keras.optimizers.AdamW,
            "rmsprop": keras.optimizers.RMSprop,
        }
        # AdamW, unlike the others, takes no None
        optimizer = kinds[train.optimizer](rate, weight_decay=decay or 0.0, **options)
    if decay:  # shrinking what only shifts or scales helps nothing
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def rate_for(train: TrainSettings, steps: int) -> Any:
    """Return the learning rate: a number, or a schedule over `steps` steps.

    Of `reduce_on_plateau` it is a number, which a callback changes: see `callbacks.Plateau`.
    """
    rate, schedules = train.learning_rate, keras.optimizers.schedules
    if train.schedule == "one_cycle":  # up in a straight line, down along a cosine
        warmup = round(train.warmup_fraction * steps)
        return schedules.CosineDecay(
            rate / 25, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
        )
    if train.schedule == "reduce_on_plateau":
        return rate
    warmup = round(steps * train.warmup_epochs / train.epochs)
    then: Any = rate
    if train.schedule == "cosine":
        then = schedules.CosineDecay(rate, steps - warmup)
    elif train.schedule == "linear":
        then = schedules.PolynomialDecay(rate, steps - warmup, end_learning_rate=0.0)
    return WarmUp(rate, warmup, then) if warmup else then


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises from 0 in a straight line, then goes on as another schedule from its beginning.

    Keras' `CosineDecay` can do so itself; its other schedules cannot.

    Args:
        rate: that it rises to.
        steps: it takes, at least 1.
        then: a schedule, or a rate that stays.
    """

    def __init__(self, rate: float, steps: int, then: Any) -> None:
        super().__init__()
        self.rate, self.steps, self.then = rate, steps, then

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step."""
        step = keras.ops.cast(step, "float32")
        then = self.then(step - self.steps) if callable(self.then) else self.then
        return keras.ops.where(step < self.steps, self.rate * step / self.steps, then)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as Keras wants them."""
        return {"rate": self.rate, "steps": self.steps, "then": self.then}
