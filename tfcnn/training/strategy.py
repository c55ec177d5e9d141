"""How a training computes: on which devices, from which seed."""

import contextlib
import functools
import math
import random
from collections.abc import Iterator
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.recipes import TrainSettings
from tfcnn.training import cluster
from tfcnn.training.cluster import Cluster


def team(setting: str) -> Cluster | None:
    """Return the processes that `train.strategy` lets train together; None for this one alone.

    Raises:
        InputError: if the environment says otherwise than the setting.
    """
    found = cluster.read()
    if found and setting not in ("auto", "multi-worker"):
        expected = f"one process with train.strategy={setting}"
        received = f"one of {len(found.addresses)} processes"
        hint = "train.strategy=auto, or starting it once, without srun"
        raise InputError(found.source, expected, received, hint)
    if not found and setting == "multi-worker":
        received = "a process that is alone"
        hint = "srun --ntasks=2, or TF_CONFIG (docs/clusters.md)"
        raise InputError("train.strategy", "several processes", received, hint)
    return found


def choose(setting: str = "auto", together: Cluster | None = None) -> Any:
    """Return how TensorFlow spreads a training over devices and processes.

    `auto` is `MultiWorkerMirroredStrategy` for a cluster, `MirroredStrategy` over several GPUs,
    else the one device there is: over a single GPU a strategy makes an epoch half as long again.

    Args:
        setting: `train.strategy`.
        together: the cluster of this process, from `team`.
    """
    import tensorflow as tf

    if together:
        return _multi_worker(together)
    gpus = tf.config.list_logical_devices("GPU")
    if setting == "mirrored" or (setting == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return _mirrored(tuple(device.name for device in devices))
    return tf.distribute.get_strategy()


@functools.cache  # each new one counts its sums from the same number, which the last one has used
def _mirrored(devices: tuple[str, ...]) -> Any:
    """Return the strategy over devices of this process, made once in a process."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(list(devices))


@functools.cache  # TensorFlow can be told of a cluster only once
def _multi_worker(together: Cluster) -> Any:
    """Return the strategy over the processes of a cluster, made once in a process."""
    import tensorflow as tf

    from tfcnn.training import keras_mend

    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(together.addresses)}),
        task_type="worker",
        task_id=together.index,
        rpc_layer="grpc",
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:  # it can be told of a cluster before its first operation only
        expected = "no operation of TensorFlow before tfcnn.train, in a cluster"
        hint = "tfcnn train, or a program that trains first"
        raise InputError("TensorFlow", expected, str(error), hint) from error
    keras_mend.mend_strategy(strategy)
    return strategy


def spread(train: TrainSettings, num_images: int, replicas: int) -> TrainSettings:
    """Return a training for several replicas, each with as many images of a step as the others.

    Args:
        train: what is to be done.
        num_images: of train; fewer than a batch make one batch.
        replicas: how many devices compute the same network, over all processes.

    Returns:
        `batch_size` and `learning_rate` of a step over all replicas.

    Source of the scaled rates: linear, Goyal et al. (2017, arXiv 1706.02677), section 2.1; root,
    Krizhevsky (2014, arXiv 1404.5997), section 5.
    """
    size, rate = train.batch_size, train.learning_rate
    if train.batch_scaling != "none":
        size *= replicas
        rate *= replicas if train.batch_scaling == "linear" else math.sqrt(replicas)
    size = min(size, num_images) // replicas * replicas
    if size < replicas:
        expected = f"as many training images in a step as there are devices, {replicas}"
        hint = f"train.batch_size={replicas} or more, or train.strategy=single"
        raise InputError("train.batch_size", expected, f"{min(train.batch_size, num_images)}", hint)
    return train.model_copy(update={"batch_size": size, "learning_rate": rate})


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
