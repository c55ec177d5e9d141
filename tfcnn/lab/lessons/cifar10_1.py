"""CIFAR-10 with a CNN, part 1: the data."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CIFAR-10 with a CNN, part 1: the data

    Now the images have colour: three channels, red, green and blue. CIFAR-10 has ten classes of 32 x 32 pixels.
    """)
    return


@app.cell
def _():
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

    import tfcnn
    from tfcnn import lab
    from tfcnn.concepts.convolution import convolve2d
    from tfcnn.concepts.parameters import convolution_parameters

    return (
        Conv2D,
        Dense,
        Flatten,
        MaxPooling2D,
        Rescaling,
        convolution_parameters,
        convolve2d,
        keras,
        lab,
        tfcnn,
    )


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    `tfcnn download cifar10` fetches it once. Until then drawn blood cells stand in for it: colour images of two classes.
    """)
    return


@app.cell
def _(lab):
    source = lab.downloaded("cifar10", otherwise="smears")
    epochs = 2
    print("This lesson uses", source)
    return epochs, source


@app.cell
def _(lab, source, tfcnn):
    data = tfcnn.data(source, image_size=32)
    images, labels = data.arrays("train")
    print("images", images.shape, images.dtype, "labels", labels.shape)
    lab.show_images(images[:10], [data.class_names[label] for label in labels[:10]])
    return data, images


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Three channels
    The last axis holds red, green and blue. The network does not know which is which: they are three numbers at each
    place.
    """)
    return


@app.cell
def _(images, lab):
    lab.show_images(
        [images[0], *images[0].transpose(2, 0, 1)], ["together", "red", "green", "blue"]
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    A filter has a kernel for each channel, and answers with one number at each place. So one filter of 4 x 4 has
    4 x 4 x 3 weights.
    """)
    return


@app.cell
def _(Conv2D, convolution_parameters, convolve2d, images, keras):
    keras.utils.set_random_seed(0)
    layer = Conv2D(32, (4, 4))
    by_keras = layer(images[:1] / 255).numpy()[0]
    kernel, bias = layer.get_weights()
    by_hand = convolve2d(images[0] / 255, kernel) + bias
    print("kernel", kernel.shape, "-> feature maps", by_hand.shape)
    print("largest difference:", f"{abs(by_hand - by_keras).max():.0e}")
    print("parameters:", f"{convolution_parameters(4, in_channels=3, filters=32):,}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The course's network
    Two convolutions, since colour images hold more than digits. Scaling is its first layer: the course divides train by
    225 and test by 255, a mistake that this makes impossible.
    """)
    return


@app.cell
def _(Conv2D, Dense, Flatten, MaxPooling2D, Rescaling, data, keras):
    model = keras.Sequential(
        [
            keras.Input(data.shape),
            Rescaling(1 / 255),
            Conv2D(32, (4, 4), activation="relu"),
            MaxPooling2D((2, 2)),
            Conv2D(32, (4, 4), activation="relu"),
            MaxPooling2D((2, 2)),
            Flatten(),
            Dense(256, activation="relu"),
            Dense(len(data.class_names), activation="softmax"),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    return (model,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Train it as before, with `data.train` and `data.val`: they are batches, shuffled already, hence `shuffle=False`.
    """)
    return


@app.cell
def _(data, epochs, model):
    history = model.fit(
        data.train, validation_data=data.val, epochs=epochs, shuffle=False, verbose=2
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    In tfcnn this is `tfcnn train cifar10-course`. **Exercises:** `image-shape`, `colour-filter`. **Next:** `cifar10-2`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
