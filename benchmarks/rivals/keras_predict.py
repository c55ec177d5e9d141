"""What a user writes to predict a folder with a saved Keras model: the rival of `tfcnn predict`.

python benchmarks/rivals/keras_predict.py model.keras 48 FOLDER_OR_FILE
"""

import sys
from pathlib import Path

import keras
import numpy as np

model = keras.saving.load_model(sys.argv[1], compile=False)
side, path = int(sys.argv[2]), Path(sys.argv[3])
if path.is_dir():
    images = keras.utils.image_dataset_from_directory(
        path, labels=None, image_size=(side, side), batch_size=64, shuffle=False, verbose=False
    )
    probs = model.predict(images, verbose=0)
else:
    image = keras.utils.load_img(path, target_size=(side, side), interpolation="bilinear")
    probs = model.predict(np.asarray(image, dtype=np.float32)[np.newaxis], verbose=0)
print(len(probs))
