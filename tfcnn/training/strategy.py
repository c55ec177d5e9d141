"""How a training computes: on which devices, in which precision, from which seed."""

import contextlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfcnn.base.errors import InputError

# how many processes were started together; SLURM_NTASKS says only how many might be
TASKS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def refuse_clusters() -> None:
    """Refuse to be one of several processes: each would train the whole.

    An allocation of several tasks in which one process runs is no such thing.

    Raises:
        InputError: if `TF_CONFIG` names several machines, or Slurm or MPI started several tasks.
    """
    machines = _machines(os.environ.get("TF_CONFIG") or "{}")
    if machines > 1:
        hint = "unsetting it"
        raise InputError("TF_CONFIG", "one machine", f"a cluster of {machines}", hint)
    for name in TASKS:
        started = _number(name)
        if started > 1:
            expected, received = "one process", f"{started} that were started together"
            raise InputError(name, expected, received, "srun --ntasks=1, or without srun or mpirun")
    if _number("SLURM_PROCID") > 0:
        received = f"process {os.environ['SLURM_PROCID']} of several"
        raise InputError("SLURM_PROCID", "one process", received, "srun --ntasks=1")


def _machines(config: str) -> int:
    """Return how many addresses the cluster of a `TF_CONFIG` has."""
    try:
        cluster = json.loads(config).get("cluster") or {}
        return sum(len(addresses) for addresses in cluster.values())
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError("TF_CONFIG", "JSON of one machine", config[:80], "unsetting it") from error


def _number(name: str) -> int:
    """Return the whole number in an environment variable; 0 where it is not set."""
    text = os.environ.get(name, "").strip()
    try:
        return int(text or "0")
    except ValueError as error:
        raise InputError(name, "a whole number", repr(text[:80]), "unsetting it") from error


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


@contextlib.contextmanager
def seeded(seed: int, *, deterministic: bool) -> Iterator[None]:
    """Seed Python, NumPy and TensorFlow; afterwards the first two go on where they were.

    Args:
        seed: at least 0.
        deterministic: whether TensorFlow must compute the same again; this too is undone.
    """
    import keras
    import numpy as np
    from tensorflow.python.framework import config  # what switches determinism off is not public

    def determine(is_wanted: bool) -> None:
        if is_wanted:
            config.enable_op_determinism()
        else:
            config.disable_op_determinism()

    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    was_deterministic = config.is_op_determinism_enabled()
    try:
        keras.utils.set_random_seed(seed)
        determine(deterministic)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)  # noqa: NPY002
        determine(was_deterministic)
