"""Change one token of the code at a time, and see that a test notices.

    PYTHONPATH=tests python -m mutants.try_mutants --count 300

Each change is made in a copy of the repository. Each result is one line of the results file; a
second call goes on with what is not there yet.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mutants import mutant_lists
from mutants.mutant_forks import Copy, Outcome, import_libraries
from mutants.mutant_lists import ROOT
from mutants.mutant_places import Mutant, changed, draw, read_sources

NEEDED = 0.9  # of the changes that are not equivalent
NOT_ENOUGH = 3
LIMIT = 90  # seconds of a processor for the tests of one change
COLUMNS = ("drawn", "killed", "survived", "equivalent")


def main() -> None:
    options = _options()
    guards = mutant_lists.guards()
    sources = read_sources(ROOT, list(guards))
    mutants = [*_named(), *draw(sources, options.count, options.seed, options.only)]
    mutants = list({_key(one.module, one.diff): one for one in reversed(mutants)}.values())[::-1]
    chosen = {one: None for part in options.only for one in mutants if part in one.module}
    mutants = list(chosen)
    nothing = {_key(one.module, one.diff) for one in mutant_lists.equivalents()}
    known = _results(options.results)
    wanted = [one for one in mutants if _is_wanted(one, known, nothing, options.again)]
    if options.list:
        for one in wanted:
            print(f"{one.module}:{one.line} {one.operator}\n{one.diff}\n")
        return
    if wanted:
        _try(wanted[options.part :: options.parts], guards, options)
    sys.exit(_summary(mutants, _results(options.results), nothing))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300, help="how many changes are drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of modules' paths, in order")
    parser.add_argument("--again", action="store_true", help="try those that survived once more")
    parser.add_argument("--list", action="store_true", help="print the changes; try none")
    parser.add_argument("--part", type=int, default=0, help="of --parts, from 0")
    parser.add_argument("--parts", type=int, default=1, help="processes that share the work")
    parser.add_argument("--work", type=Path, help="a folder for the copy; its trained run is kept")
    parser.add_argument("--unchecked", action="store_true", help="take it that all tests pass now")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutants.jsonl")
    return parser.parse_args()


def _named() -> list[Mutant]:
    mutants = []
    for one in mutant_lists.named():
        source = (ROOT / one.module).read_text(encoding="utf-8")
        line = source[: source.index(one.old)].count("\n") + 1
        mutated = source.replace(one.old, one.new)
        mutants.append(changed(one.module, source, mutated, "by hand", line))
    return mutants


def _key(module: str, diff: str) -> str:
    """Return what names a change: leading blanks of a line may change."""
    lines = (f"{line[:1]}{line[1:].strip()}" for line in diff.splitlines())
    return "\n".join([module, *lines])


def _results(path: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each change; a later line replaces an earlier one."""
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {_key(one["module"], one["diff"]): one for one in records}


def _is_wanted(one: Mutant, known: dict[str, Any], nothing: set[str], again: bool) -> bool:
    key = _key(one.module, one.diff)
    if key in nothing:
        return False
    return key not in known or (again and known[key]["result"] == "survived")


def _try(mutants: list[Mutant], guards: dict[str, list[str]], options: argparse.Namespace) -> None:
    import_libraries(ROOT)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(ROOT, options.work or Path(folder) / "copy")
        if any(_needs_run(test) for mutant in mutants for test in guards[mutant.module]):
            copy.train()
        if not options.unchecked:
            _check(copy, {test: None for mutant in mutants for test in guards[mutant.module]})
        for done, (mutant, outcome) in enumerate(_outcomes(copy, mutants, guards), 1):
            _write(options.results, mutant, outcome)
            print(
                f"{done}/{len(mutants)} {outcome.result} {mutant.module}:{mutant.line} "
                f"{mutant.operator}, {outcome.cpu_seconds} s of a processor, {outcome.test}",
                flush=True,
            )


def _outcomes(
    copy: Copy, mutants: list[Mutant], guards: dict[str, list[str]]
) -> Iterator[tuple[Mutant, Outcome]]:
    """Yield the outcome of each change, room by room: first of those in bodies of functions."""
    for room in dict.fromkeys(_room(mutant.module) for mutant in mutants):
        left = dict(enumerate(mutant for mutant in mutants if _room(mutant.module) == room))
        changes = [(one.module, one.source, guards[one.module]) for one in left.values()]
        for number, outcome in copy.test_each(changes, LIMIT):
            yield left.pop(number), outcome
        for mutant in left.values():
            with copy.changed(mutant.module, mutant.source):
                outcome = copy.test(guards[mutant.module], LIMIT)
            yield mutant, outcome


def _needs_run(test: str) -> bool:
    text = (ROOT / test.partition("::")[0]).read_text(encoding="utf-8")
    return "trained" in text or "run_copy" in text


def _check(copy: Copy, tests: Iterable[str]) -> None:
    """See that the tests pass on the unchanged code: else they would notice everything."""
    outcome = copy.test(list(tests), 20 * LIMIT)
    if outcome.result != "survived":
        output = (copy.folder / "output.txt").read_text(errors="replace")[-3000:]
        sys.exit(f"error: tests: expected to pass unchanged; received {outcome}:\n{output}")


def _write(path: Path, mutant: Mutant, outcome: Outcome) -> None:
    record = {
        "module": mutant.module, "line": mutant.line, "operator": mutant.operator,
        "diff": mutant.diff, "result": outcome.result, "test": outcome.test,
        "seconds": outcome.seconds, "cpu_seconds": outcome.cpu_seconds,
    }  # fmt: skip
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _summary(mutants: list[Mutant], known: dict[str, dict[str, Any]], nothing: set[str]) -> int:
    """Print the survivors and a table by room; return the exit code."""
    table: dict[str, Counter[str]] = {}
    for one in mutants:
        key = _key(one.module, one.diff)
        result = "equivalent" if key in nothing else known.get(key, {}).get("result", "not tried")
        result = "killed" if result == "timeout" else result
        room = "by hand" if one.operator == "by hand" else _room(one.module)
        for row in (room, "all"):
            table.setdefault(row, Counter()).update(["drawn", result])
        if result == "survived":
            print(f"\nsurvived: {one.module}:{one.line} {one.operator}\n{one.diff}")
    print("\n| room | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for row in [*sorted(set(table) - {"all", "by hand"}), *({"by hand", "all"} & set(table))]:
        print(f"| {row} | " + " | ".join(str(table[row][name]) for name in COLUMNS) + " |")
    whole = table["all"]
    counted = whole["killed"] + whole["survived"]
    share = whole["killed"] / counted if counted else 0.0
    print(f"\n{share:.1%} of {counted} killed; {whole['not tried']} not tried")
    return 0 if share >= NEEDED and not table["by hand"]["survived"] else NOT_ENOUGH


def _room(module: str) -> str:
    room = module.split("/")[1]
    return f"training/{Path(module).stem}" if room == "training" else room


if __name__ == "__main__":
    os.environ.pop("TFCNN_TEST_MIRROR", None)
    main()
