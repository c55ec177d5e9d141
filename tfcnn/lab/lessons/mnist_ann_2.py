"""MNIST with an ANN, part 2: the network."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with an ANN, part 2: the network

    The course's network has 784 inputs, hidden layers of 120 and 84 neurons, and 10 outputs, one for each digit. Every
    neuron is connected with every one of the layer before.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np

    from tfcnn import lab
    from tfcnn.architectures import mlp
    from tfcnn.concepts.dense import dense, flatten, relu, softmax
    from tfcnn.concepts.parameters import dense_parameters, network_parameters

    return (
        dense,
        dense_parameters,
        flatten,
        keras,
        lab,
        mlp,
        network_parameters,
        np,
        relu,
        softmax,
    )


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras
    `Flatten` makes the row of 784 numbers. `relu` sets negative numbers to 0. `softmax` turns ten scores into ten
    probabilities that add up to 1.
    """)
    return


@app.cell
def _(keras):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu"),
            keras.layers.Dense(84, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.summary()
    return (model,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    The same network has a name. A layer in front divides the pixels by 255, so it takes them as they are.
    """)
    return


@app.cell
def _(mlp, model):
    named = mlp.build((28, 28, 1), 10)
    print(f"{named.count_params():,} and {model.count_params():,} parameters")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## "Over 100,000 parameters"
    A layer has a weight for each connection, and a bias for each neuron.
    """)
    return


@app.cell
def _(dense_parameters, network_parameters):
    print("784 -> 120:", f"{dense_parameters(784, 120):,}")
    print("120 ->  84:", f"{dense_parameters(120, 84):,}")
    print(" 84 ->  10:", f"{dense_parameters(84, 10):,}")
    print("together:  ", f"{network_parameters([784, 120, 84, 10]):,}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## What the network computes
    It is three products of a row with a matrix. NumPy gives what Keras gives.
    """)
    return


@app.cell
def _(dense, flatten, model, np, relu, softmax):
    image = np.random.default_rng(0).random((28, 28, 1))
    weights = [layer.get_weights() for layer in model.layers[1:]]
    row = flatten(image)
    hidden1 = relu(dense(row, *weights[0]))
    hidden2 = relu(dense(hidden1, *weights[1]))
    probs = softmax(dense(hidden2, *weights[2]))
    by_keras = model.predict(image[np.newaxis], verbose=0)[0]
    print("NumPy", probs.round(3))
    print("Keras", by_keras.round(3))
    print("largest difference:", f"{abs(probs - by_keras).max():.0e}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The probabilities are all near 0.1: the weights are random. Training is part 3.

    **Exercises:** `dense-parameters` and `softmax`. Write your answer here:
    """)
    return


@app.cell
def _(lab):
    def answer(sizes):
        return sum(sizes)

    lab.check("dense-parameters", answer)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Next:** `mnist-ann-3`, training and evaluation.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
