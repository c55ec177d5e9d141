"""Train the malaria recipe: python scripts/train_malaria.py [section.key=value ...]."""

import sys

import tfcnn

# 70 % of the patients train, 15 % choose (temperature, threshold), 15 % test, once
run = tfcnn.train("malaria", settings=sys.argv[1:])

report = tfcnn.evaluate(run)
print(report.sentence)
print(*report.lines("test"), sep="\n")
for group in report.groups["test"][:5]:
    print(f"patient {group['group']}: {group['errors']} errors in {group['images']} cells")
print(f"Everything else is in {run.path}")
