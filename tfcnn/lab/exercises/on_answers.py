"""Exercises on training and on what an answer is worth."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfcnn.concepts.dense import softmax
from tfcnn.lab.exercises._exercise import Case, Exercise, Mistake, as_array, call

Array = np.ndarray


def stopped(val_losses: list[float], patience: int) -> tuple[int, int]:
    best, waited = 0, 0
    for epoch in range(1, len(val_losses)):
        if val_losses[epoch] < val_losses[best]:
            best, waited = epoch, 0
        else:
            waited += 1
            if waited == patience:
                return epoch, best
    return len(val_losses) - 1, best


def is_test(patients: list[str], share: float, seed: int) -> Array:
    names = sorted(set(patients))
    np.random.default_rng(seed).shuffle(names)
    chosen = set(names[: max(1, round(share * len(names)))])
    return np.array([patient in chosen for patient in patients])


def found_and_spared(probs: Array, labels: Array, threshold: float) -> tuple[float, float]:
    called = probs >= threshold
    sensitivity = called[labels == 1].mean()
    specificity = (~called[labels == 0]).mean()
    return sensitivity, specificity


def cooled(logits: Array, temperature: float) -> Array:
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max())
    return powers / powers.sum()


def _stop(val_losses: list[float], patience: int, last: bool = False) -> tuple[int, int]:
    """The rule of Keras' EarlyStopping, with `last` against the epoch before, not the best."""
    best, waited = 0, 0
    for epoch in range(1, len(val_losses)):
        is_better = val_losses[epoch] < val_losses[epoch - 1 if last else best]
        waited = 0 if is_better else waited + 1
        if val_losses[epoch] < val_losses[best]:
            best = epoch
        if waited == patience:
            return epoch, best
    return len(val_losses) - 1, best


def _losses(generator: np.random.Generator) -> list[Case]:
    fixed = [([0.9, 0.5, 0.6, 0.55, 0.4, 0.3], 2), ([0.9, 0.7, 0.8, 0.6, 0.65, 0.62, 0.64], 3)]
    falls = [(np.sort(generator.random(6))[::-1].round(3).tolist(), 2)]
    drawn = [(generator.random(12).round(3).tolist(), int(p)) for p in generator.integers(1, 4, 6)]
    return [*fixed, *falls, *drawn]


def _calls(generator: np.random.Generator) -> list[Case]:
    cases = []
    for threshold in (0.2, 0.5, 0.8):
        labels = np.append(generator.random(30) < 0.3, [True, False]).astype(int)
        probs = np.clip(0.35 * labels + generator.random(32) * 0.65, 0, 1).round(1)
        probs[-2:] = 0.9, 0.1  # each threshold calls one cell and leaves one
        cases.append((probs, labels, threshold))
    return cases


def _rates(is_called: Callable[..., Array]) -> Callable[..., tuple[float, float]]:
    def rates(probs: Array, labels: Array, threshold: float) -> tuple[float, float]:
        called = is_called(probs, threshold)
        return called[labels == 1].mean(), (~called[labels == 0]).mean()

    return rates


def _precision(probs: Array, labels: Array, threshold: float) -> tuple[float, float]:
    called = probs >= threshold
    return labels[called].mean(), 1 - labels[~called].mean()


def _accuracy(probs: Array, labels: Array, threshold: float) -> tuple[float, float]:
    right = ((probs >= threshold) == labels).mean()
    return right, right


LEAK = (
    "a patient has images on both sides. The network has seen this patient's stain and light in "
    "training, so the test says too much"
)
WRONG_SHARE = (
    "no patient is on both sides, but the test has another size than share asks for. share is that "
    "of the patients"
)
SAME_SPLIT = "every seed gives the same split. How much a result depends on the split stays hidden"
NOT_AGAIN = "the same seed gives another split when it is asked again. Nobody could repeat a result"
WRONG_LENGTH = (
    "expected True or False for each image, in the order of the images; received something else"
)


def _judge_split(answer: Any, generator: np.random.Generator) -> str:
    if not callable(answer):
        return "expected a function, is_test(patients, share, seed); received none"
    patients = [f"C{n}" for n in generator.integers(0, 20, 180)]
    share, seeds = 0.25, [int(seed) for seed in generator.integers(0, 10_000, 4)]
    found = []
    for seed in [*seeds, seeds[0]]:
        value, fault = call(answer, (patients, share, seed))
        if fault:
            return fault
        mask = as_array(value)
        if mask is None or mask.shape != (180,) or not np.isin(mask, (0, 1)).all():
            return WRONG_LENGTH
        found.append(mask.astype(bool))
    names = np.array(patients)
    for mask in found:
        if set(names[mask]) & set(names[~mask]):
            return LEAK
        in_test = len(set(names[mask])) / len(set(patients))
        if not share - 0.1 <= in_test <= share + 0.1:
            return WRONG_SHARE
    if any((found[0] != found[-1]).tolist()):
        return NOT_AGAIN
    return SAME_SPLIT if all((found[0] == mask).all() for mask in found) else ""


def _by_image(patients: list[str], share: float, seed: int) -> Array:
    return np.random.default_rng(seed).random(len(patients)) < share


EXERCISES = (
    Exercise(
        name="early-stopping",
        idea="when a training should end",
        call="stopped(val_losses, patience)",
        task="val_losses holds the loss on val after each epoch, as if training went on. The "
        "callback EarlyStopping(patience=patience) ends the training when the loss was not below "
        "its best for `patience` epochs in a row. Return (the last epoch that is trained, the best "
        "epoch up to then), both counted from 0.",
        cases=_losses,
        truth=_stop,
        solution=stopped,
        mistakes=(
            Mistake(
                lambda losses, patience: _stop(losses, patience, last=True),
                "you compare each epoch with the one before it. A loss that rises far and then "
                "falls a little has still not become better than the best",
            ),
            Mistake(
                lambda losses, patience: _stop(losses, patience + 1),
                "your training goes on for one epoch too long. After as many bad epochs in a row "
                "as patience says, it ends",
            ),
            Mistake(
                lambda losses, patience: tuple(epoch + 1 for epoch in _stop(losses, patience)),
                "both numbers are one too large. The first epoch has the number 0 here",
            ),
            Mistake(
                lambda losses, patience: (_stop(losses, patience)[0],) * 2,
                "the last epoch is right. It is the best epoch only where the loss never rose: "
                "this is why restore_best_weights exists",
            ),
            Mistake(
                lambda losses, patience: (_stop(losses, patience)[0], int(np.argmin(losses))),
                "the last epoch is right. Your best epoch may come after it: what would have come "
                "later, nobody knows",
            ),
            Mistake(
                lambda losses, patience: _stop([-loss for loss in losses], patience),
                "you look for the largest loss. A loss is better when it is smaller",
            ),
        ),
    ),
    Exercise(
        name="split",
        idea="a split without a leak",
        call="is_test(patients, share, seed)",
        task="patients holds the patient of each image. Return True for each image that goes to "
        "test, else False. No patient may have images on both sides. share of the patients go to "
        "test. The seed decides by chance who they are: the same seed gives the same split.",
        judge=_judge_split,
        solution=is_test,
        mistakes=(
            Mistake(_by_image, LEAK),
            Mistake(lambda patients, share, seed: is_test(patients, 1 - share, seed), WRONG_SHARE),
            Mistake(lambda patients, share, seed: is_test(patients, share, 0), SAME_SPLIT),
            Mistake(
                lambda patients, share, seed: is_test(
                    patients, share, int(np.random.default_rng().integers(2**62))
                ),
                NOT_AGAIN,
            ),
            Mistake(
                lambda patients, share, seed: is_test(sorted(set(patients)), share, seed),
                WRONG_LENGTH,
            ),
        ),
    ),
    Exercise(
        name="threshold",
        idea="which errors a threshold buys",
        call="found_and_spared(probs, labels, threshold)",
        task="probs holds the probability of being infected, labels 1 for infected and 0 for "
        "healthy. A cell is called infected from the threshold on. Return (sensitivity, "
        "specificity): the share of infected cells that are called infected, and the share of "
        "healthy cells that are not.",
        cases=_calls,
        truth=_rates(lambda probs, threshold: probs >= threshold),
        solution=found_and_spared,
        mistakes=(
            Mistake(
                lambda *case: found_and_spared(*case)[::-1],
                "the two are exchanged. Sensitivity looks at the infected cells",
            ),
            Mistake(
                _rates(lambda probs, threshold: probs > threshold),
                "a probability that equals the threshold is called healthy in your answer",
            ),
            Mistake(
                _precision,
                "you divide by the cells that were called so. That is precision: it depends on how "
                "many cells are infected. Divide by the cells that are so",
            ),
            Mistake(
                _accuracy,
                "both are the accuracy. One number cannot say which kind of error is made",
            ),
            Mistake(
                _rates(lambda probs, threshold: probs >= 0.5),
                "the threshold makes no difference in your answer",
            ),
        ),
    ),
    Exercise(
        name="temperature",
        idea="how sure a network should be",
        call="cooled(logits, temperature)",
        task="A network that is too sure is made milder by a temperature above 1, by which its "
        "scores are divided before softmax. Return the probabilities.",
        cases=lambda generator: [
            (generator.normal(0, 3, n), float(t)) for n, t in ((3, 1.5), (10, 2.0), (5, 0.6))
        ],
        truth=lambda logits, temperature: softmax(logits / temperature),
        solution=cooled,
        mistakes=(
            Mistake(
                lambda logits, temperature: softmax(logits * temperature),
                "a temperature above 1 makes your network surer",
            ),
            Mistake(
                lambda logits, temperature: softmax(logits) / temperature,
                "the probabilities are divided, not the scores. They no longer add up to 1",
            ),
            Mistake(
                lambda logits, temperature: softmax(softmax(logits) / temperature),
                "softmax comes twice. The scores are divided first, and then softmax comes once",
            ),
            Mistake(
                lambda logits, temperature: softmax(logits),
                "the temperature makes no difference in your answer",
            ),
            Mistake(
                lambda logits, temperature: logits / temperature,
                "these are still scores. Probabilities lie between 0 and 1 and add up to 1",
            ),
        ),
    ),
)
