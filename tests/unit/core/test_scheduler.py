"""Schedules fire by an injected clock, once each, and go on after a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services.scheduler import Scheduler

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"


class Recording(Runtime):
    """Notes the calls that targets get."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, state / "cache", "us-east-1", "http://127.0.0.1:1", Credentials("a", "s"), {})
        self.calls: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append(params)
        return {}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **how: float) -> None:
        self.now += timedelta(**how)


def schedule(state: str = "ENABLED", expression: str = "rate(1 minute)") -> dict[str, Any]:
    target = {
        "Arn": MACHINE,
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "Input": '{"at":"<aws.scheduler.scheduled-time>"}',
    }
    window = {"Mode": "OFF"}
    return {
        "Name": "s",
        "ScheduleExpression": expression,
        "State": state,
        "Target": target,
        "FlexibleTimeWindow": window,
    }


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Recording, Clock, Scheduler]:
    runtime, clock = Recording(tmp_path), Clock()
    return runtime, clock, Scheduler(runtime, clock)


def test_a_rate_fires_once_an_interval(parts: tuple[Recording, Clock, Scheduler]) -> None:
    runtime, clock, scheduler = parts
    scheduler.create_schedule(schedule())
    for _ in range(5):
        clock.forward(seconds=30)
        scheduler.tick()
        scheduler.tick()
    assert [call["input"] for call in runtime.calls] == [
        '{"at":"2026-01-01T00:01:00Z"}',
        '{"at":"2026-01-01T00:02:00Z"}',
    ]


def test_a_disabled_schedule_fires_once_it_is_enabled(parts: tuple[Recording, Clock, Scheduler]) -> None:
    runtime, clock, scheduler = parts
    scheduler.create_schedule(schedule("DISABLED"))
    clock.forward(minutes=10)
    scheduler.tick()
    assert runtime.calls == []
    scheduler.update_schedule(schedule("ENABLED"))
    clock.forward(minutes=1)
    scheduler.tick()
    assert len(runtime.calls) == 1


def test_what_was_missed_is_skipped_and_the_rhythm_kept(parts: tuple[Recording, Clock, Scheduler]) -> None:
    runtime, clock, scheduler = parts
    scheduler.create_schedule(schedule())
    clock.forward(minutes=7, seconds=30)
    after = Scheduler(runtime, clock)
    after.start()
    after.stop()
    after.tick()
    assert runtime.calls == []
    clock.forward(seconds=30)
    after.tick()
    assert [call["input"] for call in runtime.calls] == ['{"at":"2026-01-01T00:08:00Z"}']


def test_a_bad_expression_changes_nothing(parts: tuple[Recording, Clock, Scheduler]) -> None:
    _, _, scheduler = parts
    scheduler.create_schedule(schedule())
    with pytest.raises(ServiceError, match="ValidationException"):
        scheduler.update_schedule(schedule(expression="rate(0 minutes)"))
    assert scheduler.get_schedule({"Name": "s"})["ScheduleExpression"] == "rate(1 minute)"


def test_deleting_a_group_takes_its_schedules_along(parts: tuple[Recording, Clock, Scheduler]) -> None:
    _, _, scheduler = parts
    scheduler.create_schedule_group({"Name": "g"})
    scheduler.create_schedule({**schedule(), "GroupName": "g"})
    scheduler.delete_schedule_group({"Name": "g"})
    assert scheduler.list_schedules({})["Schedules"] == []
