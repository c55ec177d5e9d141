"""A folder with all that `check` looks for, made of drawn cells."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

CLASSES = ("Parasitized", "Uninfected")


def arrange(drawn: Path, root: Path, train: int = 30, test: int = 12) -> Path:
    """Copy drawn cells as `train` and `test` with two classes each, `0.png` and so on."""
    for label in CLASSES:
        paths = sorted((drawn / label).iterdir())
        assert len(paths) >= train + test
        for split, chosen in (("train", paths[:train]), ("test", paths[train : train + test])):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number, path in enumerate(chosen):
                shutil.copy(path, folder / f"{number}.png")
    return root


def cell(root: Path, number: int, label: str = "Parasitized", split: str = "train") -> Image.Image:
    with Image.open(root / split / label / f"{number}.png") as image:
        return image.convert("RGB")


def spoil(root: Path) -> None:
    """Add files that are copies, unreadable, odd, or unlike the others."""
    sick, well = (root / "train" / label for label in CLASSES)
    tested = root / "test" / "Parasitized"
    cell(root, 0).save(tested / "again.jpg", quality=70)
    ImageOps.mirror(ImageEnhance.Brightness(cell(root, 1)).enhance(1.15)).save(tested / "lit.png")
    small = cell(root, 2)
    small.resize((small.width // 2, small.height // 2)).save(tested / "small.png")
    shutil.copy(sick / "3.png", well / "other_class.png")
    cell(root, 4).save(well / "near_other.jpg", quality=80)
    shutil.copy(sick / "5.png", sick / "copy.png")
    whole = (sick / "6.png").read_bytes()
    (sick / "cut.png").write_bytes(whole[: len(whole) // 2])
    (well / "page.png").write_text("<html>404</html>")
    odd(root, sick)


def odd(root: Path, folder: Path) -> None:
    """Add files that hold their pixels in an unusual way, or unusual pixels."""
    cell(root, 7).save(folder / "is_jpeg.png", "JPEG")
    cell(root, 8).convert("CMYK").save(folder / "cmyk.jpg")
    cell(root, 9).quantize(64).save(folder / "palette.png")
    grey = np.asarray(cell(root, 10).convert("L")).astype(np.uint16)
    Image.fromarray(grey * 256 + 7).save(folder / "deep.png")
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    cell(root, 11).save(folder / "turned.jpg", exif=exif)
    frames = [cell(root, number).resize((64, 64)) for number in (12, 13, 14)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    cell(root, 15).resize((5000, 4500), Image.Resampling.NEAREST).save(folder / "huge.png")
    ImageEnhance.Brightness(cell(root, 16)).enhance(0.2).save(folder / "dark.png")
