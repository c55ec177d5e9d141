"""Downloading image data."""

import marimo

app = marimo.App()


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Downloading image data

    MNIST and CIFAR-10 come ready. Images of your own come as files, in a zip or in folders. The course downloads
    `cell_images.zip`: blood cells, some with malaria parasites.
    """)
    return


@app.cell
def _():
    import zipfile
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import tfcnn
    from tfcnn import datasets, lab

    return Path, TemporaryDirectory, datasets, lab, tfcnn, zipfile


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## In tfcnn
    ```sh
    tfcnn download malaria                # 353 MB from the NIH; goes on after a cut
    tfcnn download malaria --from cell_images.zip    # if you have it already
    ```
    What arrives is checked against a fingerprint (sha256), and unpacked into `data/malaria`. Until then drawn cells
    (`smears`) stand in for it. They need no network, and their files are named and laid out in the same way.
    """)
    return


@app.cell
def _(datasets, lab):
    name = lab.downloaded("malaria", otherwise="smears")
    folder = datasets.download(name)
    print("This lesson uses", name)
    return folder, name


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## By hand
    A zip is opened with Python's `zipfile`. Here a small one is made first, so that the cell runs without a network.
    """)
    return


@app.cell
def _(Path, TemporaryDirectory, folder, zipfile):
    pictures = sorted((folder / "cell_images").rglob("*.png"))
    print(f"{len(pictures):,} images, such as", pictures[0].relative_to(folder))
    with TemporaryDirectory() as place:
        archive = Path(place) / "cells.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for picture in pictures[:3] + pictures[-3:]:
                packed.write(picture, f"cells/{picture.parent.name}/{picture.name}")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(place)
        names = [path.relative_to(place).as_posix() for path in sorted(Path(place).rglob("*.png"))]
    print(*names, sep="\n")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    One folder for each class: this is the layout that Keras' `flow_from_directory` and tfcnn read. The name of a file
    begins with the patient (`C33`), and that will matter.

    ## Look before you train
    `tfcnn check FOLDER` opens every file. It names what cannot be read, finds copies, and counts classes and patients.
    """)
    return


@app.cell
def _(name, tfcnn):
    tfcnn.check(name)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Two notes for images from elsewhere:

    * Operating systems leave files of their own, such as `Thumbs.db` in the NIH's zip. They are counted and left out.
    * A broken image stops a plain `tf.data` pipeline without naming the file. tfcnn names it and goes on.

    **Next:** `custom-images-1`.
    """)
    return


@app.cell(hide_code=True)
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
