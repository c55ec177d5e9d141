"""`tfcnn check` of a user's own file: a line for each promise, and exit 3 where one is broken."""

import json

import pytest
from conftest import Heard, run_tfcnn
from own_parts import NETWORK, SOURCE, write

import tfcnn
from tfcnn import contracts, recipes
from tfcnn.base.errors import InputError
from tfcnn.contracts import of_networks, of_sources

LAYER = 'keras.layers.Dropout(rate, name="drop")'
NORM = 'keras.layers.BatchNormalization(name="drop")'
REQUIRE = "    require_size(input_shape, MIN_SIZE)\n"
RETURN = "    return keras.Sequential("
ITEMS = 'items = tuple(Item(path, label=path.partition("/")[0]) for path in paths)'
ITEMS_LINE = f"    {ITEMS}\n"
IF_THERE = '    if (folder / "images").is_dir():\n'


def look_at(path):
    return contracts.check(path, {}, recipes.DataSettings(source=str(path)), Heard())


def broken(path) -> dict[str, str]:
    """Return the promises that a file does not keep, and why."""
    outcomes = (one for part in look_at(path).parts for one in part.outcomes)
    return {one.promise: one.reason for one in outcomes if one.reason}


@pytest.fixture
def quick(monkeypatch):
    """Leave out what takes seconds: a fresh process, and a training."""
    monkeypatch.setattr(of_networks, "ELSEWHERE", ("elsewhere", lambda one: ""))
    monkeypatch.setattr(of_networks, "BY_HEART", ("by heart", lambda one: ""))


@pytest.mark.parametrize("changes", [(), ((LAYER, NORM),)])
def test_a_network_may_keep_every_promise(tmp_path, quick, changes):
    assert broken(write(tmp_path, "mine.py", NETWORK, *changes)) == {}


@pytest.mark.parametrize(
    ("old", "new", "promise"),
    [
        ('"image"', '"img"', "takes images of the given shape"),
        (LAYER, "keras.layers.Lambda(lambda x: x)", "is made of plain Keras layers"),
        ('"rescale"', '"scale"', "scales pixels"),
        ('"head"', '"end"', "ends in a Dense layer"),
        ('activation="softmax"', 'activation="sigmoid"', "gives a row of probabilities"),
        ('dtype="float32", ', "", "computes in the precision"),
        ('padding="same"', 'padding="same", dtype="float32"', "computes in the precision"),
        (REQUIRE, "", "refuses images smaller"),
        (RETURN, "    1 / (input_shape[0] < 5)\n" + RETURN, "takes larger and oblong"),
        ("Input(input_shape,", "Input((4, 4, 3),", "takes larger and oblong"),
    ],
)
def test_each_promise_of_a_network_can_be_broken(tmp_path, quick, old, new, promise):
    found = broken(write(tmp_path, "mine.py", NETWORK, (old, new)))
    assert any(text.startswith(promise) for text in found), found


def test_what_does_not_learn_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(of_networks, "MOST_EPOCHS", 2)
    one = of_networks.Candidate(str(write(tmp_path, "mine.py", NETWORK)))
    assert "after 20 steps" in of_networks.learns_by_heart(one)


def test_what_is_lost_in_exchanging_layers_is_told(tmp_path):
    layer = "keras.layers.Lambda(lambda x: x)"
    path = write(tmp_path, "mine.py", NETWORK, (LAYER, layer))
    with pytest.raises(ValueError, match="Lambda"):
        of_networks.survives_cloning(of_networks.Candidate(str(path)))


def test_where_it_is_no_model_the_others_are_not_looked_at(tmp_path, quick):
    found = broken(write(tmp_path, "mine.py", NETWORK, (RETURN, "    1 / 0\n" + RETURN)))
    first, *others = found.values()
    assert first == "ZeroDivisionError in line 12: division by zero"
    assert len(others) >= 10 and all(reason.startswith("not looked at") for reason in others)


def test_without_min_size_nothing_is_promised_of_small_images(tmp_path):
    path = write(tmp_path, "mine.py", NETWORK, ("MIN_SIZE = (4, 4)\n", ""), (REQUIRE, ""))
    promises = of_networks.of(str(path), {})
    assert of_networks.SIZE[0] not in [text for text, _ in promises]
    assert of_networks.Candidate(str(path)).shape == (32, 32, 3)


@pytest.mark.slow
def test_what_cannot_be_loaded_elsewhere_is_told(tmp_path):
    layer = "keras.layers.Lambda(lambda x: x, name='own')"
    found = broken(write(tmp_path, "mine.py", NETWORK, (LAYER, layer)))
    assert "Lambda" in found[of_networks.ELSEWHERE[0]]
    assert broken(write(tmp_path, "right.py", NETWORK)) == {}


@pytest.mark.parametrize(
    ("old", "new", "promise", "said"),
    [
        (ITEMS, f"paths = paths[::-1]\n    {ITEMS}", "opens", "paths that are not sorted"),
        (ITEMS, f"paths = ['../x', '/y']\n    {ITEMS}", "opens", "'../x', which is none below"),
        (ITEMS, "items = tuple(Item(path, '') for path in paths)", "opens", "the label ''"),
        (ITEMS, "items = tuple(Item(path, 'a') for path in paths)", "opens", "1 classes"),
        (ITEMS, "items = [Item(path, 'a') for path in paths]", "opens", "no tuple of Item"),
        (ITEMS, ITEMS.replace(")[0]", ")[0], official='x'"), "opens", "the split 'x'"),
        ("return Source(", "return dict(a=", "opens", "positional argument follows"),
        ("return Source(", "return 3\n    Source(", "opens", "int, no Source"),
        ("root, items,", "root, items, positive='no',", "opens", "'no' as positive"),
        ("root, items,", "root, items, is_benchmark=True,", "opens", "without an official test"),
        ("root, items,", "root / 'x', items,", "finds and decodes", "No such file"),
        ("integers(level, level + 60,", "integers(0, 1,", "finds and decodes", "to black"),
        (ITEMS, f"import random\n    paths = sorted(random.sample(paths, 30))\n    {ITEMS}",
         "lists the same", "another listing"),
        (IF_THERE, "    atomic.write_text(folder / 'x', '')\n" + IF_THERE,
         "does nothing in a second", "files written anew"),
        (IF_THERE, "    print('again')\n" + IF_THERE, "does nothing", "that says something"),
        (IF_THERE, "    progress and progress(2, 1)\n" + IF_THERE, "makes its", "2 of 1"),
        ("if mirror is not None:", "if False:", "refuses --from", "a mirror is taken"),
        ('"no --from"', '"no other"', "refuses --from", "without naming --from"),
    ],
)  # fmt: skip
def test_each_promise_of_a_source_can_be_broken(tmp_path, old, new, promise, said):
    if said.startswith("positional"):  # a mistake of Python: nothing is run
        with pytest.raises(InputError, match=said):
            broken(write(tmp_path, "mine.py", SOURCE, (old, new)))
        return
    found = broken(write(tmp_path, "mine.py", SOURCE, (old, new)))
    ((_, reason), *_) = [one for one in found.items() if one[0].startswith(promise)] or [found]
    assert said in reason, found


def test_the_command_prints_a_line_for_each_promise_and_audits_the_images(tmp_path, home):
    path = write(tmp_path, "mine.py", SOURCE)
    result = run_tfcnn("check", path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"{path}: a source of images"
    promises = [text for text, _ in of_sources.of(str(path))]
    assert lines[1 : 1 + len(promises)] == [f"pass  {text}" for text in promises]
    assert "48 images of 12 groups: bright 24, dark 24" in lines
    assert (home / "data" / "mine" / "images").is_dir()


def test_a_broken_promise_is_exit_3_and_json_says_it(tmp_path):
    path = write(tmp_path, "mine.py", SOURCE, ("root, items,", "root / 'x', items,"))
    result = run_tfcnn("check", path, "--json")
    assert result.returncode == 3
    content = json.loads(result.stdout)
    kept = {one["promise"]: one["kept"] for one in content["promises"]}
    assert not kept["finds and decodes its images (40 of them)"] and kept["opens its images"]
    assert content["blocking"] and content["audit"] is None
    assert "FAIL  finds and decodes its images (40 of them): " in run_tfcnn("check", path).stdout


def test_a_finding_on_the_images_is_exit_3_too(tmp_path):
    path = write(tmp_path, "mine.py", SOURCE, ("rng.integers(level, level + 60,", "np.full("),
                 ("(12, 12, 3), dtype=np.uint8)", "(12, 12, 3), number, dtype=np.uint8)"),
                 ("range(24)", "range(1, 25)"))  # fmt: skip
    result = run_tfcnn("check", path)
    assert result.returncode == 3
    assert "FAIL" not in result.stdout and "BLOCKING: 24 pictures are in two" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"), [("x = 1\n", "received neither"), ("def build(:\n", "in line 1")]
)
def test_what_is_neither_is_exit_2(tmp_path, text, said):
    result = run_tfcnn("check", write(tmp_path, "mine.py", text))
    assert result.returncode == 2 and said in result.stderr
    assert result.stderr.count("\n") == 1
    assert run_tfcnn("check", tmp_path / "none.py").returncode == 2


def test_a_file_may_be_both(tmp_path, quick):
    path = write(tmp_path, "mine.py", f"{SOURCE}\n\n{NETWORK}")
    found = look_at(path)
    assert [part.kind for part in found.parts] == ["a network", "a source of images"]
    assert not found.is_blocking and found.audit is not None


def test_options_of_a_network_are_set_as_in_a_recipe(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(of_networks, "BY_HEART", ("by heart", lambda one: str(one.options)))
    path = write(tmp_path, "mine.py", NETWORK)
    result = run_tfcnn("check", path, "--set", "model.options.filters=3")
    assert "FAIL  by heart: {'filters': 3}" in result.stdout


def test_a_source_that_is_fetched_must_be_fetched_first_and_is_not_fetched_again(tmp_path, home):
    path = write(tmp_path, "mine.py", SOURCE, ("IS_LOCAL = True\n", ""))
    with pytest.raises(InputError, match=r"`tfcnn download .*mine.py` first"):
        tfcnn.train(path)
    result = run_tfcnn("download", path)
    assert result.returncode == 0 and "48 images in" in result.stdout
    assert broken(path) == {}
    assert of_sources.DOWNLOAD[0][0] not in [text for text, _ in of_sources.of(str(path))]


ELSEWHERE = """from pathlib import Path

from tfcnn.datasets import folder as class_folders


def open_source(folder):
    return class_folders.open_source(Path({}))
"""


def test_one_without_a_download_lists_what_is_elsewhere(tmp_path, home, make_tree):
    path = write(tmp_path, "mine.py", ELSEWHERE.format(repr(str(make_tree()))))
    assert broken(path) == {}
    result = run_tfcnn("download", path)
    assert result.returncode == 2 and "a function download; received none" in result.stderr


@pytest.mark.parametrize("name", ["malaria", "fashion_mnist", "cache", "folders"])
def test_a_file_has_no_name_that_is_taken(tmp_path, name):
    result = run_tfcnn("check", write(tmp_path, f"{name}.py", SOURCE))
    assert result.returncode == 3
    assert f"received {name}, which tfcnn has" in run_tfcnn("train", tmp_path / f"{name}.py").stderr
