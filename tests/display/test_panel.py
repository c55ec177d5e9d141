"""A panel says the same as text and as HTML, and nothing in it acts on the page around it."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcnn.base import naming
from tfcnn.display import figures, metric_tables
from tfcnn.display.panel import Grid, Panel, Thumbnail, below

HOSTILE = "<script>alert(1)</script>\x1b[31m\" onload='x' &amp; \u202e"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class Cells(HTMLParser):
    """Collects the tags of a page and the text of its table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.cells, self.is_cell = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if self.is_cell_tag(tag):
            self.cells.append("")
            self.is_cell = True

    def handle_endtag(self, tag):
        self.is_cell = self.is_cell and not self.is_cell_tag(tag)

    def handle_data(self, data):
        if self.is_cell:
            self.cells[-1] += data

    @staticmethod
    def is_cell_tag(tag):
        return tag in ("th", "td")


def parsed(html: str) -> Cells:
    parser = Cells()
    parser.feed(html)
    parser.close()
    return parser


def test_a_name_does_not_act_on_the_page_or_the_terminal(tmp_path):
    grid = Grid([HOSTILE, "n"], [[HOSTILE, HOSTILE]], HOSTILE, caption=HOSTILE)
    panel = Panel(HOSTILE, [HOSTILE], [HOSTILE], [grid], tmp_path / HOSTILE.replace("/", ""))
    page = parsed(panel.html())
    assert {tag for tag, _ in page.tags} == {
        "style", "div", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "a",
    }  # fmt: skip
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    for shown in (panel.html(), panel.text()):
        assert not naming.IS_HIDDEN_OR_BREAK.search(shown.replace("\n", ""))


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_every_cell_is_in_the_page_as_it_is_read(rows):
    page = parsed(Panel("head", grids=[Grid(["a", "b"], rows)]).html())
    assert page.cells == ["a", "b", *(naming.visible(text) for row in rows for text in row)]


def test_text_is_on_the_left_and_figures_are_on_the_right():
    rows = [["a", Thumbnail("data:x"), "1"], ["bcd", Thumbnail(""), "20"]]
    grid = Grid(["name", "", "n"], rows, "title", 2, caption="end")
    text = Panel("head", ["said."], ["known"], [grid]).text()
    assert text == "head\nsaid.\n\ntitle\nname   n\na      1\nbcd   20\nend\n\nnote: known"


def test_a_link_is_relative_below_the_working_folder(tmp_path, monkeypatch):
    page = tmp_path / "a run" / "report.html"
    monkeypatch.chdir(tmp_path)
    assert 'href="a%20run/report.html"' in Panel("run", link=page).html()
    monkeypatch.chdir("/")
    assert f'href="{str(page)[1:].replace(" ", "%20")}"' in Panel("run", link=page).html()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f'href="{page.as_uri()}"' in Panel("run", link=page).html()


@pytest.mark.parametrize(
    ("paths", "folder", "names"),
    [
        (["/a/b/x.png", "/a/c/y.png"], "/a", ["b/x.png", "c/y.png"]),
        (["a/x.png", "a/y.png"], "a", ["x.png", "y.png"]),
        (["/a/x.png"], "", ["/a/x.png"]),
        (["x.png", "a/y.png"], "", ["x.png", "a/y.png"]),
        (["x.png", "/a/y.png"], "", ["x.png", "/a/y.png"]),
        (["/x.png", "/a/y.png"], "", ["/x.png", "/a/y.png"]),
    ],
)
def test_what_paths_have_in_common_is_said_once(paths, folder, names):
    assert below(paths) == (folder, names)


def test_a_metric_is_written_as_it_is_read():
    row = {"value": 0.958, "low": 0.936, "high": 0.972}
    none = {"value": None, "low": None, "high": None, "reason": "no image of class a"}
    grid = metric_tables.metrics(
        "test",
        {"accuracy": row, "roc_auc": row, "ppv": none},
        {"images": 1200, "groups": 21},
        {"class": "a", "share": 0.5},
    )
    assert grid.title == "test: 1,200 images, 21 groups"
    assert grid.rows == [
        ["accuracy", "95.8 %", "93.6 % to 97.2 %"],
        ["  always saying a", "50.0 %", ""],
        ["roc auc", "0.9580", "0.9360 to 0.9720"],
        ["ppv", "–", "no image of class a"],
    ]
    assert figures.change("ppv")(-0.012) == "-1.2 pt" and figures.change("mcc")(0.1) == "+0.1000"


def test_a_confusion_matrix_is_tinted_by_the_share_of_its_row():
    grid = metric_tables.confusion("test", [[9, 1], [0, 0]], ("a", "b"), "predicted", {})
    assert grid.rows == [["a", "9", "1"], ["b", "0", "0"]]
    (_, right, wrong), (_, *none) = grid.tints
    assert right > wrong > 0 and none == [0, 0]
    many = [str(i) for i in range(metric_tables.MOST_CLASSES + 1)]
    assert metric_tables.confusion("test", [[0] * 11] * 11, many, "predicted", {}) is None
