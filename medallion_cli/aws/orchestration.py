"""Step Functions: executions of the one state machine."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

ENDED = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")

NO = "NOT_REDRIVABLE"


@dataclass(frozen=True)
class Execution:
    """One execution and the id of its run."""

    run_id: str
    arn: str
    status: str  # RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
    started_at: datetime
    stopped_at: datetime | None
    input: dict[str, Any]
    output: dict[str, Any]
    error: str
    cause: str
    redrives: int = 0
    refused: str = ""  # why it cannot be redriven; empty when it can

    @property
    def seconds(self) -> float:
        """How long it took (so far)."""
        end = self.stopped_at or datetime.now(self.started_at.tzinfo)
        return (end - self.started_at).total_seconds()

    @property
    def gave_way(self) -> bool:
        """Whether it ended at once, since another one was in flight."""
        return bool(self.output.get("status") == "skipped")


@dataclass(frozen=True)
class Brief:
    """One execution as a list of them shows it."""

    run_id: str
    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None

    @property
    def seconds(self) -> float:
        """How long it took (so far)."""
        end = self.stopped_at or datetime.now(self.started_at.tzinfo)
        return (end - self.started_at).total_seconds()


@dataclass(frozen=True)
class Span:
    """A state of an execution, from entering to leaving it; `ended` None while it is in it."""

    state: str
    began: datetime
    ended: datetime | None


class StateMachine:
    """The state machine of one environment."""

    def __init__(self, target: Target, outputs: dict[str, str]) -> None:
        self.client = target.client("stepfunctions")
        self.arn = outputs["StateMachineArn"]

    def start(self, run_id: str, document: dict[str, str | list[str]]) -> str:
        """Starts a run; the execution's ARN."""
        started = self.client.start_execution(
            stateMachineArn=self.arn, name=run_id, input=json.dumps(document, sort_keys=True)
        )
        return str(started["executionArn"])

    def execution(self, arn: str) -> Execution:
        """One execution."""
        return _execution(self.client.describe_execution(executionArn=arn))

    def running(self) -> list[Execution]:
        """Those in flight, oldest first."""
        found = self.client.list_executions(stateMachineArn=self.arn, statusFilter="RUNNING")["executions"]
        return sorted((self.execution(e["executionArn"]) for e in found), key=lambda e: e.started_at)

    def last(self) -> Execution | None:
        """The newest one."""
        found = self.client.list_executions(stateMachineArn=self.arn, maxResults=100)["executions"]
        newest = max(found, key=lambda e: e["startDate"], default=None)
        return self.execution(newest["executionArn"]) if newest else None

    def recent(self, limit: int = 100) -> list[Brief]:
        """The newest executions, newest first."""
        found = self.client.list_executions(stateMachineArn=self.arn, maxResults=limit)["executions"]
        briefs = [
            Brief(
                run_id(e["name"], e["startDate"]),
                e["executionArn"],
                e["status"],
                e["startDate"],
                e.get("stopDate"),
            )
            for e in found
        ]
        return sorted(briefs, key=lambda brief: brief.started_at, reverse=True)

    def spans(self, arn: str) -> list[Span]:
        """The states of an execution in the order in which they were entered; those of a Map one by one."""
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return _spans([event for page in pages for event in page["events"]])

    def entered(self, arn: str, after: int = 0) -> list[tuple[int, str]]:
        """(event id, state) of the states entered after event `after`, in order."""
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [
            (event["id"], event["stateEnteredEventDetails"]["name"])
            for page in pages
            for event in page["events"]
            if event["id"] > after and "stateEnteredEventDetails" in event
        ]

    def newest(self) -> Iterator[Execution]:
        """The newest ones, newest first; no more than a page of them."""
        found = self.client.list_executions(stateMachineArn=self.arn, maxResults=100)["executions"]
        newest = sorted(found, key=lambda e: e["startDate"], reverse=True)
        return (self.execution(e["executionArn"]) for e in newest)

    def latest(self) -> Execution | None:
        """The newest one that did not give way to another."""
        return next((one for one in self.newest() if not one.gave_way), None)

    def good(self) -> Execution | None:
        """The newest one through the layers that succeeded."""
        good = (one for one in self.newest() if one.status == "SUCCEEDED" and not one.gave_way)
        return next((one for one in good if "housekeeping" not in one.input.get("layers", [])), None)

    def events(self, arn: str) -> list[tuple[int, str]]:
        """(event id, kind) of the newest few events, newest first."""
        found = self.client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=10)
        return [(event["id"], event["type"]) for event in found["events"]]

    def redrive(self, arn: str) -> None:
        """Goes on with an execution that failed, from the state in which it did; AwsError when it can't be."""
        self.client.redrive_execution(executionArn=arn, clientToken=secrets.token_hex(16))

    def named(self, name: str) -> Execution | None:
        """The newest execution whose run has this id; None when there is none."""
        pages = self.client.get_paginator("list_executions").paginate(stateMachineArn=self.arn)
        found = (e for page in pages for e in page["executions"])
        one = next((e for e in found if name in (e["name"], run_id(e["name"], e["startDate"]))), None)
        return self.execution(one["executionArn"]) if one else None

    def stop(self, arn: str, cause: str) -> None:
        """Aborts an execution."""
        self.client.stop_execution(executionArn=arn, error="Medallion.Stopped", cause=cause)


def _spans(events: list[dict[str, Any]]) -> list[Span]:
    open_: dict[str, list[int]] = {}
    found: list[Span] = []
    for event in events:
        at = event["timestamp"]
        if "stateEnteredEventDetails" in event:
            open_.setdefault(event["stateEnteredEventDetails"]["name"], []).append(len(found))
            found.append(Span(event["stateEnteredEventDetails"]["name"], at, None))
        elif "stateExitedEventDetails" in event:
            waiting = open_.get(event["stateExitedEventDetails"]["name"])
            if waiting:
                place = waiting.pop(0)
                found[place] = replace(found[place], ended=at)
        elif event["type"] in ENDED:
            found = [span if span.ended else replace(span, ended=at) for span in found]
    return found


def run_id(name: str, started: datetime) -> str:
    """The execution's name; where the scheduler chose it, one that sorts by time (as state_machine.yaml makes it)."""
    if name.startswith("run-"):
        return name
    return f"run-{started.astimezone(UTC):%Y%m%dT%H%M%S}Z-{name[:4]}"


def _execution(found: dict[str, Any]) -> Execution:
    error, cause = _failure(found.get("error", ""), found.get("cause", ""))
    return Execution(
        run_id=run_id(found["name"], found["startDate"]),
        arn=found["executionArn"],
        status=found["status"],
        started_at=found["startDate"],
        stopped_at=found.get("stopDate"),
        input=json.loads(found.get("input") or "{}"),
        output=json.loads(found.get("output") or "{}"),
        error=error,
        cause=cause,
        redrives=found.get("redriveCount", 0),
        refused=found.get("redriveStatusReason", "") or NO if found.get("redriveStatus") == NO else "",
    )


def _failure(error: str, cause: str) -> tuple[str, str]:
    """What a run failed of: state_machine.yaml fails in an expression that tells it as JSON, among other words."""
    begins = cause.find('{"Error":') if error == "States.QueryEvaluationError" else -1
    try:
        told = json.JSONDecoder().raw_decode(cause, begins)[0] if begins >= 0 else None
    except ValueError:
        told = None
    return (str(told["Error"]), str(told.get("Cause", ""))) if told else (error, cause)
