"""MNIST with an ANN, part 1: the data."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with an ANN, part 1: the data

    A handwritten digit is 28 x 28 numbers. A plain network (ANN) takes them as one row of 784. This lesson reads the
    digits, looks at them, and makes them ready.

    Change a cell, run it, and see what follows from it.
    """)
    return


@app.cell
def _():
    import numpy as np

    import tfcnn
    from tfcnn import lab

    return lab, np, tfcnn


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Which digits
    MNIST has 60,000 training images and 10,000 test images. `tfcnn download mnist` fetches it once. Until then
    scikit-learn's 1,797 digits stand in for it. They have 8 x 8 pixels and are drawn larger here, so that the network is
    the course's.
    """)
    return


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    print("This lesson uses", source)
    return (source,)


@app.cell
def _(source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1, labels="one-hot")
    data
    return (data,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    `data` has three splits. The network learns from **train**. We make our choices by **val**. **test** is kept for the
    end, and is looked at once.

    In plain Keras the data would come from `keras.datasets.mnist.load_data()`, which has train and test, and no val.
    """)
    return


@app.cell
def _(data):
    images, labels = data.arrays("train")
    print("images", images.shape, images.dtype, "from", images.min(), "to", images.max())
    print("labels", labels.shape, labels.dtype)
    return images, labels


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Four axes: number of images, height, width, channels. A grey image has one channel.
    """)
    return


@app.cell
def _(images, lab, labels):
    lab.show_images(images[:10], [str(number) for number in labels[:10].argmax(axis=1)])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A label is a row with a single 1
    The course calls this one-hot encoding. The place of the 1 is the class.
    """)
    return


@app.cell
def _(labels):
    print(labels[0].astype(int), "is a", labels[0].argmax())
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Pixels from 0 to 1
    Keras' layers learn better from small numbers. White is 255, so we divide by 255.
    """)
    return


@app.cell
def _(images):
    scaled = images / 255
    print("from", scaled.min(), "to", scaled.max())
    return (scaled,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## From 28 x 28 to 784
    `reshape` lays the rows of pixels out one after the other. Keras' `Flatten` layer does the same.
    """)
    return


@app.cell
def _(np, scaled):
    import keras

    by_hand = scaled.reshape(len(scaled), -1)
    by_keras = keras.layers.Flatten()(scaled[:100])
    print(by_hand.shape, by_keras.shape)
    print("the same numbers:", np.allclose(by_hand[:100], by_keras))
    return (by_hand,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    What is lost: which pixels lie above each other. In the row, two neighbours of one column are 28 places apart.
    Shuffle the pixels of all images in the same way, and an ANN learns as well as before. You would read nothing.
    """)
    return


@app.cell
def _(by_hand, lab, labels, np):
    order = np.random.default_rng(0).permutation(784)
    shuffled = by_hand[:10][:, order].reshape(10, 28, 28)
    lab.show_images(shuffled, [str(number) for number in labels[:10].argmax(axis=1)])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Exercises:** `scale`, `flatten` and `one-hot`. Print one with `print(lab.exercise("flatten"))`.

    **Next:** `mnist-ann-2`, the network.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
