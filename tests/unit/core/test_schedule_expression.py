"""When schedules fire, time zones and summer time among it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from medallion_cli.local.services.schedule_expression import next_fire


def fires(
    expression: str, after: str, zone: str = "UTC", anchor: str = "2026-01-01T00:00:00+00:00"
) -> str | None:
    found = next_fire(expression, datetime.fromisoformat(after), datetime.fromisoformat(anchor), zone)
    return found.astimezone(UTC).isoformat() if found else None


@pytest.mark.parametrize(
    ("expression", "after", "zone", "expected"),
    [
        ("rate(15 minutes)", "2026-01-01T00:15:00+00:00", "UTC", "2026-01-01T00:30:00+00:00"),
        ("rate(1 minute)", "2026-01-01T00:00:30+00:00", "UTC", "2026-01-01T00:01:00+00:00"),
        ("cron(0 3 * * ? *)", "2026-07-01T00:30:00+00:00", "Europe/Berlin", "2026-07-01T01:00:00+00:00"),
        ("cron(0 3 * * ? *)", "2026-12-01T00:30:00+00:00", "Europe/Berlin", "2026-12-01T02:00:00+00:00"),
        ("cron(0/20 9-10 ? * MON-FRI *)", "2026-11-20T10:41:00+00:00", "UTC", "2026-11-23T09:00:00+00:00"),
        ("cron(0 0 L 2 ? *)", "2026-11-23T00:00:00+00:00", "UTC", "2027-02-28T00:00:00+00:00"),
        ("cron(30 2 * * ? *)", "2026-03-28T12:00:00+00:00", "Europe/Berlin", "2026-03-30T00:30:00+00:00"),
        (
            "at(2026-12-24T18:00:00)",
            "2026-11-23T00:00:00+00:00",
            "Europe/Berlin",
            "2026-12-24T17:00:00+00:00",
        ),
        ("at(2020-01-01T00:00:00)", "2026-11-23T00:00:00+00:00", "UTC", None),
    ],
)
def test_next_time(expression: str, after: str, zone: str, expected: str | None) -> None:
    assert fires(expression, after, zone) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)",
        "rate(5)",
        "every day",
        "cron(0 3 * * * *)",
        "cron(61 3 * * ? *)",
        "cron(0 3 * ? *)",
        "cron(0 0 ? * 6#2 *)",
    ],
)
def test_what_is_not_an_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="Invalid Schedule Expression"):
        fires(expression, "2026-01-01T00:00:00+00:00")
