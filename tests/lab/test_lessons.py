"""The lessons: each is a program that runs, a notebook of marimo, a .ipynb and a page."""

import ast
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tfcnn

from tfcnn import lab
from tfcnn.base.errors import InputError
from tfcnn.datasets import digits, smears
from tfcnn.lab import lesson_cells, lesson_files, lesson_opening

# ImageDataGenerator says it of SciPy
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
NAMES = lesson_cells.names()
SETTINGS = {"epochs": 1, "side": 32}
every_lesson = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """One home for all lessons, with few cells and digits, so that they are learnt quickly."""
    folder = tmp_path_factory.mktemp("lessons")
    digits.download(folder / "data" / "digits")
    path = folder / "data" / "digits" / digits.FILE
    with np.load(path) as arrays:
        few = {name: values[:600] for name, values in arrays.items()}
    np.savez(path, **few)
    smears.generate(folder / "data" / "smears", num_patients=16, cells_per_patient=12)
    return folder


@pytest.fixture
def at_home(shared_home, monkeypatch):
    monkeypatch.setenv("TFCNN_HOME", str(shared_home))
    return shared_home


def shown(cells):
    return "\n".join(
        output.content for cell in cells for output in cell.outputs if output.kind != "png"
    )


@every_lesson
def test_a_lesson_is_a_program_with_words(name):
    lesson = lesson_cells.find(name)
    cells = lesson.cells()
    assert cells[0].kind == "words" and cells[0].source.startswith(f"# {lesson.title}\n")
    assert {cell.kind for cell in cells} == {"words", "code"}
    for cell in cells:
        if cell.kind == "code":
            ast.parse(cell.source)
        assert "marimo" not in cell.source, "a notebook needs no marimo"
    text = "\n".join(cell.source for cell in cells)
    for other in re.findall(r"\*\*Next:\*\* `([a-z0-9-]+)`", text):
        assert other in NAMES
    for group in re.findall(r"\*\*Exercises?:\*\* ([^.]+?)\.", text):
        for exercise in re.findall(r"`([a-z0-9-]+)`", group):
            assert exercise in lab.exercises()


def test_the_lessons_are_those_of_the_course_in_order():
    assert list(lesson_cells.ORDER) == NAMES


@every_lesson
def test_marimo_reads_a_lesson_and_runs_it_in_the_order_it_is_written(name):
    """No name is set twice, and no cell comes before what it uses."""
    marimo = pytest.importorskip("marimo")
    from marimo._ast.app import InternalApp
    from marimo._ast.load import load_app

    app = load_app(lesson_cells.find(name).path)
    assert isinstance(app, marimo.App)
    inner = InternalApp(app)
    order = list(inner.execution_order)  # raises where a name is set twice, or in a circle
    graph = inner.graph
    places = {cell: place for place, cell in enumerate(inner.cell_manager.cell_ids())}
    words = {cell for cell in order if graph.cells[cell].refs <= {"mo"}}
    code = [places[cell] for cell in order if cell not in words]
    assert all(
        places[parent] < places[cell]
        for cell in order
        for parent in graph.parents[cell]
        if "mo" not in graph.cells[parent].defs
    )
    assert code


@every_lesson
def test_a_lesson_runs(name, at_home, capsys):
    cells = lesson_cells.run(lesson_cells.find(name), SETTINGS)
    assert capsys.readouterr().err == "", "the verbs of a lesson show no progress of their own"
    assert re.search("This lesson uses (digits|smears)", shown(cells)) or name == "mnist-ann-2"
    assert all(cell.outputs == [] for cell in cells if cell.kind == "words")
    if "adopt(" in "".join(cell.source for cell in cells if cell.kind == "code"):
        assert (
            re.search(r"On \d+ unseen (images|patients): ", shown(cells)) or name == "mnist-ann-4"
        )


def test_the_lesson_on_the_network_counts_as_the_course(at_home):
    cells = lesson_cells.run(lesson_cells.find("mnist-ann-2"))
    text = shown(cells)
    assert 'Model: "sequential"' in text, "whatever ran before"
    assert "105,214 and 105,214 parameters" in text and "together:   105,214" in text
    assert float(re.search(r"largest difference: (\S+)", text)[1]) < 1e-5
    assert "these are the neurons" in re.sub(r"\s+", " ", text)


def test_a_lesson_uses_the_real_images_where_they_are(at_home, shared_home):
    assert lab.downloaded("fashion-mnist", otherwise="digits") == "digits"
    (shared_home / "data" / "fashion-mnist").mkdir(parents=True)
    assert lab.downloaded("fashion-mnist", otherwise="digits") == "fashion-mnist"
    (shared_home / "data" / "fashion-mnist").rmdir()
    with pytest.raises(InputError, match="fashon"):
        lab.downloaded("fashon", otherwise="digits")


def test_what_a_cell_sets_can_be_set_otherwise(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        '"""Own."""\ndef _():\n    epochs = 9\n    return\ndef _():\n    print(epochs)\n'
    )
    own = lesson_cells.Lesson("own", "Own", path)
    assert shown(lesson_cells.run(own)) == "9\n"
    assert shown(lesson_cells.run(own, {"epochs": 1, "other": 2})) == "1\n"


def test_a_cell_that_fails_is_named(tmp_path):
    path = tmp_path / "own.py"
    path.write_text('"""Own."""\ndef _():\n    x = 1\n    return\ndef _():\n    x.y\n')
    with pytest.raises(InputError, match=r"own.py, cell 2: .*AttributeError"):
        lesson_cells.run(lesson_cells.Lesson("own", "Own", path))


@pytest.fixture(scope="module")
def exported(shared_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(shared_home))
        lesson_files.write_all(folder, ["mnist-ann-1", "mnist-ann-2"])
    return folder / "lessons"


def test_a_notebook_is_one_of_jupyter(exported):
    nbformat = pytest.importorskip("nbformat")
    for path in exported.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        kinds = {cell.cell_type for cell in notebook.cells}
        assert kinds == {"markdown", "code"}
        data = [
            key
            for cell in notebook.cells
            for out in cell.get("outputs", [])
            for key in out.get("data", {})
        ]
        assert "text/plain" in data
    first = nbformat.read(exported / "mnist-ann-1.ipynb", as_version=4)
    assert any(
        "image/png" in out.get("data", {})
        for cell in first.cells
        for out in cell.get("outputs", [])
    )


def test_a_notebook_holds_the_code_of_the_lesson(exported):
    notebook = json.loads((exported / "mnist-ann-2.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert sources == [cell.source for cell in lesson_cells.find("mnist-ann-2").cells()]


@pytest.mark.parametrize("size", [(1280, 900), (390, 800)])
def test_a_page_loads_nothing_and_fits(exported, browser, size):
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    address = (exported / "mnist-ann-1.html").as_uri()
    page.goto(address)
    assert page.locator("h1").inner_text() == "MNIST with an ANN, part 1: the data"
    assert page.locator("pre.code").count() >= 8 and page.locator(".out img").count() == 2
    assert page.locator(".out img").first.evaluate("image => image.naturalWidth") > 100
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]
    assert page.locator("#contents").evaluate("list => list.open") == (size[0] > 1000)
    page.locator("a[rel=next]").click()
    assert page.locator("h1").inner_text().endswith("part 2: the network")
    outside = [url for url in asked if not url.startswith(("data:", exported.as_uri()))]
    assert outside == [] and faults == []
    context.close()


def test_words_of_a_lesson_are_no_html():
    cell = lesson_cells.Cell("words", "# A <b>title</b>\n\n<script>x</script>")
    page = lesson_files.page(
        lesson_cells.find("mnist-ann-1"), [cell], [lesson_cells.find("mnist-ann-1")]
    )
    assert "&lt;script&gt;" in page and "<b>title" not in page


def test_a_learner_gets_a_copy_and_keeps_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, was_there = lesson_opening.copy("mnist_cnn_2")
    assert not was_there and path.read_bytes() == lesson_cells.find("mnist-cnn-2").path.read_bytes()
    path.write_text("mine")
    assert lesson_opening.copy("mnist-cnn-2") == (path, True) and path.read_text() == "mine"


def test_a_lesson_is_opened_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = []
    monkeypatch.setattr(lesson_opening, "show", lambda words: begun.append(words) or 0)
    monkeypatch.setattr(lesson_opening.importlib.util, "find_spec", lambda name: object())
    result = run_tfcnn("lab", "--lesson", "mnist-ann-1")
    assert result.returncode == 0 and "your own copy" in result.stderr
    assert begun[0][:4] == [sys.executable, "-m", "marimo", "edit"]
    assert begun[0][-1].endswith("mnist_ann_1.py")
    again = run_tfcnn("lab", "--lesson", "mnist-ann-1")
    assert "your copy from before" in again.stderr


def test_a_lesson_finds_the_data_of_the_working_folder(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFCNN_HOME")
    code = "import os; print(os.environ['TFCNN_HOME']); raise SystemExit(3)"
    assert lesson_opening.show([sys.executable, "-c", code]) == 3
    assert capfd.readouterr().out.strip() == str(tmp_path)


def test_without_marimo_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lesson_opening.importlib.util, "find_spec", lambda name: None)
    result = run_tfcnn("lab", "--lesson", "mnist-ann-1")
    assert result.returncode == 2 and "pip install 'tfcnn[lab]'" in result.stderr
    assert not Path("lessons").exists(), "nothing is begun"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mnist-ann-9",), "--lesson mnist-ann-"),
        (("mnist-ann-1", "--export", "x"), "it alone"),
    ],
)
def test_a_wrong_word_is_told_in_a_line(words, said):
    result = run_tfcnn("lab", "--lesson", *words)
    assert result.returncode == 2 and said in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("images", "titles"),
    [
        (np.zeros((3, 4, 4, 1), np.uint8), ["a", "b", "c"]),
        (np.full((7, 4, 5, 3), 255, np.uint8), []),
        ([np.ones((4, 4)), np.zeros((5, 6, 3))], ["a", "b"]),
    ],
)
def test_images_are_drawn_once_with_their_titles(images, titles):
    from matplotlib import pyplot

    figure = lab.show_images(images, titles)
    drawn = [axis for axis in figure.axes if axis.images]
    assert len(drawn) == len(images) and [a.get_title() for a in drawn][: len(titles)] == titles
    assert pyplot.get_fignums() == []


def test_curves_and_matrices_are_drawn():
    figure = lab.show_history({"loss": [2, 1], "val_loss": [2, 1.5], "accuracy": [0.5, 0.8]})
    assert [axis.get_title() for axis in figure.axes] == ["loss", "accuracy"]
    assert [line.get_label() for line in figure.axes[0].lines] == ["train", "val"]
    figure = lab.show_confusion([[8, 0], [1, 1234]], ["no", "yes"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["8", "1", "1,234"]


def test_what_cannot_be_drawn_is_told():
    for draw in (
        lambda: lab.show_images([]),
        lambda: lab.show_images([np.zeros((2, 2))], ["a", "b"]),
        lambda: lab.show_history({"mae": [1]}),
        lambda: lab.show_confusion([[1]], ["a", "b"]),
    ):
        with pytest.raises(InputError):
            draw()
