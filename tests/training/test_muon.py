"""Muon on filters: what its steps are, and that all else is Keras' AdamW."""

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.training.muon import ADAM_RATIO, FilterMuon, orthogonal


@settings(deadline=None, max_examples=20)
@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 99))
def test_a_step_keeps_the_directions_and_evens_out_their_lengths(rows, columns, seed):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    evened = orthogonal(tf.constant(matrix)).numpy()
    u, before, v = np.linalg.svd(matrix, full_matrices=False)
    after = u.T @ evened @ v.T
    large = before > 0.2 * before[0]  # three iterations do not lift what is next to nothing
    assert np.all((np.diag(after)[large] > 0.3) & (np.diag(after)[large] < 1.6))
    np.testing.assert_allclose(after - np.diag(np.diag(after)), 0, atol=0.08)  # bfloat16


def variables():
    rng = np.random.default_rng(0)
    shapes = {"filters": (3, 3, 4, 8), "matrix": (4, 5), "vector": (5,)}
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return {name: keras.Variable(value, name=name) for name, value in values.items()}


def test_filters_turn_and_keep_their_norm_and_the_rest_is_adamw():
    mine, theirs = variables(), variables()
    rate, rng = 0.1, np.random.default_rng(1)
    muon = FilterMuon(rate, momentum=0.6)
    adam = keras.optimizers.AdamW(rate * ADAM_RATIO, weight_decay=0.0)
    for _ in range(3):
        gradients = [
            tf.constant(rng.normal(size=v.shape).astype(np.float32)) for v in mine.values()
        ]
        before = mine["filters"].numpy()
        muon.apply(gradients, list(mine.values()))
        adam.apply(gradients[1:], list(theirs.values())[1:])
        moved = mine["filters"].numpy() - before * np.sqrt(8) / np.linalg.norm(before)
        sizes = np.linalg.svd(moved.reshape(-1, 8), compute_uv=False)
        assert np.all((sizes > 0.3 * rate) & (sizes < 1.6 * rate))
    for name in ("matrix", "vector"):
        np.testing.assert_allclose(mine[name].numpy(), theirs[name].numpy(), rtol=1e-5)


def test_a_step_is_against_the_gradient_and_what_is_kept_of_earlier_ones():
    one, rng = variables()["filters"], np.random.default_rng(2)
    muon, kept = FilterMuon(0.1, momentum=0.6), np.zeros(one.shape, np.float32)
    for _ in range(3):
        kernel = one.numpy() * np.sqrt(8) / np.linalg.norm(one.numpy())
        gradient = rng.normal(size=one.shape).astype(np.float32)
        muon.apply([tf.constant(gradient)], [one])
        kept = 0.6 * kept + gradient
        step = orthogonal(tf.constant((gradient + 0.6 * kept).reshape(-1, 8))).numpy()
        np.testing.assert_allclose(one.numpy(), kernel - 0.1 * step.reshape(one.shape), atol=2e-3)
