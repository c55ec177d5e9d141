"""The logits that PyTorch gives: of EfficientNet-Lite as its package has it.

    python benchmarks/rivals/torch_logits.py IMAGES.npy LOGITS.npy --variant 0

IMAGES is uint8 `(images, side, side, 3)` with the side that the variant learnt from. LOGITS will
be float32 `(images, 1000)`.
"""

import argparse

import lite
import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("images")
parser.add_argument("logits")
parser.add_argument("--variant", type=int, default=0)
arguments = parser.parse_args()
pixels = np.load(arguments.images)
model = lite.network(arguments.variant, pixels.shape[1])
with torch.inference_mode():
    parts = [model(lite.scaled(part)) for part in torch.from_numpy(pixels).split(32)]
np.save(arguments.logits, torch.cat(parts).numpy())
