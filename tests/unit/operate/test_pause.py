"""`pause` and `resume`: what is stopped comes back as it was, twice is as good as once, any interruption goes on."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Environment

from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Noted
from medallion_cli.operations import pause as pausing
from medallion_cli.operations import paused, replicate, source_database
from medallion_cli.operations.paused import SMALLEST

CHANGING = [
    "_put_parameter",
    "_update_schedule",
    "_stop_replication_task",
    "_modify_replication_instance",
    "_stop_db_instance",
    "_start_db_instance",
    "_start_replication_task",
    "_delete_parameter",
]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database, pausing)


@pytest.fixture
def environment() -> Environment:
    return Environment()


def pause(environment: Environment) -> list[Event]:
    target: Any = environment
    return list(pausing.pause(target, OUTPUTS, target.settings))


def resume(environment: Environment) -> list[Event]:
    target: Any = environment
    return list(pausing.resume(target, OUTPUTS, target.settings))


def state(environment: Environment) -> tuple[object, ...]:
    on = tuple(name for name, value in environment.schedules.items() if value == "ENABLED")
    return (
        on,
        environment.task,
        environment.size,
        environment.database,
        paused.MARK in str(environment.parameters),
    )


RUNNING = (("shop-pipeline", "shop-housekeeping"), "running", "dms.t3.medium", "available", False)
PAUSED = ((), "stopped", SMALLEST, "stopped", True)


def test_all_that_can_be_stopped_is_and_comes_back_as_it_was(environment: Environment) -> None:
    pause(environment)
    assert state(environment) == PAUSED
    resume(environment)
    assert state(environment) == RUNNING
    assert environment.starts == ["resume-processing"]


def test_twice_is_as_good_as_once(environment: Environment) -> None:
    pause(environment)
    pause(environment)
    assert state(environment) == PAUSED
    resume(environment)
    resume(environment)
    assert state(environment) == RUNNING


def test_resuming_what_is_not_paused_changes_nothing(environment: Environment) -> None:
    resume(environment)
    assert environment.asked == []


def test_what_stood_still_before_stays_so(environment: Environment) -> None:
    environment.task = "stopped"
    environment.schedules = dict.fromkeys(environment.schedules, "DISABLED")
    before = state(environment)
    pause(environment)
    resume(environment)
    assert state(environment) == before
    assert environment.starts == []


@pytest.mark.parametrize("call", CHANGING)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("count", [0, 1])
def test_whatever_is_interrupted_the_same_command_goes_on(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, call: str, after: bool, count: int
) -> None:
    for command, wanted in ((pause, PAUSED), (resume, RUNNING)):
        with monkeypatch.context() as patched:
            patched.setattr(environment, call, interrupted(getattr(environment, call), after, count))
            with contextlib.suppress(KeyboardInterrupt):
                command(environment)
        command(environment)
        assert state(environment) == wanted


def interrupted(call: Any, after: bool, count: int) -> Any:
    seen: list[Any] = []

    def wrapper(given: Any) -> Any:
        seen.append(given)
        if len(seen) != count + 1:
            return call(given)
        if after:
            call(given)
        raise KeyboardInterrupt

    return wrapper


@pytest.mark.parametrize("call", CHANGING)
def test_a_pause_that_was_interrupted_can_be_resumed(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(environment, call, interrupted(getattr(environment, call), after=True, count=0))
        with contextlib.suppress(KeyboardInterrupt):
            pause(environment)
    resume(environment)
    assert state(environment) == RUNNING


def test_a_database_that_aws_started_again_is_stopped_again(environment: Environment) -> None:
    pause(environment)
    environment.database = "available"
    told = pause(environment)
    assert environment.database == "stopped"
    assert any("AWS starts it again after 7 days" in str(event) for event in told)


def test_an_instance_that_dms_does_not_shrink_is_told_and_the_rest_goes_on(environment: Environment) -> None:
    environment.refusals["dms.modify_replication_instance"] = AwsError(
        "InsufficientResourceCapacityFault", "none"
    )
    told = [str(event) for event in pause(environment) if isinstance(event, Noted)]
    assert any("stays dms.t3.medium and costs on" in text for text in told)
    assert environment.database == "stopped"
    resume(environment)
    assert state(environment) == RUNNING


def test_a_purged_binlog_is_told_with_the_command_and_nothing_pretends(environment: Environment) -> None:
    pause(environment)
    mark = json.loads(environment.parameters["/shop/applied/paused"])
    mark["since"] = (datetime.now(UTC) - timedelta(days=5)).isoformat()
    environment.parameters["/shop/applied/paused"] = json.dumps(mark)
    environment.binlogs = ["mysql-bin-changelog.000013"]
    with pytest.raises(
        MedallionError, match=r"stopped in mysql-bin-changelog.000012.*purged \(paused for 5.0 days"
    ) as told:
        resume(environment)
    assert told.value.hint == "medallion replicate reload, then: medallion resume"
    assert state(environment) == ((), "stopped", "dms.t3.medium", "available", True)
    assert environment.starts == []


def test_after_the_reload_that_was_asked_for_resume_ends_the_pause(environment: Environment) -> None:
    pause(environment)
    environment.binlogs = ["mysql-bin-changelog.000013"]
    with pytest.raises(MedallionError, match="loaded again"):
        resume(environment)
    target: Any = environment
    list(replicate.reload(target, OUTPUTS, target.settings))
    resume(environment)
    assert state(environment) == RUNNING
    assert environment.generation == "g0002"


def test_starting_replication_of_a_paused_environment_says_resume(environment: Environment) -> None:
    pause(environment)
    target: Any = environment
    with pytest.raises(MedallionError, match="shop is paused since") as told:
        list(replicate.start(target, OUTPUTS, target.settings))
    assert told.value.hint == "medallion resume"


def test_schedules_alone(environment: Environment) -> None:
    target: Any = environment
    assert [s.enabled for s in pausing.switch(target, OUTPUTS, enabled=False)] == [False] * 3
    assert [s.enabled for s in pausing.switch(target, OUTPUTS, enabled=True)] == [True] * 3
    assert environment.task == "running"


def test_schedules_of_a_paused_environment_are_not_switched_on(environment: Environment) -> None:
    pause(environment)
    target: Any = environment
    with pytest.raises(MedallionError, match="is paused"):
        pausing.switch(target, OUTPUTS, enabled=True)
    pausing.switch(target, OUTPUTS, enabled=False)
    resume(environment)
    assert set(environment.schedules.values()) == {"DISABLED"}


def test_what_was_done_is_told(environment: Environment) -> None:
    told = {event.step: event.detail for event in pause(environment) if isinstance(event, Finished)}
    assert told["schedules"] == "shop-pipeline, shop-housekeeping off"
    assert told["replication instance"] == "dms.t3.micro, the smallest; DMS stops none"


def test_where_replication_stopped_is_kept_since_dms_forgets_it_with_the_task(
    environment: Environment,
) -> None:
    pause(environment)
    assert environment.parameters["/shop/applied/checkpoint"] == f"g0001 {environment.checkpoint}"
