"""What the pages say is checked: commands, code, links, and the figures that can be counted."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import run_tfcnn, write_tree
from documents import BLOCK, LINK, ROOT, blocks, commands, named_commands
from typer.main import get_command

from tfcnn import architectures
from tfcnn.cli import app
from tfcnn.datasets import smears

DOCS = ROOT / "docs"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.glob("*.md")),
    *(ROOT / name for name in ("data/README.md", "models/README.md")),
]
ROW = re.compile(
    r"^\| `(\w+)(?:\((.*?)\))?` \| .*? \| (\d+)x(\d+)x(\d), (\d+) classes \| ([\d,]+) \|"
)
LARGE = ("alexnet", "googlenet", "resnet", "pretrained")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NOT_QUICK = ("explain", "crossval", "--cam")  # they start TensorFlow

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def parse(words: list[str]) -> None:
    """Parse a command line of tfcnn as far as its names of verbs and options go."""
    verb = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    context = verb.context_class(verb, info_name=words[1])
    verb.make_parser(context).parse_args(words[2:])


@every_page
def test_every_command_of_tfcnn_has_its_verb_and_options(page):
    if page.name == "CHANGELOG.md":  # it names what is gone
        return
    for words in commands(page, "tfcnn") + named_commands(page, "tfcnn"):
        parse(words)


@every_page
def test_every_make_target_exists(page):
    for words in commands(page, "make") + named_commands(page, "make"):
        targets = {word for word in words[1:] if "=" not in word and not word.startswith("-")}
        assert targets <= TARGETS, words


@every_page
def test_every_program_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\bpython ((?:benchmarks|scripts|docs)/\S+\.py)", text):
        assert (ROOT / name).exists(), name


@every_page
def test_every_file_that_is_named_exists(page):
    if page.name == "CHANGELOG.md":
        return
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    rooms = r"`((?:tfcnn|tests|benchmarks|scripts|docs)/[\w./-]+)`"
    for name in re.findall(rooms, text):
        assert (ROOT / name).exists() or f"rite `{name}`" in text, name


@every_page
def test_python_blocks_run(page, home, tmp_path, monkeypatch, capsys):
    if page.name in ("README.md", "extend.md"):
        return  # test_readme and test_extend run them
    monkeypatch.chdir(tmp_path)
    if '"smears"' in page.read_text(encoding="utf-8"):  # fewer, which are soon drawn and learnt
        (home / "data").mkdir(parents=True)
        smears.generate(home / "data" / "smears", num_patients=16, cells_per_patient=12)
    names: dict[str, object] = {}
    for text in blocks(page, "python"):
        exec(compile(text, page.name, "exec"), names)


@every_page
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        assert (page.parent / target).exists(), target
        if anchor:
            text = (page.parent / target).read_text(encoding="utf-8")
            titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{target}#{anchor}"


def write_labelled(folder: Path) -> None:
    """Write new images in one folder, and the table that labels them."""
    flat, lines = folder / "images", ["path,label,group"]
    flat.mkdir()
    for number, path in enumerate(write_tree(folder / "classes", groups=3, seed=6).rglob("*.png")):
        group = f"P9{path.name[1]}"
        path.rename(flat / f"{group}_{number}.png")
        lines.append(f"{group}_{number}.png,{path.parent.name},{group}")
    (folder / "labels.csv").write_text("\n".join(lines))


@pytest.mark.parametrize("name", ["guide.md", "predictions.md"])
def test_the_quick_commands_of_a_page_run(name, tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "models" / "cells")
    cells = write_tree(tmp_path / "cells", groups=3)
    write_tree(tmp_path / "new_cells", groups=1, seed=5)
    table = ["path,group"]
    for path in sorted(cells.rglob("*.png")):  # each group of a class has a folder
        folder = path.parent / f"{path.parent.name}-{path.name[:2]}"
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
        table.append(f"{path.parent.name}/{folder.name}/{path.name},{path.name[:2]}")
    (tmp_path / "groups.csv").write_text("\n".join(table))
    write_labelled(tmp_path)
    for words in commands(DOCS / name, "tfcnn"):
        if not any(word in words for word in NOT_QUICK):
            result = run_tfcnn(*words[1:], home=tmp_path)
            assert result.returncode == 0, f"{' '.join(words)}\n{result.stderr}"


def rows() -> list[pytest.param]:
    lines = (DOCS / "networks.md").read_text(encoding="utf-8").splitlines()
    matches = [match.groups() for match in map(ROW.match, lines) if match]
    return [
        pytest.param(*row, marks=[pytest.mark.slow] * (row[0] in LARGE), id=f"{row[0]}-{row[1]}")
        for row in matches
    ]


def test_every_network_is_in_the_table():
    assert {row.values[0] for row in rows()} == set(architectures.names())


@pytest.mark.parametrize(
    ("name", "options", "height", "width", "channels", "classes", "parameters"), rows()
)
def test_parameters_are_as_listed(name, options, height, width, channels, classes, parameters):
    arguments = eval(f"dict({options or ''})")
    shape = (int(height), int(width), int(channels))
    model = architectures.build(name, shape, int(classes), arguments)
    assert f"{model.count_params():,}" == parameters
