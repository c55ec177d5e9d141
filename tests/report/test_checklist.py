"""Reporting checklists: each figure follows the file that it is from, and links lead somewhere."""

import copy
import csv
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import run_tfcnn
from report_html import Page
from report_runs import write_run

import tfcnn
from tfcnn import runs
from tfcnn.evaluation import stress
from tfcnn.report import checklist, siblings
from tfcnn.report.checklist import FILLERS, Checklist, Entry
from tfcnn.report.page import TEMPLATES
from tfcnn.runs import Run

LISTS = tomllib.loads((TEMPLATES / "checklists.toml").read_text(encoding="utf-8"))
REPORT_KEY = "report.json: "


def read(folder: Path, report: dict[str, Any] | None = None) -> Run:
    """Open a run, with another content of its report.json in place of the file's."""
    run = runs.read(folder).recorded(runs.PREDICTIONS)
    if report is not None:
        vars(run)["report"] = report
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_run(
        tmp_path_factory.mktemp("checklist") / "run", num_images={"val": 80, "test": 90},
        num_train=40, num_groups=8,
    )  # fmt: skip


def texts(entry: Entry) -> list[str]:
    return [fact.text for fact in entry.facts]


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 7
    if isinstance(value, float):
        return 0.5 * value + 0.013
    if isinstance(value, str):
        return f"{value} altered"
    if isinstance(value, dict):
        return {key: altered(one) for key, one in value.items()}
    if value and isinstance(value[0], int | list):  # a matrix
        return [*map(altered, value)]
    return [*map(altered, value), altered(value[0]) if value else "altered"]


def test_each_figure_follows_its_key_in_the_report(folder):
    report = {**runs.read(folder).report, "left_out": ["left out: 1 file"]}
    before = checklist.fill(read(folder, report))
    origins = {o for entry in before.entries for fact in entry.facts for o in fact.origins}
    keys = sorted(o.removeprefix(REPORT_KEY) for o in origins if o.startswith(REPORT_KEY))
    assert len(keys) > 60
    for key in keys:
        changed = copy.deepcopy(report)
        *parents, last = key.split(".")
        place = changed
        for name in parents:
            place = place[name]
        if place[last] is None:
            continue
        place[last] = altered(place[last])
        after = checklist.fill(read(folder, changed))
        for old, new in zip(before.entries, after.entries, strict=True):
            cited = [fact.text for fact in old.facts if REPORT_KEY + key in fact.origins]
            assert not cited or texts(old) != texts(new), (key, cited)
            if not cited and "Limitations" not in old.asks:
                assert texts(old) == texts(new), (key, old.asks)


def test_the_lists_are_whole():
    claim, tripod = LISTS["CLAIM"]["items"], LISTS["TRIPOD"]["items"]
    assert [item["number"] for item in claim] == [str(i) for i in range(1, 45)]
    assert list(dict.fromkeys(i["number"].rstrip("abcdefg") for i in tripod)) == [
        str(i) for i in range(1, 28)
    ]
    used = {name for item in (*claim, *tripod) for name in item.get("fills", ())}
    assert used == set(FILLERS)
    for item in (*claim, *tripod):
        assert item.get("fills") or item.get("yours")


@pytest.mark.parametrize("kind", ["no_test", "ten_classes"])
def test_every_link_leads_to_a_place_in_the_report(kind, tmp_path):
    from tfcnn.report import page

    folder = write_run(tmp_path / "run", kind, num_train=40)
    page.write(folder)
    found = {value for _, attributes in Page((folder / "report.html").read_text()).tags
             for name, value in attributes.items() if name == "id"}  # fmt: skip
    filled = checklist.fill(runs.read(folder))
    claim = [entry for entry in filled.of("CLAIM 2024") if entry.facts]
    assert len(claim) >= 20
    for entry in filled.entries:
        assert {fact.place for fact in entry.facts} <= found, entry.asks
        assert entry.facts or entry.yours


def entry(filled: Checklist, number: str, title: str = "CLAIM 2024") -> Entry:
    return next(one for one in filled.of(title) if one.number == number)


def test_what_is_said(folder):
    filled = checklist.fill(runs.read(folder))
    sizes = " ".join(texts(entry(filled, "35")))
    rows = list(csv.DictReader((folder / "split.csv").open()))
    groups = {row["group"] for row in rows if row["split"] == "test"}
    assert f"test: 90 cells of {len(groups)} patients (" in sizes and "1 unreadable" in sizes
    assert "0.37 upwards: sensitivity at least 0.97" in " ".join(texts(entry(filled, "28")))
    assert "Metrics reloaded" in " ".join(texts(entry(filled, "28")))
    assert "level of the patient" in texts(entry(filled, "20"))[0]
    assert entry(filled, "13").state == "yours to write"
    assert entry(filled, "30").yours.startswith("`tfcnn evaluate RUN --stress`")
    assert entry(filled, "9").state == "filled" and entry(filled, "7").state == "partly filled"


def test_accuracy_is_warned_of_where_one_class_prevails(folder):
    report = copy.deepcopy(runs.read(folder).report)
    for share, is_warned in ((0.55, False), (0.93, True)):
        report["baseline"]["test"]["share"] = share
        said = " ".join(texts(entry(checklist.fill(read(folder, report)), "28")))
        assert ("accuracy misleads" in said) == is_warned


def test_a_stress_test_is_named_where_it_is_of_this_run(folder, tmp_path):
    run = runs.read(folder)
    path = folder / "stress.json"
    share = {"value": 0.5, "low": None, "high": None}
    content = {
        "sentence": "Blur costs 9 points.", "split": "test", "images": 1, "groups": 0, "seed": 0,
        "warnings": [], "undisturbed": {"accuracy": share, "flagged": 0.0}, "kinds": [],
        "not_done": [], "pictures": {"": ["data:image/png;base64,"]},
    }  # fmt: skip
    for card, count in ((run.card_sha256, 1), ("other", 0)):
        stress.write(run, {**content, "card": card})
        found = entry(checklist.fill(run), "30")
        assert len(found.facts) == count
    assert not found.facts and found.yours
    path.write_text(json.dumps([{"card": run.card_sha256}]))  # a stranger's
    assert not entry(checklist.fill(run), "30").facts
    path.unlink()


def changed(folder, **card):
    run = read(folder)
    return replace(run, card={**run.card, **card}).recorded(runs.PREDICTIONS)


def test_what_holds_for_one_kind_of_run_only(folder, monkeypatch):
    mean = checklist.fill(changed(folder, folds=2))
    assert "splits repeat each fold" in texts(entry(mean, "42"))[0]
    assert texts(entry(mean, "19"))[0].startswith("2 folds of whole patients")
    leaky = checklist.fill(changed(folder, folds=2, leaky=True))
    assert texts(entry(leaky, "19"))[0].startswith("2 folds of whole cells")
    facts = {"file": "c.csv", "sha256": "ab", "changed": 3, "dropped": 1}
    data = {**read(folder).card["data"], "corrections": facts}
    said = texts(entry(checklist.fill(changed(folder, data=data)), "14"))[-1]
    assert "changed 3 labels and left out 1 cells" in said and "left as given" in said
    late = checklist.fill(changed(folder, threshold_set_after_test=True))
    assert "set after test was scored" in texts(entry(late, "26"))[0]
    monkeypatch.setattr(siblings, "is_adopted", lambda content: True)
    filled = checklist.fill(read(folder))
    said = " ".join(text for n in ("24", "25", "26", "42") for text in texts(entry(filled, n)))
    assert "author" in said
    assert not any(word in said for word in ("Random weights", "Trained in", "were kept", "repeat"))


def test_tests_of_subgroups_are_named_as_tests(folder):
    assert "No hypothesis" in texts(entry(checklist.fill(read(folder)), "29"))[0]
    report = {**read(folder).report, "subgroups": {"tests": 3, "sentence": "None differs."}}
    said = texts(entry(checklist.fill(read(folder, report)), "29"))[0]
    assert "permutation tests, 3 in all" in said and "No hypothesis" not in said
    old = {key: value for key, value in report.items() if key != "operating_point"}
    said = texts(entry(checklist.fill(read(folder, old)), "28"))
    assert any("0.37 upwards" in text for text in said)


def test_page_and_table_hold_every_item(folder):
    filled, (page, table) = checklist.write(runs.read(folder))
    html = Page(page.read_text())
    assert not html.errors
    rows = list(csv.DictReader(table.open(newline="", encoding="utf-8")))
    assert len(rows) == len(filled.entries) == 96
    for one, row in zip(filled.entries, rows, strict=True):
        assert (row["item"], row["state"]) == (one.number, one.state)
        assert all(fact.text in row["text"] for fact in one.facts)
    links = {attributes["href"] for tag, attributes in html.tags if tag == "a"}
    assert {"report.html#metrics", "report.html#data"} <= links
    for path in (page, table):
        path.unlink()


def test_the_command(run_copy):
    result = run_tfcnn("report", run_copy, "--checklist")
    assert result.returncode == 0, result.stderr
    assert "CLAIM 2024: " in result.stdout and (run_copy / "checklist.csv").exists()
    content = json.loads(run_tfcnn("report", run_copy, "--checklist", "--json").stdout)
    assert sum(content["counts"]["CLAIM 2024"].values()) == 44
    assert len(tfcnn.checklist(run_copy).entries) == len(content["items"])
    assert content["items"][0]["facts"][0]["origins"] == [
        "model.json: network.name", "model.json: record.versions.tfcnn",
    ]  # fmt: skip
    shipped = run_tfcnn("report", "malaria", "--checklist")
    assert shipped.returncode == 2 and shipped.stderr.count("\n") == 1
