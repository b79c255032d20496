"""When a schedule fires: `rate(…)`, `cron(…)` and `at(…)` of EventBridge Scheduler.

Rules: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNITS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
HORIZON_DAYS = 366 * 5
LAST = "L"


@dataclass(frozen=True)
class Cron:
    """The values that each field allows; `last` is the last day of the month; None means any ("?" or "*")."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None  # 1 is Sunday
    years: frozenset[int]
    last: bool = False

    def on(self, day: date) -> bool:
        """Whether it fires on a day."""
        if day.year not in self.years or day.month not in self.months:
            return False
        if self.last:
            return day.day == calendar.monthrange(day.year, day.month)[1]
        weekday = day.isoweekday() % 7 + 1
        return (self.days is None or day.day in self.days) and (
            self.weekdays is None or weekday in self.weekdays
        )


def next_fire(expression: str, after: datetime, anchor: datetime, time_zone: str = "UTC") -> datetime | None:
    """The first time after `after`, in UTC; a rate counts from `anchor`. ValueError: not an expression."""
    zone = _zone(time_zone)
    kind, _, inside = expression.partition("(")
    if not inside.endswith(")"):
        raise ValueError(f"Invalid Schedule Expression {expression}.")
    text = inside[:-1].strip()
    match kind:
        case "rate":
            return _next_rate(text, after, anchor)
        case "at":
            moment = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
            return moment if moment > after else None
        case "cron":
            return next(_times(_cron(text), after, zone), None)
    raise ValueError(f"Invalid Schedule Expression {expression}.")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"Invalid Schedule Expression Timezone {name}.") from error


def _next_rate(text: str, after: datetime, anchor: datetime) -> datetime:
    match = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", text)
    if match is None:
        raise ValueError(f"Invalid Schedule Expression rate({text}).")
    step = int(match[1]) * UNITS[match[2]]
    passed = max((after - anchor).total_seconds(), 0.0)
    return anchor + timedelta(seconds=(int(passed // step) + 1) * step)


def _times(cron: Cron, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """In order; a time that a change to summer time skips is left out, a repeated one is taken once."""
    first = after.astimezone(zone).date()
    for number in range(HORIZON_DAYS):
        day = first + timedelta(days=number)
        if not cron.on(day):
            continue
        for hour in sorted(cron.hours):
            for minute in sorted(cron.minutes):
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                moment = local.astimezone(UTC)
                if moment > after and moment.astimezone(zone).hour == hour:
                    yield moment


def _cron(text: str) -> Cron:
    fields = text.split()
    if len(fields) != 6:
        raise ValueError(f"Invalid Schedule Expression cron({text}): it needs six fields.")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise ValueError(f"Invalid Schedule Expression cron({text}): one of the day fields must be '?'.")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        None if days in ("?", LAST) else _values(days, 1, 31),
        _values(months, 1, 12, MONTHS),
        None if weekdays == "?" else _values(weekdays, 1, 7, DAYS),
        _values(years, 1970, 2199),
        last=days == LAST,
    )


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else _number(first, names or {}, field)
        end = high if first == "*" or (step and not last) else _number(last or first, names or {}, field)
        if not low <= start <= end <= high or (step and not step.isdigit()) or step == "0":
            raise ValueError(f"Invalid Schedule Expression: {field} is not within {low}-{high}.")
        found |= set(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: dict[str, int], field: str) -> int:
    if text.upper() in names:
        return names[text.upper()]
    if not text.isdigit():
        raise ValueError(
            f"Invalid Schedule Expression: {field} (the embedded AWS has numbers, names, * , - / and L)."
        )
    return int(text)
