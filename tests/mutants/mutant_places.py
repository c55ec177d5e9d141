"""Where a module can be changed by one token, and how.

The changes are those of Cosmic Ray's operators that make sense where types are checked, and a few
that it lacks: a call or a `raise` that is left out, `min` for `max`, another string.
"""

import ast
import difflib
import functools
import hashlib
import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code

ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}
BITS = {"RShift", "LShift", "BitOr", "BitAnd", "BitXor"}
ORDER = {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}
IDENTITY = {"Is", "IsNot"}
FAMILIES = (ARITHMETIC, BITS, ORDER, IDENTITY)
# no arguments are known for these, or a decorator changes what a checker sees rather than a rule
LEFT_OUT = ("VariableReplacer", "VariableInserter", "RemoveDecorator")
KINDS = {  # the only nodes that some operators change
    "ReplaceBinaryOperator": "operator", "ReplaceComparisonOperator": "comparison",
    "NumberReplacer": "number",
}  # fmt: skip
PUNCTUATION = set("()[]{},.:;=@") | {"->", ":=", "..."}
CHANGED = {  # the nodes of a syntax tree that an operator or a rule below may change
    "operator", "number", "keyword", "name", "string", "comparison", "if_stmt", "while_stmt",
    "assert_stmt", "test", "except_clause", "for_stmt", "factor", "not_test",
}  # fmt: skip
PAIRS = (
    ("min", "max"), ("minimum", "maximum"), ("floor", "ceil"), ("any", "all"),
    ("argmin", "argmax"), ("startswith", "endswith"), ("zeros", "ones"), ("mean", "median"),
    ("exp", "expm1"), ("log", "log1p"), ("sorted", "list"), ("sum", "prod"), ("var", "std"),
    ("lower", "upper"), ("removeprefix", "removesuffix"), ("append", "remove"),
)  # fmt: skip
SWAPS = dict(PAIRS) | {b: a for a, b in PAIRS}


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        module: its path from the root of the repository.
        line: the first line that is changed, from 1.
        operator: the kind of the change.
        source: the changed text of the whole module.
        diff: the lines that go, each after `-`, then those that come, each after `+`.
    """

    module: str
    line: int
    operator: str
    source: str
    diff: str


@dataclass(frozen=True)
class Change:
    """How a place is changed: by an operator of Cosmic Ray, or by another text from start to end.

    An occurrence is counted in the lines from that of `start` to that of `end`.
    """

    operator: str
    start: tuple[int, int]
    end: tuple[int, int]
    text: str = ""
    occurrence: int | None = None


Places = dict[tuple[int, int], list[Change]]


def draw(
    sources: dict[str, str], count: int, seed: int, only: Sequence[str] = ("",)
) -> list[Mutant]:
    """Draw places, then one change of each.

    A module's share grows with the root of its number of places. More are drawn by going on, and a
    place keeps its turn when other lines of its module change: a hash of its text decides it.

    Args:
        sources: the text of each module by its path.
        count: how many places.
        seed: of the hashes.
        only: parts of the paths of the modules whose mutants are returned.
    """
    queues = {path: _in_order(path, text, seed) for path, text in sources.items()}
    queues = {path: queue for path, queue in queues.items() if queue}
    turns = [(-math.sqrt(len(queue)), path) for path, queue in queues.items()]
    heapq.heapify(turns)
    given: dict[str, int] = defaultdict(int)
    drawn: list[Mutant] = []
    while turns and sum(given.values()) < count:
        _, path = heapq.heappop(turns)
        place, changes = queues[path][given[path]]
        if any(part in path for part in only):
            mutant = _first_that_compiles(path, sources[path], place, changes)
            drawn += [mutant] if mutant else []
        given[path] += 1
        if given[path] < len(queues[path]):
            heapq.heappush(turns, (-math.sqrt(len(queues[path])) / (given[path] + 1), path))
    return drawn


def changed(path: str, source: str, mutated: str, operator: str, line: int = 0) -> Mutant:
    """Return the mutant of a module and its changed text."""
    lines = difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0, lineterm="")
    diff = [text for text in lines if text[:3] not in ("---", "+++") and text[:2] != "@@"]
    return Mutant(path, line, operator, mutated, "\n".join(diff))


def _in_order(path: str, source: str, seed: int) -> list[tuple[tuple[int, int], list[Change]]]:
    """Return the places of a module in the order of their hashes; so are the changes of each."""
    places = places_of(source)
    lines = source.splitlines()
    seen: dict[str, int] = defaultdict(int)
    keyed = []
    for (line, column), changes in sorted(places.items()):
        text = lines[line - 1]
        name = f"{text.strip()}@{column - len(text) + len(text.lstrip())}"
        seen[name] += 1
        key = f"{seed}:{path}:{name}:{seen[name]}"
        turns = [_hash(f"{key}:{number}") for number in range(len(changes))]
        ordered = [change for _, change in sorted(zip(turns, changes, strict=True), key=_first)]
        keyed.append((_hash(key), (line, column), ordered))
    return [(place, changes) for _, place, changes in sorted(keyed, key=lambda one: one[0])]


def _first(pair: tuple[str, Change]) -> str:
    return pair[0]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _first_that_compiles(
    path: str, source: str, place: tuple[int, int], changes: list[Change]
) -> Mutant | None:
    for change in changes:
        mutated = _apply(source, change)
        try:
            compile(mutated, path, "exec")
        except (SyntaxError, ValueError):
            continue
        if ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source)):
            return changed(path, source, mutated, change.operator, place[0])
    return None


def _apply(source: str, change: Change) -> str:
    lines = source.splitlines(keepends=True)
    (first, begin), (last, end) = change.start, change.end
    if change.occurrence is not None:
        operator, text = _operators()[change.operator], "".join(lines[first - 1 : last])
        text = str(mutate_code(text, operator, change.occurrence))
    else:
        text = lines[first - 1][:begin] + change.text + lines[last - 1][end:]
    return "".join([*lines[: first - 1], text, *lines[last:]])


def places_of(source: str) -> Places:
    """Return the changes that can be made at each place, by its line and column."""
    tree = ast.parse(source)
    spans = list(_left_alone(tree))
    places: Places = defaultdict(list)
    found = [*_of_tokens(_nodes_of(source)), *_of_statements(source)]
    for statement in tree.body:  # one at a time, as each change makes Cosmic Ray parse it anew
        first, last = _lines(statement)
        found += _of_cosmic_ray(source, first, last)
    for place, change in found:
        if not any(start <= place < end for start, end in spans):
            places[place].append(change)
    return places


def _lines(statement: ast.stmt) -> tuple[int, int]:
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(one.lineno for one in decorators)])
    return first, statement.end_lineno or first


def _nodes_of(text: str) -> list[Any]:
    return [node for node in ast_nodes(parso.parse(text)) if _may_change(node)]


def _may_change(node: Any) -> bool:
    if node.type == "operator":
        return node.value not in PUNCTUATION
    return node.type in CHANGED


def _of_cosmic_ray(source: str, first: int, last: int) -> Iterator[tuple[tuple[int, int], Change]]:
    """Yield what Cosmic Ray's operators change in some lines."""
    nodes: dict[str, list[Any]] = defaultdict(list)
    for node in _nodes_of("".join(source.splitlines(keepends=True)[first - 1 : last])):
        nodes[node.type].append(node)
        nodes[""] += [node] if node.type not in ("name", "string", "number", "operator") else []
    for name, operator in _operators().items():
        seen = 0
        for node in nodes[KINDS.get(name.partition("_")[0], "")]:
            for (line, column), _ in operator.mutation_positions(node):
                if node.parent is None or node.parent.type != "parameters":  # a bare * or /
                    place = (line + first - 1, column)
                    yield place, Change(name, (first, 0), (last, 0), occurrence=seen)
                seen += 1


@functools.cache
def _operators() -> dict[str, Any]:
    names = [name.removeprefix("core/") for name in cosmic_ray.plugins.operator_names()]
    return {
        name: cosmic_ray.plugins.get_operator(f"core/{name}")()
        for name in names if name not in LEFT_OUT and _is_in_one_family(name)
    }  # fmt: skip


def _is_in_one_family(name: str) -> bool:
    """Whether an operator puts another of the same kind: `+` and `<<` are of two kinds."""
    kind, _, pair = name.partition("_")
    if kind not in ("ReplaceBinaryOperator", "ReplaceComparisonOperator"):
        return True
    return any(set(pair.split("_")) <= family for family in FAMILIES)


def _of_tokens(nodes: list[Any]) -> Iterator[tuple[tuple[int, int], Change]]:
    for node in nodes:
        if node.type == "name" and node.value in SWAPS and _is_used(node):
            text = SWAPS[node.value]
            yield node.start_pos, Change("name", node.start_pos, node.end_pos, text)
        compared = node.type == "string" and node.parent.type in ("comparison", "trailer")
        if compared and node.get_previous_leaf().value != "(":
            text = node.value[:-1] + "_" + node.value[-1]
            yield node.start_pos, Change("string", node.start_pos, node.end_pos, text)


def _is_used(node: Any) -> bool:
    """Whether a name is one that a call or a value uses, rather than one that is given."""
    following = node.get_next_leaf()
    before = node.get_previous_leaf()
    return following.value not in ("=", ":") and (before is None or before.value != "def")


def _of_statements(source: str) -> Iterator[tuple[tuple[int, int], Change]]:
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        if is_call or isinstance(node, ast.Raise):
            assert isinstance(node, ast.stmt) and node.end_lineno and node.end_col_offset
            column, end_column = (  # the tree counts bytes
                len(lines[line - 1].encode()[:offset].decode())
                for line, offset in (
                    (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
                )
            )  # fmt: skip
            start, end = (node.lineno, column), (node.end_lineno, end_column)
            yield start, Change("leave out", start, end, "pass")


def _left_alone(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield from where to where nothing is changed: what no run of the program depends on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
            yield _span(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from map(_span, node.decorator_list)
            if not isinstance(node, ast.ClassDef) and node.returns:
                yield _span(node.returns)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield _span(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("zip", "TypeVar", "cast"):
            yield from (_span(word.value) for word in node.keywords)


def _span(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def read_sources(root: Path, modules: list[str]) -> dict[str, str]:
    """Return the text of each module by its path."""
    return {module: (root / module).read_text(encoding="utf-8") for module in modules}
