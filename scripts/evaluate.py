"""Show a run's metrics: python scripts/evaluate.py RUN [FOLDER of unseen class folders]."""

import sys

import tfcnn

run = tfcnn.load(sys.argv[1])
report = tfcnn.evaluate(run, data=sys.argv[2] if len(sys.argv) > 2 else None)

for split, metrics in report.splits.items():
    print(f"{split}: {report.counts[split]['images']:,} images")
    for name, row in metrics.items():
        if row["value"] is None:
            print(f"  {name:20} {row['reason']}")
        else:
            print(f"  {name:20} {row['value']:.4f}  ({row['low']:.4f} to {row['high']:.4f})")
for warning in report.warnings:
    print(f"note: {warning}")
print(report.sentence)
