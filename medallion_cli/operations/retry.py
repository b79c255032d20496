"""Retry: a failed run once more; redriven under its own id where Step Functions can, else its input is started anew.

A redrive goes on from the state in which an aborted run was, and from the beginning of one that failed; what a run has done
is found to be done (files by name, merges by their positions), so that a retry repeats work but never rows.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.orchestration import Execution, StateMachine
from medallion_cli.errors import AwsError, UsageError
from medallion_cli.events import Event, Noted
from medallion_cli.operations import paused, replicate
from medallion_cli.operations import run as runs

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

# Step Functions enters a Fail state that failed again, and fails again: machines deployed before `Is it retried`.
DEAD_END = "FailStateEntered"
LOOKS, PAUSE = (
    30,
    0.5,
)  # until DescribeExecution, which is eventually consistent, knows of a redrive; seconds between


@dataclass(frozen=True)
class Retried:
    """What became of a run that was to be retried; `result` is None when there was nothing to do."""

    run_id: str
    how: str  # redriven, anew, attached, nothing
    result: runs.RunResult | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The documented JSON: that of `run`, and how it came about."""
        nothing = {"run_id": self.run_id, "status": "SUCCEEDED", "seconds": 0.0, "tables": []}
        return {"retried": self.run_id, "how": self.how, **(self.result.document if self.result else nothing)}


def retry(
    target: Target, outputs: dict[str, str], settings: Settings, run_id: str | None
) -> Generator[Event, None, Retried]:
    """Retries `run_id` (default: the newest run); one in flight is attached to, one that succeeded is left alone."""
    machine, began = StateMachine(target, outputs), time.monotonic()
    execution = find(machine, run_id)
    if execution.status == "SUCCEEDED":
        return Retried(execution.run_id, "nothing")
    if execution.status == "RUNNING":
        yield Noted(f"{execution.run_id} is in flight since {execution.started_at:%H:%M:%S}")
        result = yield from runs.attend(target, outputs, settings, execution, began=began, tables=[])
        return Retried(execution.run_id, "attached", result)
    paused.refuse(target)
    if "silver" in execution.input.get("layers", ["silver"]):
        yield from replicate.start(target, outputs, settings)
    yield from runs.idle(target, outputs, settings)
    how, again, seen = yield from _again(machine, machine.execution(execution.arn))
    result = yield from runs.attend(target, outputs, settings, again, began=began, tables=[], seen=seen)
    return Retried(execution.run_id, how, result)


def find(machine: StateMachine, run_id: str | None) -> Execution:
    """The run of this id, or the newest one, of layers before housekeeping; UsageError when there is none."""
    if run_id is not None:
        named = machine.named(run_id)
        if named is None:
            raise UsageError(f"no run {run_id!r} among those that are kept", hint="medallion runs")
        return named
    newest: dict[bool, Execution] = {}
    for execution in machine.newest():
        if not execution.gave_way:
            newest.setdefault("housekeeping" in execution.input.get("layers", []), execution)
        if len(newest) == 2:
            break
    if not newest:
        raise UsageError("nothing has run yet", hint="medallion run")
    found = [newest[kind] for kind in (False, True) if kind in newest]
    return next((one for one in found if one.status != "SUCCEEDED"), found[0])


def _again(machine: StateMachine, execution: Execution) -> Generator[Event, None, tuple[str, Execution, int]]:
    """Starts it: (how, the execution to follow, the last event of what it did before)."""
    refused = refusal(machine, execution)
    if not refused:
        before = max((event for event, _ in machine.events(execution.arn)), default=0)
        try:
            machine.redrive(execution.arn)
        except AwsError as error:
            if error.code != "ExecutionNotRedrivable":
                raise
            refused = str(error)
        else:
            yield Noted(f"{execution.run_id} is redriven")
            return "redriven", _going_on(machine, execution), before
    run_id = runs.new_run_id()
    yield Noted(f"{execution.run_id} cannot be redriven ({refused}): the same anew, as {run_id}")
    return "anew", machine.execution(machine.start(run_id, execution.input)), 0


def refusal(machine: StateMachine, execution: Execution) -> str:
    """Why it cannot be redriven, as far as can be told beforehand; empty when it can."""
    if any(kind == DEAD_END for _, kind in machine.events(execution.arn)):
        return "its state machine is older than medallion retry"
    return execution.refused


def _going_on(machine: StateMachine, before: Execution) -> Execution:
    """The execution as it is after its redrive, not as it failed before."""
    for _ in range(LOOKS):
        found = machine.execution(before.arn)
        if found.status == "RUNNING" or found.redrives > before.redrives:
            return found
        time.sleep(PAUSE)
    return found
