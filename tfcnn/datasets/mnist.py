"""MNIST: 70,000 handwritten digits, grey, 28x28 px, 10,000 of them the official test set.

Reference:
    LeCun, Bottou, Bengio, Haffner, *Gradient-based learning applied to document recognition*,
    Proceedings of the IEEE 86 (1998).
"""

from tfcnn.datasets._arrays import ArraySet, Remote, read_official_npz

MNIST = ArraySet(
    name="mnist",
    title="MNIST",
    class_names=tuple("0123456789"),
    remotes=(
        Remote(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            # keras.datasets.mnist
            "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
    ),
    sha256={
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    read=read_official_npz,
)

download = MNIST.download
open_source = MNIST.open_source
