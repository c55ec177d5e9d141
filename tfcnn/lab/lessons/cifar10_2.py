"""CIFAR-10 with a CNN, part 2: evaluation."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CIFAR-10 with a CNN, part 2: evaluation

    The course prints 65 % here. What does such a figure mean, and which classes are confused?
    """)
    return


@app.cell
def _():
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling
    from sklearn.metrics import classification_report

    import tfcnn
    from tfcnn import lab

    return (
        Conv2D,
        Dense,
        Flatten,
        MaxPooling2D,
        Rescaling,
        classification_report,
        keras,
        lab,
        tfcnn,
    )


@app.cell
def _(lab):
    source = lab.downloaded("cifar10", otherwise="smears")
    epochs = 15 if source == "cifar10" else 3
    print("This lesson uses", source)
    return epochs, source


@app.cell
def _(
    Conv2D,
    Dense,
    Flatten,
    MaxPooling2D,
    Rescaling,
    epochs,
    keras,
    lab,
    source,
    tfcnn,
):
    data = tfcnn.data(source, image_size=32)
    keras.utils.set_random_seed(0)
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
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    history = model.fit(
        data.train,
        validation_data=data.val,
        epochs=epochs,
        callbacks=[stop],
        shuffle=False,
        verbose=2,
    )
    lab.show_history(history.history)
    return data, model


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Where the two lines of the loss part, the network learns the training images by heart. Without
    `restore_best_weights` the course keeps the weights of the last epoch: 65.4 % instead of the 69 % of its best one.
    """)
    return


@app.cell
def _(data, model, tfcnn):
    run = tfcnn.adopt(model, data, name="lesson-cifar10", calibrate=False, fresh=True)
    report = tfcnn.evaluate(run)
    print(report.sentence)
    return (report,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras
    """)
    return


@app.cell
def _(classification_report, data, model):
    x_test, y_test = data.arrays("test")
    probs = model.predict(x_test.astype("float32"), verbose=0)
    answers = probs.argmax(axis=1)
    print(
        classification_report(
            y_test, answers, target_names=data.class_names, digits=3, zero_division=0
        )
    )
    return answers, x_test, y_test


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    The matrix of the run. For two classes tfcnn decides by a threshold that was chosen on val, so its matrix may differ
    a little from the one of the most probable class.
    """)
    return


@app.cell
def _(data, lab, report):
    lab.show_confusion(report.confusion["test"], data.class_names)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Always saying one class
    A figure means something only beside what needs no network.
    """)
    return


@app.cell
def _(report):
    base = report.baseline["test"]
    print(f"always saying {base['class']} is right in {base['share']:.1%}")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The errors
    """)
    return


@app.cell
def _(answers, data, lab, x_test, y_test):
    wrong = (answers != y_test).nonzero()[0][:10]
    lab.show_images(x_test[wrong], [f"{data.class_names[y_test[i]]}?" for i in wrong])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Next:** `download-images`. How far one gets with a better network: `tfcnn predict cifar10` answers with one of 94 %.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
