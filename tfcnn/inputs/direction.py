"""Do left and right tell the classes? Then a mirrored training image has another class.

`flip_horizontal = "auto"` is decided here before a training starts: by the names of the classes,
then by the training images.
"""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tfcnn.base import sampling
from tfcnn.decode import Pixels
from tfcnn.recipes import InputSettings

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

# words that name a side, a turn, or something that is read
WORDS = """
left right lefthand righthand leftward rightward leftwards rightwards lefty righty
links rechts linke linker linkes linken rechte rechter rechtes rechten linksseitig rechtsseitig
gauche droite droit izquierda izquierdo derecha derecho esquerda esquerdo direita direito
sinistra sinistro destra destro sinister dexter vänster höger venstre højre høyre
lewo prawo lewy prawy lewa prawa лево право левый правый левая правая слева справа влево вправо
vlevo vpravo doleva doprava levý pravý levá pravá vľavo ľavý lijevo desno levo lijevi desni
ліво лівий ліва правий права вліво ляво дясно αριστερά δεξιά αριστερό δεξί αριστερός δεξιός
esquerra dreta dereita stânga dreapta stanga vasen oikea vasemmalle oikealle kairė dešinė
balra jobbra trái phải kiri kanan sağa ezker eskuin kushoto kulia
يسار يمين اليسار اليمين أيسر أيمن چپ راست ימין שמאל
east west eastward westward eastbound westbound ost osten westen
clockwise counterclockwise anticlockwise cw ccw uhrzeigersinn gegenuhrzeigersinn
mirrored mirror flipped gespiegelt chirality laterality dextrocardia
arrow arrows pfeil pfeile text texts word words letter letters digit digits number numbers
character characters handwriting ocr ziffer ziffern zahl zahlen buchstabe buchstaben schrift
rotated rotation rot90 rot270
"""
SIGNS = "左右←→⇐⇒↖↗↘↙⬅➡↶↷↺↻"
# parts of names in scripts that do not separate words
SIDES = ("왼쪽", "오른쪽", "왼손", "오른손", "बाएं", "दाएं", "बाएँ", "दाएँ", "ซ้าย", "ขวา")
NUMBERS = "zero one two three four five six seven eight nine"
# parts of words, and short words: they count only where two names differ in nothing else
PARTS = ("left right", "links rechts", "gauche droit", "izquierd derech", "esquerd direit",
         "sinistr destr", "vänster höger", "east west", "лев прав")  # fmt: skip
SHORT = ("l r", "e w", "b d", "p q", "od os", "ne nw", "se sw", "v h", "li re", "sol sag",
         "sol sağ", "bal jobb")  # fmt: skip

SIDE = 8  # px of a thumbnail
MAX_IMAGES, MIN_IMAGES = 1000, 40  # of training, that are looked at
FOLDS = 4
RIDGE = 10.0  # of thumbnails in standard units
HALF_WAY = 0.5  # from chance to all correct, or to none


def by_names(inputs: InputSettings, class_names: Iterable[str]) -> tuple[InputSettings, str]:
    """Switch mirroring off where it is "auto" and the names of the classes name a direction.

    Returns:
        The settings, and a message, "" where nothing was decided.
    """
    if inputs.augment.flip_horizontal != "auto":
        return inputs, ""
    reason = in_names(class_names)
    return _decide(inputs, reason) if reason else (inputs, "")


def by_images(
    inputs: InputSettings, images: Pixels, labels: Ints, groups: npt.ArrayLike, rows: Ints
) -> tuple[InputSettings, str]:
    """Decide on mirroring by the training images, where it is still "auto".

    Args:
        inputs: of the recipe.
        images: uint8 `(images, height, width, channels)` of the whole manifest.
        labels: int `(images,)`.
        groups: str `(images,)`, "" where none is known.
        rows: int `(count,)`, which of them are trained on.

    Returns:
        The settings, and a message, "" where nothing was decided.
    """
    if inputs.augment.flip_horizontal != "auto":
        return inputs, ""
    chosen = rows[sampling.evenly(labels[rows], MAX_IMAGES)]
    reason = in_images(images[chosen], labels[chosen], np.asarray(groups)[chosen])
    return _decide(inputs, reason)


def as_in(inputs: InputSettings, other: InputSettings) -> InputSettings:
    """Copy the decision on mirroring from the settings of another fold, where it is "auto"."""
    if inputs.augment.flip_horizontal != "auto":
        return inputs
    return _with_flip(inputs, other.augment.flip_horizontal)


def _decide(inputs: InputSettings, reason: str) -> tuple[InputSettings, str]:
    """Mirror unless there is a reason against it; return the settings and a message."""
    message = (
        f"not mirrored left-right: {reason}; --set inputs.augment.flip_horizontal=true mirrors"
        if reason
        else "mirrored left-right: neither class names nor images show that sides tell classes; "
        "--set inputs.augment.flip_horizontal=false if they do"
    )
    return _with_flip(inputs, not reason), message


def _with_flip(inputs: InputSettings, value: bool | str) -> InputSettings:
    augment = inputs.augment.model_copy(update={"flip_horizontal": value})
    return inputs.model_copy(update={"augment": augment})


def in_names(class_names: Iterable[str]) -> str:
    """Return why class names suggest that left and right matter, "" where they do not."""
    # file names of a Mac hold an accent as a separate character
    names = [unicodedata.normalize("NFC", name) for name in class_names]
    words = {name: _words(name) for name in names}
    for name in names:
        has_sign = set(name) & set(SIGNS) or any(side in name for side in SIDES)
        if has_sign or set(words[name]) & set(WORDS.split()):
            return f"a class is called {name!r}"
    characters = sorted({name for name in names if len(name) == 1})
    # 0 and 1 mostly mean no and yes, and both digits look the same mirrored
    if len(characters) == len(names) > 1 and characters != ["0", "1"]:
        return f"the classes are called {', '.join(characters)}, as digits or letters are"
    if len(names) == 10 and {name.lstrip("0") or "0" for name in names} == set("0123456789"):
        return "the classes are called as digits are"
    if len({name.casefold() for name in names} & set(NUMBERS.split())) > 2:
        return "the classes are called as numbers are"
    joined = {name: f" {' '.join(parts)} " for name, parts in words.items()}
    pairs = [pair.split() for pair in PARTS] + [[f" {one} " for one in p.split()] for p in SHORT]
    for first, second in pairs:
        rests = {text.replace(first, " / "): name for name, text in joined.items() if first in text}
        for name, text in joined.items():
            other = rests.get(text.replace(second, " / ")) if second in text else None
            if other is not None:
                return f"classes are called {other!r} and {name!r}"
    return ""


def _words(name: str) -> list[str]:
    """Split `turn_left2`, `turn-left` and `TurnLeft` into words, in lower case."""
    spaced = re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z])", " ", name)
    return [word.casefold() for word in re.findall(r"rot\d+|[^\W\d_]+", spaced)]


def in_images(images: Pixels, labels: Ints, groups: npt.ArrayLike) -> str:
    """Return why images suggest that left and right matter, "" where they do not.

    A linear classifier of small grey pictures is tested on groups that it was not fitted to. A
    mirrored image looks like one of another class if the classifier is right on most images, and
    on the mirrored images far less often than by chance. It misses objects that may lie anywhere,
    and a class that looks the same mirrored beside one that does not (boots that all point left).

    Args:
        images: uint8 `(images, height, width, channels)`.
        labels: int `(images,)`.
        groups: str `(images,)`, "" where none is known.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    if len(images) < MIN_IMAGES or len(classes) < 2:
        return ""
    chance = np.bincount(codes).max() / len(codes)
    plain, mirrored = _shares_right(_thumbnails(images), codes, _folds(np.asarray(groups)))
    if plain < chance + HALF_WAY * (1 - chance) or mirrored > HALF_WAY * chance:
        return ""
    return (
        f"a simple classifier is right on {100 * plain:.0f} % of the training images, and on "
        f"{100 * mirrored:.0f} % of them mirrored"
    )


def _thumbnails(images: Pixels) -> Floats:
    """Return grey pictures, float64 `(images, SIDE, SIDE)`, each of mean 0 and spread 1."""
    height, width = images.shape[1:3]
    rows, columns = (np.linspace(0, side, SIDE + 1).astype(int) for side in (height, width))
    sums = np.add.reduceat(images, rows[:-1], axis=1, dtype=np.float32)
    sums = np.add.reduceat(sums, columns[:-1], axis=2).mean(axis=3, dtype=np.float64)
    grey = sums / np.outer(np.diff(rows), np.diff(columns))
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    return np.asarray(grey / (grey.std(axis=(1, 2), keepdims=True) + 1.0))


def _folds(groups: npt.NDArray[np.str_]) -> Ints:
    """Deal whole groups, or images where no groups are known, into folds: int `(images,)`."""
    units = groups if (groups != "").all() else np.arange(len(groups))
    _, codes = np.unique(units, return_inverse=True)
    order = np.random.default_rng(0).permutation(codes.max() + 1)
    return np.asarray(order[codes] % FOLDS)


def _shares_right(pictures: Floats, codes: Ints, folds: Ints) -> tuple[float, float]:
    """Return how often a classifier is right on other folds: on plain and on mirrored pictures."""
    one_hot = np.eye(codes.max() + 1)[codes]
    is_right = np.zeros((2, len(codes)), bool)
    for fold in range(FOLDS):
        test, train = folds == fold, folds != fold
        if not test.any() or not train.any():
            continue
        flat = pictures[train].reshape(train.sum(), -1)
        pixel_means, class_shares = flat.mean(axis=0), one_hot[train].mean(axis=0)
        centred = flat - pixel_means
        normal = centred.T @ centred + RIDGE * np.eye(flat.shape[1])
        weights = np.linalg.solve(normal, centred.T @ (one_hot[train] - class_shares))
        for i, images in enumerate((pictures[test], pictures[test][:, :, ::-1])):
            scores = (images.reshape(len(images), -1) - pixel_means) @ weights + class_shares
            is_right[i, test] = scores.argmax(axis=1) == codes[test]
    return float(is_right[0].mean()), float(is_right[1].mean())
