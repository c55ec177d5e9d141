"""Show a run's metrics: python scripts/evaluate.py RUN [FOLDER of unseen class folders]."""

import sys

import tfcnn

run = tfcnn.load(sys.argv[1])
report = tfcnn.evaluate(run, data=sys.argv[2] if len(sys.argv) > 2 else None)

for split in report.splits:
    print(f"{split}: {report.counts[split]['images']:,} images")
    print(*report.lines(split), sep="\n")
for warning in report.warnings:
    print(f"note: {warning}")
print(report.sentence)
