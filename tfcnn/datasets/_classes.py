"""Which folders are the classes, the splits or the groups, by their names and what they share."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfcnn.base.errors import InputError
from tfcnn.datasets import LayoutError, Official
from tfcnn.datasets._files import AUGMENTED, IMAGE_FOLDER, Folder

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
SPLITS: tuple[Official, ...] = ("train", "val", "test")
FEW = 0.1  # images that lie beside sub-folders, of those in a folder whose sub-folders are classes
SHOWN = 4


@dataclass(frozen=True)
class Part:
    """A class folder, of one split, or below one of the folders that belong together."""

    label: str
    official: Official
    folder: Folder
    above: str = ""


@dataclass(frozen=True)
class Place:
    """A folder, its split, and the names of the folders it lies in, from the upper ones on."""

    official: Official
    folder: Folder
    above: tuple[str, ...] = ()

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.above, self.folder.name)


@dataclass(frozen=True)
class _Tops:
    """Folders of one level, and the names of the folders in them that hold images."""

    names: dict[str, set[str]]
    direct: int
    total: int

    @property
    def inner(self) -> "Counter[str]":
        return Counter(name for names in self.names.values() for name in names)

    @property
    def is_shared(self) -> bool:
        """Whether most of the folders below occur in several upper ones, with few images beside."""
        inner = self.inner
        shared = [count for count in inner.values() if count > 1]
        is_bare = self.direct <= FEW * self.total
        return is_bare and len(inner) > 1 and bool(shared) and 2 * sum(shared) >= inner.total()

    @property
    def are_groups(self) -> bool:
        """Whether there are more upper folders than different names below: patients, say."""
        return len(self.names) > len(self.inner)


def parts_of(
    root: Folder, tops: list[Place], group_from: str, is_ruled: bool, notes: list[str]
) -> list[Part]:
    """Decide whether the upper folders are the classes, or folders in them."""
    level, below = _look_at(tops), _below(tops)
    is_open = group_from == "name" and not is_ruled
    lowest = _lowest(tops)
    if group_from == "folder-above":
        return _grouped_above(lowest)
    names = [name for name in level.names if FOLD.fullmatch(name)]
    if len(names) > 1 and len(names) == len(level.names):
        _check_folds(root, level, is_ruled and group_from == "name")
        notes.append(f"{few(level.names)}: folds, looked through; images of one fold may part")
        return [Part(one.folder.name, one.official, one.folder) for one in below]
    if is_open and any(one.above[1:] for one in lowest):
        _ask(root, level, lowest)
    words = {split_of(name) for name in level.inner}
    if level.is_shared and "train" in words and words <= {"train", "val", "test", "eval"}:
        notes.append(f"{few(level.inner)}: the splits, each inside of a class folder")
        return [part for top in tops for part in _inverted(root, top)]
    is_hopeless = group_from == "folder" and level.are_groups and len(level.inner) < 3
    if level.is_shared and (is_open or is_hopeless):
        _ask(root, level, below, is_hopeless)
    return [Part(top.folder.name, top.official, top.folder) for top in tops]


def official_folders(root: Folder, named: list[tuple[str, Folder]]) -> dict[Official, Folder]:
    """Return one folder for each official split, in the order of their names."""
    words = {split for split, _ in named}
    stands_for = "val" if "test" in words else "test"
    splits: dict[Official, Folder] = {}
    for word, child in named:
        if word == "pred":
            continue
        split: Official = next(s for s in SPLITS if s == (stands_for if word == "eval" else word))
        if split in splits:
            received = f"{splits[split].name} and {child.name}"
            raise InputError(
                root.path, f"one folder of the {split} split", received, "merging them"
            )
        splits[split] = child
    return splits


def _inverted(root: Folder, top: Place) -> list[Part]:
    splits = official_folders(
        root, [(split_of(child.name), child) for child in inner_folders(top.folder)]
    )
    return [Part(top.folder.name, official, child) for official, child in splits.items()]


def _below(places: Iterable[Place]) -> list[Place]:
    """Return the folders with images in these folders."""
    return [
        Place(one.official, inner, one.path)
        for one in places
        for inner in inner_folders(one.folder)
    ]


def _lowest(tops: list[Place]) -> list[Place]:
    """Return the folders below the upper ones that are the classes, if these are not.

    It is the deepest level where few names recur in many folders (`hospital/patient/{ill,well}`),
    magnifications, dates and other views of one patient not counted; else the level below.
    """
    chosen = parents = _below(tops)
    while parents:
        level, inner = _look_at(parents), _below(parents)
        are_views = all(VIEW.fullmatch(name) or split_of(name) for name in level.inner)
        if level.is_shared and level.are_groups and not are_views:
            chosen = inner
        parents = inner
    return chosen


def _grouped_above(places: list[Place]) -> list[Part]:
    """Take folders as classes, and the patient's folder above each as the group."""
    chains = [owners(one.above) for one in places]
    homes: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for chain in chains:
        homes[chain[-1]].add(chain)
    return [
        Part(
            one.folder.name, one.official, one.folder,
            chain[-1] if len(homes[chain[-1]]) == 1 else "/".join(chain),
        )
        for one, chain in zip(places, chains, strict=True)
    ]  # fmt: skip


def _check_folds(root: Folder, level: _Tops, is_ruled: bool) -> None:
    """Refuse folds that nothing says how to take."""
    received = f"{len(level.names)} folds ({few(level.names)})"
    if any(split_of(name) == "train" for name in level.inner):
        hint = f"one of them, such as {root.path / min(level.names)}"
        raise LayoutError(root.path, "one split into train and test", received, hint)
    if len(level.inner) < 2:
        hint = "class folders in each fold"
        raise LayoutError(root.path, "class folders", f"{received} without any", hint)
    if not is_ruled:
        raise LayoutError(
            root.path, "class folders",
            f"{received}, each with folders {few(level.inner)}",
            "--set data.group_from=folder-above, which keeps each fold on one side, or "
            "--set data.group_regex='' to ignore the folds",
        )  # fmt: skip


def _ask(root: Folder, level: _Tops, lowest: list[Place], is_only_above: bool = False) -> None:
    """Refuse folders that share the folders in them: no setting says which are the classes.

    Args:
        root: what is read.
        level: the upper folders.
        lowest: the folders in them that may be the classes.
        is_only_above: whether a setting rules out that the upper ones are.
    """
    parents = sorted({"/".join(one.above) for one in lowest})
    upper, lower = few(level.names), few({one.folder.name for one in lowest})
    tries = [f"--set data.group_from=folder-above where {lower} are the classes"]
    if not is_only_above:
        tries.append(f"--set data.group_from=folder where {upper} are")
        tries.append(f"--set data.group_regex='' where {upper} are, and there are no groups")
        tries.append("names with train and test where they are splits")
    if copies := [name for name in level.names if AUGMENTED.fullmatch(name)]:
        tries.append(f"--set data.ignore={copies[0]} where it holds copies")
    raise LayoutError(
        root.path,
        "folders that are surely classes, or surely groups such as patients",
        f"{len(parents):,} folders ({few(parents)}) that share the folders in them ({lower})",
        "; or ".join(tries),
    )


def _look_at(places: Iterable[Place]) -> _Tops:
    names: dict[str, set[str]] = defaultdict(set)
    direct = total = 0
    for one in places:
        inner = inner_folders(one.folder)
        names["/".join(one.path)] |= {folder.name for folder in inner}
        total += one.folder.count
        direct += one.folder.count - sum(folder.count for folder in inner)
    return _Tops({name: inner for name, inner in names.items() if inner or direct}, direct, total)


def inner_folders(top: Folder) -> list[Folder]:
    """Return the folders with images in a folder; `images` and the like are looked through."""
    folders = []
    for child in top.folders:
        if IMAGE_FOLDER.fullmatch(child.name):
            folders += inner_folders(child)
        elif child.count:
            folders.append(child)
    return folders


def few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    if len(ordered) <= SHOWN + 1:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:SHOWN])} and {len(ordered) - SHOWN} more"


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
