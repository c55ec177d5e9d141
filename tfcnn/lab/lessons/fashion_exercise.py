"""The exercise: a CNN on Fashion-MNIST."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # The exercise: a CNN on Fashion-MNIST

    Fashion-MNIST has ten kinds of clothes, in grey images of 28 x 28 px, as many as MNIST has digits. Fill in the cells.
    All you need is in the lessons on MNIST.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np

    import tfcnn
    from tfcnn import lab

    return keras, lab, np, tfcnn


@app.cell
def _(lab, tfcnn):
    source = lab.downloaded("fashion-mnist", otherwise="digits")
    data = tfcnn.data(source, image_size=28, channels=1)
    print("This lesson uses", source, "with the classes", *data.class_names)
    return (data,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 1: look at the images
    Read the arrays of train with `data.arrays`, and show the first ten with their classes. `lab.show_images` draws.
    """)
    return


@app.cell
def _(data):
    images, labels = data.arrays("train")
    # your code
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 2: scale them
    Pixels from 0 to 1. Say what the largest was before and after.
    """)
    return


@app.cell
def _():
    # your code
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 3: one-hot labels
    Make a row with a single 1 of each label. Then check your function:
    """)
    return


@app.cell
def _(lab, np):
    def encoded(labels, num_classes):
        return np.zeros((len(labels), num_classes))  # your code

    lab.check("one-hot", encoded)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 4: the model
    One convolution of 32 filters of 4 x 4 px, pooling of 2 x 2, and a dense layer of 128 neurons. How many neurons has the
    last layer, and which activation?
    """)
    return


@app.cell
def _(keras):
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    # your code
    return (model,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 5: train it
    Ten epochs with `rmsprop`, as in the course. On digits three are enough.
    """)
    return


@app.cell
def _():
    # your code
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 6: check it
    The check tries your model on images of val. It wants four of five right, and says what is wrong otherwise.
    """)
    return


@app.cell
def _(lab, model):
    lab.check("fashion", model)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 7: evaluate it
    Make a run of it with `tfcnn.adopt`, and print the sentence of `tfcnn.evaluate`. Which two classes does it confuse
    most? The course gets 90.6 % on Fashion-MNIST.
    """)
    return


@app.cell
def _():
    # your code
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The solution is the lesson `fashion-solution`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
