"""What disturbed images cost a shipped model, and what an augmentation is worth under one kind.

    python benchmarks/stress.py shipped malaria          # its own val patients, drawn again
    python benchmarks/stress.py compare RUN RUN --kind stain

`shipped` draws the split of the shipped recipe again, from the downloaded data. Val chose the
temperature and the rules of that model; its weights have not seen it. `compare` disturbs the test
images that two runs of one split share, and says first less second with its paired interval.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfcnn import manifest, runs
from tfcnn.base.progress import Reporter
from tfcnn.datasets.folder import open_any
from tfcnn.display.console import Console, print_grid
from tfcnn.evaluation import intervals, run_images, stress
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.disturbances import KINDS, SEVERITIES, disturb
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table
from tfcnn.inputs.streamed import Streamed
from tfcnn.manifest import splits
from tfcnn.prediction import Predictor
from tfcnn.runs import Run


def val_of(run: Run) -> tuple[Table, Streamed]:
    """Return the table and the images of a shipped run's val split, drawn as it was."""
    data = run.recipe.data
    source = open_any(data, Reporter())
    images = manifest.build(source, group_regex=data.group_regex)
    parts = np.array(splits.assign(images, data.split))
    rows = [row for row, part in zip(images.rows, parts, strict=True) if part == "val"]
    labels = np.array([run.class_names.index(row.label) for row in rows], dtype=np.int32)
    streamed: Any = Streamed(source, rows, run.decoder)
    probs, flags = Predictor(run).answers(streamed)
    table = Table(
        np.array([row.path for row in rows]), np.full(len(rows), "val"),
        np.array([row.group for row in rows]), labels, probs, np.array([one for one, _ in flags]),
    )  # fmt: skip
    return table, streamed


def shipped(name: str) -> None:
    """Stress a shipped model on its val split."""
    run = runs.open_run(name)
    table, images = val_of(run)
    content = stress.measure(run, table, images, Predictor(run))
    console = Console(width=100)
    print_grid(stress.grids(content)[0], console)
    for row in content["kinds"]:
        shares = [f"{level['flagged']:.3f}" for level in row["levels"]]
        print(f"{row['kind']:12} of all images flagged: {' '.join(shares)}")
    print(f"{content['groups']} groups. {content['sentence']}")


def compare(names: Sequence[str], kind_name: str) -> None:
    """Compare two runs of one split under one disturbance."""
    first, second = (runs.open_run(name) for name in names)
    tables = [predictions.read(run).part("test") for run in (first, second)]
    if tables[0].paths.tolist() != tables[1].paths.tolist():
        raise SystemExit("the two runs were tested on other images: give both the same --split")
    part, kind = tables[0], next(kind for kind in KINDS if kind.name == kind_name)
    predictors = [Predictor(run) for run in (first, second)]
    images = run_images.of_paths(first, part.paths.tolist())[:]
    pairs = list(zip(images, part.paths.tolist(), strict=True))
    for severity in (0, *SEVERITIES):
        changed = images
        if severity:
            changed = np.stack([disturb(i, kind, severity, stress.SEED, p) for i, p in pairs])
        samples = [
            Sample(part.labels, predictor.probs(changed), part.known_groups)
            for predictor in predictors
        ]
        own = [float(np.mean(one.predicted == one.labels)) for one in samples]
        found = intervals.paired(*samples, names=["accuracy"])["accuracy"]
        what = kind.describe(severity) if severity else "undisturbed"
        ends = f"{found.low:+.4f} to {found.high:+.4f}" if found.low is not None else found.reason
        print(f"{kind_name} {severity} ({what}): {own[0]:.4f} {own[1]:.4f}, "
              f"difference {found.value:+.4f} ({ends})", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("shipped", "compare"))
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--kind", default="stain")
    arguments = parser.parse_args()
    if arguments.what == "shipped":
        shipped(arguments.runs[0])
    else:
        compare(arguments.runs, arguments.kind)


if __name__ == "__main__":
    main()
