"""Train a CNN on Fashion-MNIST: python scripts/train_fashion.py [section.key=value ...]."""

import sys

import tfcnn

run = tfcnn.train("fashion", settings=sys.argv[1:])

report = tfcnn.evaluate(run)
print(report.sentence)

# the share of each class that was found: rows of the confusion matrix are the true classes
for i, counts in enumerate(report.confusion["test"]):
    print(f"{run.class_names[i]:12} {counts[i] / sum(counts):.1%} of {sum(counts):,}")
