"""What a careful user of PyTorch writes: `compact` in bfloat16, channels last, images in memory.

    python benchmarks/rivals/torch_compact.py FOLDER --epochs 10

FOLDER holds train/ and test/ with a folder per class. The layers, size, augmentation, optimizer
and schedule are those of the earlier recipe `malaria` with AdamW, but contrast turns about the
cell's mean.
On a GPU images lie in its memory and are augmented there.

    python benchmarks/rivals/torch_compact.py FOLDER --side 40 --first-width 24 --epochs 16 --muon
    python benchmarks/rivals/torch_compact.py FOLDER --side 32 --first-width 16 --epochs 12 --muon

are the networks, optimizer and epochs of recipes `malaria` and `malaria-fast`, label smoothing and
both views at the end among them.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import contest
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy

arguments = contest.options(epochs=10, side=48, first_width=32, float32=False, muon=False)
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


class Muon(torch.optim.Optimizer):
    """Muon for kernels of convolutions, as in `airbench94_muon.py` of its author."""

    def __init__(self, kernels: list[nn.Parameter], lr: float = 0.1, momentum: float = 0.6) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for kernel in group["params"]:
                state = self.state[kernel]
                state.setdefault("mean", torch.zeros_like(kernel)).mul_(group["momentum"])
                mean = state["mean"].add_(kernel.grad)
                step = (kernel.grad + group["momentum"] * mean).flatten(1)
                step /= step.norm() + 1e-7
                for _ in range(3):
                    gram = step @ step.T
                    step = 3.4445 * step + (2.0315 * gram @ gram - 4.7750 * gram) @ step
                kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
                kernel.sub_(step.view_as(kernel), alpha=group["lr"])


torch.manual_seed(arguments.seed)
images, labels = read("train")
model = network(int(labels.max()) + 1).to(device, memory_format=torch.channels_last)
steps = arguments.epochs * (len(images) // batch_size)
warmup = round(0.2 * steps)


def rate(step: int) -> float:
    if step < warmup:
        return 0.04 + 0.96 * step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


kernels = [weight for weight in model.parameters() if weight.ndim == 4]
matrices = [weight for weight in model.parameters() if weight.ndim == 2]
vectors = [weight for weight in model.parameters() if weight.ndim == 1]
optimizers: list[torch.optim.Optimizer]
if arguments.muon:
    rest = torch.optim.AdamW(matrices + vectors, lr=4e-3, weight_decay=0.0, fused=True)
    optimizers = [Muon(kernels), rest]
else:
    decayed = {"params": kernels + matrices, "weight_decay": 0.02}
    others = {"params": vectors, "weight_decay": 0.0}
    optimizers = [torch.optim.AdamW([decayed, others], lr=3e-3, fused=True)]
schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, rate) for optimizer in optimizers]
smoothing = 0.1 if arguments.muon else 0.0
precision = torch.autocast(device, torch.bfloat16, enabled=not arguments.float32)
for _ in range(arguments.epochs):
    order = torch.randperm(len(images), device=device)
    for first in range(0, len(images) - batch_size + 1, batch_size):
        rows = order[first : first + batch_size]
        batch = augmented(images[rows]).contiguous(memory_format=torch.channels_last)
        with precision:
            loss = cross_entropy(model(batch), labels[rows], label_smoothing=smoothing)
        model.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
model.eval()
images, labels = read("test")
views = [images, images.flip(3)] if arguments.muon else [images]
with torch.inference_mode(), precision:
    logits = [torch.cat([model(part.float()) for part in view.split(256)]) for view in views]
probs = torch.stack(logits).float().log_softmax(-1).mean(0).exp()
probs /= probs.sum(1, keepdim=True)
contest.answer(labels.cpu().numpy(), probs.cpu().numpy())
