"""Train the LeNet-5 that the lab ships (`tfcnn/lab/inside/lenet5`), in a minute or two.

    TFCNN_HOME=... python benchmarks/lab_lenet5.py

The sixteen sparse convolutions of LeNet-5 train slowly one by one. Here they are one convolution
whose missing weights are held at zero; then the weights go to the network itself, which learns for
one more epoch. The run is written as `lenet5-lab`, and measured on MNIST's test images as any run.
"""

import keras
import numpy as np

import tfcnn
from tfcnn import architectures
from tfcnn.architectures.lenet5 import CONNECTIONS

EPOCHS, RATE, LAST_RATE = 8, 3e-3, 2e-4


class Missing(keras.constraints.Constraint):
    """Holds at zero the weights that LeNet-5 does not have."""

    def __init__(self) -> None:
        self.mask = np.zeros((1, 1, 6, 16), np.float32)
        for place, chosen in enumerate(CONNECTIONS):
            self.mask[0, 0, list(chosen), place] = 1

    def __call__(self, kernel: keras.KerasTensor) -> keras.KerasTensor:
        return kernel * self.mask


def main() -> None:
    data = tfcnn.data("mnist", image_size=28, channels=1, batch_size=256)
    network = architectures.build("lenet5", (28, 28, 1), 10)
    fast = architectures.build("lenet5", (28, 28, 1), 10, {"connections": "full"})
    fast.get_layer("conv2").kernel_constraint = fast.get_layer("conv2").kernel.constraint = (
        Missing()
    )
    steps = EPOCHS * len(data.train)
    fit(fast, data, keras.optimizers.schedules.CosineDecay(RATE, steps), EPOCHS)
    copy(fast, network)
    fit(network, data, LAST_RATE, 1)
    run = tfcnn.adopt(network, data, name="lenet5-lab")
    print(run.report["sentence"])


def fit(model: keras.Model, data: object, rate: object, epochs: int) -> None:
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01), "sparse_categorical_crossentropy"
    )
    model.fit(data.train, epochs=epochs, verbose=2)


def copy(fast: keras.Model, network: keras.Model) -> None:
    for name in ("conv1", "conv3", "dense1", "head"):
        network.get_layer(name).set_weights(fast.get_layer(name).get_weights())
    kernel, bias = fast.get_layer("conv2").get_weights()
    for place, chosen in enumerate(CONNECTIONS):
        own = kernel[:, :, list(chosen), place : place + 1]
        network.get_layer(f"conv2_{place}").set_weights([own, bias[place : place + 1]])


if __name__ == "__main__":
    main()
