"""MNIST with an ANN, part 4: evaluation."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # MNIST with an ANN, part 4: evaluation

    One figure says how often the network is right. It does not say where it is wrong. This lesson looks at the errors.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np
    from sklearn.metrics import classification_report, confusion_matrix

    import tfcnn
    from tfcnn import lab

    return classification_report, confusion_matrix, keras, lab, np, tfcnn


@app.cell
def _(lab):
    source = lab.downloaded("mnist", otherwise="digits")
    epochs = 5
    print("This lesson uses", source)
    return epochs, source


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    The network of part 3, trained for fewer epochs, and a run made of it.
    """)
    return


@app.cell
def _(epochs, keras, source, tfcnn):
    data = tfcnn.data(source, image_size=28, channels=1)
    x_train, y_train = data.arrays("train")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu"),
            keras.layers.Dense(84, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train / 255, y_train, epochs=epochs, batch_size=100, verbose=0)
    run = tfcnn.adopt(
        model, data, name="lesson-mnist-ann-4", pixels="0..1", calibrate=False, fresh=True
    )
    return data, model, run


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras and scikit-learn
    `predict` gives ten probabilities for each image. The place of the largest is the answer.
    """)
    return


@app.cell
def _(classification_report, data, model, np):
    x_test, y_test = data.arrays("test")
    probs = model.predict(x_test / 255, verbose=0)
    answers = probs.argmax(axis=1)
    print(f"accuracy {np.mean(answers == y_test):.4f}")
    print(classification_report(y_test, answers, digits=3, zero_division=0))
    return answers, probs, x_test, y_test


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **precision**: of the images that were called a 7, how many are a 7. **recall**: of the images of a 7, how many were
    called a 7.

    In the confusion matrix rows are the true digits, columns the answers. Errors lie beside the diagonal.
    """)
    return


@app.cell
def _(answers, confusion_matrix, data, lab, y_test):
    lab.show_confusion(confusion_matrix(y_test, answers), data.class_names)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    The run holds the same matrix, and each figure with its interval.
    """)
    return


@app.cell
def _(answers, confusion_matrix, run, tfcnn, y_test):
    report = tfcnn.evaluate(run)
    print(*report.lines("test"), sep="\n")
    print("the same matrix:", (confusion_matrix(y_test, answers) == report.confusion["test"]).all())
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The errors themselves
    The images on which the network was most sure, and wrong. Some of them you might misread too.
    """)
    return


@app.cell
def _(answers, lab, np, probs, x_test, y_test):
    wrong = np.flatnonzero(answers != y_test)
    surest = wrong[np.argsort(-probs[wrong].max(axis=1))][:10]
    lab.show_images(
        x_test[surest], [f"{y_test[i]} read as {answers[i]}, {probs[i].max():.0%}" for i in surest]
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One image
    A network takes a batch. One image is a batch of one: shape (1, 28, 28, 1).
    """)
    return


@app.cell
def _(model, x_test, y_test):
    one = x_test[:1] / 255
    print(one.shape, "->", model.predict(one, verbose=0).argmax(), "; it is a", y_test[0])
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Next:** `mnist-cnn-1`. The pages *Pixels are numbers* and *Image kernels* of `tfcnn lab` show why pixels should keep
    their neighbours.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
