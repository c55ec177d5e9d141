"""What is seen through an image; what is not seen of it is said to whoever reads a result."""

import struct

import numpy as np
import pytest
from conftest import run_tfcnn
from picture_files import deep_png, drawing, encoded, frames, tiff
from PIL import Image

from tfcnn import manifest, recipes
from tfcnn.base.progress import Reporter
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import Decoder, open_image, remarks
from tfcnn.inputs import cache
from tfcnn.training.prepare import prepare

BLACK, WHITE = "vanishes over black, try --set data.background=white", "vanishes over white"


def seen(content, background, channels=1):
    return Decoder((24, 24), channels, background=background).decode(content)


FILES = {
    "RGBA": lambda ink: encoded(ink),
    "LA": lambda ink: encoded(Image.fromarray(ink).convert("LA")),
    "16 bits": lambda ink: deep_png(ink.astype(np.uint16) * 257),
    "16-bit grey": lambda ink: deep_png(ink[..., [0, 3]].astype(np.uint16) * 257),
    "WebP": lambda ink: encoded(ink, "WEBP", lossless=True, exact=True),
    "TIFF": lambda ink: tiff(ink, 2, extra=(2,)),
    "TIFF of 16 bits": lambda ink: tiff(ink.astype(np.uint16) * 257, 2, extra=(2,)),
    "premultiplied": lambda ink: tiff(ink, 2, extra=(1,)),
    "pixels": lambda ink: ink,
}


@pytest.mark.parametrize("name", FILES)
def test_ink_is_seen_over_white_and_its_vanishing_over_black_is_said(name):
    content = FILES[name](drawing())
    assert not seen(content, "black").any()
    over_white = seen(content, "white")
    assert over_white.max() == 255 and over_white.min() == 0
    (remark,) = open_image(content).remarks
    assert BLACK in remark
    assert remarks.join([remark], "black") == remark and remarks.join([remark], "white") == ""


def test_a_palette_with_a_transparent_entry_is_laid_over_the_background():
    image = Image.new("P", (24, 24), 1)
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.paste(0, (4, 4, 9, 9))
    for format_name in ("PNG", "GIF"):
        content = encoded(image, format_name, transparency=1)
        assert BLACK in open_image(content).remarks[0]
        assert seen(content, "white")[6, 6, 0] == 0 and seen(content, "white")[0, 0, 0] == 255


@pytest.mark.parametrize(("shade", "what"), [(255, WHITE), (8, BLACK), (250, WHITE), (128, None)])
def test_only_what_vanishes_is_remarked(shade, what):
    found = open_image(encoded(drawing(shade))).remarks
    assert what in found[0] if what else not found


def test_what_is_opaque_or_wholly_transparent():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    opened = open_image(encoded(pixels))
    assert opened.image.mode == "RGB" and not opened.remarks
    np.testing.assert_array_equal(seen(encoded(pixels), "white", 3), pixels[..., :3])
    pixels[..., 3] = 0
    assert open_image(encoded(pixels)).remarks == ("nothing but transparent pixels",)


def test_half_seen_pixels_are_mixed():
    grey = np.dstack([np.full((2, 2), 100, np.uint8), np.full((2, 2), 51, np.uint8)])
    content = encoded(Image.fromarray(grey))
    for background, shade in (("black", 0), ("white", 255)):
        expected = round(0.2 * 100 + 0.8 * shade)
        pixels = Decoder((2, 2), background=background).decode(content)
        assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_padding_has_the_background():
    wide = np.full((4, 8, 3), 90, np.uint8)
    for background, shade in (("black", 0), ("white", 255)):
        pixels = Decoder((8, 8), 3, "pad", background).decode(wide)
        assert (pixels[[0, 1, 6, 7]] == shade).all() and (pixels[2:6] == 90).all()


def test_runs_from_before_there_was_a_choice_stay_valid():
    settings = {"image_size": [30, 40], "channels": 1, "fit": "pad"}
    assert Decoder.from_dict(settings) == Decoder((30, 40), 1, "pad", "black", version=1)
    assert Decoder((30, 40), 1, "pad", version=1).to_dict() == settings
    white = Decoder((30, 40), background="white")
    assert Decoder.from_dict(white.to_dict()) == white != Decoder((30, 40))


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "TIFF"])
def test_what_is_left_of_an_animation_or_stack_is_said(format_name):
    opened = open_image(frames(format_name, 5))
    kind = "pages" if format_name == "TIFF" else "frames"
    assert opened.remarks == (f"several {kind}, of which only the first is read: 5",)
    assert opened.flat().convert("RGB").getpixel((0, 0))[0] < 10
    assert open_image(frames(format_name, 1)).remarks == ()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_at_every_depth(kind, big):
    opened = open_image(tiff(np.zeros((5, 6, 1), kind), 1, pages=40, big=big))
    assert opened.remarks == ("several pages, of which only the first is read: 40",)


def test_a_thumbnail_or_mask_is_no_page():
    thumbnail = struct.pack("<I", 1)
    for kind in (thumbnail, struct.pack("<I", 4)):
        content = tiff(np.zeros((5, 6, 1), np.uint8), 1, pages=1)
        both = bytearray(tiff(np.zeros((5, 6, 1), np.uint8), 1, pages=2, tags={254: (4, 1, kind)}))
        first = both.index(struct.pack("<HHI", 254, 4, 1))
        both[first + 8 : first + 12] = bytes(4)
        assert open_image(bytes(both)).remarks == () == open_image(content).remarks


def test_a_telephones_second_picture_is_part_of_the_first():
    images = [Image.new("RGB", (16, 16), shade) for shade in ("red", "blue")]
    content = encoded(images[0], "MPO", save_all=True, append_images=images[1:])
    opened = open_image(content)
    assert opened.remarks == () and opened.image.getpixel((0, 0))[0] > 200


@pytest.fixture
def drawings(tmp_path, home):
    for label, shade in (("a", 0), ("b", 4)):
        (tmp_path / "d" / label).mkdir(parents=True)
        for i in range(12):
            ink = encoded(drawing(shade, seed=i))
            (tmp_path / "d" / label / f"{i:02}.png").write_bytes(ink)
    (tmp_path / "d" / "a" / "stack.tif").write_bytes(frames("TIFF", 7))
    return tmp_path / "d"


def test_remarks_are_remembered_and_become_notes(drawings, monkeypatch):
    source = open_folder(drawings)
    first = manifest.build(source)
    assert any(note.startswith("24 images with a drawing that vanishes") for note in first.notes)
    said = "1 image with several pages, of which only the first is read, such as a/stack.tif (7)"
    assert said in first.notes
    monkeypatch.setattr(
        manifest.rows, "open_image", lambda *_: pytest.fail("opened an image again")
    )
    assert manifest.build(source).notes == first.notes
    white = manifest.build(source, background="white").notes
    assert said in white and not any("vanishes" in note for note in white)


def test_a_manifest_without_remarks_is_made_anew(drawings):
    source = open_folder(drawings)
    notes = manifest.build(source).notes
    path = source.store / "manifest.csv"
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    assert lines[0].endswith("unreadable")
    path.write_text("\n".join(lines) + "\n")
    assert manifest.build(source).notes == notes


def test_training_sees_the_background_it_was_told(drawings, monkeypatch):
    told = []
    reporter = Reporter()
    monkeypatch.setattr(reporter, "note", told.append)
    chosen = recipes.for_folder(drawings)
    black = prepare(chosen, None, False, reporter)
    assert any(BLACK in note for note in told)
    told.clear()
    white = prepare(recipes.override(chosen, ["data.background=white"]), None, False, reporter)
    assert white.decoder.background == "white" and not any("vanishes" in note for note in told)
    ink = [i for i, row in enumerate(white.manifest.rows) if row.path.endswith(".png")]
    assert black.images[ink].max() < 8 and white.images[ink].max() == 255
    monkeypatch.setattr(cache, "EARLY_BYTES", 0)
    monkeypatch.setattr(cache, "VERSION", 0)
    again = prepare(recipes.override(chosen, ["data.background=white"]), None, False, reporter)
    np.testing.assert_array_equal(again.images, white.images)


def test_check_says_it_before_any_training(drawings):
    (drawings / "a" / "pointer.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    said = run_tfcnn("check", drawings).stdout
    assert (
        "24 images with a drawing that vanishes over black, try --set data.background=white" in said
    )
    assert "several pages, of which only the first is read, such as a/stack.tif (7)" in said
    assert "pointer.png" in said and "Git LFS pointer" in said and "git lfs pull" in said
