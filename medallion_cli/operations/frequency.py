"""How often a schedule fires: EventBridge Scheduler's rate() and cron(), as an average over time."""

from __future__ import annotations

import re
from datetime import timedelta

MINUTES = {"minute": 1, "hour": 60, "day": 1440}
# the fields of cron() and how many values each has
FIELDS = {"minute": 60, "hour": 24, "day": 31, "month": 12, "weekday": 7}


def times_an_hour(expression: str) -> float:
    """Times an hour; at() and what can't be read count nothing."""
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip()):
        return 60 / (int(match[1]) * MINUTES[match[2]]) if int(match[1]) else 0.0
    if match := re.fullmatch(r"cron\(([^)]+)\)", expression.strip()):
        parts = match[1].split()
        share = 1.0
        for part, (name, size) in zip(parts, FIELDS.items(), strict=False):
            share *= _values(part, size) / size if name != "minute" else _values(part, size)
        return share
    return 0.0


def longest_wait(expression: str) -> timedelta | None:
    """Within which it fires at least once; None of at(), of a cron() for some years, and of what can't be read."""
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip()):
        return timedelta(minutes=int(match[1]) * MINUTES[match[2]])
    match = re.fullmatch(r"cron\(([^)]+)\)", expression.strip())
    fields = match[1].split() if match else []
    if len(fields) != 6 or fields[5] != "*":
        return None
    _, hour, day, month, weekday, _ = (field not in ("*", "?") for field in fields)
    return timedelta(days=366 if month else 31 if day else 7 if weekday else 1 if hour else 1 / 24)


def _values(field: str, size: int) -> float:
    """How many of a field's values it names."""
    if field in ("*", "?"):
        return size
    return min(size, sum(_value(part, size) for part in field.split(",")))


def _value(part: str, size: int) -> float:
    base, _, step = part.partition("/")
    low, _, high = base.partition("-")
    if high and low.isdigit() and high.isdigit():
        count: float = int(high) - int(low) + 1
    elif high:  # MON-FRI
        days = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
        count = (days.index(high) - days.index(low)) % 7 + 1 if {low, high} <= set(days) else 1
    else:
        count = 1 if not step else size - (int(base) if base.isdigit() else 0)
    return count / int(step) if step.isdigit() and int(step) else count
