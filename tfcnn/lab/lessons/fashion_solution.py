"""The solution: a CNN on Fashion-MNIST."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # The solution: a CNN on Fashion-MNIST

    One way to solve the exercise `fashion-exercise`. Yours may differ and be right.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
    from sklearn.metrics import classification_report

    import tfcnn
    from tfcnn import lab

    return (
        Conv2D,
        Dense,
        Flatten,
        MaxPooling2D,
        classification_report,
        keras,
        lab,
        np,
        tfcnn,
    )


@app.cell
def _(lab, tfcnn):
    source = lab.downloaded("fashion-mnist", otherwise="digits")
    epochs = 10 if source == "fashion-mnist" else 4
    data = tfcnn.data(source, image_size=28, channels=1)
    print("This lesson uses", source, "with the classes", *data.class_names)
    return data, epochs


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 1: look at the images
    """)
    return


@app.cell
def _(data, lab):
    images, labels = data.arrays("train")
    lab.show_images(images[:10], [data.class_names[label] for label in labels[:10]])
    return images, labels


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 2: scale them
    """)
    return


@app.cell
def _(images):
    scaled = images / 255
    print("largest pixel before", images.max(), "and after", scaled.max())
    return (scaled,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 3: one-hot labels
    """)
    return


@app.cell
def _(lab, np):
    def encoded(labels, num_classes):
        rows = np.zeros((len(labels), num_classes))
        rows[np.arange(len(labels)), labels] = 1
        return rows

    lab.check("one-hot", encoded)
    return (encoded,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 4: the model
    Ten neurons, one for each class, and softmax, so that they are probabilities.
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
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    print(f"{model.count_params():,} parameters")
    return (model,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 5: train it
    The labels of val are made in the same way as those of train.
    """)
    return


@app.cell
def _(data, encoded, epochs, lab, labels, model, scaled):
    x_val, y_val = data.arrays("val")
    history = model.fit(
        scaled,
        encoded(labels, 10),
        validation_data=(x_val / 255, encoded(y_val, 10)),
        epochs=epochs,
        verbose=2,
    )
    lab.show_history(history.history)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Task 6: check it
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
    """)
    return


@app.cell
def _(data, model, tfcnn):
    run = tfcnn.adopt(model, data, name="lesson-fashion", pixels="0..1", fresh=True)
    print(tfcnn.evaluate(run).sentence)
    return


@app.cell
def _(classification_report, data, model):
    x_test, y_test = data.arrays("test")
    answers = model.predict(x_test / 255, verbose=0).argmax(axis=1)
    print(
        classification_report(
            y_test, answers, target_names=data.class_names, digits=3, zero_division=0
        )
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    On Fashion-MNIST shirts are the hard class: they are taken for T-shirts, pullovers and coats. People who sorted these
    images got 83.5 % right. `tfcnn train fashion` is a network of 94 %.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
