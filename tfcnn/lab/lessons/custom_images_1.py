"""CNN on custom images, part 1: the data."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # CNN on custom images, part 1: the data

    Images of your own differ in size, in light, and in whom they show. Look at all three before you train.
    """)
    return


@app.cell
def _():
    import numpy as np
    from PIL import Image

    import tfcnn
    from tfcnn import datasets, lab

    return Image, datasets, lab, np, tfcnn


@app.cell
def _(datasets, lab):
    name = lab.downloaded("malaria", otherwise="smears")
    folder = datasets.download(name)
    print("This lesson uses", name)
    return folder, name


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Read one image
    `np.asarray` of an opened picture has the shape (height, width, channels).
    """)
    return


@app.cell
def _(Image, folder, np):
    pictures = sorted((folder / "cell_images").rglob("*.png"))
    first = np.asarray(Image.open(pictures[0]))
    print(pictures[0].name, first.shape, first.dtype)
    return (pictures,)


@app.cell
def _(Image, lab, np, pictures):
    chosen = [*pictures[:5], *pictures[-5:]]
    lab.show_images(
        [np.asarray(Image.open(path)) for path in chosen], [path.parent.name for path in chosen]
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## How large are they?
    A network wants one size. The course takes the mean of all heights and widths, 130 x 130.
    """)
    return


@app.cell
def _(Image, np, pictures):
    sizes = np.array(
        [Image.open(path).size[::-1] for path in pictures[:: max(1, len(pictures) // 500)]]
    )
    print(
        "heights", sizes[:, 0].min(), "to", sizes[:, 0].max(), "median", int(np.median(sizes[:, 0]))
    )
    print(
        "widths ", sizes[:, 1].min(), "to", sizes[:, 1].max(), "median", int(np.median(sizes[:, 1]))
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    `tfcnn.data` decodes all images once, at one size. Half of the course's side is enough to see a parasite, and four
    times as fast.
    """)
    return


@app.cell
def _(name, tfcnn):
    data = tfcnn.data(name, image_size=64)
    data
    return (data,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Whom do they show?
    A cell belongs to a patient. One patient has many cells, with the same stain and the same light. `data` puts all cells
    of a patient on one side of the split.
    """)
    return


@app.cell
def _(data):
    rows = data.manifest.rows
    patients = {
        split: {row.group for row, own in zip(rows, data.splits) if own == split}
        for split in ("train", "val", "test")
    }
    for split, names in patients.items():
        print(f"{split:5} {len(names):3} patients, such as", ", ".join(sorted(names)[:4]))
    print("in train and in test:", len(patients["train"] & patients["test"]))
    return (rows,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## What a split by image does
    The course's zip is split by image. How many cells of such a test belong to a patient whom the network has seen?
    """)
    return


@app.cell
def _(np, rows):
    group = np.array([row.group for row in rows])
    in_test = np.random.default_rng(0).random(len(group)) < 0.2
    seen = np.isin(group[in_test], group[~in_test])
    print(f"{seen.mean():.1%} of the test cells come from a patient who is also in train")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Then the test asks whether the network knows these patients again. Nobody will ask it that in use. Try it on the page
    *The leak* of `tfcnn lab`, and do the exercise `split`:
    """)
    return


@app.cell
def _(lab, np):
    def is_test(patients, share, seed):
        return np.random.default_rng(seed).random(len(patients)) < share

    lab.check("split", is_test)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    **Next:** `custom-images-2`, the generator.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
