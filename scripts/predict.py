"""Predict images: python scripts/predict.py RUN PATH... (files, folders, zips)."""

import sys

import tfcnn

run_name, *paths = sys.argv[1:]
run = tfcnn.load(run_name)

for prediction in tfcnn.predict(run, paths):
    if prediction.flag:
        print(f"{prediction.path}: {prediction.flag} ({prediction.reason})")
    else:
        probability = prediction.probs[prediction.predicted]
        print(f"{prediction.path}: {prediction.predicted} ({probability:.1%})")
