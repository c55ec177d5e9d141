"""Predict images: python scripts/predict.py RUN PATH... (files, folders, zips)."""

import argparse

import tfcnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", help="a run's name or path")
parser.add_argument("paths", nargs="+", help="files, folders, zips")
arguments = parser.parse_args()

for prediction in tfcnn.predict(arguments.run, arguments.paths):
    if prediction.flag:
        print(f"{prediction.path}: {prediction.flag} ({prediction.reason})")
    else:
        probability = prediction.probs[prediction.predicted]
        print(f"{prediction.path}: {prediction.predicted} ({probability:.1%})")
