"""In which precision a training computes: as the recipe says, or `auto`, which may measure.

On a processor that has instructions for bfloat16, the first training of a network times a step in
bfloat16 and in float32, see `step_seconds`. A training that goes on, one that is trained again, and
the other folds of a cross-validation take the precision that was recorded.
"""

import math

import tensorflow as tf

from tfcnn.base import processor
from tfcnn.base.progress import Reporter
from tfcnn.inputs import tfdata
from tfcnn.training import step_seconds
from tfcnn.training.checkpoint import State
from tfcnn.training.prepare import Prepared
from tfcnn.training.step_seconds import BFLOAT16, FLOAT32

FASTER = 0.9  # of float32's time, that bfloat16 must stay below: less may be chance
LEAST_STEPS = 200  # of a training: in fewer, the measurement would cost what it gains


def choices(setting: str = "auto") -> tuple[str, ...]:
    """Return the Keras dtype policies that `train.precision` may come to on this machine.

    The first is taken where nothing is measured. On a CPU without instructions for bfloat16 it
    trains many times slower than float32 (tensorflow#45441); with AMX several times as fast.
    """
    if setting != "auto":
        return (setting,)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        if capability >= (8, 0):
            return (BFLOAT16,)
        return ("mixed_float16",) if capability >= (7, 0) else (FLOAT32,)
    flags = processor.flags()
    if "amx_bf16" in flags:
        return (BFLOAT16, FLOAT32)
    return (FLOAT32, BFLOAT16) if any("bf16" in flag for flag in flags) else (FLOAT32,)


def settle(prepared: Prepared, state: State, reporter: Reporter) -> None:
    """Put into the state of a training the precision that it computes in, where it has none yet.

    Networks may be built, so the seed is to be set afterwards.

    Args:
        prepared: the images, and what the recipe asks for.
        state: of the training.
        reporter: hears why it is this one, where it could be another.

    Raises:
        InputError: if the network cannot be built for these images.
    """

    def found() -> list[str]:
        return [state.precision or _decide(prepared, reporter)]

    # one precision for all: that of the chief's devices
    state.precision = str((prepared.team.of_chief(found) if prepared.team else found())[0])


def _decide(prepared: Prepared, reporter: Reporter) -> str:
    recipe = prepared.recipe
    possible = choices(recipe.train.precision)
    if recipe.train.precision == "auto":
        is_finetuned = recipe.model.start == "finetune"
        if is_finetuned and not tf.config.list_physical_devices("GPU"):
            return FLOAT32  # bfloat16 would round what was learnt before
        recorded = prepared.precisions.get(str(recipe.model.start))
        if recorded in (*possible, FLOAT32):  # another one would be slow here
            return str(recorded)
    if len(possible) == 1:
        return possible[0]
    count = len(prepared.rows["train"])
    steps = recipe.train.epochs * tfdata.steps_per_epoch(count, recipe.train.batch_size)
    if steps < LEAST_STEPS:  # whatever else was measured: the same training is the same again
        reporter.note(f"train.precision=auto: {possible[0]}; {steps} steps are too few to measure")
        return possible[0]
    return _faster(prepared, reporter)


def _faster(prepared: Prepared, reporter: Reporter) -> str:
    """Return the precision whose steps take less time, and say by how much."""
    size = min(prepared.recipe.train.batch_size, len(prepared.rows["train"]))
    images, classes = (size, *prepared.decoder.shape), len(prepared.manifest.class_names)
    seconds, when = step_seconds.known_or_measured(prepared.recipe, images, classes, reporter)
    ratio = step_seconds.ratio(seconds)
    chosen = BFLOAT16 if ratio < FASTER else FLOAT32
    why = f"a step takes {ratio:.2f} times as long in bfloat16 as in float32"
    if math.isinf(ratio):
        why = "the network does not compute in bfloat16"
    reporter.note(f"train.precision=auto: {chosen}; {why} ({when})")
    return chosen
