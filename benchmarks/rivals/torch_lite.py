"""What a careful user of PyTorch writes for a small folder: the two ways to begin of tfcnn.

    python benchmarks/rivals/torch_lite.py FOLDER
    python benchmarks/rivals/torch_lite.py FOLDER --finetune

FOLDER holds train/, val/ and test/ with a folder per class, and `settings.json`, which says what
tfcnn's recipe does. The features of EfficientNet-Lite are computed once, channels last, with batch
normalisation folded into the convolutions. Logistic regression of them takes the strength that val
prefers. `--finetune` then trains all layers but batch normalisation from there.
"""

import json
import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import contest
import lite
import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import nn
from torch.nn.functional import cross_entropy

arguments = contest.options(finetune=False)
settings = json.loads((arguments.folder / "settings.json").read_text(encoding="utf-8"))
side, batch_size = settings["side"], settings["batch_size"]
names = sorted({path.name for path in arguments.folder.glob("*/*")})


def decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def read(split: str) -> tuple[torch.Tensor, np.ndarray]:
    """Return uint8 `(images, height, width, 3)` and labels; Pillow lets go of the interpreter."""
    paths = sorted((arguments.folder / split).glob("*/*"))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        images = np.stack(list(pool.map(decode, paths)))
    return torch.from_numpy(images), np.array([names.index(path.parent.name) for path in paths])


@torch.inference_mode()
def outputs(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Return float32 `(images, outputs)`."""
    return torch.cat([model(lite.scaled(part)) for part in images.split(8)]).numpy()


def head(features: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> nn.Linear:
    """Return the logistic regression that val prefers, as a layer that takes features."""
    center = features["train"].mean(axis=0)
    scale = (features["train"] - center).std()
    points = {split: (values - center) / scale for split, values in features.items()}
    model = LogisticRegression(max_iter=settings["max_steps"], warm_start=True)
    losses: list[float] = []
    for strength in settings["strengths"]:
        model.set_params(C=1 / (strength * len(points["train"])))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(points["train"], labels["train"])
        losses.append(log_loss(labels["val"], model.predict_proba(points["val"])))
        if losses[-1] == min(losses):
            kernel, bias = model.coef_ / scale, model.intercept_
        elif len(losses) - 1 - losses.index(min(losses)) == settings["worse"]:
            break
    if len(bias) == 1:  # of two classes
        kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    layer = nn.Linear(len(center), len(bias))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel))
        layer.bias.copy_(torch.from_numpy(bias - kernel @ center))
    return layer


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Mirror half of the images, and change the brightness of each."""
    images = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(2), images).float()
    factors = 1 + settings["brightness"] * (2 * torch.rand(len(images), 1, 1, 1) - 1)
    return (images * factors).clamp_(0, 255)


def finetune(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Train all but batch normalisation, which stays as it is, in inference mode."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.requires_grad_(False)
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, settings["rate"], weight_decay=0.0, fused=True)
    size = min(batch_size, len(images))
    steps = settings["epochs"] * (len(images) // size)
    warmup = round(settings["warmup"] * steps)

    def factor(step: int) -> float:
        if step < warmup:
            return 0.04 + 0.96 * step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for _ in range(settings["epochs"]):
        order = torch.randperm(len(images))
        for first in range(0, len(images) - size + 1, size):
            rows = order[first : first + size]
            logits = model(lite.scaled(augmented(images[rows])))
            loss = cross_entropy(logits, labels[rows], label_smoothing=settings["smoothing"])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


torch.manual_seed(arguments.seed)
images, labels = {}, {}
for split in ("train", "val", "test"):
    images[split], labels[split] = read(split)
trunk = lite.without_pads(lite.network(0, side))
trunk._fc = nn.Identity()
folded = lite.folded(trunk)
features = {split: outputs(folded, pixels) for split, pixels in images.items()}
layer = head(features, labels)
if arguments.finetune:
    trunk._fc = layer
    finetune(trunk, images["train"], torch.from_numpy(labels["train"]))
    logits = outputs(trunk, images["test"])
else:
    with torch.inference_mode():
        logits = layer(torch.from_numpy(features["test"])).numpy()
contest.answer(labels["test"], torch.from_numpy(logits).softmax(1).numpy())
