"""CNN on custom images, part 3: creating the model."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CNN on custom images, part 3: creating the model

    Three convolutions, each followed by pooling, then a dense layer with dropout, and one neuron at the end: with two
    classes one probability is enough.
    """)
    return


@app.cell
def _():
    import keras
    import tensorflow as tf
    from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling

    import tfcnn
    from tfcnn import lab
    from tfcnn.concepts.receptive_field import receptive_field

    return (
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        MaxPooling2D,
        Rescaling,
        keras,
        lab,
        receptive_field,
        tf,
        tfcnn,
    )


@app.cell
def _(lab):
    name = lab.downloaded("malaria", otherwise="smears")
    side = 130 if name == "malaria" else 48
    epochs = 20 if name == "malaria" else 4
    print("This lesson uses", name, "at", side, "x", side, "px")
    return epochs, name, side


@app.cell
def _(name, side, tfcnn):
    data = tfcnn.data(name, image_size=side, batch_size=16)
    return (data,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras, on one device or many
    Under `MirroredStrategy` every GPU gets a copy of the network and a share of each batch. On a machine without a GPU it
    is one device, and the code is the same. The network and `compile` belong inside `scope()`.
    """)
    return


@app.cell
def _(
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    Rescaling,
    data,
    keras,
    tf,
):
    def course_network(shape):
        return keras.Sequential(
            [
                keras.Input(shape),
                Rescaling(1 / 255),
                Conv2D(32, (3, 3), activation="relu"),
                MaxPooling2D((2, 2)),
                Conv2D(64, (3, 3), activation="relu"),
                MaxPooling2D((2, 2)),
                Conv2D(64, (3, 3), activation="relu"),
                MaxPooling2D((2, 2)),
                Flatten(),
                Dense(128, activation="relu"),
                Dropout(0.5),
                Dense(1, activation="sigmoid"),
            ]
        )

    keras.utils.set_random_seed(0)
    strategy = tf.distribute.MirroredStrategy()
    print("devices:", strategy.num_replicas_in_sync)
    with strategy.scope():
        model = course_network(data.shape)
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.summary()
    return course_network, model


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    At 130 x 130 px this network has the course's 1,662,209 parameters. Nearly all of them lie between `Flatten` and the
    first dense layer, so a smaller image means a smaller network.

    One number before `Flatten` sees this much of the image:
    """)
    return


@app.cell
def _(course_network, receptive_field):
    print(course_network((130, 130, 3)).count_params(), "parameters at 130 px")
    print(receptive_field([(3, 1), (2, 2)] * 3), "px, along one side")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Training with EarlyStopping
    `patience=2` as in the course. It watches the loss on **val**, whose patients are not in train.
    """)
    return


@app.cell
def _(data, epochs, keras, lab, model):
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = model.fit(
        data.train,
        validation_data=data.val,
        epochs=epochs,
        callbacks=[stop],
        shuffle=False,
        verbose=2,
    )
    lab.show_history(history.history)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    With some seeds the loss stays at 0.693, where it began, for several epochs: the network says one half to everything.
    EarlyStopping may end the training there. Take another seed then.
    """)
    return


@app.cell
def _(data, model, tfcnn):
    run = tfcnn.adopt(model, data, name="lesson-cells", fresh=True)
    print(tfcnn.evaluate(run).sentence)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    `tfcnn train malaria-course` is this network and this training. `tfcnn train malaria` is a network that is better and
    faster. On a folder of your own: `tfcnn train my_cells/`.

    **Exercises:** `dropout`, `receptive-field`, `early-stopping`. **Next:** `custom-images-4`, evaluation.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
