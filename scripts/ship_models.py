"""Ship trained runs with the package, each with a model card: python scripts/ship_models.py RUN...

Images, predictions, the split and a large LiteRT twin stay behind; hashes say what the model was
trained on. Where a cross-validation of the recipe lies beside a run, the card gives its figures.
"""

import argparse
import shutil
from dataclasses import replace

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.evaluation import other_data, scoring, stress
from tfcnn.report import model_card

FILES = (runs.MODEL, runs.DOMAIN, runs.RECIPE, runs.HISTORY)
LEFT_BEHIND = (runs.PREDICTIONS, runs.REPORT)
MOST_TWIN_BYTES = 3e6
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="+", help="runs in models/")
for name in parser.parse_args().names:
    run = runs.open_run(runs.models_home() / name)
    folder = runs.models_home() / f"{name}-crossval"
    crossval = runs.read_summary(folder) if (folder / runs.SUMMARY).exists() else None
    target = runs.ZOO / name
    shutil.rmtree(target, ignore_errors=True)
    with atomic.writing(target) as part:
        part.mkdir()
        twin = run.path / runs.TWIN
        is_small = twin.exists() and twin.stat().st_size < MOST_TWIN_BYTES
        for file in (*FILES, twin.name) if is_small else FILES:
            if (run.path / file).exists():  # a domain is fitted where there are images enough
                shutil.copy(run.path / file, part)
        shipped = run.unrecorded(*LEFT_BEHIND, *([] if is_small else [twin.name]))  # Keras answers
        other_data.pack_trained_on(run, part)
        runs.write_card(replace(shipped, path=part).recorded(runs.SEEN))
        words = model_card.readme(run, scoring.load(run), crossval, stress.read(run))
        (part / "README.md").write_text(words, encoding="utf-8")
    print(f"{target}: {sum(file.stat().st_size for file in target.iterdir()) / 1e6:.1f} MB")
