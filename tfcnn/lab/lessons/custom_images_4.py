"""CNN on custom images, part 4: evaluation."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CNN on custom images, part 4: evaluation

    The course prints 94.9 % at one place and 95.2 % at another, for the same network and the same test set. This lesson
    finds out why, and what else is wrong with that figure.
    """)
    return


@app.cell
def _():
    import keras
    import numpy as np
    import tensorflow as tf
    from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling

    import tfcnn
    from tfcnn import lab

    return (
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        MaxPooling2D,
        Rescaling,
        keras,
        lab,
        np,
        tf,
        tfcnn,
    )


@app.cell
def _(lab):
    name = lab.downloaded("malaria", otherwise="smears")
    side = 64 if name == "malaria" else 48
    epochs = 6
    print("This lesson uses", name, "at", side, "x", side, "px")
    return epochs, name, side


@app.cell
def _(
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    Rescaling,
    epochs,
    keras,
    name,
    side,
    tfcnn,
):
    data = tfcnn.data(name, image_size=side, batch_size=32)
    keras.utils.set_random_seed(0)
    convolutions = [
        layer
        for filters in (32, 64, 64)
        for layer in (Conv2D(filters, 3, activation="relu"), MaxPooling2D())
    ]
    model = keras.Sequential(
        [
            keras.Input(data.shape),
            Rescaling(1 / 255),
            *convolutions,
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.5),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(data.train, validation_data=data.val, epochs=epochs, shuffle=False, verbose=2)
    run = tfcnn.adopt(model, data, name="lesson-cells-4", calibrate=False, fresh=True)
    return data, model, run


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In plain Keras
    One neuron gives the probability of the second class. The course calls an image by `> 0.5`.
    """)
    return


@app.cell
def _(data, model, np):
    x_test, y_test = data.arrays("test")
    probs = model.predict(x_test.astype("float32"), verbose=0)[:, 0]
    answers = (probs > 0.5).astype(int)
    print("classes:", data.class_names)
    print(f"right: {np.mean(answers == y_test):.4f} of {len(y_test)} images")
    return x_test, y_test


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Fault 1: test images that are changed by chance
    The course's test batches come from the generator that augments. Each pass sees other images, and gives another figure.
    """)
    return


@app.cell
def _(model, np, tf, x_test, y_test):
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1
    )

    def once(seed):
        changed = generator.flow(
            x_test.astype("float32"), batch_size=len(x_test), shuffle=False, seed=seed
        )
        return np.mean((model.predict(changed[0], verbose=0)[:, 0] > 0.5) == y_test)

    print("three passes:", *(f"{once(seed):.4f}" for seed in range(3)))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Fault 2: stopping by the test set
    The course gives the test set to `fit` as `validation_data`, and EarlyStopping keeps the epoch that is best on it. Then
    the figure is that of the luckiest epoch. Here val chose, and test was scored once.

    ## Fault 3: the same patients in train and test
    Seen in part 1: with a split by image nearly every test cell belongs to a patient of train.

    ## Fault 4: a figure without its uncertainty
    Cells of one patient resemble each other. 400 cells of 9 patients are not 400 independent answers. tfcnn counts by
    patient, so its interval is honest:
    """)
    return


@app.cell
def _(run, tfcnn):
    report = tfcnn.evaluate(run)
    print(report.sentence)
    print(*report.lines("test"), sep="\n")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Which error is worse?
    A missed parasite and a false alarm are not the same. The threshold trades one for the other: choose it on val.
    """)
    return


@app.cell
def _(data, model):
    x_val, y_val = data.arrays("val")
    positive = data.class_names.index("Parasitized")
    p_val = model.predict(x_val.astype("float32"), verbose=0)[:, 0]
    infected = p_val if positive == 1 else 1 - p_val
    for threshold in (0.2, 0.5, 0.8):
        called = infected >= threshold
        found, spared = called[y_val == positive].mean(), (~called[y_val != positive]).mean()
        print(
            f"from {threshold:.0%} on: finds {found:.1%} of the infected, spares {spared:.1%} of the others"
        )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## One image
    """)
    return


@app.cell
def _(data, run, tfcnn):
    path = next(row.path for row, split in zip(data.manifest.rows, data.splits) if split == "test")
    print(path)
    prediction = tfcnn.predict(run, data.manifest.source.root / path)[0]
    print(prediction.predicted, {label: round(prob, 3) for label, prob in prediction.probs.items()})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Exercises:** `split`, `threshold`, `temperature`. **Next:** `fashion-exercise`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
