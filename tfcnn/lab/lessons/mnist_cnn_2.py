"""MNIST with a CNN, part 2: model and training."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with a CNN, part 2: model and training

    32 filters of 4 x 4 pixels slide over the digit. Pooling keeps the largest of each 2 x 2 numbers. Then follows an ANN.
    """)
    return


@app.cell
def _():
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

    import tfcnn
    from tfcnn import lab
    from tfcnn.concepts.convolution import convolve2d
    from tfcnn.concepts.dense import relu
    from tfcnn.concepts.parameters import convolution_parameters, dense_parameters

    return (
        Conv2D,
        Dense,
        Flatten,
        MaxPooling2D,
        convolution_parameters,
        convolve2d,
        dense_parameters,
        keras,
        lab,
        relu,
        tfcnn,
    )


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    epochs = 10
    print("This lesson uses", source)
    return epochs, source


@app.cell
def _(source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1)
    x_train, y_train = data.arrays("train")
    x_val, y_val = data.arrays("val")
    return data, x_train, x_val, y_train, y_val


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The model in plain Keras
    """)
    return


@app.cell
def _(Conv2D, Dense, Flatten, MaxPooling2D, keras):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            Conv2D(32, (4, 4), activation="relu"),
            MaxPooling2D((2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    return (model,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Read the summary
    A window of 4 fits 25 times into 28. Pooling halves that to 12. The filters have few weights, and the first dense layer
    has nearly all.
    """)
    return


@app.cell
def _(convolution_parameters, dense_parameters):
    print("Conv2D:", f"{convolution_parameters(4, in_channels=1, filters=32):,}")
    print("Dense :", f"{dense_parameters(12 * 12 * 32, 128):,}")
    print("Dense :", f"{dense_parameters(128, 10):,}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## What the first layer computes
    Each filter gives an image of its own. By hand: slide the kernel, add the bias, cut off what is negative.
    """)
    return


@app.cell
def _(convolve2d, model, relu, x_train):
    kernel, bias = model.layers[0].get_weights()
    digit = x_train[0, :, :, 0] / 255
    by_hand = relu(convolve2d(digit, kernel[:, :, 0, 0]) + bias[0])
    by_keras = model.layers[0](x_train[:1] / 255).numpy()[0, :, :, 0]
    print(by_hand.shape, "largest difference:", f"{abs(by_hand - by_keras).max():.0e}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Training with EarlyStopping
    Training ends when the loss on val was not better for two epochs. `restore_best_weights` goes back to the best epoch;
    without it the last weights stay. The course watches the test set here. We watch val.
    """)
    return


@app.cell
def _(epochs, keras, model, x_train, x_val, y_train, y_val):
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = model.fit(
        x_train / 255,
        y_train,
        validation_data=(x_val / 255, y_val),
        epochs=epochs,
        callbacks=[stop],
        verbose=2,
    )
    return (history,)


@app.cell
def _(history, lab):
    lab.show_history(history.history)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    """)
    return


@app.cell
def _(data, model, tfcnn):
    run = tfcnn.adopt(model, data, name="lesson-mnist-cnn", pixels="0..1", fresh=True)
    print(tfcnn.evaluate(run).sentence)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The whole lesson is the recipe `tfcnn train mnist-course`.

    **Exercises:** `convolution`, `output-size`, `pooling`, `parameters`, `early-stopping`. **Next:** `mnist-cnn-3`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
