"""Keras' callbacks that have a state at the end of an epoch, and those a user brings."""

from collections.abc import Sequence
from typing import Any

import keras

from tfcnn.base.errors import InputError
from tfcnn.recipes import TrainSettings

REFUSED = {
    keras.callbacks.BackupAndRestore: "leaving it out: every training can be resumed",
    keras.callbacks.SwapEMAWeights: "train.ema=0.99 instead, which swaps them too",
}


class Plateau(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Lower the rate where val no longer gets better; it remembers over a cut, and warms up.

    Args:
        train: what is to be done.
        steps: of an epoch.
        first_epoch: of the training, counted from 0.
    """

    def __init__(self, train: TrainSettings, steps: int, first_epoch: int = 0) -> None:
        super().__init__("val_loss", factor=train.plateau_factor, patience=train.plateau_patience)
        self.rate, self.steps, self.first_epoch = train.learning_rate, steps, first_epoch
        self.warmup = round(train.warmup_epochs * steps)
        self.kept: dict[str, float] = {}
        self._begun = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget, as Keras does; then remember what a checkpoint held."""
        super().on_train_begin(logs)
        for key, value in self.kept.items():
            setattr(self, key, value if key == "best" else int(value))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the steps before this epoch."""
        self._begun = (epoch - self.first_epoch) * self.steps

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the rate of a step of the warm-up, and of the first one after it."""
        step = self._begun + batch
        if self.warmup and step <= self.warmup:
            self.model.optimizer.learning_rate = self.rate * step / self.warmup

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare val with the best so far, once the warm-up is over."""
        if self._begun + self.steps > self.warmup:
            super().on_epoch_end(epoch, logs)

    def memory(self) -> dict[str, float]:
        """Return what a checkpoint must hold of it; the rate is a variable of the optimizer."""
        if self.best is None:
            return {}
        return {key: float(getattr(self, key)) for key in ("best", "wait", "cooldown_counter")}


class Averages(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
    """Put the averaged weights into the model where val is computed and an epoch ends.

    What follows it at the end of an epoch (the best weights, a checkpoint) sees averages. The
    weights that learn are in the optimizer then, and come back when the next epoch begins.
    """

    def __init__(self, is_resumed: bool) -> None:
        super().__init__(swap_on_epoch=True)
        self.is_resumed = is_resumed

    def on_train_begin(self, logs: Any = None) -> None:
        """Know what a checkpoint held: it was written at the end of an epoch."""
        self._ema_weights_in_model = self.is_resumed


class UsualNames(keras.callbacks.Callback):  # type: ignore[misc]
    """Give the figures of an epoch the names that callbacks look for: accuracy, learning_rate."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add to the logs, which all callbacks after this one share."""
        for prefix in ("", "val_"):
            logs[f"{prefix}accuracy"] = logs[f"{prefix}sparse_categorical_accuracy"]
        rate = self.model.optimizer.learning_rate
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))


def check(callbacks: Sequence[Any]) -> None:
    """Refuse what is no callback of Keras, or one that does what tfcnn does itself.

    Raises:
        InputError: naming it.
    """
    for one in callbacks:
        if not isinstance(one, keras.callbacks.Callback):
            received = repr(one)[:80]
            hint = 'callbacks=[keras.callbacks.CSVLogger("log.csv")]'
            raise InputError("callbacks", "a list of Keras' callbacks", received, hint)
        for kind, hint in REFUSED.items():
            if isinstance(one, kind):
                raise InputError("callbacks", "others", f"keras.callbacks.{kind.__name__}", hint)
