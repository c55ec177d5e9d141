"""What a careful user of PyTorch writes: `compact` in bfloat16, channels last, images in memory.

    python benchmarks/rivals/torch_compact.py FOLDER --epochs 10

FOLDER holds train/ and test/ with a folder per class. The layers, size, augmentation, optimizer
and schedule that recipe `malaria` had before Muon, but that contrast turns about the cell's mean.
On a GPU images lie in its memory and are augmented there. Prints accuracy and ROC AUC on test as
JSON.

    python benchmarks/rivals/torch_compact.py FOLDER --side 32 --first-width 16 --epochs 12

is the network of recipe `malaria-fast`.
"""

import argparse
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--side", type=int, default=48)
parser.add_argument("--first-width", type=int, default=32)
parser.add_argument("--float32", action="store_true")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
side, batch_size = arguments.side, 128
device = "cuda" if torch.cuda.is_available() else "cpu"


def decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def read(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return uint8 `(images, 3, height, width)` and labels; Pillow lets go of the interpreter."""
    paths = sorted((arguments.folder / split).glob("*/*.png"))
    names = sorted({path.parent.name for path in paths})
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        images = np.stack(list(pool.map(decode, paths)))
    labels = [names.index(path.parent.name) for path in paths]
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    return pixels.to(device), torch.tensor(labels, device=device)


class Equalize(nn.Module):
    """Divide each channel of each image by its root mean square."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        squares = images.square().mean(dim=(2, 3), keepdim=True)
        return 0.8 * images * squares.clamp_min(1e-12).rsqrt()


def network(classes: int) -> nn.Module:
    layers: list[nn.Module] = [Equalize()]
    channels = 3
    for times in (1, 2, 4, 8):
        width = times * arguments.first_width
        conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        norm = nn.BatchNorm2d(width, eps=1e-3, momentum=0.1)
        layers += [conv, nn.MaxPool2d(2), norm, nn.ReLU(inplace=True)]
        channels = width
    head = nn.Linear(channels, classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Turn and mirror each image, and change its contrast about the mean of its cell."""
    images = images.float()
    turns = torch.randint(8, (len(images),), device=device)
    for kind in range(1, 8):
        chosen = turns == kind
        turned = torch.rot90(images[chosen], kind % 4, (2, 3))
        images[chosen] = turned.flip(3) if kind >= 4 else turned
    cell = images.amax(dim=1, keepdim=True) > 12
    mean = (images * cell).sum((2, 3), keepdim=True) / cell.sum((2, 3), keepdim=True).clamp_min(1)
    gain = 1 + 0.15 * (2 * torch.rand(len(images), 1, 1, 1, device=device) - 1)
    return torch.where(cell, mean + gain * (images - mean), images).clamp_(0, 255)


torch.manual_seed(arguments.seed)
images, labels = read("train")
model = network(int(labels.max()) + 1).to(device, memory_format=torch.channels_last)
decayed = [weight for weight in model.parameters() if weight.ndim > 1]
others = [weight for weight in model.parameters() if weight.ndim <= 1]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}], lr=3e-3
)
steps = arguments.epochs * (len(images) // batch_size)
warmup = round(0.2 * steps)
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer,
    lambda step: (
        0.04 + 0.96 * step / warmup
        if step < warmup
        else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    ),
)
precision = torch.autocast(device, torch.bfloat16, enabled=not arguments.float32)
for _ in range(arguments.epochs):
    order = torch.randperm(len(images), device=device)
    for first in range(0, len(images) - batch_size + 1, batch_size):
        rows = order[first : first + batch_size]
        batch = augmented(images[rows]).contiguous(memory_format=torch.channels_last)
        with precision:
            loss = nn.functional.cross_entropy(model(batch), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
model.eval()
images, labels = read("test")
with torch.inference_mode(), precision:
    probs = torch.cat([model(part.float()).float().softmax(1) for part in images.split(256)])
labels, probs = labels.cpu(), probs.cpu()
accuracy = (probs.argmax(1) == labels).double().mean().item()
print(json.dumps({"accuracy": accuracy, "auc": roc_auc_score(labels == 0, probs[:, 0])}))
