"""Lengths of time as people write them (`90s`, `30 min`, `1.5h`, `2 d`), and as they are told."""

from __future__ import annotations

import re

UNITS = {
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
    "w": 604800,
}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def seconds(text: str | float) -> float:
    """`1h` → 3600; a bare number is seconds. ValueError for what is no length of time."""
    found = _TEXT.fullmatch(str(text))
    unit = found[2].lower() or "s" if found else ""
    if found is None or unit not in UNITS:
        raise ValueError(f"{text!r} is no length of time: write 90s, 30min, 1h or 2d")
    return float(found[1]) * UNITS[unit]


def told(length: float | None) -> str | None:
    """`95 s`, `12 min`, `5 h`, `3 d`; None of None."""
    if length is None:
        return None
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if length >= 2 * size:
            return f"{length / size:.0f} {unit}"
    return f"{length:.0f} s"
