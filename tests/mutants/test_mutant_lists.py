"""The lists of `make mutants` name what is there: modules, their tests, and lines of code."""

import pytest
from mutants import mutant_bodies, mutant_lists
from mutants.mutant_lists import ROOT

ROOMS = ("decode", "manifest", "inputs", "evaluation", "prediction")
NOT_TRIED = {"tfcnn/prediction/on_ray.py"}


def lines_of(module: str) -> set[str]:
    return {line.strip() for line in (ROOT / module).read_text(encoding="utf-8").splitlines()}


def test_every_module_of_the_rooms_has_tests_that_exist():
    guards = mutant_lists.guards()
    modules = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / "tfcnn" / room).glob("*.py")
        if path.name != "__init__.py"
    }
    training = {f"tfcnn/training/{name}.py" for name in ("muon", "resume", "checkpoint")}
    assert set(guards) == (modules - NOT_TRIED) | training
    for module, tests in guards.items():
        assert tests, module
        for test in tests:
            path, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") or not name, test


@pytest.mark.parametrize("one", mutant_lists.named(), ids=lambda one: one.new)
def test_a_change_by_hand_finds_its_text_once(one):
    text = (ROOT / one.module).read_text(encoding="utf-8")
    assert text.count(one.old) == 1
    assert one.new != one.old and one.why


@pytest.mark.parametrize("one", mutant_lists.equivalents(), ids=lambda one: one.diff)
def test_a_change_that_changes_nothing_is_one_of_the_code_as_it_is(one):
    lines = one.diff.splitlines()
    gone = {line[1:].strip() for line in lines if line.startswith("-")}
    new = {line[1:].strip() for line in lines if line.startswith("+")}
    assert gone and gone <= lines_of(one.module)
    assert not new <= lines_of(one.module) or len(gone) > len(new)
    assert one.why


def test_bodies_of_functions_are_told_from_what_is_done_once():
    before = "N = 1\nclass A:\n    def f(self, x=2):\n        return [x + N for _ in 'a']\n"
    changed = mutant_bodies.changed_functions(before, before.replace("x + N", "x - N"), "a.py")
    assert changed is not None and list(changed) == ["A.f"]
    for old, new in (("N = 1", "N = 2"), ("x=2", "x=3")):
        assert mutant_bodies.changed_functions(before, before.replace(old, new), "a.py") is None
