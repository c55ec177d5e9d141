"""Show a run's metrics: python scripts/evaluate.py RUN [FOLDER of unseen class folders]."""

import argparse

import tfcnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", help="a run's name or path")
parser.add_argument("data", nargs="?", help="class folders of unseen images")
arguments = parser.parse_args()

report = tfcnn.evaluate(arguments.run, data=arguments.data)
for split in report.splits:
    print(f"{split}: {report.counts[split]['images']:,} images")
    print(*report.lines(split), sep="\n")
for warning in report.warnings:
    print(f"note: {warning}")
print(report.sentence)
