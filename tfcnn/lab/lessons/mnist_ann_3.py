"""MNIST with an ANN, part 3: training and evaluation."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with an ANN, part 3: training and evaluation

    Training goes over the images again and again. After each batch of images all weights move a little, so that the
    loss becomes smaller.
    """)
    return


@app.cell
def _():
    import keras
    import tensorflow as tf

    import tfcnn
    from tfcnn import lab

    return keras, lab, tf, tfcnn


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    epochs = 10
    print("This lesson uses", source)
    return epochs, source


@app.cell
def _(keras, source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1, labels="one-hot", batch_size=100)
    x_train, y_train = data.arrays("train")
    x_val, y_val = data.arrays("val")

    def new_network():
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(120, activation="relu"),
                keras.layers.Dense(84, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )

    return data, new_network, x_train, x_val, y_train, y_val


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras
    `compile` names the optimizer (Adam), the loss and what is printed. `fit` trains. `validation_data` is **val**: the
    course takes the test set here, and then chooses by it. What you choose by test cannot be judged by test.
    """)
    return


@app.cell
def _(epochs, keras, new_network, x_train, x_val, y_train, y_val):
    model = new_network()
    model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x_train / 255,
        y_train,
        validation_data=(x_val / 255, y_val),
        epochs=epochs,
        batch_size=100,
        verbose=2,
    )
    return history, model


@app.cell
def _(history, lab):
    lab.show_history(history.history)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The loop by hand
    The course writes this loop in PyTorch. In TensorFlow the tape remembers what was computed, and gives the gradient of
    the loss for each weight. One epoch:
    """)
    return


@app.cell
def _(data, keras, new_network, tf):
    by_hand = new_network()
    loss_of = keras.losses.CategoricalCrossentropy()
    optimizer = keras.optimizers.Adam(1e-3)

    @tf.function
    def step(batch, truth):
        with tf.GradientTape() as tape:
            loss = loss_of(truth, by_hand(batch / 255, training=True))
        gradients = tape.gradient(loss, by_hand.trainable_variables)
        optimizer.apply_gradients(zip(gradients, by_hand.trainable_variables))
        return loss

    losses = [float(step(batch, truth)) for batch, truth in data.train]
    print(f"loss of the first batch {losses[0]:.3f}, of the last one {losses[-1]:.3f}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    `adopt` makes a run of the network: it is scored on test once, with an interval, and saved with all that is needed to
    use it.
    """)
    return


@app.cell
def _(data, model, tfcnn):
    run = tfcnn.adopt(model, data, name="lesson-mnist-ann", pixels="0..1", fresh=True)
    print(tfcnn.evaluate(run).sentence)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The brackets say how far the figure can be off by chance. With fewer test images they are wider. The course prints
    97.25 % for MNIST.

    The whole program in one line is `tfcnn train mnist-ann`. **Next:** `mnist-ann-4`, what the errors look like.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
