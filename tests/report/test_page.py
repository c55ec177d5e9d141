"""`report.html` of four kinds of run: whole, safe, and true to report.json."""

import ast
import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest
from report_html import Page, contrast, rgb, write_page
from report_runs import KINDS, write_run

from tfcnn.base.errors import InputError
from tfcnn.display.figures import SHARES
from tfcnn.report import page

MakeRun = Callable[..., Path]
NAMES = ("report.json", "history.csv", "predictions.csv", "split.csv", "recipe.toml", "model.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("runs")
    by_kind = {kind: write_run(home / kind, kind) for kind in KINDS}
    for folder in by_kind.values():
        page.write(folder)
    return by_kind


@pytest.fixture(scope="module")
def pages(folders: dict[str, Path]) -> dict[str, Page]:
    return {kind: Page((f / "report.html").read_text("utf-8")) for kind, f in folders.items()}


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    return partial(write_run, tmp_path / "run")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_tags_balance_and_ids_are_unique(pages: dict[str, Page], kind: str) -> None:
    html = pages[kind]
    assert not html.errors
    ids = [attrs["id"] for _, attrs in html.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for t, a in html.tags if "href" in a]
    assert links and all(link.startswith("#") and link[1:] in ids for link in links)
    assert set(re.findall(r"url\(#([^)]+)\)", html.text)) <= set(ids)


def test_nothing_is_loaded_and_only_our_script_runs(pages: dict[str, Page], kind: str) -> None:
    html = pages[kind]
    assert not re.search(r"https?:|[^:/ ]//[a-z]|@import|@font-face|javascript:", html.text)
    assert not {"link", "iframe", "img", "object"} & {tag for tag, _ in html.tags}
    assert not any(name.startswith("on") for _, attrs in html.tags for name in attrs)
    assert html.attributes("script") == [{}]
    policy = str(html.attributes("meta"))
    script = html.text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy


def test_every_metric_is_the_one_of_report_json(
    folders: dict[str, Path], pages: dict[str, Page], kind: str
) -> None:
    report = json.loads((folders[kind] / "report.json").read_text())
    expected: dict[str, list[tuple[float, str]]] = {}
    for split, metrics in report["splits"].items():
        for name, row in metrics.items():
            scale, digits, sign = (100, 1, "\u00a0%") if name in SHARES else (1, 3, "")
            expected[f"{split}.{name}"] = [
                (row[key], f"{scale * row[key]:.{digits}f}{end}")
                for key, end in (("value", sign), ("low", ""), ("high", sign))
            ]
    assert pages[kind].metrics == expected


def test_sentence_warnings_and_confusion_are_those_of_report_json(
    folders: dict[str, Path], pages: dict[str, Page], kind: str
) -> None:
    report = json.loads((folders[kind] / "report.json").read_text())
    prose = pages[kind].prose
    assert report["sentence"].replace("`", "") in prose
    for warning in report["warnings"]:
        assert ("This result leaks" if warning.startswith("LEAKY") else warning) in prose
    split = "test" if "test" in report["splits"] else "val"
    table = re.search(r'<table class="matrix">.*?</table>', pages[kind].text, re.S)
    assert table
    cells = re.findall(r"<strong>([\d,]+)</strong>|<td class=\"none\">(0)</td>", table[0])
    counts = [int((a or b).replace(",", "")) for a, b in cells]
    assert counts == [count for row in report["confusion"][split] for count in row]


def test_sensitivity_in_words_is_that_of_report_json(
    folders: dict[str, Path], pages: dict[str, Page]
) -> None:
    test = json.loads((folders["binary"] / "report.json").read_text())["splits"]["test"]
    match = re.search(
        r"finds ([\d,]+) of ([\d,]+) Parasitized and gives ([\d,]+) false alarms among ([\d,]+)",
        pages["binary"].prose,
    )
    assert match
    hits, positives, alarms, negatives = (int(text.replace(",", "")) for text in match.groups())
    assert hits / positives == pytest.approx(test["sensitivity"]["value"])
    assert 1 - alarms / negatives == pytest.approx(test["specificity"]["value"])


def test_split_table_counts_split_csv(folders: dict[str, Path], pages: dict[str, Page]) -> None:
    lines = (folders["binary"] / "split.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    for name, size in (("cells", len), ("patients", lambda part: len({r[2] for r in part}))):
        counts = [f"{size([r for r in rows if r[-1] == s]):,}" for s in ("train", "val", "test")]
        assert f"{name} {' '.join(counts)}" in re.sub(r"\s+", " ", _cells(pages["binary"].text))


def test_audit_counts_copies_and_groups_of_one_class(make_run: MakeRun) -> None:
    folder = make_run(num_images={"val": 60, "test": 60})
    lines = (folder / "split.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    rows[2][4] = rows[1][4]  # pixels_sha256
    (folder / "split.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    prose = write_page(folder).prose
    assert "cells with an identical copy 2" in prose
    groups: dict[str, set[str]] = {}
    for row in rows[1:]:
        groups.setdefault(row[2], set()).add(row[1])
    single = sum(len(labels) == 1 for labels in groups.values())
    assert f"patients with cells of one class only {single} of {len(groups)}" in prose


def test_leak_is_stamped_and_only_there(pages: dict[str, Page]) -> None:
    assert 'class="leak"' in pages["leaky"].text
    assert "not to be used" in pages["leaky"].prose
    for kind in ("binary", "ten_classes", "no_test"):
        assert 'class="leak"' not in pages[kind].text


def test_limits_are_said_where_they_apply(pages: dict[str, Page]) -> None:
    assert "Not a medical device" in pages["binary"].prose
    assert "one infected red cell in 25,000" in pages["binary"].prose
    assert "medical" not in pages["ten_classes"].prose
    assert "25,000" not in pages["ten_classes"].prose
    assert "No groups are known" in pages["ten_classes"].prose
    assert "Accuracy by" not in pages["ten_classes"].prose
    assert "training looked at" in pages["no_test"].prose


def test_headings_tables_and_figures_have_names(pages: dict[str, Page], kind: str) -> None:
    html = pages[kind]
    levels = [int(tag[1]) for tag, _ in html.tags if re.fullmatch(r"h[1-6]", tag)]
    main = levels[levels.index(1) :]
    assert levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(main))
    tables = re.findall(r"<table.*?</table>", html.text, re.S)
    assert tables and all(re.search(r"<caption>\s*<span>\s*\S", table) for table in tables)
    assert all("scope" in attrs for attrs in html.attributes("th"))
    figures = [attrs for attrs in html.attributes("div") if attrs.get("role") == "img"]
    assert len(figures) == len(html.attributes("svg")) >= 3
    assert all(len(str(attrs["aria-label"])) > 20 for attrs in figures)
    assert html.attributes("html") == [{"lang": "en"}]


def test_small_quick_and_the_same_again(folders: dict[str, Path], kind: str) -> None:
    path = folders[kind] / "report.html"
    before, start = path.read_bytes(), perf_counter()
    assert page.write(folders[kind]) == path
    assert perf_counter() - start < 20  # about 1 s; a loaded machine is slower
    assert path.read_bytes() == before
    assert len(before) < 1_000_000
    assert sorted(p.name for p in folders[kind].iterdir()) == sorted([*NAMES, "report.html"])


def test_names_are_escaped_everywhere(make_run: MakeRun) -> None:
    bad = '<script>alert("x")</script>'
    folder = make_run(
        class_names=[bad, "{{ 7 * 7 }} $x_1$ & 'y'"],
        data={"source": "<b>mine</b>", "positive": bad, "image_size": 64},
        notes=["<img src=x onerror=alert(1)>"],
        num_images={"val": 300, "test": 300},
    )
    html = write_page(folder)
    assert len(html.attributes("script")) == 1
    assert not {"img", "b"} & {tag for tag, _ in html.tags}
    assert bad in html.prose and "{{ 7 * 7 }} $x_1$ & 'y'" in html.prose
    assert "<b>mine</b>" in html.prose and "<img src=x onerror=alert(1)>" in html.prose


def test_many_classes_and_groups_stay_small(make_run: MakeRun) -> None:
    names = [f"a rather long class name {i:03d}" for i in range(35)]
    folder = make_run(
        class_names=names,
        num_images={"val": 100, "test": 400},
        num_groups=300,
        data={"source": "mine", "image_size": 64},
    )
    html = write_page(folder)
    assert len(html.text) < 1_000_000
    assert "most frequent confusions" in html.prose


def test_a_run_without_errors_says_so(make_run: MakeRun) -> None:
    folder = make_run(skill=60.0, num_images={"val": 50, "test": 50})
    html = write_page(folder)
    assert "There is no error on test" in html.prose


def test_what_cannot_be_computed_has_its_reason(make_run: MakeRun) -> None:
    folder = make_run(num_groups=1, num_images={"val": 80, "test": 80})
    report = json.loads((folder / "report.json").read_text())
    test = report["splits"]["test"]
    assert test["accuracy"]["low"] is None and "without an interval" in report["sentence"]
    test["ppv"] = {"value": None, "low": None, "high": None, "reason": "no image is called so"}
    (folder / "report.json").write_text(json.dumps(report))
    html = write_page(folder)
    assert report["sentence"] in html.prose
    assert test["accuracy"]["reason"] in html.prose and "– no image is called so" in html.prose
    text = f"{100 * test['accuracy']['value']:.1f}\u00a0%"
    assert html.metrics["test.accuracy"] == [(test["accuracy"]["value"], text)]
    assert "test.ppv" not in html.metrics


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(make_run: MakeRun, name: str) -> None:
    folder = make_run(num_images={"val": 60, "test": 60})
    (folder / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)):
        page.write(folder)
    assert not (folder / "report.html").exists()


def test_a_name_that_no_new_run_may_have_is_no_hindrance(make_run: MakeRun) -> None:
    folder = make_run(num_images={"val": 60, "test": 60})
    recipe = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(recipe.replace('name = "run"', 'name = "../a/b"', 1))
    assert "../a/b" in write_page(folder).prose, "it is shown as it is"


def test_snippets_name_what_exists(folders: dict[str, Path], pages: dict[str, Page]) -> None:
    import tfcnn
    from tfcnn.prediction import Prediction

    code = next(text for text in pages["binary"].words if text.startswith("import tfcnn"))
    names = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
    assert names == {"predict", "path", "decision", "probs"}
    assert callable(tfcnn.predict)
    assert names - {"predict"} <= Prediction.__dataclass_fields__.keys()
    strings = [n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant)]
    assert strings == [str(folders["binary"]), "new_images/"]


def test_no_tensorflow_is_imported(folders: dict[str, Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from tfcnn.report import page; "
        "page.write(Path(sys.argv[1])); "
        "sys.exit(any(m.split('.')[0] in ('tensorflow', 'keras') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code, str(folders["no_test"])], check=True)


def _cells(text: str) -> str:
    return re.sub(r"<[^>]+>", " ", text)


def test_the_weights_kept_are_those_of_the_best_epoch(make_run: MakeRun) -> None:
    folder = make_run("binary", train={"best_weights": True})
    rows = (folder / "history.csv").read_text().splitlines()
    names = rows[0].split(",")
    losses = iter([0.9, 0.2, *[0.5] * 5, 0.4, 0.45, 0.6])
    lowered = [row.split(",") for row in rows[1:]]
    for row in lowered:
        row[names.index("val_loss")] = str(next(losses))
    (folder / "history.csv").write_text("\n".join([rows[0], *map(",".join, lowered)]) + "\n")
    assert "weights of epoch 2, where the loss on val was lowest." in write_page(folder).prose


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colours_are_readable(pages: dict[str, Page], mode: str) -> None:
    text = pages["binary"].text
    style = text.split("<style>")[1].split("</style>")[0]
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = dict(re.findall(r"--([\w-]+):\s*([^;]+);", light))
    if mode == "dark":
        colours |= dict(re.findall(r"--([\w-]+):\s*([^;]+);", dark))
    paper = rgb(colours["paper"])
    backgrounds = [rgb(colours[name]) for name in ("paper", "grey", "warm")]
    darkest = [
        tuple(
            share * int(part) + (1 - share) * under for part, under in zip(rgb, paper, strict=True)
        )
        for rgb, share in ((colours["blue-rgb"].split(), 0.3), (colours["orange-rgb"].split(), 0.8))
    ]
    for name in ("ink", "muted", "blue", "orange"):
        assert contrast(rgb(colours[name]), paper) >= 4.5, name
    assert all(contrast(rgb(colours["ink"]), behind) >= 4.5 for behind in backgrounds + darkest)
    assert contrast(rgb("#ffffff"), rgb(colours["red"])) >= 4.5
    assert not re.findall(r"#[0-9a-f]{6}", "".join(re.findall(r"<svg.*?</svg>", text, re.S)))
