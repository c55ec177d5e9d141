"""MNIST with a CNN, part 1: the data."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with a CNN, part 1: the data

    The ANN got each image as a row of 784 numbers. A CNN takes it as an image: which pixels are neighbours is kept.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np

    import tfcnn
    from tfcnn import lab
    from tfcnn.concepts.one_hot import one_hot

    return keras, lab, np, one_hot, tfcnn


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    print("This lesson uses", source)
    return (source,)


@app.cell
def _(lab, source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1)
    images, labels = data.arrays("train")
    lab.show_images(images[:10], [str(label) for label in labels[:10]])
    return images, labels


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Four dimensions
    Number of images, height, width, channels. Where data comes without the last one, as from
    `keras.datasets.mnist.load_data()`, `reshape` adds it.
    """)
    return


@app.cell
def _(images):
    without = images[..., 0]
    again = without.reshape(len(without), 28, 28, 1)
    print(without.shape, "->", again.shape)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One-hot labels
    Keras has `to_categorical`. By hand it is a row of zeros with a 1 at the place of the class.
    """)
    return


@app.cell
def _(keras, labels, one_hot):
    by_keras = keras.utils.to_categorical(labels, 10)
    by_hand = one_hot(labels, 10)
    print("label", labels[0], "becomes", by_hand[0])
    print("the same:", (by_keras == by_hand).all())
    return (by_keras,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    With whole numbers as labels the loss is `sparse_categorical_crossentropy`, with one-hot labels
    `categorical_crossentropy`. Both give the same number.
    """)
    return


@app.cell
def _(by_keras, keras, labels, np):
    probs = np.full((len(labels), 10), 0.1, np.float32)
    sparse = keras.losses.sparse_categorical_crossentropy(labels, probs).numpy().mean()
    whole = keras.losses.categorical_crossentropy(by_keras, probs).numpy().mean()
    print(f"{sparse:.4f} {whole:.4f}: a network that knows nothing has log(10) = {np.log(10):.4f}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Scaling
    The course divides all images by 255. Train and test need the same divisor. In its CIFAR-10 notebook the course
    divides train by 225 and test by 255, and nothing warns. tfcnn puts the scaling into the model as its first layer, so
    that it cannot be forgotten.
    """)
    return


@app.cell
def _(images, keras):
    scaling = keras.layers.Rescaling(1 / 255)
    print(
        "largest pixel:",
        float(images.max()),
        "->",
        float(scaling(images.astype("float32")).numpy().max()),
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Exercises:** `tensor`, `one-hot`, `image-shape`. **Next:** `mnist-cnn-2`, the model.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
