"""The ideas behind a CNN, in NumPy alone: each function fits on one slide.

Read in this order: `windows` (how a window moves), `kernels` (image filters), `convolution`,
`pooling`, `dense`, `one_hot`, `dropout`, `parameters`, `receptive_field`. Nothing here trains a
network; the tests compare each function with the Keras layer that does the same.
"""
