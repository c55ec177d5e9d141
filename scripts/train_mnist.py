"""Train a CNN on MNIST: python scripts/train_mnist.py [section.key=value ...]."""

import csv
import sys
from collections import Counter

import tfcnn

run = tfcnn.train("mnist", settings=sys.argv[1:])
print(tfcnn.evaluate(run).sentence)

# which digits are taken for which, on the test images?
with (run.path / "predictions.csv").open() as file:
    rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
mistakes = Counter(
    (row["label"], row["predicted"]) for row in rows if row["label"] != row["predicted"]
)
for (label, predicted), count in mistakes.most_common(5):
    print(f"{count} times {label} was taken for {predicted}")
