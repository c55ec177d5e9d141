"""On what the training runs, and in which precision."""

import os
from pathlib import Path
from typing import Any

from tfcnn.errors import InputError

__all__ = ["choose", "precision", "refuse_clusters"]


def refuse_clusters() -> None:
    """Refuse a start as one of several machines: it would train the whole on each of them.

    Raises:
        InputError: if `TF_CONFIG` is set, or Slurm started more than one task.
    """
    if os.environ.get("TF_CONFIG"):
        raise InputError("TF_CONFIG", "one machine", "a cluster", "unsetting it")
    if int(os.environ.get("SLURM_NTASKS", "1") or 1) > 1:
        raise InputError("SLURM_NTASKS", "one task", os.environ["SLURM_NTASKS"], "--ntasks=1")


def choose() -> Any:
    """Return `MirroredStrategy` over several GPUs, or the one device there is.

    Over a single GPU it would make an epoch half as long again.
    """
    import tensorflow as tf

    refuse_clusters()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def precision(setting: str) -> str:
    """Return the Keras dtype policy for `train.precision`.

    `auto` is bfloat16 where the processor or the GPU computes in it: on a CPU with AMX it trains
    several times as fast as float32, on one without it many times slower (tensorflow#45441).
    """
    if setting != "auto":
        return setting
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else "float32"
    return "mixed_bfloat16" if "amx_bf16" in _processor_flags() else "float32"


def _processor_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux: no AMX to be found
        return ""
