"""`replicate start`: start or resume by the task's state; a source that is not there is told within seconds."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Environment

from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import replicate, source_database


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database)


@pytest.fixture
def environment() -> Environment:
    return Environment()


def start(environment: Environment) -> list[Event]:
    target: Any = environment
    return list(replicate.start(target, OUTPUTS, target.settings))


@pytest.mark.parametrize(("started", "how"), [(False, "started"), (True, "resumed")])
def test_the_first_start_is_another_than_the_later_ones(
    environment: Environment, clock: Clock, started: bool, how: str
) -> None:
    environment.task, environment.started = ("stopped" if started else "ready"), started
    assert how in str(start(environment))
    assert environment.task == "running"


def test_a_running_task_is_not_started_again(environment: Environment, clock: Clock) -> None:
    start(environment)
    assert "start_replication_task" not in environment.asked


@pytest.mark.parametrize("status", ["stopped", "failed", "storage-full"])
def test_a_source_that_is_down_is_an_error_at_once(
    environment: Environment, clock: Clock, status: str
) -> None:
    environment.task, environment.database, environment.reason = "stopped", status, "no space"
    with pytest.raises(MedallionError, match=f"source database shop-source is {status}: no space"):
        start(environment)
    assert clock.now < 1
    assert environment.asked == []


def test_a_source_on_its_way_is_waited_for_and_named(environment: Environment, clock: Clock) -> None:
    environment.task, environment.database = "stopped", "starting"
    assert Noted("waiting for the source database shop-source: starting") in start(environment)
    assert environment.task == "running"


def test_a_source_that_refuses_connections_is_an_error_before_the_start(
    environment: Environment, clock: Clock
) -> None:
    environment.task, environment.source_error = "stopped", "the source at h:3306 refused the connection"
    with pytest.raises(MedallionError, match="refused the connection"):
        start(environment)
    assert environment.asked == ["invoke"]


def test_a_source_that_hangs_is_an_error_within_seconds(
    environment: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    monkeypatch.setattr(source_database, "ANSWER_SECONDS", 0.2)

    def hang(given: Any) -> Any:
        never.wait(20)
        raise AwsError("TooLate", "nobody waits any more")

    monkeypatch.setattr(environment, "_invoke", hang)
    environment.task = "stopped"
    with pytest.raises(MedallionError, match="does not answer"):
        start(environment)
    never.set()


def test_a_load_that_stands_still_says_what_it_waits_for(environment: Environment, clock: Clock) -> None:
    environment.tables, environment.source_error = [], "the source at h:3306 refused the connection"
    with pytest.raises(MedallionError, match=r"full load stands still: .*refused the connection"):
        start(environment)
    assert clock.now < 60


def test_a_load_that_stands_still_though_the_source_answers_goes_on(
    environment: Environment, clock: Clock
) -> None:
    environment.tables = []
    steps = replicate.start(environment, OUTPUTS, environment.settings)  # type: ignore[arg-type]
    told = []
    for event in steps:
        told.append(event)
        if clock.now > 200:
            environment.tables = [("shop", "orders", "Table completed", 5)]
    assert "5 rows of 1 tables" in str(told[-1])
    assert environment.asked.count("source:reachable") < 6


def test_a_load_tells_each_table_with_its_rate(environment: Environment, clock: Clock) -> None:
    environment.tables = [("shop", "orders", "Full load", 3), ("shop", "items", "Before load", 0)]
    began, loaded = datetime(2026, 1, 1), {"FullLoadRows": 50, "TableState": "Table completed"}
    times = {"FullLoadStartTime": began, "FullLoadEndTime": began + timedelta(seconds=5)}
    told: list[Event] = []
    for event in replicate.start(environment, OUTPUTS, environment.settings):  # type: ignore[arg-type]
        told.append(event)
        if clock.now > 10:
            environment.statistics = {"orders": loaded | times, "items": loaded}
    parts = [event for event in told if getattr(event, "within", "") == "full load"]
    assert parts == [
        Started("orders", "full load"),
        Finished("orders", "50 rows, 10 a second", "full load", kept=True),
        Started("items", "full load"),
        Finished("items", "50 rows", "full load", kept=True),
    ]
    assert told[-1] == Finished("full load", "100 rows of 2 tables")


def test_a_task_that_starts_slowly_is_shown(
    environment: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.task = "stopped"
    looks = iter(range(8))

    def slowly(given: Any) -> Any:
        starting = environment.task == "starting" and next(looks, None) is not None
        environment.task = "starting" if starting else environment.task.replace("starting", "running")
        return {"ReplicationTasks": [{"Status": environment.task}]}

    monkeypatch.setattr(environment, "_describe_replication_tasks", slowly)
    environment.started = False
    told = [event for event in start(environment) if isinstance(event, Progressed)]
    assert told[0].unit == "s, starting"


def test_a_task_that_fails_says_why(environment: Environment, clock: Clock) -> None:
    environment.tables, environment.task = [], "running"
    environment.message = "Last Error gone"
    steps = replicate.start(environment, OUTPUTS, environment.settings)  # type: ignore[arg-type]
    next(steps)
    environment.task = "failed"
    with pytest.raises(MedallionError, match="replication is failed: Last Error gone"):
        list(steps)


@pytest.mark.parametrize("stage", ["before the folder", "before the start", "before the mark went"])
def test_a_reload_that_was_interrupted_goes_on_and_never_mixes_generations(
    environment: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    calls = {
        "before the folder": "_modify_endpoint",
        "before the start": "_start_replication_task",
        "before the mark went": "_delete_parameter",
    }
    target: Any = environment
    with monkeypatch.context() as patched:
        patched.setattr(environment, calls[stage], interrupt)
        with pytest.raises(KeyboardInterrupt):
            list(replicate.reload(target, OUTPUTS, target.settings))
    list(replicate.reload(target, OUTPUTS, target.settings))
    assert environment.generation == "g0002"
    assert environment.starts == ["reload-target"]
    assert "/shop/applied/reloading" not in environment.parameters


def test_a_start_after_an_interrupted_reload_loads_the_new_generation(
    environment: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    target: Any = environment
    with monkeypatch.context() as patched:
        patched.setattr(environment, "_start_replication_task", interrupt)
        with pytest.raises(KeyboardInterrupt):
            list(replicate.reload(target, OUTPUTS, target.settings))
    start(environment)
    assert environment.starts == ["reload-target"]


def interrupt(given: Any) -> Any:
    raise KeyboardInterrupt


def test_a_table_that_is_given_up_while_bronze_is_waited_for_is_no_success(
    environment: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    target: Any = environment
    seen = replicate.Replication.tables

    def given_up(self: Any) -> Any:
        return [replace(table, state="Table error") for table in seen(self)]

    def wait(*_: object) -> None:
        monkeypatch.setattr(replicate.Replication, "tables", given_up)

    monkeypatch.setattr(replicate, "await_now", wait)
    with pytest.raises(MedallionError, match=r"replication of \w+: Table error"):
        list(replicate.catch_up(target, OUTPUTS, target.settings))
