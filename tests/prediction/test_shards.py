"""Shards join to the whole file, and the joined file gives the table of groups."""

import subprocess

import pytest
from conftest import run_tfcnn, write_tree
from hypothesis import given
from hypothesis import strategies as st

from tfcnn.base.errors import InputError
from tfcnn.prediction import joined, many
from tfcnn.prediction.work import Shard

ONE_LINE = (
    '{"path": "a", "predicted": "round", "probs": {"round": 0.9, "square": 0.1}, '
    '"decision": "round", "flag": "", "reason": "", "group": "P1"}\n'
)


def test_an_empty_shard_is_not_the_whole(trained, cells):
    result = run_tfcnn("predict", trained, cells, "--shard", "")  # of a variable that is not set
    assert result.returncode == 2 and "counted from 1" in result.stderr and not result.stdout


@given(st.integers(0, 400), st.integers(1, 70), st.integers(1, 40))
def test_shards_are_whole_batches_that_join(total, size, count):
    parts = [Shard(number, count).rows(total, size) for number in range(1, count + 1)]
    assert [row for part in parts for row in part] == [*range(total)]
    assert all(part.start % size == 0 for part in parts if part)
    sizes = [-(-len(part) // size) for part in parts]
    assert max(sizes) - min(sizes) <= 1, "every shard has as many batches, give or take one"


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/3", "１/３"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match="counted from 1"):
        many.parse_shard(text)


@pytest.mark.parametrize(
    ("suffix", "words", "count"),
    [(".csv", (), 16), (".csv", ("--excel",), 3), (".jsonl", (), 3)],
)
def test_the_files_of_all_shards_join_to_the_whole(trained, cells, tmp_path, suffix, words, count):
    whole, parts = tmp_path / f"whole{suffix}", []
    assert run_tfcnn("predict", trained, cells, "-o", whole, *words).returncode == 3
    for number in range(1, count + 1):
        parts.append(tmp_path / f"part-{number:02}{suffix}")
        shard = ("--shard", f"{number}/{count}")
        result = run_tfcnn("predict", trained, cells, "-o", parts[-1], *shard, *words)
        assert result.returncode in (0, 3), result.stderr
    joined = subprocess.run(["cat", *parts], capture_output=True, check=True).stdout
    assert joined == whole.read_bytes()
    assert b"P10" in joined and whole.with_name("whole-groups.csv").exists()
    assert not list(tmp_path.glob("part*groups*")), "a shard has not all images of a group"
    (tmp_path / f"joined{suffix}").write_bytes(joined)
    result = run_tfcnn("predict", trained, tmp_path / f"joined{suffix}", "--only-groups")
    assert result.returncode == 0 and "43 predictions in" in result.stderr
    groups = [tmp_path / f"{name}-groups.csv" for name in ("joined", "whole")]
    assert groups[0].read_bytes() == groups[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.jsonl",
            '{"path": "a", "predicted": "round"}\n',
            "after 0 predictions: expected one of",
        ),
        ("a.jsonl", "[1]\n", "after 0 predictions: expected one of"),
        (
            "a.jsonl",
            ONE_LINE.replace(', "group": "P1"', ""),
            "of which groups are known; received none",
        ),
        ("a.xlsx", "", "expected predictions in a .csv or .jsonl; received .xlsx"),
    ],
)
def test_what_gives_no_groups_is_named(trained, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    result = run_tfcnn("predict", trained, tmp_path / name, "--only-groups")
    assert result.returncode == 2 and message in result.stderr
    (tmp_path / "b.jsonl").write_text(ONE_LINE)
    assert run_tfcnn("predict", trained, tmp_path / "b.jsonl", "--only-groups").returncode == 0


@pytest.fixture
def lines(trained, cells, tmp_path):
    """Return the lines of a table of predictions."""
    assert run_tfcnn("predict", trained, cells, "-o", tmp_path / "whole.csv").returncode == 3
    return (tmp_path / "whole.csv").read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[9:], *lines[:9]], "expected the columns path, predicted"),
        (lambda lines: [*lines[:9], lines[0], *lines[9:]], "after 8 predictions: expected one of"),
        (lambda lines: [*lines[:9], "x,dog,0.5,0.5,dog,,\n"], "after 8 predictions"),
        (lambda lines: [*lines[:9], "x,round\n"], "after 8 predictions"),
        (lambda lines: [line.rpartition(",")[0] + "\n" for line in lines], "decision, flag, group"),
        (lambda lines: [], "received the columns ;"),
    ],
)
def test_only_joined_predictions_of_the_run_give_groups(trained, lines, tmp_path, change, message):
    (tmp_path / "a.csv").write_text("".join(change(lines)))
    result = run_tfcnn("predict", trained, tmp_path / "a.csv", "--only-groups")
    assert result.returncode == 2 and message in result.stderr
    assert joined.HINT in result.stderr and not (tmp_path / "a-groups.csv").exists()


def test_a_shard_knows_of_groups_that_only_another_one_has(trained, tmp_path, small_batches):
    root = write_tree(tmp_path / "new", groups=4, per_group=2)
    for path in (root / "round").iterdir():
        path.rename(path.with_name(path.name.replace("P", "nameless")))
    texts = []
    for words in ((), ("--shard", "1/2"), ("--shard", "2/2")):
        texts.append(run_tfcnn("predict", trained, root, *words).stdout)
    assert texts[0] == texts[1] + texts[2]
    assert texts[1].startswith("path,") and texts[1].splitlines()[0].endswith(",group")
