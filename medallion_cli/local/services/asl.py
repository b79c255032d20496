"""Runs a JSONata state machine: states, retries, catches, variables, and the events that they leave behind.

Rules: https://states-language.net and https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.services import asl_jsonata
from medallion_cli.local.services.asl_tasks import Stopped, TaskError, perform

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

State = dict[str, Any]
Next = tuple[Any, str | None]  # what goes on, and where (None: the block ends)
UNCATCHABLE = ("States.Runtime", "States.DataLimitExceeded")
SLICE_SECONDS = 0.2
MAX_THREADS = 40


class ExecutionFailed(Exception):
    """The machine's TimeoutSeconds are over: nothing catches or retries that."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


@dataclass
class Frame:
    """One thread of an execution: its variables and context, and what ends it early."""

    context: dict[str, Any]
    stopped: Callable[[], bool]
    deadline: float | None
    variables: dict[str, Any]
    top: bool = False

    def sleep(self, seconds: float) -> None:
        """Waits; Stopped or ExecutionFailed when that comes first."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if self.stopped():
                raise Stopped
            if self.deadline is not None and now >= self.deadline:
                raise ExecutionFailed("States.Timeout", "the execution ran longer than its TimeoutSeconds")
            if now >= until:
                return
            time.sleep(min(SLICE_SECONDS, until - now))

    def bindings(self, data: Any, **more: Any) -> dict[str, Any]:
        """What expressions see: `$states` and the variables."""
        return {**self.variables, "states": {"input": data, "context": self.context, **more}}


class Interpreter:
    """One execution of a definition; `record` takes events, `enter` a point from which a redrive goes on."""

    def __init__(
        self,
        runtime: Runtime,
        definition: State,
        context: dict[str, Any],
        record: Callable[[str, dict[str, Any]], None],
        enter: Callable[[str, Any, dict[str, Any]], None],
        stopped: Callable[[], bool],
        variables: dict[str, Any],
    ) -> None:
        self.runtime, self.definition, self.record, self.enter = runtime, definition, record, enter
        seconds = definition.get("TimeoutSeconds")
        deadline = time.monotonic() + seconds if seconds else None
        self.frame = Frame(context, stopped, deadline, variables, top=True)

    def run(self, start: str, data: Any) -> Any:
        """The execution's output, from a state on; TaskError when it fails, Stopped when told to end."""
        return self._block(self.definition, data, self.frame, start)

    def _block(self, block: State, data: Any, frame: Frame, start: str | None = None) -> Any:
        name: str | None = start or block["StartAt"]
        while name is not None:
            state = block["States"][name]
            frame.sleep(0)
            if frame.top:
                self.enter(name, data, frame.variables)
            data, name = self._state(name, state, data, frame)
        return data

    def _state(self, name: str, state: State, data: Any, frame: Frame) -> Next:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        frame.context = {**frame.context, "State": {"Name": name, "EnteredTime": now, "RetryCount": 0}}
        self._event(f"{state['Type']}StateEntered", {"name": name, "input": _text(data)}, "stateEntered")
        try:
            output, following = KINDS[state["Type"]](self, state, data, frame)
        except TaskError as error:
            if error.error == "States.QueryEvaluationError":
                told = {"error": error.error, "cause": error.cause, "state": name}
                self._event("EvaluationFailed", told)
            output, following = self._caught(state, data, frame, error)
        if state["Type"] != "Fail":
            told = {"name": name, "output": _text(output)}
            self._event(f"{state['Type']}StateExited", told, "stateExited")
        return output, following

    def _event(self, kind: str, details: Mapping[str, Any], name: str = "") -> None:
        self.record(kind, {f"{name or kind[0].lower() + kind[1:]}EventDetails": dict(details)})

    def _caught(self, state: State, data: Any, frame: Frame, error: TaskError) -> Next:
        for catcher in state.get("Catch", []):
            if matches(catcher["ErrorEquals"], error.error):
                told = {"Error": error.error, "Cause": error.cause}
                return _leave(catcher, told, frame, frame.bindings(data, errorOutput=told))
        raise error

    def _retried(self, state: State, frame: Frame, attempt: Callable[[], Any]) -> Any:
        retriers = state.get("Retry", [])
        tried = [0] * len(retriers)
        while True:
            try:
                return attempt()
            except TaskError as error:
                fitting = (n for n, each in enumerate(retriers) if matches(each["ErrorEquals"], error.error))
                found = next(fitting, None)
                if found is None or tried[found] >= retriers[found].get("MaxAttempts", 3):
                    raise
                tried[found] += 1
                frame.sleep(delay(retriers[found], tried[found]))
                told = {**frame.context["State"], "RetryCount": sum(tried)}
                frame.context = {**frame.context, "State": told}

    def _task(self, state: State, data: Any, frame: Frame) -> Next:
        result = self._retried(state, frame, lambda: self._attempt(state, data, frame))
        return _leave(state, result, frame, frame.bindings(data, result=result))

    def _attempt(self, state: State, data: Any, frame: Frame) -> Any:
        bindings = frame.bindings(data)
        arguments = evaluate(state.get("Arguments", data), bindings)
        seconds = evaluate(state.get("TimeoutSeconds"), bindings)
        where = _where(state["Resource"])
        asked = {**where, "region": self.runtime.region, "parameters": _text(arguments)}
        self._event("TaskScheduled", asked | ({"timeoutInSeconds": seconds} if seconds else {}))
        self._event("TaskStarted", where)
        try:
            result = self._performed(state["Resource"], arguments, frame, seconds)
        except TaskError as error:
            kind = "TaskTimedOut" if error.error == "States.Timeout" else "TaskFailed"
            self._event(kind, {**where, "error": error.error, "cause": error.cause})
            raise
        self._event("TaskSucceeded", {**where, "output": _text(result)})
        return result

    def _performed(self, resource: str, arguments: Any, frame: Frame, seconds: float | None) -> Any:
        """The task's result; States.Timeout when it takes longer than `seconds`."""
        limits = [end for end in (frame.deadline, seconds and time.monotonic() + seconds) if end]

        def over() -> bool:
            return frame.stopped() or any(time.monotonic() >= end for end in limits)

        late = TaskError("States.Timeout", "the state ran longer than its TimeoutSeconds")
        try:
            result = perform(self.runtime, resource, arguments, over)
        except Stopped:
            frame.sleep(0)  # the execution's own end comes first
            raise late from None
        frame.sleep(0)
        if over():
            raise late
        return result

    def _pass(self, state: State, data: Any, frame: Frame) -> Next:
        return _leave(state, data, frame, frame.bindings(data))

    def _succeed(self, state: State, data: Any, frame: Frame) -> Next:
        return evaluate(state.get("Output", data), frame.bindings(data)), None

    def _fail(self, state: State, data: Any, frame: Frame) -> Next:
        told = evaluate({k: state.get(k, "") for k in ("Error", "Cause")}, frame.bindings(data))
        raise TaskError(str(told["Error"]), str(told["Cause"]))

    def _wait(self, state: State, data: Any, frame: Frame) -> Next:
        bindings = frame.bindings(data)
        if "Seconds" in state:
            seconds = float(evaluate(state["Seconds"], bindings))
        else:
            until = datetime.fromisoformat(evaluate(state["Timestamp"], bindings))
            seconds = (until - datetime.now(UTC)).total_seconds()
        frame.sleep(max(seconds, 0))
        return _leave(state, data, frame, frame.bindings(data))

    def _choice(self, state: State, data: Any, frame: Frame) -> Next:
        bindings = frame.bindings(data)
        for rule in state["Choices"]:
            chosen = evaluate(rule["Condition"], bindings)
            if not isinstance(chosen, bool):
                raise TaskError("States.QueryEvaluationError", f"{rule['Condition']} gave {chosen!r}")
            if chosen:
                return _leave(rule, data, frame, bindings)
        if "Default" not in state:
            raise TaskError("States.NoChoiceMatched", "no choice matched and there is no Default")
        return _leave({**state, "Next": state["Default"]}, data, frame, bindings)

    def _map(self, state: State, data: Any, frame: Frame) -> Next:
        result = self._retried(state, frame, lambda: self._iterations(state, data, frame))
        return _leave(state, result, frame, frame.bindings(data, result=result))

    def _iterations(self, state: State, data: Any, frame: Frame) -> list[Any]:
        items = evaluate(state.get("Items", data), frame.bindings(data))
        if not isinstance(items, list):
            raise TaskError("States.QueryEvaluationError", "the Items of a Map must be an array")
        self._event("MapStateStarted", {"length": len(items)})
        name = frame.context["State"]["Name"]

        def iteration(index: int, inner: Frame) -> Any:
            told = {"name": name, "index": index}
            self._event("MapIterationStarted", told)
            inner.context = {**inner.context, "Map": {"Item": {"Index": index, "Value": items[index]}}}
            given = evaluate(state.get("ItemSelector", items[index]), inner.bindings(data))
            result = self._block(state["ItemProcessor"], given, inner)
            self._event("MapIterationSucceeded", told)
            return result

        limit = int(evaluate(state.get("MaxConcurrency", 0), frame.bindings(data))) or MAX_THREADS
        results = self._together(frame, len(items), limit, iteration)
        self._event("MapStateSucceeded", {})
        return results

    def _parallel(self, state: State, data: Any, frame: Frame) -> Next:
        result = self._retried(state, frame, lambda: self._branches(state, data, frame))
        return _leave(state, result, frame, frame.bindings(data, result=result))

    def _branches(self, state: State, data: Any, frame: Frame) -> list[Any]:
        given = evaluate(state.get("Arguments", data), frame.bindings(data))
        self._event("ParallelStateStarted", {})
        branches = state["Branches"]

        def branch(number: int, inner: Frame) -> Any:
            return self._block(branches[number], given, inner)

        results = self._together(frame, len(branches), MAX_THREADS, branch)
        self._event("ParallelStateSucceeded", {})
        return results

    def _together(self, frame: Frame, count: int, limit: int, work: Callable[[int, Frame], Any]) -> list[Any]:
        """Runs `count` inner threads of the execution; the first failure stops the others and is raised."""
        if count == 0:
            return []
        stop = threading.Event()

        def stopped() -> bool:
            return stop.is_set() or frame.stopped()

        def own() -> Frame:
            return replace(frame, stopped=stopped, variables=dict(frame.variables), top=False)

        inner = [own() for _ in range(count)]
        with ThreadPoolExecutor(min(limit, count, MAX_THREADS), thread_name_prefix="states") as pool:
            futures = [pool.submit(work, number, inner[number]) for number in range(count)]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            stop.set()
        failures = [failure for future in done if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]
        return [future.result() for future in futures]


Kind = Callable[[Interpreter, State, Any, Frame], Next]
KINDS: dict[str, Kind] = {
    "Task": Interpreter._task,
    "Pass": Interpreter._pass,
    "Succeed": Interpreter._succeed,
    "Fail": Interpreter._fail,
    "Wait": Interpreter._wait,
    "Choice": Interpreter._choice,
    "Map": Interpreter._map,
    "Parallel": Interpreter._parallel,
}


def evaluate(template: Any, bindings: dict[str, Any]) -> Any:
    """A template's value; States.QueryEvaluationError when an expression fails or gives nothing."""
    try:
        return asl_jsonata.evaluate(template, bindings)
    except asl_jsonata.StateError as error:
        raise TaskError(error.error, error.cause) from error


def _leave(way: State, default: Any, frame: Frame, bindings: dict[str, Any]) -> Next:
    """Output and Assign of a state, a choice or a catch; both see the variables as they were."""
    output = evaluate(way["Output"], bindings) if "Output" in way else default
    assigned = evaluate(way.get("Assign", {}), bindings)
    frame.variables.update(assigned)
    return output, None if way.get("End") else way.get("Next")


def matches(names: list[str], error: str) -> bool:
    """Whether a Retry or Catch is for an error."""
    if error in names:
        return True
    if error in UNCATCHABLE:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")


def delay(retrier: State, attempt: int) -> float:
    """Seconds before the n-th retry (n from 1)."""
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** (attempt - 1)
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))
    return float(random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds)


def _where(resource: str) -> dict[str, str]:
    """resourceType and resource of a Task, as the history tells them."""
    if resource.startswith("arn:aws:lambda:"):
        return {"resourceType": "lambda", "resource": resource}
    kind, _, action = resource.removeprefix("arn:aws:states:::").rpartition(":")
    if resource.endswith(".sync:2"):
        kind, _, action = resource.removeprefix("arn:aws:states:::").partition(":")
    return {"resourceType": kind, "resource": action}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
