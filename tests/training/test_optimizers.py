"""The optimizer of a recipe: schedules with a warm-up, clipped gradients, averaged weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn.recipes import TrainSettings
from tfcnn.training.optimizers import optimizer_for, rate_for

STEPS, RATE = 40, 0.01
RATES = {"muon": 0.1}


def settings(**changes: object) -> TrainSettings:
    return TrainSettings.model_validate({"epochs": 4, "learning_rate": RATE, **changes})


def rates(**changes: object) -> np.ndarray:
    rate = rate_for(settings(**changes), STEPS)
    return np.array([float(rate(step)) if callable(rate) else rate for step in range(STEPS + 1)])


def test_a_warm_cosine_is_the_one_of_keras():
    own = keras.optimizers.schedules.CosineDecay(0.0, 30, warmup_target=RATE, warmup_steps=10)
    expected = [float(own(step)) for step in range(STEPS + 1)]
    found = rates(schedule="cosine", warmup_epochs=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0), ("linear", 0), ("constant", RATE)])
def test_the_rate_rises_in_a_line_and_the_schedule_begins_then(schedule, last):
    warm = rates(schedule=schedule, warmup_epochs=0.5)
    np.testing.assert_allclose(warm[:6], RATE * np.arange(6) / 5, rtol=1e-6)
    cold = rate_for(settings(schedule=schedule), STEPS - 5)
    then = [float(cold(step)) if callable(cold) else cold for step in range(STEPS - 4)]
    np.testing.assert_allclose(warm[5:], then, rtol=1e-5, atol=1e-9)
    assert warm[-1] == pytest.approx(last, abs=1e-9)


def test_without_a_warm_up_the_schedules_are_those_of_keras():
    for schedule, kind in (("cosine", "CosineDecay"), ("linear", "PolynomialDecay")):
        assert type(rate_for(settings(schedule=schedule), STEPS)).__name__ == kind
    assert rates(schedule="linear")[0] == pytest.approx(RATE)
    assert rates(schedule="one_cycle").argmax() == STEPS / 4


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "muon"])
def test_every_optimizer_clips_and_averages_where_asked(name):
    rate = RATES.get(name, RATE)
    plain = optimizer_for(settings(optimizer=name, learning_rate=rate), STEPS)
    assert (plain.global_clipnorm, plain.use_ema) == (None, False)
    asked = settings(optimizer=name, learning_rate=rate, clip_norm=0.5, ema=0.9)
    optimizer = optimizer_for(asked, STEPS)
    assert optimizer.global_clipnorm == 0.5
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.9)


def test_the_norm_of_all_gradients_together_is_what_is_clipped():
    clipped = settings(
        optimizer="sgd", momentum=0.0, schedule="constant", clip_norm=0.5, learning_rate=1.0
    )
    variables = [keras.Variable(np.zeros(2, np.float32)) for _ in range(2)]
    gradients = [tf.constant([3.0, 0.0]), tf.constant([0.0, 4.0])]  # of norm 5
    optimizer_for(clipped, STEPS).apply(gradients, variables)
    found = np.concatenate([variable.numpy() for variable in variables])
    np.testing.assert_allclose(found, [-0.3, 0, 0, -0.4], rtol=1e-6)
