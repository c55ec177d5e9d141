"""The course's recipes, three seeds each, beside what its notebooks print.

    python benchmarks/course.py

Trains what is not in `models/` yet (some 90 minutes in all on 2 cores with AMX) and prints the
table of docs/course.md. Data sets: `make download`.
"""

import statistics

import tfcnn
from tfcnn.base.errors import InputError

PRINTED = {  # recipe: what draws anew, and the accuracy in the course's notebook
    "mnist-ann": ("train.seed", ".9725"),
    "mnist-course": ("train.seed", ".9867"),
    "fashion-course": ("train.seed", ".9057 to .9065"),
    "cifar10-course": ("train.seed", ".6544"),
    "malaria-course": ("data.split.seed", ".9488"),
}
SEEDS = (0, 1, 2)
MALARIA = "malaria-course"
BY_IMAGE = ["data.split.unit=image", "data.split.demonstration=true"]


def accuracy(recipe: str, name: str, settings: list[str]) -> float:
    """Return the test accuracy of a run, trained now if it is not there."""
    try:
        run = tfcnn.load(name)
    except InputError:
        run = tfcnn.train(recipe, run=name, settings=settings)
    return float(tfcnn.evaluate(run).splits["test"]["accuracy"]["value"])


def short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def row(title: str, printed: str, values: list[float]) -> str:
    mean, sd = statistics.mean(values), statistics.stdev(values)
    each = " ".join(short(value) for value in values)
    return f"| {title} | {printed} | {each} | {short(mean)} ± {short(sd)} |"


print("| recipe | printed | three seeds here | mean ± sd |\n|---|---|---|---|")
for recipe, (key, printed) in PRINTED.items():
    values = [accuracy(recipe, f"{recipe}-{seed}", [f"{key}={seed}"]) for seed in SEEDS]
    print(row(f"`{recipe}`", printed, values), flush=True)
leaky = [
    accuracy(MALARIA, f"{MALARIA}-image-{seed}", [*BY_IMAGE, f"data.split.seed={seed}"])
    for seed in SEEDS
]
print(row("`malaria-course`, split by image: leaks", ".9488", leaky))
