"""The rule by which a run finds the group of an image, for JavaScript."""

import re
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tfcnn.prediction.paths import group_rule
from tfcnn.runs import Run

CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\p{Nd}",
    codes.CATEGORY_NOT_DIGIT: r"\P{Nd}",
    codes.CATEGORY_WORD: r"\p{L}\p{N}_",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
}
PLACES = {codes.AT_BEGINNING: "^", codes.AT_BEGINNING_STRING: "^", codes.AT_END_STRING: "$"}
REPEATS = {codes.MAX_REPEAT: "", codes.MIN_REPEAT: "?"}


class NotInJavaScriptError(ValueError):
    """A part of a regular expression that JavaScript has not, or takes otherwise."""


def rule(run: Run) -> dict[str, Any] | None:
    """Return the rule, JSON-ready; None where the run knows none.

    Returns:
        `words` of it; `kind`, which is `regex` (with `regex` in JavaScript's form), `folder`, or
        `not-here` where the page has not what the rule takes.
    """
    words, data = group_rule(run), run.card["data"]
    if not words:
        return None
    if not data.get("group_regex"):
        kind = data["group_from"]
        return {"words": words, "kind": kind if kind == "folder" else "not-here"}
    try:
        return {"words": words, "kind": "regex", "regex": in_javascript(data["group_regex"])}
    except (NotInJavaScriptError, re.error):
        return {"words": words, "kind": "not-here"}


def in_javascript(regex: str) -> str:
    """Return a regular expression that finds in JavaScript, with the flag `u`, what it does here.

    Raises:
        NotInJavaScriptError: if it has parts that differ.
    """
    parsed = parser.parse(regex)
    if parsed.state.flags & ~re.UNICODE:
        raise NotInJavaScriptError("flags")
    return _sequence(parsed)


def _sequence(parsed: Any) -> str:
    return "".join(_one(code, value) for code, value in parsed)


def _one(code: Any, value: Any) -> str:
    if code is codes.LITERAL:
        return _letter(value)
    if code is codes.NOT_LITERAL:
        return f"[^{_letter(value)}]"
    if code is codes.ANY:
        return r"[^\n]"
    if code is codes.IN:
        return _set(value)
    if code is codes.BRANCH:
        return "(?:" + "|".join(map(_sequence, value[1])) + ")"
    if code is codes.SUBPATTERN:
        return _group(*value)
    if code is codes.AT and value in PLACES:
        return PLACES[value]
    if code in REPEATS:
        return _repeat(*value) + REPEATS[code]
    raise NotInJavaScriptError(str(code))


def _letter(number: int) -> str:
    return f"\\u{{{number:x}}}"


def _set(items: Any) -> str:
    parts, is_not = [], False
    for code, value in items:
        if code is codes.NEGATE:
            is_not = True
        elif code is codes.LITERAL:
            parts.append(_letter(value))
        elif code is codes.RANGE:
            parts.append("-".join(map(_letter, value)))
        elif code is codes.CATEGORY and value in CATEGORIES:
            parts.append(CATEGORIES[value])
        else:
            raise NotInJavaScriptError(f"{code} {value}")
    return f"[{'^' if is_not else ''}{''.join(parts)}]"


def _group(number: int | None, add_flags: int, del_flags: int, inside: Any) -> str:
    if add_flags or del_flags:
        raise NotInJavaScriptError("flags")
    return f"({'?:' if number is None else ''}{_sequence(inside)})"


def _repeat(least: int, most: Any, inside: Any) -> str:
    upper = "" if most is codes.MAXREPEAT else str(most)
    return f"(?:{_sequence(inside)}){{{least},{upper}}}"
