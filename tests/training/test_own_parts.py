"""A user's own network and source in a run: copied, recorded, gone on with, never run in use."""

import json
import shutil
from pathlib import Path

import keras
import pytest
from conftest import Heard, reseal, run_tfcnn
from own_parts import NETWORK, SETTINGS, SOURCE, write
from PIL import Image

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.training import own_parts, resume

COPIES = ["network/net.py", "source/shapes.py"]
WORDS = [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Return a folder with a trained run, by the command line, in `home`; nothing may change it."""
    folder = tmp_path_factory.mktemp("own")
    network = write(folder, "net.py", NETWORK)
    source = write(folder, "shapes.py", SOURCE)
    options = ["--set", f"model.network={network}", "--set", "model.options.filters=4"]
    result = run_tfcnn("train", source, *options, *WORDS, home=folder / "home")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    return write(tmp_path, "net.py", NETWORK), write(tmp_path, "shapes.py", SOURCE)


class Cut(Heard):
    """Ends a training after its first epoch."""

    def epoch(self, epoch, epochs, logs):
        if epoch == 2:
            raise KeyboardInterrupt


def begin(files: tuple[Path, Path], run: str = "cut") -> list[str]:
    """Leave a training that was cut; return the settings that it was begun with."""
    settings = [*SETTINGS, f"model.network={files[0]}", "model.options.filters=4"]
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(files[1], settings=settings, run=run, reporter=Cut())
    return settings


def test_a_run_keeps_copies_and_their_hashes_and_names_them(base):
    run = runs.open_run(base / "home" / "models" / "shapes")
    assert runs.copies(run.path) == COPIES
    for name, origin in zip(COPIES, ("net.py", "shapes.py"), strict=True):
        assert (run.path / name).read_bytes() == (base / origin).read_bytes()
        assert run.is_recorded(name) and run.file(name)
    text = (run.path / runs.RECIPE).read_text()
    assert 'network = "network/net.py"' in text and 'source = "source/shapes.py"' in text
    assert run.recipe.model.network == str(run.path.resolve() / "network/net.py")
    assert run.card["network"]["name"] == "net.py" and run.card["data"]["source"] == "shapes"
    assert not (run.path / runs.CHECKPOINT).exists()


def test_the_report_has_the_words_and_the_images_of_the_source(base):
    run = base / "home" / "models" / "shapes"
    page = (run / runs.PAGE).read_text()
    assert "Telling dark from bright (48 images of 12 groups)." in page
    assert "Squares only." in page and "data:image/webp" in page and "<td>net.py" in page


def test_a_changed_copy_is_noticed(base, tmp_path):
    copy = Path(shutil.copytree(base / "home" / "models" / "shapes", tmp_path / "run"))
    (copy / COPIES[0]).write_text(NETWORK + "\n")
    with pytest.raises(CheckError, match=r"network/net.py: expected the file as it was written"):
        runs.open_run(copy).file(COPIES[0])


def test_it_is_trained_again_from_the_run_alone(base, tmp_path, home):
    """The originals are gone; the run is in its own place, so that it is moved aside."""
    run = Path(shutil.copytree(base / "home" / "models" / "shapes", home / "models" / "shapes"))
    before = (run / "predictions.csv").read_bytes()
    again = tfcnn.train(str(run / runs.RECIPE))
    assert again.path == run and (run / "predictions.csv").read_bytes() == before
    assert runs.copies(run) == COPIES
    (retired,) = (home / "models" / ".old").iterdir()
    assert runs.copies(retired) == COPIES
    assert (home / "data" / "shapes" / "images").is_dir()


def test_a_path_in_a_recipe_counts_from_its_folder(tmp_path, home, monkeypatch):
    write(tmp_path / "below", "net.py", NETWORK)
    write(tmp_path / "below", "shapes.py", SOURCE)
    recipe = tmp_path / "below" / "mine.toml"
    recipe.write_text(
        '[data]\nsource = "shapes.py"\nimage_size = 12\n[model]\nnetwork = "./net.py"\n'
        '[train]\nepochs = 1\nprecision = "float32"\n'
    )
    monkeypatch.chdir(tmp_path)
    loaded = recipes.load("below/mine.toml")
    assert loaded.model.network == str(tmp_path / "below" / "net.py")
    changed = recipes.override(loaded, ["model.network=other.py", "data.source=./one.py"])
    assert changed.model.network == str(tmp_path / "other.py")
    assert changed.data.source == str(tmp_path / "one.py")
    result = run_tfcnn("train", "below/mine.toml")
    assert result.returncode == 0, result.stderr
    assert runs.copies(home / "models" / "mine") == COPIES


@pytest.mark.parametrize("gone", [False, True])
def test_a_cut_run_goes_on_to_the_same_result(base, files, home, gone):
    """With the same files, or without them, typed as before."""
    settings = begin(files)
    assert runs.copies(home / "models" / "cut") == COPIES
    heard = Heard()
    if gone:
        for path in files:
            path.unlink()
        settings = settings[:-1]
    made = tfcnn.train(files[1], settings=settings, run="cut", resume=True, reporter=heard)
    whole = base / "home" / "models" / "shapes"
    assert (made.path / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
    notes = [note for note in heard.notes if "is gone: going on with its copy" in note]
    assert [str(path) in " ".join(notes) for path in files] == [gone, gone]


def test_a_run_with_a_changed_file_does_not_go_on(files, home):
    settings = begin(files)
    for path, text in zip(files, (NETWORK, SOURCE), strict=True):
        path.write_text(text + "# more\n")
        with pytest.raises(CheckError) as refused:
            tfcnn.train(files[1], settings=settings, run="cut", resume=True)
        said = str(refused.value)
        assert said.startswith(f"{path}: expected the file that the run was begun with")
        assert "received a changed one" in said and "fresh=True" in said
        path.write_text(text)
    other = write(files[0].parent, "other.py", NETWORK)
    with pytest.raises(InputError, match=r"model.network: expected '.*network/net.py', as it was"):
        tfcnn.train(files[1], settings=[f"model.network={other}"], run="cut", resume=True)
    copy = home / "models" / "cut" / COPIES[0]
    copy.write_text(NETWORK + "# less\n")
    files[0].unlink()
    with pytest.raises(CheckError, match=r"net.py: expected the file that this run was begun with"):
        tfcnn.train(files[1], settings=settings, run="cut", resume=True)


def test_a_run_that_was_cut_before_its_copies_begins_anew(files, home):
    whole = recipes.override(recipes.for_folder(files[1]), [f"model.network={files[0]}"])
    folder = home / "models" / "shapes"
    recipes.write(own_parts.at_copies(whole, folder), folder / runs.RECIPE)
    assert resume.resumed_recipe(whole, [], folder, Heard()) == whole


def test_a_file_that_changes_while_the_images_are_read_is_refused(files):
    read = own_parts.read(recipes.for_folder(files[1]))
    read.refuse_changes()
    files[1].write_text(SOURCE + "# more\n")
    with pytest.raises(InputError, match=r"shapes.py: expected the file as it was when"):
        read.refuse_changes()


def test_an_edit_after_the_begin_changes_nothing(files, home, base):
    """The copy is what is trained."""

    class Editor(Heard):
        def epoch(self, epoch, epochs, logs):
            files[0].write_text(NETWORK.replace("filters, 3,", "filters, 5,"))

    settings = [*SETTINGS, f"model.network={files[0]}", "model.options.filters=4"]
    made = tfcnn.train(files[1], settings=settings, reporter=Editor())
    whole = base / "home" / "models" / "shapes"
    assert (made.path / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"head"', '"end"'), "no layer called 'head'"),
        (("Dropout(rate", "Lambda(lambda x: x"), "drop (Lambda)"),
        (("def build", "def construct"), "no such function"),
    ],
)
def test_what_cannot_be_used_is_exit_2_before_anything_is_written(files, home, change, said):
    write(files[0].parent, "net.py", NETWORK, change)
    result = run_tfcnn("train", files[1], "--set", f"model.network={files[0]}", *WORDS)
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and last.startswith(f"error: {files[0]}: expected")
    assert said in last and "Traceback" not in result.stderr
    assert not list((home / "models").glob("*/*"))


# whoever runs this file leaves a trace
TRAP = "import os, pathlib\npathlib.Path(os.environ['TRAP']).touch()\nraise SystemExit('it ran')\n"


@pytest.fixture
def strange(base, tmp_path, home, monkeypatch) -> Path:
    """Return a stranger's run, whose card vouches for files that must not be run."""
    shutil.copytree(base / "home" / "data", home / "data")
    run = Path(shutil.copytree(base / "home" / "models" / "shapes", home / "models" / "shapes"))
    for name, text in zip(COPIES, (NETWORK, SOURCE), strict=True):
        (run / name).write_text(TRAP + text)
    reseal(run)
    monkeypatch.setenv("TRAP", str(tmp_path / "trap"))
    Image.new("RGB", (12, 12), (70, 70, 70)).save(tmp_path / "new.png")
    return run


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "shapes", "new.png"],
        ["predict", "shapes", "new.png", "--cam", "cams"],
        ["evaluate", "shapes"],
        ["report", "shapes"],
        ["explain", "shapes", "new.png"],
        ["compare", "shapes", "shapes"],
        ["list"],
    ],
    ids=" ".join,
)
def test_a_strangers_python_is_not_run_by_what_uses_a_run(strange, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    result = run_tfcnn(*words)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "trap").exists()
    with pytest.raises(InputError, match="it ran"):  # as the trap is one
        tfcnn.train(str(strange / runs.RECIPE))
    assert (tmp_path / "trap").exists()


def test_the_report_of_a_strangers_run_has_its_images_all_the_same(strange):
    (strange / runs.PAGE).unlink()
    assert run_tfcnn("report", "shapes").returncode == 0
    assert "data:image/webp" in (strange / runs.PAGE).read_text()


def test_images_that_are_no_files_are_not_shown(strange):
    card = json.loads((strange / runs.CARD).read_text())
    del card["data"]["root"]
    runs.write_card(runs.Run(strange, card))
    assert run_tfcnn("report", "shapes").returncode == 0
    assert "data:image/webp" not in (strange / runs.PAGE).read_text()


def test_a_cross_validation_keeps_copies_and_finds_labels(files, home):
    options = ["--set", f"model.network={files[0]}", "--set", "train.epochs=1"]
    result = run_tfcnn("crossval", files[1], "--folds", 2, *WORDS, *options)
    assert result.returncode == 0, result.stderr
    folder = home / "models" / "shapes-crossval"
    for run in (folder, folder / "fold-0", folder / "fold-1"):
        assert runs.copies(run) == COPIES
    for path in files:
        path.unlink()
    for name in COPIES:
        (folder / name).write_text(TRAP)
        (folder / "fold-0" / name).write_text(TRAP)
    reseal(folder / "fold-0")
    result = run_tfcnn("labels", "shapes", "--blind", 4)
    assert result.returncode == 0, result.stderr
    assert "data:image/webp" in (folder / runs.LABELS_PAGE).read_text()


def test_a_run_is_scored_on_the_images_of_another_source(base, tmp_path, home):
    groups = 'f"P{number % 12}_{number}.png"', 'f"P{20 + number % 12}_{number}.png"'
    other = write(tmp_path, "other.py", SOURCE, ("default_rng(0)", "default_rng(1)"), groups)
    run = base / "home" / "models" / "shapes"
    report = tfcnn.evaluate(run, data=other)
    assert report.counts["data"] == {"images": 48, "groups": 12}
    with pytest.raises(CheckError, match="an image the run has not seen"):
        tfcnn.evaluate(run, data=write(tmp_path, "same.py", SOURCE))


def test_a_backbone_in_a_file_begins_from_its_weights(base, files, home):
    """`frozen` and `finetune` as of tfcnn's own backbones."""
    learnt = base / "home" / "models" / "shapes" / runs.MODEL
    network = write(
        files[0].parent, "back.py", NETWORK,
        ("rate=0.0)", "rate=0.0, weights: str | None = None)"),
        ("    return keras.Seq", "    model = keras.Seq"),
        ("MIN_SIZE = (4, 4)", 'MIN_SIZE = (4, 4)\nIMAGE_SIDES = ("weights", {None: 12})'),
    )  # fmt: skip
    with network.open("a") as file:
        file.write(
            "    if weights not in (None, 'none'):\n"
            "        other = keras.models.load_model(weights, compile=False)\n"
            "        kept = other.get_layer('conv1').get_weights()\n"
            "        model.get_layer('conv1').set_weights(kept)\n"
            "    return model\n"
        )
    settings = [*SETTINGS, f"model.network={network}", f"model.options.weights={learnt}",
                "model.options.filters=4", "model.start=frozen"]  # fmt: skip
    made = tfcnn.train(files[1], settings=[s for s in settings if "image_size" not in s])
    assert made.card["network"]["origin"] == str(learnt)
    assert made.card["decoder"]["image_size"] == [12, 12]
    kernels = [kernel_of(path) for path in (learnt, made.path / runs.MODEL)]
    assert (kernels[0] == kernels[1]).all()


def kernel_of(path: Path):
    return keras.models.load_model(path).get_layer("conv1").get_weights()[0]


def test_two_files_of_one_name_have_one_folder_and_one_run(files, tmp_path):
    other = write(tmp_path / "other", "shapes.py", SOURCE)
    assert runs.same_source(str(files[1]), str(other))
    assert not runs.same_source(str(files[1]), str(files[0]))
