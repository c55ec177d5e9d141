"""Large JPEGs are read at a part of their size: what a network sees is the whole picture's."""

import io

import numpy as np
import pytest
from PIL import Image

from tfcnn.decode import Decoder, UnreadableImageError, dct, open_image

TARGET = (24, 40)
ORIENTATION = 0x0112
SIZES = (480, 640), (483, 645), (391, 1001), (97, 163), (96, 160)


def photograph(height, width, **how):
    """A picture of shades and edges, as a JPEG file."""
    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    red = 255 * (down + across) / 2
    green = 128 + 100 * np.sin(9 * across + 4 * down)
    blue = 135 + 95 * np.tanh(30 * (0.05 - (down - 0.5) ** 2 - (across - 0.3) ** 2))
    image = Image.fromarray(np.dstack([red, green, blue]).clip(0, 255).astype(np.uint8))
    mode, orientation = how.pop("mode", "RGB"), how.pop("orientation", 1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image.convert(mode).save(file, "JPEG", quality=92, exif=exif, **how)
    return file.getvalue()


def far(first, second):
    difference = np.abs(first.astype(int) - second.astype(int))
    return difference.mean(), difference.max()


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_whole_picture_within_a_few_grey_levels(size, fit):
    content = photograph(*size)
    whole = Decoder(TARGET, 3, fit, version=1).decode(content)
    part = Decoder(TARGET, 3, fit).decode(content)
    mean, most = far(part, whole)
    assert mean < 0.35 and most <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_lies_where_the_whole_picture_lies_however_it_is_turned(orientation):
    content = photograph(483, 645, orientation=orientation)
    opened = open_image(content, least=(48, 80))
    assert opened.size == ((483, 645) if orientation < 5 else (645, 483))
    assert opened.reduced is not None and opened.reduced.scale == (8 if orientation < 5 else 4)
    mean, most = far(Decoder(TARGET).decode(content), Decoder(TARGET, version=1).decode(content))
    assert mean < 0.3 and most <= 3


@pytest.mark.parametrize("how", [{"mode": "L"}, {"mode": "CMYK"}, {"progressive": True},
                                 {"subsampling": 2}, {"restart_marker_blocks": 3}])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_jpeg(how, channels):
    content = photograph(400, 660, **how)
    assert open_image(content, least=(48, 80)).reduced is not None
    whole = Decoder(TARGET, channels, version=1).decode(content)
    mean, most = far(Decoder(TARGET, channels).decode(content), whole)
    assert mean < 0.35 and most <= 3


def test_no_side_is_reduced_below_what_is_needed():
    for size, least, expected in (
        ((100, 100), (50, 50), 2), ((99, 200), (50, 50), 1), ((400, 400), (50, 101), 2),
        ((399, 800), (100, 100), 2), ((400, 800), (100, 100), 4), ((9999, 9999), (9, 9), 8),
        ((10, 10), (50, 50), 1),
    ):  # fmt: skip
        assert dct.scale(size, least) == expected
    content = photograph(480, 640)
    opened = open_image(content, least=(60, 80))
    assert opened.image.size == (80, 60) and opened.reduced.scale == 8
    assert open_image(content, least=(61, 80)).image.size == (160, 120)
    assert open_image(content).reduced is None and open_image(content).size == (480, 640)


def test_other_files_and_older_models_read_all_pixels():
    image = Image.open(io.BytesIO(photograph(480, 640)))
    file = io.BytesIO()
    image.save(file, "PNG")
    pictures = [Decoder(TARGET, version=version).decode(file.getvalue()) for version in (1, 2)]
    np.testing.assert_array_equal(*pictures)
    old = {"image_size": [24, 40], "channels": 3, "fit": "stretch"}
    assert Decoder.from_dict(old).version == 1 and Decoder.from_dict(old).to_dict() == old
    assert Decoder.from_dict(Decoder(TARGET).to_dict()) == Decoder(TARGET)
    content = photograph(480, 640)
    expected = image.convert("RGB").resize((40, 24), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Decoder.from_dict(old).decode(content), np.asarray(expected))


def test_what_was_opened_for_something_else_is_taken_only_at_the_same_scale():
    content = photograph(480, 640)
    decoder = Decoder(TARGET)  # needs 48 x 80: an eighth
    assert decoder.takes(open_image(content, least=(60, 80)))
    assert not decoder.takes(open_image(content, least=(120, 160)))
    assert not decoder.takes(open_image(content))
    old = Decoder(TARGET, version=1)
    assert old.takes(open_image(content)) and not old.takes(open_image(content, least=(60, 80)))


def test_a_cut_file_is_refused_at_any_scale():
    content = photograph(480, 640)
    with pytest.raises(UnreadableImageError, match="cut short"):
        Decoder(TARGET).decode(content[: len(content) // 2])
