"""`tfcnn kernel`: real picture files in, PNG out, and every mistake named in one line."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import correlate, laplace, prewitt, sobel

from tfcnn.base.errors import InputError
from tfcnn.concepts.kernels import KERNELS, apply_kernel
from tfcnn.lab.image_kernel import CATALOG, apply_to_file, read_kernel


@pytest.fixture
def picture(tmp_path):
    """A colour picture, 12 px high and 20 px wide, and its pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


def filtered(pixels, kernel):
    """The answer of another library, without the borders."""
    channels = np.atleast_3d(pixels).astype(float)
    whole = correlate(channels, np.asarray(kernel, float)[:, :, np.newaxis], mode="constant")
    return np.clip(np.rint(whole), 0, 255)[1:-1, 1:-1]


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_each_kernel_by_name(picture, tmp_path, name):
    path, pixels = picture
    output = apply_to_file(path, name.replace("_", "-"), tmp_path / "new" / "out.png")
    with Image.open(output) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (18, 10))
        np.testing.assert_array_equal(np.asarray(image), filtered(pixels, KERNELS[name]))
    assert [file.name for file in output.parent.iterdir()] == ["out.png"]


def test_grey_pictures_stay_grey(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    output = apply_to_file(tmp_path / "grey.png", "sharpen", tmp_path / "out.png")
    with Image.open(output) as image:
        assert image.mode == "L"
        expected = filtered(pixels, KERNELS["sharpen"])[..., 0]
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_a_photograph_on_its_side_is_turned_upright(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, :15] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif, quality=100)
    output = apply_to_file(tmp_path / "photo.jpg", "identity", tmp_path / "out.png", padding="same")
    with Image.open(output) as image:
        assert image.size == (10, 30)
        assert np.asarray(image)[0].min() > 250
        assert np.asarray(image)[-1].max() < 5
        assert image.getexif().get(0x0112) is None


def test_stride_and_padding(picture, tmp_path):
    path, pixels = picture
    whole = apply_to_file(path, "identity", tmp_path / "same.png", padding="same")
    half = apply_to_file(path, "identity", tmp_path / "half.png", stride=2)
    with Image.open(whole) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    with Image.open(half) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[1:-1:2, 1:-1:2])


def test_default_output_is_in_the_working_folder(picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(apply_to_file(picture[0], "blur")) == "picture-blur.png"
    assert (tmp_path / "picture-blur.png").is_file()


@pytest.mark.parametrize(
    "text",
    [
        "0 -1 0\n-1 5 -1\n0 -1 0",
        "0,-1,0\r\n-1,5,-1\r\n0,-1,0\r\n",
        "\ufeff# sharpen\n\n0;-1; 0\n-1; 5.0;-1  # the middle\n0;-1;0\n",
        "0\t-1\t0\n-1\t5e0\t-1\n0\t-1\t0\n",
    ],
)
def test_kernel_files(picture, tmp_path, text):
    file = tmp_path / "mine.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert read_kernel(str(file)).tolist() == KERNELS["sharpen"].tolist()
    from_file = apply_to_file(picture[0], str(file), tmp_path / "a.png").read_bytes()
    assert from_file == apply_to_file(picture[0], "sharpen", tmp_path / "b.png").read_bytes()


def test_a_name_wins_over_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blur").write_text("1")
    assert read_kernel("blur").shape == (3, 3)
    assert read_kernel("./blur").tolist() == [[1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3", "line 2: expected 2 numbers, as in the first row; received 1"),
        ("1 2\n\n3 4 5", "line 3: expected 2 numbers"),
        ("1 two", "line 1: expected numbers with a decimal point, at most 1e+06; received 'two'"),
        ("0,5;0,5", "received '0,5'"),
        ("1,2,", "received ''"),
        ("nan", "received 'nan'"),
        ("1e999", "received '1e999'"),
        ("-1e308", "received '-1e308'"),
        ("# nothing\n\n", "expected rows of numbers; received none"),
    ],
)
def test_kernel_files_with_mistakes(tmp_path, text, message):
    file = tmp_path / "mine.txt"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_kernel(str(file))
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)


def test_a_kernel_that_is_no_text_is_refused(picture):
    with pytest.raises(InputError, match="expected a text file of numbers"):
        read_kernel(str(picture[0]))


def test_the_settings_are_in_the_default_name_and_no_other_picture_is_lost(
    picture, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = [
        str(apply_to_file(picture[0], "blur", **options))
        for options in (
            {},
            {"stride": 2},
            {"padding": "same"},
            {"stride": 3, "padding": "same"},
        )
    ]
    assert names == [
        "picture-blur.png",
        "picture-blur-stride2.png",
        "picture-blur-same.png",
        "picture-blur-stride3-same.png",
    ]
    before = (tmp_path / names[0]).read_bytes()
    assert str(apply_to_file(picture[0], "blur")) == names[0], "the same picture, its name"
    (tmp_path / "other").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "other" / "picture.jpg")
    (tmp_path / "blur.txt").write_text("1 2 1")
    assert str(apply_to_file(tmp_path / "other" / "picture.jpg", "blur")) == "picture-blur-2.png"
    assert str(apply_to_file(picture[0], "blur.txt")) == "picture-blur-3.png"
    assert (tmp_path / names[0]).read_bytes() == before
    named = apply_to_file(
        picture[0], "sharpen", tmp_path / names[0]
    )  # a name that is given is meant
    assert named.read_bytes() != before


@pytest.mark.parametrize(
    ("name", "function"), [("sobel", sobel), ("prewitt", prewitt), ("Sobel", sobel)]
)
def test_a_gradients_name_alone_means_its_length(picture, tmp_path, name, function):
    path, pixels = picture
    output = apply_to_file(path, name, tmp_path / "out.png")
    channels = np.moveaxis(pixels.astype(float), -1, 0)
    lengths = [np.hypot(function(one, axis=0), function(one, axis=1)) for one in channels]
    expected = np.clip(np.rint(np.stack(lengths, axis=-1)), 0, 255)[1:-1, 1:-1]
    with Image.open(output) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    turned = tmp_path / "turned.png"
    Image.fromarray(np.rot90(pixels)).save(turned)
    again = apply_to_file(turned, name, tmp_path / "again.png", padding="valid")
    with Image.open(again) as image:
        np.testing.assert_array_equal(np.asarray(image), np.rot90(expected))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("gaussian", "blur"),
        ("Gaussian Blur", "blur"),
        ("edge", "outline"),
        ("edge-detection", "outline"),
        ("sharp", "sharpen"),
        ("sobel-x", "sobel_right"),
        ("sobel_y", "sobel_bottom"),
        ("SHARPEN", "sharpen"),
        ("mean", "box"),
        ("laplace", "laplacian"),
        ("scharr-x", "scharr_right"),
    ],
)
def test_other_words_for_a_kernel_are_known(word, name):
    assert read_kernel(word) is read_kernel(name)


def test_further_kernels_are_those_of_the_literature(picture, tmp_path):
    flat = np.full((8, 8, 3), 77, np.uint8)
    Image.fromarray(flat).save(tmp_path / "flat.png")
    for name in CATALOG:
        with Image.open(apply_to_file(tmp_path / "flat.png", name, tmp_path / "o.png")) as image:
            (value,) = np.unique(np.asarray(image))
        assert value == (77 if CATALOG[name].sum() > 0.5 else 0), name
    pixels = picture[1]
    ours = apply_kernel(pixels.astype(float), CATALOG["laplacian"])
    expected = np.stack([laplace(pixels[..., c].astype(float)) for c in range(3)], axis=-1)
    np.testing.assert_allclose(ours, expected[1:-1, 1:-1])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("sobbel", "sobel"), ("gausian", "gaussian"), ("sobel-lefft", "sobel_left")],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(typed, meant, picture):
    with pytest.raises(InputError, match=f"try --kernel {meant}$"):
        apply_to_file(picture[0], typed)


@pytest.mark.parametrize("name", ["blurr", "", ".", "missing.csv"])
def test_unknown_kernels_are_answered_with_the_names(name):
    with pytest.raises(InputError) as error:
        read_kernel(name)
    assert all(name in str(error.value) for name in KERNELS)


def test_a_kernel_larger_than_the_image(picture, tmp_path):
    path, _ = picture
    file = tmp_path / "tall.txt"
    file.write_text("0.05\n" * 13)
    output = tmp_path / "out.png"
    with pytest.raises(InputError, match=r"at most 12 x 20 px.*received one of 13 x 1; try --pad"):
        apply_to_file(path, str(file), output)
    assert not output.exists()
    apply_to_file(path, str(file), output, padding="same")
    with Image.open(output) as image:
        assert image.size == (20, 12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "--stride: expected a whole number from 1; received 0"),
        ({"padding": "full"}, "--padding: expected valid or same; received 'full'"),
        ({"output": "out.jpg"}, r"expected a name that ends in .png; received .jpg; try"),
        ({"output": "picture.png"}, "expected another file than the image"),
    ],
)
def test_options_with_mistakes(picture, tmp_path, options, message):
    before = picture[0].read_bytes()
    output = tmp_path / options.pop("output", "out.png")
    with pytest.raises(InputError, match=message):
        apply_to_file(picture[0], "blur", output, **options)
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]
    assert picture[0].read_bytes() == before


def test_images_that_cannot_be_read(picture, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture[0].read_bytes()[:200])
    for image in (broken, tmp_path / "missing.png", tmp_path):
        with pytest.raises(InputError) as error:
            apply_to_file(image, "blur", tmp_path / "out.png")
        assert str(error.value).startswith(f"{image}: expected ")
    assert not (tmp_path / "out.png").exists()


def test_an_output_that_cannot_be_written(picture):
    output = picture[0] / "out.png"  # below a file
    with pytest.raises(InputError, match="expected a place to write to"):
        apply_to_file(picture[0], "blur", output)
