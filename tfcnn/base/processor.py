"""The processor of this machine: its name, and the sets of instructions it has."""

import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def name() -> str:
    """Return what its maker calls it."""
    return _line("model name") or platform.processor() or platform.machine()


def flags() -> frozenset[str]:
    """Return the names that Linux has for its sets of instructions; none on another system."""
    return frozenset((_line("flags") or _line("Features")).split())  # x86, or Arm


def _line(key: str) -> str:
    """Return what the system says of the first core under a key, "" where it says nothing."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system
        return ""
    found = re.search(rf"^{key}[ \t]*:[ \t]*(.+)$", text, re.MULTILINE)
    return found[1] if found else ""
