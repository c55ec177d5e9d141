"""What the pages in `docs/` say is run, and their figures are counted again."""

import re
from pathlib import Path

import pytest

from tfcnn import architectures

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| `(\w+)(?:\((.*?)\))?` \| .*? \| (\d+)x(\d+)x(\d), (\d+) classes \| ([\d,]+) \|"
)
LARGE = ("alexnet", "googlenet", "resnet", "pretrained")


def rows() -> list[pytest.param]:
    lines = (DOCS / "networks.md").read_text(encoding="utf-8").splitlines()
    found = [match.groups() for match in map(ROW.match, lines) if match]
    return [
        pytest.param(*row, marks=[pytest.mark.slow] * (row[0] in LARGE), id=f"{row[0]}-{row[1]}")
        for row in found
    ]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for text in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(text, page.name, "exec"), names)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (DOCS / target).exists(), target


def test_every_network_is_in_the_table():
    assert {row.values[0] for row in rows()} == set(architectures.names())


@pytest.mark.parametrize(
    ("name", "options", "height", "width", "channels", "classes", "parameters"), rows()
)
def test_parameters_are_as_listed(name, options, height, width, channels, classes, parameters):
    given = eval(f"dict({options or ''})")
    shape = (int(height), int(width), int(channels))
    model = architectures.build(name, shape, int(classes), given)
    assert f"{model.count_params():,}" == parameters
