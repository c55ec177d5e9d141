"""CNN on custom images, part 2: ImageDataGenerator."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CNN on custom images, part 2: ImageDataGenerator

    A generator reads images batch by batch, and changes each a little by chance: it turns, shifts and flips them. The
    network never sees the same image twice. This is called augmentation.
    """)
    return


@app.cell
def _():
    import tensorflow as tf

    import tfcnn
    from tfcnn import lab
    from tfcnn.inputs.generator import translate

    return lab, tf, tfcnn, translate


@app.cell
def _(lab):
    name = lab.downloaded("malaria", otherwise="smears")
    print("This lesson uses", name)
    return (name,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## The course's generator
    `ImageDataGenerator` still works, and Keras 3 calls it outdated.
    """)
    return


@app.cell
def _(tf):
    arguments = {
        "rotation_range": 20,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "shear_range": 0.1,
        "zoom_range": 0.1,
        "horizontal_flip": True,
        "fill_mode": "nearest",
    }
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, **arguments)
    return arguments, generator


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    `random_transform` changes one image. The first picture is the original.
    """)
    return


@app.cell
def _(arguments, generator, lab, name, tfcnn, translate):
    data = tfcnn.data(name, image_size=64, batch_size=16, augment=translate(**arguments).augment)
    images, labels = data.arrays("train")
    lab.show_images([images[0], *(generator.random_transform(images[0]) for number in range(9))])
    return (data,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Does a cell stay a cell when it is turned? Yes. Is a 6 still a 6 when it is turned by 180 degrees? No. Augmentation says
    what does not matter, so it depends on the task.

    ## Batches from folders
    The course calls `flow_from_directory`. `data.flow` gives the same batches, but over a split by patient.
    """)
    return


@app.cell
def _(data, generator):
    batches = data.flow(generator, "train")
    batch, truth = batches[0]
    print(batch.shape, batch.dtype, f"from {batch.min():.2f} to {batch.max():.2f}")
    print("labels", truth[:8], "class_indices", batches.class_indices)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **A trap:** the course uses this one generator for test too, so its test images are turned and shifted as well. Test
    images must be as they come in use. `data.flow(generator, "test")` only scales them.

    ## The same as tf.data
    `translate` prints code that does the same with `tf.data`. It runs beside the training instead of before each batch.
    """)
    return


@app.cell
def _(arguments, translate):
    print(translate(rescale=1 / 255, **arguments))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    `data.train` is this pipeline. Order and changes depend on the seed and the epoch alone, so a training can be repeated.
    """)
    return


@app.cell
def _(data, lab):
    batch2, truth2 = next(iter(data.train))
    print(batch2.shape, batch2.dtype, "labels", truth2.numpy()[:8])
    lab.show_images(
        batch2.numpy()[:10] / 255, [data.class_names[label] for label in truth2.numpy()[:10]]
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Next:** `custom-images-3`, the model.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
