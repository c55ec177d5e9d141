"""Which layers of a network learn that is fine-tuned: the last ones; batch normalisation never."""

from typing import Any, Literal

from tfcnn.base.errors import InputError


def last_layers(model: Any, share: float | Literal["all"]) -> None:
    """Let the last layers of a training form learn, and freeze the others.

    Layers of batch normalisation keep the averages of the many images they come from: a few images
    would only blur them.

    Args:
        model: a flat functional model.
        share: `train.finetune_layers`: a fraction of the layers that have weights to learn, or from
            1 on their number. The head, which is the last, learns always.

    Raises:
        InputError: if there are fewer layers.
    """
    for layer in model.layers:
        layer.trainable = not hasattr(layer, "moving_mean")
    if share == "all":
        return
    learning = [layer for layer in model.layers if layer.trainable_weights]
    count = max(1, round(share * len(learning))) if share < 1 else int(share)
    if count > len(learning):
        expected = f"at most {len(learning)}, the layers that have weights to learn"
        raise InputError("train.finetune_layers", expected, str(count), "all, or a fraction of 1")
    for layer in learning[:-count]:
        layer.trainable = False
