"""ImageDataGenerator against its translation, argument by argument, on real photographs."""

import ast
import tomllib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn.datasets import load_sample_images

from tfcnn import architectures, recipes
from tfcnn.base.errors import InputError
from tfcnn.inputs import augment, generator, geometry, pipeline
from tfcnn.inputs.keras_arguments import normalize
from tfcnn.recipes import Augment, InputSettings

# SciPy 1: Keras reaches for a name that SciPy 2 is to drop
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")

Keras = tf.keras.preprocessing.image.ImageDataGenerator
# Keras interpolates in float64, we in float32: 1e-5 px of a gradient of 255 grey levels
TOLERANCE = 5e-3
SHAPES = [(32, 32, 3), (24, 40, 3), (41, 23, 1)]
ALL_AT_ONCE = {
    "rotation_range": 40, "width_shift_range": 0.3, "height_shift_range": 0.2, "shear_range": 20,
    "zoom_range": [0.5, 1.6], "horizontal_flip": True, "vertical_flip": True,
}  # fmt: skip
COURSE = {
    "rotation_range": 20, "width_shift_range": 0.10, "height_shift_range": 0.10,
    "shear_range": 0.1, "zoom_range": 0.1, "horizontal_flip": True, "fill_mode": "nearest",
}  # fmt: skip
GEOMETRY = [
    {"rotation_range": 50},
    {"rotation_range": 300.0},
    {"width_shift_range": 0.3},
    {"height_shift_range": 0.3},
    {"width_shift_range": 6},
    {"height_shift_range": 6},
    {"width_shift_range": 1},
    {"width_shift_range": 1.0},
    {"height_shift_range": 4.5},
    {"width_shift_range": [3, -7, 0.5]},
    {"height_shift_range": [-0.4, 0.1, 0.2]},
    {"height_shift_range": (2,)},
    {"shear_range": 30},
    {"shear_range": 120},
    {"zoom_range": 0.4},
    {"zoom_range": 1.3},
    {"zoom_range": [1.2, 0.7]},
    {"zoom_range": (2, 3)},
    {"horizontal_flip": True},
    {"vertical_flip": True},
    {"channel_shift_range": 60},
    {"channel_shift_range": 400.0, "rotation_range": 30},
    COURSE,
    *({**ALL_AT_ONCE, "fill_mode": mode} for mode in ("nearest", "reflect", "wrap")),
    {**ALL_AT_ONCE, "fill_mode": "constant", "cval": 77.5},
    {**ALL_AT_ONCE, "fill_mode": "constant", "cval": 255, "channel_shift_range": 30},
]
BRIGHTNESS = [
    {"brightness_range": (0.3, 1.7)},
    {"brightness_range": [1, 1]},
    {"brightness_range": [-0.5, 0.5]},
    {**ALL_AT_ONCE, "channel_shift_range": 40, "brightness_range": [0.5, 1.5]},
]


def patches(shape, count, seed=0):
    """Cut pieces of scikit-learn's two photographs."""
    height, width, channels = shape
    rng = np.random.default_rng(seed)
    pictures = load_sample_images().images
    cut = []
    for i in range(count):
        picture = pictures[i % 2]
        top = rng.integers(0, picture.shape[0] - 3 * height)
        left = rng.integers(0, picture.shape[1] - 3 * width)
        piece = picture[top : top + 3 * height : 3, left : left + 3 * width : 3, :channels]
        cut.append(piece)
    return np.stack(cut)


def as_ours(parameters, channels):
    """Return Keras' transform parameters as ours; tx stands for the height's, zx for x."""
    count = len(parameters)

    def column(name, default, dtype=np.float64):
        values = [default if each[name] is None else each[name] for each in parameters]
        return np.array(values).astype(dtype)

    return augment.Parameters(
        turns=np.zeros(count, np.int64),
        flip_vertical=column("flip_vertical", 0, bool),
        flip_horizontal=column("flip_horizontal", 0, bool),
        rotation_degrees=column("theta", 0),
        shift_height=column("tx", 0),
        shift_width=column("ty", 0),
        shear_degrees=column("shear", 0),
        zoom_height=column("zy", 1),
        zoom_width=column("zx", 1),
        channel_shift=column("channel_shift_intensity", 0),
        contrast=np.ones(count),
        brightness=column("brightness", 1),
        gains=np.ones((count, channels)),
    )


def both(arguments, shape, count=24):
    """Change real pictures with the same random parameters, once by Keras and once by us."""
    images = patches(shape, count)
    keras = Keras(**arguments)
    parameters = [keras.get_random_transform(shape, seed) for seed in range(count)]
    expected = [
        keras.apply_transform(image.astype(np.float32), each)
        for image, each in zip(images, parameters, strict=True)
    ]
    settings = generator.translate(**arguments).augment
    done = augment.compose(settings, shape, as_ours(parameters, shape[2]))
    turned = geometry.dihedral_batch(images, np.arange(count), done.turns, done.flipped)
    result = augment.change(turned, done.matrices, done.colours, settings)
    return images, np.stack(expected), np.asarray(result)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("arguments", GEOMETRY, ids=str)
def test_changes_images_as_keras_does(arguments, shape):
    images, expected, result = both(arguments, shape)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE)
    if arguments.get("width_shift_range") not in (1, 1.0):
        assert np.abs(expected - images).mean() > 1  # the comparison is of changed images


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("arguments", BRIGHTNESS, ids=str)
def test_brightness_rounds_as_keras_does(arguments, shape):
    _, expected, result = both(arguments, shape)
    off = np.abs(result - expected)
    # a value within 1e-4 of a whole number may be rounded down on one side only
    assert (off > 0).mean() < 1e-3
    assert off.max() <= 2


@pytest.mark.parametrize("arguments", GEOMETRY + BRIGHTNESS, ids=str)
def test_the_generator_pipeline_gives_keras_own_images(arguments):
    images, seed, epoch = patches(SHAPES[1], 6), 3, 2
    result = generator.KerasTransform(arguments, seed)(images, epoch, np.arange(6))
    uniforms = augment.uniforms(seed, epoch, np.arange(6), len(augment.KINDS))
    seeds = (uniforms[:, augment.KINDS.index("generator")] * 2**32).astype(int).tolist()
    keras = Keras(**arguments)
    for image, image_seed, changed in zip(images, seeds, result, strict=True):
        expected = keras.random_transform(image.astype(np.float32), image_seed)
        np.testing.assert_array_equal(changed, expected)


DRAWN = [
    ("theta", "rotation_degrees", {"rotation_range": 25}),
    ("tx", "shift_height", {"height_shift_range": 0.2}),
    ("tx", "shift_height", {"height_shift_range": 2.5}),
    ("ty", "shift_width", {"width_shift_range": 0.2}),
    ("shear", "shear_degrees", {"shear_range": 12}),
    ("zx", "zoom_width", {"zoom_range": 0.3}),
    ("zy", "zoom_height", {"zoom_range": [0.6, 0.9]}),
    ("channel_shift_intensity", "channel_shift", {"channel_shift_range": 35}),
    ("brightness", "brightness", {"brightness_range": [0.4, 1.1]}),
]
PICKED = [
    ("tx", "shift_height", {"height_shift_range": 4}),
    ("ty", "shift_width", {"width_shift_range": [0.1, -0.3]}),
    ("ty", "shift_width", {"width_shift_range": np.array([2, 3, 3])}),
    ("flip_horizontal", "flip_horizontal", {"horizontal_flip": True}),
    ("flip_vertical", "flip_vertical", {"vertical_flip": True}),
]


def draws(keras_name, our_name, arguments, count=2000):
    shape = (20, 30, 3)
    keras = Keras(**normalize(arguments))
    by_keras = [keras.get_random_transform(shape, seed)[keras_name] for seed in range(count)]
    settings = generator.translate(**arguments).augment
    ours = augment.draw(settings, shape, 0, 0, np.arange(count))
    return np.array(by_keras, float), getattr(ours, our_name).astype(float)


@pytest.mark.parametrize(("keras_name", "our_name", "arguments"), DRAWN)
def test_draws_from_the_same_range(keras_name, our_name, arguments):
    by_keras, ours = draws(keras_name, our_name, arguments)
    assert stats.ks_2samp(by_keras, ours).pvalue > 1e-3
    spread = np.ptp(by_keras)
    assert ours.mean() == pytest.approx(by_keras.mean(), abs=0.05 * spread)
    assert ours.min() == pytest.approx(by_keras.min(), abs=0.01 * spread)
    assert ours.max() == pytest.approx(by_keras.max(), abs=0.01 * spread)


@pytest.mark.parametrize(("keras_name", "our_name", "arguments"), PICKED)
def test_picks_the_same_values_as_often(keras_name, our_name, arguments):
    by_keras, ours = draws(keras_name, our_name, arguments)
    values = np.unique(by_keras)
    np.testing.assert_array_equal(np.unique(ours), values)
    counts = [[(side == value).sum() for value in values] for side in (by_keras, ours)]
    assert stats.chi2_contingency(counts).pvalue > 1e-3


def test_height_and_width_of_a_zoom_are_drawn_apart():
    parameters = augment.draw(Augment(zoom=(0.5, 2.0)), (8, 8, 3), 0, 0, np.arange(1000))
    assert abs(np.corrcoef(parameters.zoom_height, parameters.zoom_width)[0, 1]) < 0.15


FIXED = [
    {"zoom_range": [0.7, 0.7]},
    {"zoom_range": [1.5, 1.5], "fill_mode": "wrap"},
    {"zoom_range": [1.5, 1.5], "fill_mode": "constant", "cval": 9},
    {"brightness_range": [0.6, 0.6]},
    {},
]


@pytest.mark.parametrize("arguments", FIXED, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_call_without_chance_gives_keras_images(arguments, shape):
    images = patches(shape, 3)
    keras = Keras(**arguments)
    expected = [keras.random_transform(image.astype(np.float32)) for image in images]
    result = generator.translate(**arguments)(images)
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE)


def test_rescale_is_what_the_first_layer_of_a_network_does():
    arguments = {"zoom_range": [0.7, 0.7], "fill_mode": "reflect", "rescale": 1 / 255}
    images = patches((24, 24, 3), 3)
    keras = Keras(**arguments)
    expected = next(keras.flow(images, batch_size=3, shuffle=False))
    network = architectures.build("mlp", (24, 24, 3), 2)
    result = network.layers[0](generator.translate(**arguments)(images))
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE / 255)


def test_a_translation_depends_on_seed_epoch_and_index():
    translation = generator.translate(**COURSE)
    images = patches((24, 24, 3), 4)
    result = translation(images, seed=1, epoch=2, indices=[5, 9, 2, 0])
    assert result.dtype == np.float32 and result.shape == images.shape
    assert result.min() >= 0 and result.max() <= 255
    again = translation(images[::-1], seed=1, epoch=2, indices=[0, 2, 9, 5])
    np.testing.assert_array_equal(result, again[::-1])
    for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
        assert not np.array_equal(result, translation(images, indices=[5, 9, 2, 0], **other))
    first = translation(images, seed=0, epoch=0, indices=[0, 1, 2, 3])
    np.testing.assert_array_equal(translation(images), first, err_msg="the defaults")
    with pytest.raises(InputError, match=r"^images: expected .*height, width, 1 or 3"):
        translation(images[0])
    with pytest.raises(InputError, match=r"^indices: expected 4 numbers"):
        translation(images, indices=[5, 9, 2])


@pytest.mark.parametrize(
    "arguments",
    [{}, COURSE, {"width_shift_range": np.arange(3), "brightness_range": (0.5, 1)}, GEOMETRY[-1]],
    ids=str,
)
def test_the_printed_code_and_recipe_do_the_same(arguments):
    translation = generator.translate(**arguments, rescale=1 / 255)
    assert str(translation) == translation.code
    ast.parse(translation.code)
    namespace = {}
    exec(translation.code, namespace)
    images, labels = patches((16, 16, 3), 6), np.arange(6, dtype=np.int32)
    batches = namespace["training_batches"](images, labels, batch_size=6, seed=4, epochs=2)
    for epoch, (batch, batch_labels) in enumerate(batches):
        expected = translation(images[batch_labels], 4, epoch, batch_labels)
        # a graph rounds in another order than single calls do
        np.testing.assert_allclose(batch, expected, rtol=0, atol=TOLERANCE)
    content: dict = {"name": "x", "data": {"source": "digits"}}
    content["inputs"] = tomllib.loads(translation.toml)["inputs"]
    assert recipes.parse(content, "x").inputs.augment == translation.augment
    commented = [line[2:] for line in translation.code.splitlines() if line.startswith("# ")]
    assert "ImageDataGenerator(" in commented[0]
    assert all("    " + line in commented for line in translation.toml.splitlines())


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64])
def test_the_printed_code_takes_arrays_as_keras_datasets_has_them(kind):
    """MNIST's labels are uint8, CIFAR-10's a column; pixels are often made floats."""
    namespace = {}
    exec(generator.translate(**COURSE).code, namespace)
    images = patches((16, 16, 3), 6)
    plain = np.arange(6, dtype=np.int32)
    ((expected, _),) = namespace["training_batches"](images, plain, batch_size=6)
    for labels in (plain.astype(kind), plain.astype(kind)[:, np.newaxis], plain.tolist()):
        ((batch, numbers),) = namespace["training_batches"](
            images.astype(kind), labels, batch_size=6
        )
        assert batch.dtype == tf.float32 and numbers.dtype == tf.int32
        assert sorted(numbers.numpy()) == list(range(6))
        np.testing.assert_array_equal(batch, expected)
    with pytest.raises(InputError, match=r"^images: expected .* for grey ones"):
        namespace["training_batches"](images[..., 0], plain)
    with pytest.raises(ValueError, match="cannot reshape"):
        namespace["training_batches"](images, plain[:5])


@pytest.mark.parametrize("arguments", GEOMETRY + BRIGHTNESS, ids=str)
def test_our_settings_go_back_into_keras_words(arguments):
    back, ours = generator.arguments_for(generator.translate(**arguments).augment)
    assert ours == Augment()
    expected = normalize(arguments)
    assert back.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str) or value is None:
            assert back[name] == value
        else:
            assert back[name] == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preprocessing_function", np.fliplr),
        ("zca_whitening", True),
        ("zca_epsilon", 1e-3),
        ("featurewise_center", True),
        ("featurewise_std_normalization", True),
        ("samplewise_center", True),
        ("samplewise_std_normalization", True),
        ("interpolation_order", 3),
        ("rotation_rang", 20),
        ("rotation_range", -20),
        ("rotation_range", "20"),
        ("rotation_range", float("nan")),
        ("rotation_range", True),
        ("width_shift_range", [[1, 2]]),
        ("width_shift_range", -3),
        ("height_shift_range", ["a"]),
        ("shear_range", None),
        ("zoom_range", [1, 2, 3]),
        ("zoom_range", "0.1"),
        ("brightness_range", 0.5),
        ("brightness_range", [0.5]),
        ("channel_shift_range", [1, 2]),
        ("fill_mode", "mirror"),
        ("horizontal_flip", "yes"),
        ("horizontal_flip", 3),
        ("rescale", 1 / 225),
        ("rescale", 2),
        ("validation_split", 1.5),
        ("data_format", "channels_first"),
        ("dtype", "uint8"),
    ],
)
def test_refuses_by_name(name, value):
    with pytest.raises(InputError, match=rf"^{name}: expected .*; received .*; try .*"):
        generator.translate(**{"vertical_flip": True, name: value})


def test_refuses_a_fill_value_that_is_no_pixel():
    with pytest.raises(InputError, match="cval"):
        generator.translate(fill_mode="constant", cval=-1)
    assert generator.translate(fill_mode="nearest", cval=-1).augment.fill_value == 0


def test_names_the_argument_that_was_meant():
    with pytest.raises(InputError, match="try horizontal_flip"):
        generator.translate(horizontal_flips=True)


def test_harmless_arguments_change_nothing():
    harmless = {
        "rescale": 1 / 255, "validation_split": 0.2, "data_format": "channels_last",
        "dtype": np.float32, "preprocessing_function": None, "zca_whitening": False,
        "zca_epsilon": 1e-6, "featurewise_center": False, "interpolation_order": 1,
    }  # fmt: skip
    plain, full = generator.translate(**COURSE), generator.translate(**COURSE, **harmless)
    assert plain.augment == full.augment
    assert "first layer" in full.code and "[data.split]" in full.code
    for rescale in (0.0039216, 1, 0, None):
        assert generator.translate(dtype=tf.float32, rescale=rescale).augment == Augment(
            like_keras=True
        )


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ({"brightness_range": [-0.2, 0.2]}, "brightness_range=[0.8, 1.2]"),
        ({"brightness_range": (0, 0.3)}, "brightness_range=[0.7, 1.3]"),
        ({"brightness_range": [80, 120]}, "brightness_range=[0.8, 1.2]"),
        ({"brightness_range": [-0.5, 1.5]}, "brightness_range=[0.8, 1.2]"),
        ({"zoom_range": [-0.2, 0.2]}, "zoom_range=[0.8, 1.2]"),
        ({"zoom_range": [0, 0.1]}, "zoom_range=[0.9, 1.1]"),
        ({"zoom_range": 20}, "zoom_range=[0.8, 1.2]"),
        ({"zoom_range": [80, 120]}, "zoom_range=[0.8, 1.2]"),
    ],
)
def test_a_range_that_destroys_images_is_translated_with_a_warning(arguments, meant):
    translation = generator.translate(**arguments)
    (name,) = arguments
    assert [text.endswith(meant) for text in translation.warnings] == [True]
    assert pipeline.warnings(InputSettings(generator=arguments)) == translation.warnings
    (line,) = (line for line in translation.code.splitlines() if "WARNING" in line)
    assert line.startswith(f"# WARNING: {name}=") and line.endswith(meant)
    ast.parse(translation.code)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width_shift_range": 20.0}, "in px, as it is not under 1; 20 % is 0.2"),
        ({"height_shift_range": 20}, "an integer, picks 0 to 19 px"),
        ({"width_shift_range": 1}, "shifts nothing"),
        ({"width_shift_range": [-3, -2]}, "it is width_shift_range=[3, 2]"),
        ({"width_shift_range": [-2, -3]}, "width_shift_range=[-2, -3] moves by whole sides"),
        ({"rotation_range": np.pi / 9}, "rotation_range=20"),
        ({"shear_range": 0.2}, "in degrees"),
        ({"channel_shift_range": 0.1}, "channel_shift_range=25.5"),
    ],
)
def test_another_unit_than_a_reader_may_think_is_said_in_the_code(arguments, words):
    translation = generator.translate(**arguments)
    code = translation.code
    assert [words in line for line in code.splitlines() if line.startswith("# ")].count(True) == 1
    assert translation.warnings == ()


@pytest.mark.parametrize(("most", "is_warned"), [(0.59, 1), (0.6, 0), (3, 0), (3.1, 1)])
def test_light_may_be_three_times_as_strong(most, is_warned):
    translation = generator.translate(brightness_range=[0.5, most])
    assert len(translation.warnings) == is_warned


def test_usual_ranges_are_translated_without_a_word():
    usual = {
        "rotation_range": 20, "width_shift_range": 0.1, "height_shift_range": [-0.3, 0.2],
        "shear_range": 15, "zoom_range": 0.2, "brightness_range": [0.5, 1.5],
        "channel_shift_range": 20, "horizontal_flip": True,
    }  # fmt: skip
    translation = generator.translate(**usual)
    comments = [line for line in translation.code.splitlines() if line.startswith("# ")]
    assert [line for line in comments if not line.startswith("#     ")] == [
        comments[0], "# In a recipe:"
    ]  # fmt: skip
    assert translation.warnings == ()


@pytest.mark.parametrize("values", [[-3, -2], [-3, 0.5], [-1, -2, -2], [2, -0.5]])
def test_a_list_of_negative_shifts_has_keras_unit(values):
    """Keras asks whether the greatest is under 1; our own settings ask for the largest."""
    by_keras, ours = draws("ty", "shift_width", {"width_shift_range": values})
    np.testing.assert_array_equal(np.unique(ours), np.unique(by_keras))


@pytest.mark.parametrize("values", [(-3.0, -2.0), (-0.3, -0.2), (-3.0, 0.5), (0.25, -2.0)])
def test_our_negative_shifts_keep_their_unit_in_keras_words(values):
    arguments, _ = generator.arguments_for(Augment(shift_width=values))
    keras = Keras(**arguments)
    parameters = [keras.get_random_transform((24, 24, 3), seed)["tx"] for seed in range(200)]
    ours = augment.draw(Augment(shift_width=values), (24, 24, 3), 0, 0, np.arange(200)).shift_width
    np.testing.assert_array_equal(np.unique(np.float64(parameters)), np.unique(ours))
