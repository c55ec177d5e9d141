"""Python files of a user's own: read without being run, and run with errors of one line."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_parts import NETWORK, SOURCE, write

from tfcnn.base import own_files
from tfcnn.base.errors import InputError

TRAP = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n"


def test_a_name_that_ends_in_py_is_a_file_and_a_folder_is_none(tmp_path):
    (tmp_path / "images.py").mkdir()
    assert own_files.is_own("mine.py") and own_files.is_own("/no/where/mine.py")
    assert not own_files.is_own("compact") and not own_files.is_own(str(tmp_path / "images.py"))


def test_a_relative_path_counts_from_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_files.resolved("a/../mine.py", tmp_path) == str(tmp_path / "mine.py")
    assert own_files.resolved("~/mine.py", Path("/other")) == str(tmp_path / "mine.py")
    assert own_files.resolved("compact", tmp_path) == "compact"
    assert own_files.resolved(3, tmp_path) == 3


def test_what_a_file_is_comes_from_its_text(tmp_path):
    network = write(tmp_path, "a.py", TRAP + NETWORK)
    source = write(tmp_path, "b.py", TRAP + SOURCE)
    both = write(tmp_path, "c.py", TRAP + SOURCE + NETWORK)
    assert own_files.kinds(network) == ["build"]
    assert own_files.kinds(source) == ["open_source"]
    assert own_files.kinds(both) == ["build", "open_source"]
    own_files.tree(network, "build")
    assert not list(tmp_path.glob("*.ran"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def build(:\n", "a Python file; received invalid syntax in line 1"),
        ("x = 1\n", "a file with a function build; received no such function"),
        (SOURCE, "received a source of images; try tfcnn train ... --set data.source="),
        ("import beside\n" + NETWORK, "in one file; received an import of beside in line 1"),
        ("from .beside import x\n" + NETWORK, "received an import of its own folder in line 1"),
        ("import below.deep\n" + NETWORK, "in one file; received an import of below in line 1"),
        (b"\0".decode() + NETWORK, "a Python file; received source code"),
        ("class build: pass\n", "received no such function"),
    ],
)
def test_a_file_that_is_none_is_refused_unrun(tmp_path, text, said):
    (tmp_path / "beside.py").touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "__init__.py").touch()
    path = write(tmp_path, "mine.py", text + f"\n{TRAP}")
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        own_files.load(path, "build")
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    assert not list(tmp_path.glob("*.ran"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "received no such file"),
        (lambda path: path.mkdir(), "received a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "received a device"),
        (lambda path: path.write_text("#" * (1 << 20) + "##"), "at most 1 MB are read"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, make, said):
    make(tmp_path / "mine.py")
    with pytest.raises(InputError, match=said):
        own_files.load(tmp_path / "mine.py", "build")


@given(st.text(max_size=60) | st.binary(max_size=60))
@settings(max_examples=50)
def test_any_text_is_a_network_or_refused_in_a_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    with pytest.raises(InputError) as refused:
        own_files.kinds(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 / 0", "ZeroDivisionError in line 2: division by zero"),
        ("import sys; sys.exit(3)", "SystemExit in line 2: 3"),
        ("raise ValueError('two\\nlines')", "ValueError in line 2: two lines"),
        ("import no_such_library", "No module named 'no_such_library'"),
    ],
)
def test_what_a_file_raises_is_one_line_that_names_it(tmp_path, line, said):
    path = write(tmp_path, "mine.py", f"print('begin')\n{line}\n{NETWORK}")
    before = set(sys.modules)
    with pytest.raises(InputError) as refused:
        own_files.load(path, "build")
    assert said in str(refused.value) and str(refused.value).startswith(f"{path}: expected")
    assert not [name for name in set(sys.modules) - before if name.startswith("tfcnn_own")]


def test_a_file_is_run_once_for_each_content_and_prints_to_stderr(tmp_path, capsys):
    path = write(tmp_path, "mine.py", f"print('it runs')\n{NETWORK}")
    first = own_files.load(path, "build")
    assert own_files.load(path, "build") is first
    assert capsys.readouterr() == ("", "it runs\n")
    write(tmp_path, "mine.py", f"print('another')\n{NETWORK}")
    assert own_files.load(path, "build") is not first
    assert capsys.readouterr().err == "another\n"
    assert first.__file__ == str(path)
