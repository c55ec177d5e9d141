"""Put trained runs among the models that the package ships, each with its model card.

    python scripts/ship_models.py malaria mnist

Images, predictions and the split stay behind; hashes say what the model was trained on. Where a
cross-validation of the same recipe lies beside a run, the card gives its figures.
"""

import json
import shutil
import sys

from tfcnn import atomic, runs
from tfcnn.evaluation import scoring, seen
from tfcnn.report import model_card

FILES = ("model.json", "model.keras", "model.tflite", "domain.npz", "recipe.toml", "history.csv")

for name in sys.argv[1:]:
    run = runs.open_run(runs.models_home() / name)
    summary = runs.models_home() / f"{name}-crossval" / "summary.json"
    crossval = json.loads(summary.read_text()) if summary.exists() else None
    target = runs.ZOO / name
    shutil.rmtree(target, ignore_errors=True)
    with atomic.writing(target) as part:
        part.mkdir()
        for file in FILES:
            if (run.path / file).exists():  # a domain is fitted where there are images enough
                shutil.copy(run.path / file, part)
        seen.pack(run, part)
        card = model_card.readme(run, scoring.load(run), crossval)
        (part / "README.md").write_text(card, encoding="utf-8")
    size = sum(file.stat().st_size for file in target.iterdir())
    print(f"{target}: {size / 1e6:.1f} MB")
