"""Save a run's model.keras as a training would now: python scripts/resave_model.py FOLDER.

The weights stay, with the temperature that is folded into them; how views are computed may have
changed since. The new file takes the old one's place only where it gives the same answers.
"""

import argparse
from pathlib import Path

import numpy as np

from tfcnn import runs
from tfcnn.base import quiet

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path, help="a run folder, such as tfcnn/zoo/cifar10")
folder = parser.parse_args().folder
quiet.load_tensorflow()
import keras  # noqa: E402

from tfcnn.training import form, save  # noqa: E402

run = runs.read(folder)
settings = run.recipe.model
old = keras.saving.load_model(run.model_path, compile=False)
plain = form.saved_form(settings, run.decoder.shape, len(run.class_names), old.get_weights())
new = plain if settings.views == "one" else form.averaged(plain, settings.views)
images = np.random.default_rng(0).uniform(0, 255, (256, *run.decoder.shape)).astype(np.float32)
difference = np.abs(old.predict(images, verbose=0) - new.predict(images, verbose=0)).max()
if difference > 1e-6:
    raise SystemExit(f"{folder}: the answers differ by {difference:.2g}: nothing is written")
save.write_keras(new, folder / runs.MODEL)
runs.write_card(run.recorded(runs.MODEL))
print(f"{folder}: saved anew; the answers differ by {difference:.2g} at most")
