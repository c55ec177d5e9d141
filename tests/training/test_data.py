"""`tfcnn.data`: a split that holds, in plain datasets that train as a loop by hand does."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcnn
from tfcnn.base.errors import CheckError, InputError
from tfcnn.manifest import splits

# ImageDataGenerator says it of SciPy
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
GROUPS = "^(P[0-9]+)_"
FLIPPED = {"flip_horizontal": True, "rotation_degrees": 10.0}


@pytest.fixture
def tree(make_tree):
    return make_tree(groups=8, per_group=4, side=24)


def small(tree, **options):
    return tfcnn.data(tree, **{"image_size": 16, "batch_size": 8, "group_regex": GROUPS, **options})


def network(data, units=2):
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(data.shape),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(units, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def images_of(dataset):
    return np.concatenate([images.numpy() for images, _ in dataset])


def test_datasets_hold_the_splits_in_stated_types_and_order(tree):
    data = small(tree, batch_size=5)
    assert data.class_names == ("round", "square") and data.shape == (16, 16, 3)
    assert isinstance(data.train, tf.data.Dataset) and data.train is data.train
    counts = {split: sum(of.values()) for split, of in data.counts.items()}
    assert sum(counts.values()) == len(data) == 64
    assert (len(data.train), len(data.val)) == (counts["train"] // 5, -(-counts["val"] // 5))
    images, labels = next(iter(data.train))
    assert images.dtype == tf.float32 and images.shape == (5, 16, 16, 3)
    assert labels.dtype == tf.int32 and labels.shape == (5,)
    assert 1 < float(tf.reduce_max(images)) <= 255
    own, own_labels = data.arrays("val")
    assert own.dtype == np.uint8 and own_labels.dtype == np.int32
    np.testing.assert_array_equal(images_of(data.val), own)
    order = [row.path for row, split in zip(data.manifest.rows, data.splits, strict=True)
             if split == "val"]  # fmt: skip
    assert order == sorted(order) and len(order) == len(own)
    by_group = {}
    for row, split in zip(data.manifest.rows, data.splits, strict=True):
        by_group.setdefault(row.group, set()).add(split)
    assert len(by_group) == 8 and all(len(found) == 1 for found in by_group.values())


def test_one_hot_labels_in_all_forms(tree):
    data = small(tree, labels="one-hot")
    _, labels = next(iter(data.train))
    assert labels.dtype == tf.float32 and labels.shape == (8, 2)
    indices = small(tree).arrays("val")[1]
    np.testing.assert_array_equal(data.arrays("val")[1], np.eye(2)[indices])
    np.testing.assert_array_equal(np.concatenate([y for _, y in data.val]), np.eye(2)[indices])
    _, from_generator = data.flow(tf.keras.preprocessing.image.ImageDataGenerator(), "val")[0]
    np.testing.assert_array_equal(from_generator, np.eye(2, dtype=np.float32)[indices[:8]])
    assert len(data.train) == len(small(tree).train)
    with pytest.raises(InputError, match="expected 'int' or 'one-hot'"):
        small(tree, labels="onehot")


def test_class_weights_let_every_class_count_the_same(make_tree):
    tree = make_tree(groups=8, per_group=4)
    for path in sorted((tree / "square").iterdir())[::2]:
        path.unlink()
    data = small(tree, group_regex="")
    weight, count = data.class_weight, data.counts["train"]
    sums = [weight[i] * count[name] for i, name in enumerate(data.class_names)]
    np.testing.assert_allclose(sums, sum(count.values()) / 2)
    assert count["round"] != count["square"]


def test_each_pass_over_train_is_the_next_epoch(tree):
    data = small(tree, augment=FLIPPED)
    first, second = images_of(data.train), images_of(data.train)
    assert data.epoch == 2 and not np.array_equal(first, second)
    data.epoch = 0
    np.testing.assert_array_equal(images_of(data.train), first)
    fresh = small(tree, augment=FLIPPED)
    np.testing.assert_array_equal(images_of(fresh.train.take(2)), first[:16])
    assert fresh.epoch == 0, "an epoch that was left early begins again"
    np.testing.assert_array_equal(images_of(fresh.train), first)
    fresh.epoch = 1
    np.testing.assert_array_equal(images_of(fresh.train), second)
    other = small(tree, augment=FLIPPED, seed=1)
    assert not np.array_equal(images_of(other.train)[:8], first[:8])
    with pytest.raises(InputError, match="0 or more"):
        data.epoch = -1


def test_an_epoch_holds_each_training_image_once(tree):
    data = small(tree, batch_size=1)
    own, _ = data.arrays("train")
    read = images_of(data.train)
    assert sorted(map(bytes, read.astype(np.uint8))) == sorted(map(bytes, own))


def test_a_loop_by_hand_reaches_the_weights_of_fit_bit_for_bit(tree):
    data = small(tree, augment=FLIPPED)
    fitted = network(data)
    fitted.fit(data.train, validation_data=data.val, epochs=3, shuffle=False, verbose=0)
    assert data.epoch == 3 and data.has_trained(fitted)

    again = small(tree, augment=FLIPPED)
    model = network(again)
    loss = keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for _ in range(3):
        for images, labels in again.train:
            step(images, labels)
    for one, other in zip(fitted.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not data.has_trained(network(data)), "one that took no step"
    assert not small(tree).has_trained(fitted), "other images"
    with pytest.warns(UserWarning, match="test is read before"):
        data.arrays("test")
    assert not data.has_trained(fitted), "it may have learnt from test"


def test_a_model_that_learnt_from_the_arrays_is_known(tree):
    data = small(tree)
    model = network(data)
    images, labels = data.arrays("train")
    model.fit(images, labels, batch_size=5, epochs=2, validation_data=data.val, verbose=0)
    assert data.has_trained(model)


def test_test_warns_once_where_nothing_is_scored(tree):
    data = small(tree)
    with pytest.warns(UserWarning, match="test is read before") as found:
        _ = data.test
        data.arrays("test")
        data.flow(tf.keras.preprocessing.image.ImageDataGenerator(), "test")
    assert len(found) == 1 and found[0].filename == __file__
    with pytest.warns(UserWarning, match="test is read before") as found:
        small(tree).arrays("test")
    assert found[0].filename == __file__
    scored = small(tree)
    scored.is_scored = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(len(labels) for _, labels in scored.test) == sum(data.counts["test"].values())


def test_folds_test_every_image_once(tree):
    data = small(tree)
    folds = list(data.folds(4))
    tested = [np.flatnonzero(np.array(fold.splits) == "test") for fold in folds]
    assert sorted(np.concatenate(tested).tolist()) == list(range(64))
    for fold in folds:
        splits.gate(fold.manifest, fold.splits)
        assert len(fold.val) and isinstance(fold.train, tf.data.Dataset)
    with pytest.raises(InputError, match="at most 8"):
        list(data.folds(9))


def test_a_flow_gives_the_generators_own_images(tree):
    make = tf.keras.preprocessing.image.ImageDataGenerator
    data = small(tree)
    generator = make(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    flow, val = data.flow(generator), data.flow(generator, "val")
    images, labels = flow[0]
    assert images.dtype == np.float32 and images.max() <= 1 and labels.dtype == np.int32
    assert flow.class_indices == {"round": 0, "square": 1} and flow.image_shape == (16, 16, 3)
    own, own_labels = data.arrays("val")
    assert len(val) == -(-len(own) // 8) and val.samples == len(own) == len(val.filenames)
    np.testing.assert_array_equal(val.classes, own_labels)
    found = np.concatenate([val[i][0] for i in range(len(val))])
    np.testing.assert_allclose(found, own / np.float32(255), atol=1e-6, err_msg="not augmented")
    whole, batches = data.arrays("train")[0], data.flow(make())
    seen = [bytes(image) for i in range(len(batches)) for image in np.uint8(batches[i][0])]
    assert len(batches) > 2 and sorted(seen) == sorted(map(bytes, np.uint8(whole))), "once each"
    plain = {bytes(image) for image in (whole / np.float32(255))}
    assert sum(bytes(image) in plain for image in images) < len(images) / 2, "augmented"
    np.testing.assert_array_equal(data.flow(generator)[0][0], images, err_msg="by seed and epoch")
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    _ = flow[1]
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    with pytest.raises(IndexError):
        flow[len(flow)]


def test_a_flow_trains_and_is_evaluated(tree):
    data = small(tree, batch_size=5)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(horizontal_flip=True)
    model = network(data)
    flow, val = data.flow(generator), data.flow(generator, "val")
    model.fit(flow, validation_data=val, epochs=2, verbose=0)
    assert data.epoch >= 2 and data.has_trained(model)
    probs = model.predict(val, verbose=0)
    right = float((probs.argmax(axis=1) == val.classes).mean())
    assert model.evaluate(val, verbose=0, return_dict=True)["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"featurewise_center": True}, "featurewise_center: expected a generator that has seen"),
        (
            {"featurewise_center": True, "featurewise_std_normalization": True},
            "expected a generator that has seen",
        ),
    ],
)
def test_a_generator_that_has_seen_nothing_is_refused(tree, arguments, message):
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**arguments)
    with pytest.raises(InputError, match=message):
        small(tree).flow(generator)


def test_a_flow_of_something_else_is_refused(tree):
    with pytest.raises(InputError, match="expected an ImageDataGenerator; received int"):
        small(tree).flow(3)
    with pytest.raises(InputError, match="train, val or test"):
        small(tree).arrays("training")


def test_a_fitted_generator_is_taken(tree):
    data = small(tree)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(featurewise_center=True)
    generator.fit(data.arrays("train")[0].astype(np.float32))
    images, _ = data.flow(generator, "val")[0]
    assert images.min() < 0


def test_another_runs_split_is_taken_and_a_leak_refused(tree, tmp_path):
    data = small(tree)
    rows = [
        f"{row.path},{split}" for row, split in zip(data.manifest.rows, data.splits, strict=True)
    ]
    table = tmp_path / "split.csv"
    table.write_text("\n".join(["path,split", *rows]))
    assert small(tree, split=table, seed=5).splits == data.splits != small(tree, seed=5).splits
    swapped = [row.replace(",train", ",test") if i % 7 == 0 else row for i, row in enumerate(rows)]
    table.write_text("\n".join(["path,split", *swapped]))
    with pytest.raises(CheckError, match="every group and every picture in one split"):
        small(tree, split=table)


def test_a_recipe_gives_its_inputs_and_its_batch_size(tree, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'[data]\nsource = "{tree}"\nimage_size = 20\nchannels = 1\n'
        "[inputs.augment]\nflip_vertical = true\n[train]\nbatch_size = 4\n"
    )
    data = tfcnn.data(str(recipe))
    assert data.shape == (20, 20, 1) and next(iter(data.train))[0].shape[0] == 4
    assert data.prepared.recipe.inputs.augment.flip_vertical
    assert tfcnn.data(str(recipe), batch_size=2, channels=3).shape == (20, 20, 3)
    assert not tfcnn.data(str(recipe), augment=False).prepared.recipe.inputs.augment.flip_vertical


def test_a_wrong_word_is_named(tree):
    with pytest.raises(InputError, match=r"inputs\.augment\.flip: expected a key of the recipe"):
        small(tree, augment={"flip": True})
    with pytest.raises(InputError, match="augment: expected an Augment or a dict"):
        small(tree, augment=True)
    with pytest.raises(InputError, match="fit: expected 'stretch' or"):
        small(tree, fit="squash")
    with pytest.raises(InputError, match="a data set, a recipe or a folder"):
        tfcnn.data(tree / "nothing")


@pytest.mark.parametrize("setting", ["train.epochs=3", "model.network=compact", "name=x"])
def test_a_setting_of_no_use_to_images_is_refused(tree, setting):
    with pytest.raises(InputError, match=r"expected a key of \[data\], \[inputs\], \[evaluation\]"):
        small(tree, settings=[setting])


def test_no_source_is_not_the_working_folder():
    for verb in (tfcnn.data, tfcnn.check, tfcnn.train):
        with pytest.raises(InputError, match="received an empty text; try"):
            verb(" ")


def test_labels_are_refused_before_an_image_is_read():
    with pytest.raises(InputError, match="labels: expected 'int' or 'one-hot'"):
        tfcnn.data("nothing", labels="onehot")


def test_what_it_says_of_itself(tree):
    text = repr(small(tree))
    for part in ("64 images", "8 groups", "train: ", "16 x 16 px (height x width), 3 channels"):
        assert part in text


def test_importing_tensorflow_waits_for_a_dataset(tree):
    code = (
        "import sys, tfcnn; d = tfcnn.data(sys.argv[1], image_size=16);"
        "print('tensorflow' in sys.modules, d.class_names)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tree)], capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[0] == "False"
