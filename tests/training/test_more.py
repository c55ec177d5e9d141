"""A finished run is continued: from its weights, in a run of its own, to what is not cut."""

import hashlib
import shutil

import keras
import numpy as np
import pytest
from conftest import QUICK, Heard, run_tfcnn, write_card, write_tree

import tfcnn
from tfcnn.base.errors import CheckError, InputError
from tfcnn.recipes import ModelSettings
from tfcnn.training import form
from tfcnn.training.more import recipe_of

SETTINGS = (
    *QUICK[:1], *QUICK[2:], "train.epochs=2", "data.group_regex='^(P[0-9]+)_'",
    "model.network=mlp", "train.optimizer=sgd", "train.learning_rate=0.01",
    "train.schedule=linear",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return a folder of images, and a home with a finished run on them."""
    folder = tmp_path_factory.mktemp("more")
    root = write_tree(folder / "shapes", groups=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(folder / "home"))
        tfcnn.train(root, settings=SETTINGS)
    return root, folder / "home"


@pytest.fixture
def run(base, home):
    """Return the finished run, a copy of its own."""
    shutil.copytree(base[1], home)
    return tfcnn.load("shapes")


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edited(run, **network):
    write_card(run.path, {**run.card, "network": {**run.card["network"], **network}})


class Cut(Heard):
    """Ends a training in an epoch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def epoch(self, epoch, epochs, logs):
        if epoch == self.at:
            raise KeyboardInterrupt


def test_further_epochs_begin_where_the_run_ended(run):
    """At a rate of nothing the loss on val stays that of the weights which the run kept."""
    model = keras.saving.load_model(run.path / "model.keras")
    form.fold_temperature(model, 1.7)
    model.save(run.path / "model.keras")
    write_card(run.path, {**run.card, "temperature": 1.7, "sha256": {}})
    run = tfcnn.load("shapes")
    before, heard = hashes(run.path), Heard()
    settings = ["train.learning_rate=1e-9"]
    longer = tfcnn.train(run, more=1, settings=settings, reporter=heard)
    assert longer.path == run.path.with_name("shapes-more")
    assert hashes(run.path) == before
    history = longer.history
    assert history["epoch"] == [1, 2, 3]
    assert history["val_loss"][:2] == run.history["val_loss"]
    assert history["val_loss"][2] == pytest.approx(min(history["val_loss"][:2]), abs=1e-5)
    assert (longer.path / "split.csv").read_bytes() == (run.path / "split.csv").read_bytes()
    assert longer.report["continues"] == {"run": "shapes", "epochs": 2, "runs": 2}
    assert (longer.report["epochs"], longer.recipe.train.epochs) == (3, 3)
    page = (longer.path / "report.html").read_text()
    assert "continues run <code>shapes</code>, which had 2 epochs, for 1 more" in page
    assert any("shapes had 2 epochs" in note for note in heard.notes)


def test_a_cut_continuation_goes_on_to_the_same(run, base):
    """Whether an epoch of it had ended or none; its schedule is one of its own epochs."""
    whole = tfcnn.train("shapes", more=2)
    assert whole.history["learning_rate"][2:] == pytest.approx([0.005, 0], abs=1e-6)
    expected = (whole.path / "predictions.csv").read_bytes()
    for at in (3, 4):
        with pytest.raises(KeyboardInterrupt):
            tfcnn.train("shapes", more=2, run=f"cut-{at}", reporter=Cut(at))
    early = shutil.copytree(run.path.with_name("cut-3"), run.path.with_name("early"))
    (early / "split.csv").unlink()  # as if it had been cut before this was written
    with pytest.raises(InputError, match=r"early.split\.csv.*no such file"):
        tfcnn.train(base[0], run="early", resume=True)  # it would begin with random weights
    again = tfcnn.train("shapes", more=2, run="cut-3", resume=True)
    from_early = tfcnn.train("shapes", more=2, run="early", resume=True)
    typed = tfcnn.train(base[0], run="cut-4", resume=True)  # as any other run is gone on with
    for resumed in (again, from_early, typed):
        assert (resumed.path / "predictions.csv").read_bytes() == expected
        assert resumed.report["continues"]["run"] == "shapes"


def test_a_continuation_is_continued_by_the_command_line(run, home):
    tfcnn.train(run, more=1, run="second")
    result = run_tfcnn("train", "second", "--more", 1, "--run", "third", "--json", home=home)
    assert result.returncode == 0, result.stderr
    third = tfcnn.load("third")
    assert "by each of the 3 runs" in (third.path / "report.html").read_text(encoding="utf-8")
    assert third.report["continues"] == {"run": "second", "epochs": 3, "runs": 3}
    assert third.history["epoch"] == [1, 2, 3, 4]
    seconds = [tfcnn.load(name).report["train_seconds"] for name in ("second", "third")]
    assert 0 < run.report["train_seconds"] < seconds[0] < seconds[1]


def test_where_it_plateaued_the_rate_stays_as_low(run):
    recipe = run.path / "recipe.toml"
    text = recipe.read_text().replace('schedule = "linear"', 'schedule = "reduce_on_plateau"')
    recipe.write_text(text)
    history = run.path / "history.csv"
    lines = history.read_text().splitlines()
    place = lines[0].split(",").index("learning_rate")
    lines[-1] = ",".join(
        [*lines[-1].split(",")[:place], "0.0025", *lines[-1].split(",")[place + 1 :]]
    )
    history.write_text("\n".join(lines) + "\n")
    write_card(run.path, {**run.card, "sha256": {}})
    assert recipe_of(tfcnn.load("shapes"), 3, []).train.learning_rate == 0.0025


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"more": 0}, "more: expected a whole number of epochs, at least 1; received 0"),
        ({"settings": ["train.epochs=3"]}, "another key of .train. beside more; received"),
        ({"settings": ["data.channels=1"]}, "another key of .train. beside more"),
        ({"settings": ["train.warmup_epochs=2"]}, "less than the 2 of more; received 2"),
        ({"run": "shapes"}, "another name than that of the run; received shapes"),
        ({"split": "split.csv"}, "the split of the run; received another"),
    ],
)
def test_what_cannot_be_done_is_refused(run, arguments, message):
    with pytest.raises(InputError, match=message):
        tfcnn.train(run, **{"more": 2, **arguments})


@pytest.mark.parametrize(
    ("start", "message"),
    [("frozen", "trained in epochs; received a linear"), ("adopted", "received an adopted model")],
)
def test_a_run_without_epochs_of_tfcnn_is_refused(run, start, message):
    edited(run, start=start)
    with pytest.raises(InputError, match=message):
        tfcnn.train("shapes", more=2)


@pytest.mark.parametrize("name", ["split.csv", "history.csv"])
def test_a_run_that_lacks_something_is_refused(run, name):
    (run.path / name).unlink()
    with pytest.raises(InputError, match=f"received one without {name}"):
        tfcnn.train("shapes", more=2)


def test_a_shipped_model_and_what_is_no_run_are_refused(run):
    with pytest.raises(InputError, match="as a shipped model is; try a new run"):
        tfcnn.train("mnist", more=2)
    with pytest.raises(InputError, match="a finished run to continue; received a recipe"):
        tfcnn.train(run.recipe, more=2)
    with pytest.raises(InputError, match="received a run; try more=10"):
        tfcnn.train(run)


def test_images_that_are_gone_or_changed_are_refused(base, home):
    root = home.parent / "shapes"
    shutil.copytree(base[0], root)
    run = tfcnn.train(root, settings=SETTINGS)
    image, other = root / "round" / "P0_0.png", root / "round" / "P0_1.png"
    kept = image.read_bytes()
    image.write_bytes(other.read_bytes()[:-12] + b"more" + other.read_bytes()[-12:])
    with pytest.raises(CheckError, match=r"P0_0\.png: expected the image that was split"):
        tfcnn.train(run, more=1)
    image.unlink()
    with pytest.raises(CheckError, match=r"split\.csv: expected the 64 images.*as they were$"):
        tfcnn.train(run, more=1)
    image.write_bytes(kept)
    shutil.copy(other, root / "square" / "P9_0.png")
    with pytest.raises((InputError, CheckError), match=r"split\.csv"):
        tfcnn.train(run, more=1)
    assert not (home / "models" / "shapes-more").exists()


@pytest.mark.parametrize("views", ["one", "mirrored"])
def test_the_weights_of_a_saved_model_are_those_that_were_trained(views):
    settings, shape = ModelSettings(network="lenet5", views=views), (32, 32, 1)
    plain = form.plain(settings, shape, 3)
    rng = np.random.default_rng(0)
    plain.set_weights([rng.normal(size=one.shape) for one in plain.get_weights()])
    expected = plain.get_weights()
    saved = plain if views == "one" else form.averaged(plain, views)
    form.fold_temperature(saved, 1.7)
    found = form.training_weights(settings, shape, 3, saved, 1.7)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_heads_that_were_not_saved_are_missed():
    class TwoHeads:
        outputs = (1, 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form, "plain", lambda *_: TwoHeads())
        assert form.training_weights(ModelSettings(), (32, 32, 3), 2, None, 1.0) is None


def test_what_an_old_run_began_from_is_in_its_recipe(run):
    network = {key: value for key, value in run.card["network"].items() if key != "start"}
    write_card(run.path, {**run.card, "network": network})
    recipe = recipe_of(tfcnn.load("shapes"), 3, [])
    assert (recipe.model.start, recipe.train.epochs) == ("scratch", 5)
