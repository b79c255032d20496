"""When things happen: growth over the years, the season, the weekday and the hour.

Instants are microseconds since 1970-01-01 UTC, as in the source's DATETIME(6).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(instant: datetime) -> int:
    """Microseconds since the epoch; a naive instant is UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


@cache
def day_text(day: int) -> str:
    """`YYYY-MM-DD` of a day since the epoch."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


@cache
def clock_text(second: int) -> str:
    """`HH:MM:SS` of a second of the day."""
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def instant_text(instant: int, digits: int = 6) -> str:
    """`YYYY-MM-DD HH:MM:SS[.ffffff]` with `digits` of the second's fraction."""
    seconds, fraction = divmod(instant, SECOND)
    day, second = divmod(seconds, 86400)
    text = f"{day_text(day)} {clock_text(second)}"
    return f"{text}.{fraction:06d}"[: 20 + digits] if digits else text


@dataclass(frozen=True)
class History:
    """The span that rows are spread over; `edges[i]` is the share of everything that happened before day i
    ended.
    """

    start: int
    end: int
    hours: tuple[float, ...]
    edges: tuple[float, ...] = field(repr=False)

    @classmethod
    def of(
        cls,
        start: int,
        end: int,
        *,
        growth: float,
        months: Sequence[float],
        weekdays: Sequence[float],
        hours: Sequence[float],
    ) -> History:
        """A day weighs (from 1 up to `growth` on the last) times its month's and weekday's weight."""
        days = max(1, (end - start) // DAY)
        weights = []
        for number in range(days):
            moment = _EPOCH + timedelta(days=start // DAY + number)
            weights.append(growth ** (number / days) * months[moment.month - 1] * weekdays[moment.weekday()])
        total = sum(weights)
        return cls(start, end, tuple(hours), tuple(edge / total for edge in accumulate(weights)))

    def instants(self, quantiles: Sequence[float], rng: Random) -> list[int]:
        """One instant for each quantile (0 the first day, 1 the last), at a random hour of its day."""
        last = len(self.edges) - 1
        first_day = self.start // DAY * DAY
        hours = rng.choices(range(24), self.hours, k=len(quantiles))
        edges, draw = self.edges, rng.random
        return [
            first_day + min(bisect_right(edges, q), last) * DAY + hour * HOUR + int(draw() * HOUR)
            for q, hour in zip(quantiles, hours, strict=True)
        ]
