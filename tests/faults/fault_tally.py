"""What was injected in this session, by command and kind: the table of docs/faults.md."""

from collections import Counter

COUNTS: Counter[tuple[str, str]] = Counter()
LOSSES: Counter[tuple[str, str]] = Counter()


def add(command: str, kind: str, times: int, losses: int = 0) -> None:
    """Note how often a fault was injected into a command, and what was lost by it."""
    COUNTS[command, kind] += times
    LOSSES[command, kind] += losses


def table() -> list[str]:
    """Return the rows: fault, command, times, losses."""
    rows = sorted(COUNTS, key=lambda key: (key[1], key[0]))
    lines = [f"{kind:32} {name:34} {COUNTS[name, kind]:5} {LOSSES[name, kind]:5}"
             for name, kind in rows]  # fmt: skip
    total = f"{'all':32} {'':34} {sum(COUNTS.values()):5} {sum(LOSSES.values()):5}"
    return [f"{'fault':32} {'command':34} times losses", *lines, total]
