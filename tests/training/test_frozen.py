"""A linear model of features: fitted on train, its strength chosen on val, folded into a head."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from tfcnn.training import frozen


def clouds(count, classes=3, features=6, spread=1.5, seed=0):
    """Return features and labels of classes that overlap."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(9).normal(size=(classes, features))
    labels = np.arange(count, dtype=np.int32) % classes
    points = 5 + 3 * (centers[labels] + spread * rng.normal(size=(count, features)))
    return points.astype(np.float32), labels


def fit(train, val, classes=3, **options):
    return frozen.fit_head(train, val, classes, **{"class_weights": None, **options})


def penalised(head, train, weights=None):
    """Return the loss that logistic regression minimises, of a head, as its definition says."""
    points, labels = train
    scale = (points - points.mean(axis=0)).std()
    losses = -log_softmax(head.logits(points).astype(np.float64), axis=1)[
        np.arange(len(labels)), labels
    ]
    return (
        np.average(losses, weights=weights)
        + head.strength / 2 * ((head.kernel.astype(np.float64) * scale) ** 2).sum()
    )


@pytest.mark.parametrize(("classes", "is_balanced"), [(3, False), (2, False), (3, True)])
def test_the_head_minimises_the_penalised_loss(classes, is_balanced):
    points, labels = clouds(120, classes)
    labels[:60][labels[:60] == 0] = 1  # unequal classes
    train, val = (points, labels), clouds(90, classes, seed=1)
    head = fit(train, val, classes, class_weights="balanced" if is_balanced else None)
    counts = np.bincount(labels)
    weights = (len(labels) / (classes * counts))[labels] if is_balanced else None
    reached = penalised(head, train, weights)

    def loss(values):
        kernel = values[: head.kernel.size].reshape(head.kernel.shape)
        other = frozen.Head(kernel, values[head.kernel.size :], head.strength, {})
        points, _ = train
        logits = points @ other.kernel + other.bias
        losses = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
        scale = (points - points.mean(axis=0)).std()
        return (
            np.average(losses, weights=weights) + head.strength / 2 * ((kernel * scale) ** 2).sum()
        )

    start = np.concatenate([head.kernel.ravel(), head.bias]).astype(np.float64)
    least = minimize(loss, start, method="BFGS").fun
    assert reached <= least * (1 + 1e-3)


def test_val_chooses_the_strength_and_nothing_else():
    train, val = clouds(60), clouds(300, seed=1)
    head = fit(train, val)
    losses = head.tried
    assert head.strength == min(losses, key=losses.get)
    assert losses[head.strength] == pytest.approx(frozen.log_loss(head.logits(val[0]), val[1]))
    assert list(losses) == sorted(losses, reverse=True), "from strong to weak"
    other = fit(train, (val[0], (val[1] + 1) % 3))  # val that contradicts: as strong as can be
    assert other.strength == frozen.STRENGTHS[0] > head.strength


def test_weaker_strengths_are_not_tried_where_three_did_not_help():
    head = fit(clouds(30, spread=3), clouds(300, spread=3, seed=1))
    tried = list(head.tried)
    assert len(tried) < len(frozen.STRENGTHS)
    assert len(tried) - 1 - tried.index(head.strength) == frozen.WORSE


def test_features_of_any_scale_and_offset_give_the_same_answers():
    train, val = clouds(90), clouds(90, seed=1)
    moved = [(points * 1000 + 7, labels) for points, labels in (train, val)]
    first, second = fit(train, val), fit(*moved)
    np.testing.assert_allclose(
        first.logits(val[0]), second.logits(moved[1][0]), rtol=0.05, atol=0.05
    )


def test_balanced_classes_count_the_same():
    points, labels = clouds(300, 2, spread=3)
    keep = (labels == 0) | (np.arange(300) % 20 == 1)
    train, val = (points[keep], labels[keep]), clouds(200, 2, spread=3, seed=1)
    share = [
        float((fit(train, val, 2, class_weights=choice).logits(val[0]).argmax(axis=1) == 1).mean())
        for choice in (None, "balanced", {0: 1.0, 1: 15.0})
    ]
    assert share[0] < 0.25 < share[1]
    assert share[2] > 0.25


def test_a_class_without_training_images_is_never_preferred():
    points, labels = clouds(90)
    present = labels != 1
    head = fit((points[present], labels[present]), clouds(90, seed=1))
    logits = head.logits(points)
    assert np.isfinite(logits).all()
    assert not (logits.argmax(axis=1) == 1).any()


def test_one_class_alone_is_always_said():
    points, labels = clouds(90)
    only = labels == 2
    head = fit((points[only], labels[only]), clouds(90, seed=1))
    assert (head.logits(points).argmax(axis=1) == 2).all()
    assert not head.tried


def test_features_that_never_vary_do_not_matter():
    points, labels = clouds(60)
    flat = np.concatenate([points, np.full((60, 2), 3, np.float32)], axis=1)
    head = fit((flat, labels), (flat, labels))
    assert np.isfinite(head.logits(flat)).all()
    constant = np.ones((30, 4), np.float32)
    rows = np.arange(30, dtype=np.int32) % 3
    logits = fit((constant, rows), (constant, rows)).logits(constant)
    np.testing.assert_allclose(logits - logits[:, :1], 0, atol=1e-3)
