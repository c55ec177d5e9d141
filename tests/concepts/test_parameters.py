"""Parameter counts against Keras' own, and the course's networks."""

import keras
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.convolution import output_size
from tfcnn.concepts.parameters import (
    convolution_parameters,
    dense_parameters,
    network_parameters,
)

COUNTS = st.integers(1, 12)


@settings(deadline=None, max_examples=20)
@given(size=st.tuples(COUNTS, COUNTS), channels=COUNTS, filters=COUNTS)
def test_layers_count_as_keras_counts(size, channels, filters):
    convolution = keras.layers.Conv2D(filters, size)
    convolution.build((None, 16, 16, channels))
    assert convolution_parameters(size, channels, filters) == convolution.count_params()
    layer = keras.layers.Dense(filters)
    layer.build((None, channels))
    assert dense_parameters(channels, filters) == layer.count_params()


def test_course_networks():
    assert network_parameters([784, 120, 84, 10]) == 105_214  # "over 100,000"

    mnist_side = output_size(output_size(28, 4), 2, 2)
    mnist = convolution_parameters(4, 1, 32) + network_parameters([mnist_side**2 * 32, 128, 10])
    assert mnist == 591_786

    cifar_side = output_size(output_size(output_size(output_size(32, 4), 2, 2), 4), 2, 2)
    cifar = convolution_parameters(4, 3, 32) + convolution_parameters(4, 32, 32)
    assert cifar + network_parameters([cifar_side**2 * 32, 256, 10]) == 225_610

    malaria = sum(
        convolution_parameters(3, channels, filters)
        for channels, filters in [(3, 32), (32, 64), (64, 64)]
    )
    assert malaria + network_parameters([14 * 14 * 64, 128, 1]) == 1_662_209
