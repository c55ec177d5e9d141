"""What the name of a folder says: a split, a fold, a view of one object, annotations."""

import re
import unicodedata
from collections.abc import Sequence

from tfcnn.datasets._files import IMAGE_FOLDER

__all__ = ["ANNOTATIONS", "FOLD", "PLAIN", "VIEW", "WRAPPER", "owners", "split_of", "splits_of"]

# `eval` is the test set beside train and val, and val beside train and test; `pred` has no labels
WORDS = {
    "train": (
        "train training trn tr trainval learning trainings entrainement apprentissage "
        "entrenamiento addestramento treino treinamento trening traning обучение обучающая "
        "тренировка 训练 訓練 学習 学习 훈련 학습 egitim"
    ),
    "val": (
        "val valid validation validate dev development validierung validierungs validacion "
        "validazione validacao validatie validering walidacja валидация 验证 驗證 検証 검증"
    ),
    "test": (
        "test testing tst tests holdout prueba pruebas teste testes prova тест тестовая "
        "测试 測試 テスト 테스트"
    ),
    "eval": "eval evaluation evaluate",
    "pred": "pred predict prediction unlabelled unlabeled",
}
NOISE = frozenset(
    {"set", "sets", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos"}
    | {"split", "folder", "dir", "seg", "cls", "files", "samples", "subset", "v", "version"}
    | {"daten", "datensatz", "bilder"}
)
FOLD = re.compile(r"(k[ _-]?)?(fold|cv)s?[ _.-]*\d+", re.IGNORECASE)
PLAIN = re.compile(r"images?|imgs?", re.IGNORECASE)  # what is shown in these is not said
WRAPPER = re.compile(rf"data(sets?)?|{IMAGE_FOLDER.pattern}", re.IGNORECASE)
# magnifications, dates, sides and visits: parts of what one object or patient has
VIEW = re.compile(
    r"\d+ ?x|\d{4}[-_.]?\d\d([-_.]?\d\d)?|left|right|[lr]|(visit|session|day|week|time|t)[ _-]?\d+",
    re.IGNORECASE,
)
# beside images, what is known of the objects in them
ANNOTATIONS = re.compile(r"annotations?|labels?|imagesets|bbox(es)?|metadata|docs?", re.IGNORECASE)


def _plain(text: str) -> str:
    """Return a text in small letters without accents, however a system composes them."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


GLUED = re.compile(rf"({_plain('set|data|dataset|images|imgs|daten|bilder|集|データ|セット')})$")
SPLIT_WORDS = {_plain(word): split for split, words in WORDS.items() for word in words.split()}


def split_of(name: str, shared: Sequence[str] = ()) -> str:
    """Return the split that a folder's name means (`eval` and `pred` are words too), or "".

    Args:
        name: of the folder.
        shared: words of it that say nothing, for the folders beside it have them too.
    """
    words = [word for word in _words(name) if word not in shared]
    if words == ["train", "val"]:
        return "train"
    if len(words) != 1:
        return ""
    return SPLIT_WORDS.get(words[0]) or SPLIT_WORDS.get(GLUED.sub("", words[0]), "")


def splits_of(names: Sequence[str]) -> list[str]:
    """Return what each of several names means, also of `cells_train` beside `cells_test`."""
    shared = set.intersection(*({*_words(name)} - SPLIT_WORDS.keys() for name in names))
    return [split_of(name, [*shared]) for name in names]


def owners(folders: Sequence[str]) -> tuple[str, ...]:
    """Return those of the folders on the way to an image that may be a group: no view, no split."""
    named = tuple(name for name in folders if not (VIEW.fullmatch(name) or split_of(name)))
    return named or tuple(folders)


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    spaced = _plain(spaced).replace("hold-out", "holdout").replace("hold_out", "holdout")
    return [word for word in re.findall(r"[^\W\d_]+", spaced) if word not in NOISE]
