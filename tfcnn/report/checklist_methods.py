"""What a run says to the items of a reporting checklist on data, network and training.

A filler is named as `fills` of an item in `templates/checklists.toml` names it.
"""

from collections.abc import Iterator

from tfcnn import runs
from tfcnn.inputs import pipeline
from tfcnn.report import model_card, siblings
from tfcnn.report.checklist_reader import Fact, Filler, Reader, registering
from tfcnn.report.content import audit

MOST_NAMED = 5
FILLERS: dict[str, Filler] = {}
fills = registering(FILLERS)


@fills
def _kind(r: Reader) -> Iterator[Fact]:
    network, version = r.card("network", "name"), r.card("record", "versions", "tfcnn")
    yield r.fact(f"Deep learning: the network {network}, by tfcnn {version}.", "card")


@fills
def _intended_use(r: Reader) -> Iterator[Fact]:
    yield r.fact(model_card.intended_use(r.content.run), "card")


@fills
def _limits(r: Reader) -> Iterator[Fact]:
    for text in model_card.limits(r.content.run, r.content.report, r.split):
        yield r.fact(text, "card")


@fills
def _source(r: Reader) -> Iterator[Fact]:
    name, summary = r.card("data", "source"), r.card("data", "summary")
    sha256 = r.card("sha256", runs.SPLIT, default="not on record")
    yield r.fact(
        f"{name}: {summary}. split.csv lists every image with its sha256; its own is {sha256}.",
        "data",
    )
    for note in r.card("data", "notes", default=[]):
        yield r.fact(f"{note[0].upper()}{note[1:]}.", "data")


@fills
def _eligibility(r: Reader) -> Iterator[Fact]:
    unreadable, passed = len(r.report("quarantined", default=[])), r.report("ignored_files")
    yield r.fact(
        f"Included: every readable image of the source. Left out: {unreadable:,} unreadable, and "
        f"{passed or 0:,} files that are no images or were named to be ignored.",
        "data",
    )
    lines = r.report("left_out", default=[])
    for line in lines[:MOST_NAMED]:
        r.report("left_out")
        yield r.fact(f"{line[0].upper()}{line[1:]}.", "data")


@fills
def _missing(r: Reader) -> Iterator[Fact]:
    rows, unreadable = r.content.rows, len(r.report("quarantined", default=[]))
    without = sum(not row["group"] for row in rows)
    groups = f"{without:,} have no group" if without else "each has a group"
    groups = "none has a group that is known" if without == len(rows) else groups
    yield r.fact(
        f"Unreadable files ({unreadable:,}) are left out; nothing is imputed. Of {len(rows):,} "
        f"{r.images} {groups}.",
        "data",
    )


@fills
def _preprocessing(r: Reader) -> Iterator[Fact]:
    height, width = r.card("decoder", "image_size")
    channels, fit = r.card("decoder", "channels"), r.card("decoder", "fit")
    colour = "grey" if channels == 1 else "RGB"
    how = {"stretch": "stretched", "pad": "padded", "crop": "cropped"}[fit]
    yield r.fact(
        f"Each image is decoded to {height} × {width} px (height × width), {colour}, {how} to that "
        "size; pixels stay in 0 to 255 and are scaled by the network’s first layer.",
        "use",
    )


@fills
def _duplicates(r: Reader) -> Iterator[Fact]:
    count = audit(r.content)["duplicates"]
    yield r.fact(
        f"{count:,} {r.images} have an identical copy; all copies of a picture are in one split.",
        "data",
    )


@fills
def _reference(r: Reader) -> Iterator[Fact]:
    table, names = r.card("data", "labels", default=""), ", ".join(r.content.run.class_names)
    where = f"the table {table}" if table else "the folder that an image lies in"
    yield r.fact(f"The label of an image ({names}) is what {where} says.", "data")
    if corrected := r.card("data", "corrections", default={}):
        of_test = "corrected too" if r.content.run.is_test_corrected else "left as given"
        yield r.fact(
            f"{corrected['file']} (sha256 {corrected['sha256']}) then changed "
            f"{corrected['changed']:,} labels and left out {corrected['dropped']:,} {r.images}, "
            f"as a person judged them; labels that are tested were {of_test}.",
            "data",
        )


@fills
def _partition(r: Reader) -> Iterator[Fact]:
    seed, unit = r.recipe("data", "split", "seed"), r.recipe("data", "split", "unit")
    how = r.card("data", "groups", default="") or "no groups are known"
    if r.content.run.num_folds:
        by = r.groups if _has_groups(r) and not r.content.run.is_leaky else r.images
        text = f"{r.card('folds')} folds of whole {by}, stratified by class, seed {seed}"
    else:
        text = f"Drawn at random by {unit}, stratified by class, seed {seed}"
    yield r.fact(f"{text}; a split that the data set or a table brings is kept. Groups: {how}.",
                 "data")  # fmt: skip


@fills
def _level(r: Reader) -> Iterator[Fact]:
    is_leaky = r.card("leaky")
    at = "image: a demonstrated leak" if is_leaky else r.groups.removesuffix("s")
    if not is_leaky and not _has_groups(r):
        at = "picture (all copies of one are together), as no groups are known"
    yield r.fact(f"Partitions are disjoint at the level of the {at}; a gate checked it.", "data")


def _has_groups(r: Reader) -> bool:
    return any(row["group"] for row in r.content.rows)


@fills
def _sizes(r: Reader) -> Iterator[Fact]:
    rows = r.content.rows
    for split in ("train", "val", "test"):
        own = [row for row in rows if row["split"] == split]
        if own:
            yield r.fact(_size(r, split, own), "data")
    left = sum(not row["split"] for row in rows)
    unreadable = len(r.report("quarantined", default=[]))
    yield r.fact(f"In no split: {left:,} {r.images}, and {unreadable:,} unreadable files.", "data")


def _size(r: Reader, split: str, rows: list[dict[str, str]]) -> str:
    name = "tested out of fold" if r.content.run.num_folds else split
    groups = len({row["group"] for row in rows if row["group"]})
    of = f" of {groups:,} {r.groups}" if groups else ""
    classes = [
        f"{sum(row['label'] == label for row in rows):,} {label}"
        for label in r.content.run.class_names[:MOST_NAMED]
    ]
    return f"{name}: {len(rows):,} {r.images}{of} ({', '.join(classes)})."


@fills
def _sample_size(r: Reader) -> Iterator[Fact]:
    images, groups = (r.report("counts", r.split, key) for key in ("images", "groups"))
    of = f" of {groups:,} {r.groups}" if groups else ""
    yield r.fact(
        f"{images:,} {r.images}{of} were tested. That gave an accuracy of "
        f"{r.metric('splits', r.split, 'accuracy')}.",
        "metrics",
    )


@fills
def _model(r: Reader) -> Iterator[Fact]:
    name, options = r.card("network", "name"), r.card("network", "options", default={})
    listed = ", ".join(f"{key} = {value}" for key, value in options.items())
    parameters = r.card("network", "parameters", default=None)
    count = f", {parameters:,} parameters" if parameters else ""
    height, width = r.card("decoder", "image_size")
    yield r.fact(
        f"{name}{f' ({listed})' if listed else ''}{count}; in: {height} × {width} px, "
        f"{r.card('decoder', 'channels')} channels; out: the probabilities of "
        f"{len(r.card('class_names'))} classes. model.keras holds every layer and weight.",
        "card",
    )


@fills
def _software(r: Reader) -> Iterator[Fact]:
    names = r.card("record", "versions")
    versions = ", ".join(f"{name} {number}" for name, number in names.items())
    yield r.fact(f"Python {r.card('record', 'python')}, {versions}.", "card")


@fills
def _machine(r: Reader) -> Iterator[Fact]:
    if siblings.is_adopted(r.content):
        yield r.fact(
            f"Measured on {r.card('record', 'machine')}; trained by code of its author.", "card"
        )
        return
    seconds, about = r.report("train_seconds"), r.card("record", "machine")
    yield r.fact(f"Trained in {seconds:.1f} s on {about}, in {r.card('record', 'precision')}.",
                 "card")  # fmt: skip


@fills
def _initialization(r: Reader) -> Iterator[Fact]:
    if siblings.is_adopted(r.content):
        yield r.fact("Chosen by the author of the model, whom tfcnn did not see train it.", "card")
        return
    origin, seed = r.card("network", "origin", default=None), r.recipe("train", "seed")
    what = f"Weights learnt from {origin}" if origin else "Random weights, by Keras’ initializers"
    yield r.fact(f"{what}; seed {seed}.", "training")


@fills
def _training(r: Reader) -> Iterator[Fact]:
    if siblings.is_adopted(r.content):
        yield r.fact("By code of the author of the model, which no recipe describes.", "card")
        return
    epochs, start = r.report("epochs", default=0), r.card("network", "start", default="scratch")
    if not epochs:
        yield r.fact(f"No epochs ({start}): see the section for what was fitted.", "training")
        return
    train = "train"
    yield r.fact(
        f"{r.recipe(train, 'optimizer')}, learning rate "
        f"{r.recipe(train, 'finetune_learning_rate' if start == 'finetune' else 'learning_rate'):g}"
        f" ({r.recipe(train, 'schedule')}), weight decay {r.recipe(train, 'weight_decay'):g}, "
        f"batches of {r.recipe(train, 'batch_size')}, {epochs} epochs, loss "
        f"{r.recipe(train, 'loss')}, label smoothing {r.recipe(train, 'label_smoothing'):g}, class "
        f"weights {r.recipe(train, 'class_weights')}.",
        "training",
    )
    inputs = r.content.recipe.inputs
    yield r.fact(f"Augmentation: {pipeline.describe(inputs)}.", "card")
    seeds = f"{r.recipe(train, 'seed')}, of the split {r.recipe('data', 'split', 'seed')}"
    yield r.fact(f"Seed of the training {seeds}. Every setting is in recipe.toml.", "card")


@fills
def _imbalance(r: Reader) -> Iterator[Fact]:
    weights, loss = r.recipe("train", "class_weights"), r.recipe("train", "loss")
    share, name = (r.report("baseline", r.split, key) for key in ("share", "class"))
    yield r.fact(
        f"Class weights {weights}, loss {loss}. The commonest class, {name}, is "
        f"{100 * share:.1f} % of the tested {r.images}.",
        "metrics",
    )


@fills
def _selection(r: Reader) -> Iterator[Fact]:
    if siblings.is_adopted(r.content):
        yield r.fact("By the author of the model. tfcnn chose nothing on test.", "card")
        return
    best, tries = r.recipe("train", "best_weights"), r.card("network", "tries", default=[])
    epoch = "the epoch with the least loss on val" if best else "the last epoch"
    if not r.peek("epochs"):
        epoch = "the linear model, fitted once,"
    ways = ", ".join(str(one["start"]) for one in tries)
    chose = f" Val also chose the way to begin, of {ways}." if ways else ""
    test = "Test had no part in any choice."
    if r.content.run.num_folds:
        test = "What a fold tested had no part in its choices."
    elif r.card("threshold_set_after_test", default=False):
        test = "The threshold was set after test was scored; test had no other part in a choice."
    yield r.fact(f"The weights of {epoch} were kept.{chose} {test}", "training")


@fills
def _ensembling(r: Reader) -> Iterator[Fact]:
    views, count = r.recipe("model", "views"), r.card("folds", default=0)
    text = "One network" if not count else f"The mean of the logits of {count} networks"
    seen = "one view" if views == "one" else f"several views ({views}), averaged"
    yield r.fact(f"{text}, of {seen} of an image.", "card")


@fills
def _availability(r: Reader) -> Iterator[Fact]:
    version, hashes = r.card("record", "versions", "tfcnn"), r.card("sha256", default={})
    yield r.fact(f"Software: tfcnn {version}, under the Apache licence 2.0.", "card")
    named = ", ".join(f"{name} {hashes[name]}" for name in (runs.MODEL, runs.TWIN)
                      if name in hashes)  # fmt: skip
    if named:
        r.card("sha256")
        yield r.fact(f"Model, by sha256: {named}.", "card")


@fills
def _protocol(r: Reader) -> Iterator[Fact]:
    sha256 = r.card("sha256", runs.RECIPE, default="not on record")
    text = "and split.csv repeat the training: `tfcnn reproduce`"
    if r.content.run.num_folds:
        text = "and splits repeat each fold: `tfcnn reproduce` of one"
    elif siblings.is_adopted(r.content):
        text = "and split.csv say what it was measured on; the training is its author’s"
    yield r.fact(f"recipe.toml (sha256 {sha256}) {text}.", "card")


@fills
def _output(r: Reader) -> Iterator[Fact]:
    names = ", ".join(r.card("class_names"))
    yield r.fact(f"A probability for each of {names}, and a decision.", "use")
