"""MNIST with a CNN, part 3: evaluation."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with a CNN, part 3: evaluation

    How good is the CNN, is it better than the ANN, and how sure is it?
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
    from sklearn.metrics import classification_report, confusion_matrix

    import tfcnn
    from tfcnn import lab

    return (
        Conv2D,
        Dense,
        Flatten,
        MaxPooling2D,
        classification_report,
        confusion_matrix,
        keras,
        lab,
        np,
        tfcnn,
    )


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    epochs = 4
    print("This lesson uses", source)
    return epochs, source


@app.cell
def _(Conv2D, Dense, Flatten, MaxPooling2D, epochs, keras, source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1)
    x_train, y_train = data.arrays("train")

    def trained(*layers):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((28, 28, 1)), *layers, Dense(10, activation="softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x_train / 255, y_train, epochs=epochs, verbose=0)
        return model

    cnn = trained(
        Conv2D(32, (4, 4), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(128, activation="relu"),
    )
    ann = trained(Flatten(), Dense(120, activation="relu"), Dense(84, activation="relu"))
    return ann, cnn, data


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras
    First the runs are made: test is scored, and from now on it may be read without a warning.
    """)
    return


@app.cell
def _(ann, cnn, data, tfcnn):
    cnn_run = tfcnn.adopt(cnn, data, name="lesson-cnn", pixels="0..1", fresh=True)
    ann_run = tfcnn.adopt(ann, data, name="lesson-ann", pixels="0..1", fresh=True)
    x_test, y_test = data.arrays("test")
    loss, accuracy = cnn.evaluate(x_test / 255, y_test, verbose=0)
    print(f"loss {loss:.4f}, accuracy {accuracy:.4f}")
    return accuracy, ann_run, cnn_run, x_test, y_test


@app.cell
def _(classification_report, cnn, confusion_matrix, data, lab, x_test, y_test):
    answers = cnn.predict(x_test / 255, verbose=0).argmax(axis=1)
    print(classification_report(y_test, answers, digits=3, zero_division=0))
    lab.show_confusion(confusion_matrix(y_test, answers), data.class_names)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    A figure without an interval cannot be compared. Both networks answered the same images, so the difference itself has
    an interval. Where it holds 0, this test set cannot tell which network is better.
    """)
    return


@app.cell
def _(ann_run, cnn_run, tfcnn):
    print("CNN:", tfcnn.evaluate(cnn_run).sentence)
    print("ANN:", tfcnn.evaluate(ann_run).sentence)
    tfcnn.compare(cnn_run, ann_run)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One image
    `tfcnn.predict` takes files. For an array, Keras wants a batch of one.
    """)
    return


@app.cell
def _(cnn, x_test, y_test):
    one = x_test[0].reshape(1, 28, 28, 1) / 255
    probs = cnn.predict(one, verbose=0)[0]
    print("answer", int(probs.argmax()), "with", f"{probs.max():.1%};", "it is a", int(y_test[0]))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Can the probabilities be believed?
    Of the answers given with 90 %, 90 % should be right. tfcnn fits a temperature on val, by which the scores are divided.
    """)
    return


@app.cell
def _(accuracy, cnn, cnn_run, np, x_test):
    temperature = cnn_run.card["temperature"]
    sure = np.mean(cnn.predict(x_test / 255, verbose=0).max(axis=1))
    print(f"the network is {sure:.1%} sure on average, and right in {accuracy:.1%}")
    print(f"temperature {temperature:.2f}: above 1 the network was too sure, below 1 too careful")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Exercises:** `threshold`, `temperature`. **Next:** `cifar10-1`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
