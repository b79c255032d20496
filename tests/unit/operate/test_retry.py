"""`retry`: redriven where Step Functions can, anew where it can't, and nothing where nothing failed."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from clock import Clock, stopped
from fake_environment import OUTPUTS, Document, Environment

from medallion_cli.aws.orchestration import _failure
from medallion_cli.errors import AwsError, MedallionError, UsageError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.operations import replicate, retry, run, source_database

T = TypeVar("T")
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
INPUT = {"layers": ["silver", "gold"], "tables": "all", "models": "all", "full": "false"}


class Runs(Environment):
    """Executions by name; one that is started or redriven ends well at the next look."""

    def __init__(self, *runs: tuple[str, str], **more: Any) -> None:
        super().__init__()
        self.runs: dict[str, Document] = {}
        for number, (name, status) in enumerate(runs):
            self.runs[name] = self._made(name, status, EARLY + timedelta(hours=number), INPUT)
            self.runs[name].update(more)
        self.states = ["Bronze to silver"]

    @staticmethod
    def _made(name: str, status: str, at: datetime, given: Document) -> Document:
        ended = {} if status == "RUNNING" else {"stopDate": at + timedelta(minutes=1)}
        redrivable = status in ("FAILED", "ABORTED", "TIMED_OUT")
        return {
            "executionArn": f"arn:{name}",
            "stateMachineArn": "arn:machine",
            "name": name,
            "status": status,
            "startDate": at,
            "input": json.dumps(given),
            "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
            **ended,
        }

    def _list_executions(self, given: Document) -> Document:
        wanted = given.get("statusFilter")
        shown = ("executionArn", "stateMachineArn", "name", "status", "startDate")
        found = [r for r in self.runs.values() if wanted in (None, r["status"])]
        return {"executions": [{k: r[k] for k in shown} for r in reversed(found)]}

    def _describe_execution(self, given: Document) -> Document:
        told = dict(self.runs[given["executionArn"].removeprefix("arn:")])
        if told["status"] == "RUNNING":
            self.runs[told["name"]]["status"] = "SUCCEEDED"
        return told

    def _get_execution_history(self, given: Document) -> Document:
        events = [
            {"id": n, "type": "TaskStateEntered", "timestamp": EARLY, "stateEnteredEventDetails": {"name": s}}
            for n, s in enumerate(self.states, 1)
        ]
        return {"events": list(reversed(events)) if given.get("reverseOrder") else events}

    def _redrive_execution(self, given: Document) -> Document:
        self.runs[given["executionArn"].removeprefix("arn:")]["status"] = "RUNNING"
        self.states.append("Silver to gold")
        return {"redriveDate": EARLY}

    def _start_execution(self, given: Document) -> Document:
        self.runs[given["name"]] = self._made(given["name"], "RUNNING", EARLY, json.loads(given["input"]))
        return {"executionArn": f"arn:{given['name']}", "startDate": EARLY}

    def _get_object(self, given: Document) -> Document:
        raise AwsError("NoSuchKey", given["Key"])

    def client(self, service: str) -> Any:
        client = super().client(service)
        pages = lambda name: _Pages(getattr(client, name))  # noqa: E731
        object.__setattr__(client, "get_paginator", pages)
        return client


class _Pages:
    def __init__(self, call: Any) -> None:
        self.paginate = lambda **given: [call(**given)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, replicate, source_database, run, retry)


def retried(environment: Runs, name: str | None = None) -> tuple[list[Event], retry.Retried]:
    target: Any = environment
    outputs = OUTPUTS | {"ArtifactsBucket": "artifacts"}
    return ended(retry.retry(target, outputs, target.settings, name))


def ended(steps: Generator[Event, None, T]) -> tuple[list[Event], T]:
    events: list[Event] = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as stop:
            return events, stop.value


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_the_last_run_is_redriven_and_only_what_it_does_now_is_shown(clock: Clock, status: str) -> None:
    environment = Runs(("run-1", "FAILED"), ("run-2", status))
    events, found = retried(environment)
    assert (found.run_id, found.how) == ("run-2", "redriven")
    assert found.document["status"] == "SUCCEEDED"
    assert [e for e in events if isinstance(e, Started | Finished)] == [
        Started("Silver to gold"),
        Finished("Silver to gold"),
    ]
    assert environment.runs["run-1"]["status"] == "FAILED"


@pytest.mark.parametrize("name", [None, "run-2"])
def test_a_run_that_succeeded_is_left_alone(clock: Clock, name: str | None) -> None:
    environment = Runs(("run-1", "FAILED"), ("run-2", "SUCCEEDED"))
    events, found = retried(environment, name)
    assert (found.how, events, environment.asked) == ("nothing", [], [])
    assert found.document["retried"] == "run-2"


def test_a_run_in_flight_is_followed(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"), ("run-2", "RUNNING"))
    assert retried(environment)[1].how == "attached"
    assert environment.asked == []


def test_one_that_cannot_be_redriven_is_started_anew_with_the_same_input(clock: Clock) -> None:
    reason = {
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution redrivable period exceeded",
    }
    environment = Runs(("run-1", "FAILED"), **reason)
    events, found = retried(environment)
    assert found.how == "anew"
    (new,) = environment.runs.keys() - {"run-1"}
    assert json.loads(environment.runs[new]["input"]) == INPUT
    told = f"run-1 cannot be redriven (Execution redrivable period exceeded): the same anew, as {new}"
    assert Noted(told) in events


def test_a_refused_redrive_is_started_anew(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"))
    environment.refusals["stepfunctions.redrive_execution"] = AwsError("ExecutionNotRedrivable", "too long")
    assert retried(environment)[1].how == "anew"


def test_a_machine_of_before_that_would_fail_again_is_started_anew(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"))
    failed = {"id": 9, "type": "FailStateEntered", "timestamp": EARLY}
    environment._get_execution_history = lambda _: {"events": [failed]}  # type: ignore[method-assign]
    assert retried(environment)[1].how == "anew"


def test_housekeeping_that_succeeded_does_not_hide_a_failed_run(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"), ("run-2", "SUCCEEDED"))
    environment.runs["run-2"]["input"] = json.dumps({"layers": ["housekeeping"]})
    assert retried(environment)[1].run_id == "run-1"


def test_replication_that_was_stopped_is_started_first(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"))
    environment.task = "stopped"
    retried(environment)
    assert environment.asked.index("start_replication_task") < environment.asked.index("redrive_execution")


def test_what_step_functions_tells_late_is_not_taken_for_another_failure(clock: Clock) -> None:
    """DescribeExecution is eventually consistent: right after a redrive it may still tell the failure of before."""
    environment = Runs(("run-1", "FAILED"))
    late = [dict(environment.runs["run-1"]) for _ in range(4)]
    describe = environment._describe_execution

    def told(given: Document) -> Document:
        was_redriven = environment.states[-1] == "Silver to gold"
        return late.pop() if was_redriven and late else describe(given)

    environment._describe_execution = told  # type: ignore[method-assign]
    assert retried(environment)[1].document["status"] == "SUCCEEDED"


def test_a_failure_is_read_from_what_step_functions_tells_of_an_expression() -> None:
    told = (
        "An error occurred while executing the state 'Is it retried' (entered at the event id #42). The JSONata expression "
        "'$states.context.Execution.RedriveCount > $redrives ? true : $error($string({'Error': $failure.Error}))' specified "
        'for the field \'Choices[0]/Condition\' threw an error during evaluation. D3137: {"Error":"Medallion.X","Cause":"{a}"}'
    )
    for after in ("", " {state}", "'}"):
        assert _failure("States.QueryEvaluationError", told + after) == ("Medallion.X", "{a}")
    assert _failure("States.QueryEvaluationError", "T2001: no") == (
        "States.QueryEvaluationError",
        "T2001: no",
    )
    assert _failure("Glue.X", told) == ("Glue.X", told)


def test_unknown_and_no_runs_are_wrong_usage(clock: Clock) -> None:
    with pytest.raises(UsageError, match="no run 'run-9'"):
        retried(Runs(("run-1", "FAILED")), "run-9")
    with pytest.raises(UsageError, match="nothing has run yet"):
        retried(Runs())


def test_one_that_fails_again_says_what_to_do(clock: Clock) -> None:
    environment = Runs(("run-1", "FAILED"))
    environment._redrive_execution = lambda _: {"redriveDate": EARLY}  # type: ignore[method-assign]
    with pytest.raises(MedallionError, match="run-1 failed") as failure:
        retried(environment)
    assert failure.value.hint == "medallion retry"


@pytest.mark.parametrize("between", [{}, INPUT])
def test_a_run_that_gave_way_to_one_that_came_between_is_no_success(clock: Clock, between: Document) -> None:
    """The schedule's is waited for, the same of somebody else attached to."""
    environment = Runs()
    start = environment._start_execution

    def started(given: Document) -> Document:
        found = start(given)
        if len(environment.runs) == 1:
            environment.runs[given["name"]]["output"] = '{"status": "skipped"}'
            environment.runs["run-2"] = environment._made("run-2", "RUNNING", EARLY, between)
        return found

    environment._start_execution = started  # type: ignore[method-assign]
    target: Any = environment
    plan = run.RunPlan(("silver", "gold"), (), ())
    outputs = OUTPUTS | {"ArtifactsBucket": "artifacts"}
    events, result = ended(run.run(target, outputs, target.settings, plan))
    gave_way, *others = environment.runs
    assert Noted(f"{gave_way} gave way to another run") in events
    assert (others[0], len(others)) == ("run-2", 1 if between else 2)
    assert result.run_id == others[-1]
