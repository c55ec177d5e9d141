"""The service that one writes first: FastAPI, and Keras' `model.predict` for each request.

python benchmarks/rivals/keras_service.py MODEL.keras SIDE PORT
"""

import sys

import keras
import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

model = keras.saving.load_model(sys.argv[1], compile=False)
side, port = int(sys.argv[2]), int(sys.argv[3])
app = FastAPI()


def answer(image: Image.Image) -> list[float]:
    pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
    return model.predict(pixels[None].astype(np.float32), verbose=0)[0].tolist()


@app.post("/v1/predict")
def predict(images: UploadFile) -> dict[str, list[float]]:
    return {"probs": answer(Image.open(images.file))}


answer(Image.new("RGB", (side, side)))  # the first takes seconds
uvicorn.run(app, port=port, log_level="critical")
