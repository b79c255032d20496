"""Step Functions: durable state machines and executions; a history that survives the daemon."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.asl import ExecutionFailed, Interpreter
from medallion_cli.local.services.asl_tasks import Stopped, TaskError, iso
from medallion_cli.local.services.execution_history import Histories

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

REDRIVABLE = ("FAILED", "ABORTED", "TIMED_OUT")
REDRIVABLE_FOR = timedelta(days=14)
SUMMARY = ("arn", "name", "machine", "status", "started", "stopped")


def create(runtime: Runtime) -> Service:
    """The service."""
    return StepFunctions(runtime)


class StepFunctions(Service):
    """AWS Step Functions, standard workflows."""

    name = "stepfunctions"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.lock = threading.RLock()
        self.histories = Histories(runtime.store.folder / "histories")
        self.live: dict[str, dict[str, Any]] = {}
        self.stops: dict[str, threading.Event] = {}
        self.summaries: dict[str, dict[str, Any]] = {}
        for name in runtime.store.names("executions"):
            self._summarise(runtime.store.load(name))
        self.ending = False

    def start(self) -> None:
        """What was running when the daemon died reads ABORTED."""
        for arn, summary in list(self.summaries.items()):
            if summary["status"] == "RUNNING":
                execution = self._execution(arn)
                execution.update(
                    error="Medallion.DaemonStopped", cause="the embedded AWS stopped while it ran"
                )
                self._end(execution, "ABORTED")

    def stop(self) -> None:
        """Running executions are left as they are: the next start aborts them."""
        self.ending = True
        for event in self.stops.values():
            event.set()

    # State machines

    def create_state_machine(self, params: dict[str, Any]) -> dict[str, Any]:
        """Checks that the definition is a JSONata machine whose transitions exist."""
        with self.lock:
            machines = self._machines()
            arn = f"arn:aws:states:{self.runtime.region}:{self.runtime.account}:stateMachine:{params['name']}"
            if arn in machines and machines[arn]["definition"] != params["definition"]:
                raise ServiceError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            _check(params["definition"])
            created = machines.get(arn, {}).get("created", _now())
            machines[arn] = {
                "name": params["name"], "definition": params["definition"],
                "role": params["roleArn"], "created": created,
            }  # fmt: skip
            self.runtime.store.save("state_machines", machines)
            return {"stateMachineArn": arn, "creationDate": datetime.fromisoformat(created)}

    def update_state_machine(self, params: dict[str, Any]) -> dict[str, Any]:
        """For executions to come."""
        with self.lock:
            machines = self._machines()
            machine = self._machine(params["stateMachineArn"])
            if "definition" in params:
                _check(params["definition"])
                machine["definition"] = params["definition"]
            machine["role"] = params.get("roleArn", machine["role"])
            machines[params["stateMachineArn"]] = machine
            self.runtime.store.save("state_machines", machines)
            return {"updateDate": datetime.now(UTC)}

    def delete_state_machine(self, params: dict[str, Any]) -> dict[str, Any]:
        """No error when it is not there."""
        with self.lock:
            machines = self._machines()
            machines.pop(params["stateMachineArn"], None)
            self.runtime.store.save("state_machines", machines)
            return {}

    def describe_state_machine(self, params: dict[str, Any]) -> dict[str, Any]:
        """Definition and role."""
        machine = self._machine(params["stateMachineArn"])
        return {
            "stateMachineArn": params["stateMachineArn"], "name": machine["name"], "status": "ACTIVE",
            "definition": machine["definition"], "roleArn": machine["role"], "type": "STANDARD",
            "creationDate": datetime.fromisoformat(machine["created"]),
        }  # fmt: skip

    def list_state_machines(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them."""
        found = [
            {
                "stateMachineArn": arn,
                "name": m["name"],
                "type": "STANDARD",
                "creationDate": datetime.fromisoformat(m["created"]),
            }
            for arn, m in self._machines().items()
        ]
        return {"stateMachines": found}

    # Executions

    def start_execution(self, params: dict[str, Any]) -> dict[str, Any]:
        """Idempotent while an execution of the same name and input runs."""
        machine_arn = params["stateMachineArn"]
        machine = self._machine(machine_arn)
        name = params.get("name") or f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        arn = machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
        text = params.get("input", "{}")
        with self.lock:
            if known := self._load(arn):
                if known["status"] == "RUNNING" and known["input"] == text:
                    return {"executionArn": arn, "startDate": datetime.fromisoformat(known["started"])}
                raise ServiceError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            execution = {
                "arn": arn, "name": name, "machine": machine_arn,
                "definition": machine["definition"], "input": text,
                "status": "RUNNING", "started": _now(), "stopped": None, "redrives": 0,
            }  # fmt: skip
            self._event(execution, "ExecutionStarted", {"executionStartedEventDetails": {"input": text}})
            self._launch(execution)
        return {"executionArn": arn, "startDate": datetime.fromisoformat(execution["started"])}

    def redrive_execution(self, params: dict[str, Any]) -> dict[str, Any]:
        """Goes on from the state that failed, with its input and variables."""
        with self.lock:
            execution = self._execution(params["executionArn"])
            if reason := _not_redrivable(execution):
                raise ServiceError("ExecutionNotRedrivable", reason)
            execution.update(status="RUNNING", stopped=None, redrives=execution["redrives"] + 1)
            execution.pop("error", None)
            execution.pop("cause", None)
            self._event(
                execution,
                "ExecutionRedriven",
                {"executionRedrivenEventDetails": {"redriveCount": execution["redrives"]}},
            )
            self._launch(execution)
        return {"redriveDate": datetime.now(UTC)}

    def stop_execution(self, params: dict[str, Any]) -> dict[str, Any]:
        """Aborts it; a Glue job it waits for is stopped."""
        execution = self._execution(params["executionArn"])
        if execution["status"] == "RUNNING":
            with self.lock:
                live = self.live.get(execution["arn"], execution)
                live["error"], live["cause"] = params.get("error", ""), params.get("cause", "")
            self.stops.setdefault(execution["arn"], threading.Event()).set()
        return {"stopDate": datetime.now(UTC)}

    def describe_execution(self, params: dict[str, Any]) -> dict[str, Any]:
        """Status, input, output or error."""
        execution = self._execution(params["executionArn"])
        status = execution["status"]
        shown = {
            "executionArn": execution["arn"], "stateMachineArn": execution["machine"],
            "name": execution["name"], "status": status, "input": execution["input"],
            "startDate": datetime.fromisoformat(execution["started"]),
            "redriveCount": execution["redrives"],
            "redriveStatus": "REDRIVABLE",
        }  # fmt: skip
        if reason := _not_redrivable(execution):
            shown |= {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
        if execution["stopped"]:
            shown["stopDate"] = datetime.fromisoformat(execution["stopped"])
        return shown | {
            key: execution[key] for key in ("output", "error", "cause") if execution.get(key) is not None
        }

    def list_executions(self, params: dict[str, Any]) -> dict[str, Any]:
        """Newest first."""
        wanted = params.get("statusFilter")
        with self.lock:
            known = list(self.summaries.values())
        found = [e for e in known if e["machine"] == params.get("stateMachineArn", e["machine"])]
        found = sorted(
            (e for e in found if wanted in (None, e["status"])), key=lambda e: e["started"], reverse=True
        )
        page = [
            {
                "executionArn": e["arn"], "stateMachineArn": e["machine"],
                "name": e["name"], "status": e["status"],
                "startDate": datetime.fromisoformat(e["started"]),
                **({"stopDate": datetime.fromisoformat(e["stopped"])} if e["stopped"] else {}),
            }
            for e in found[: params.get("maxResults") or 1000]
        ]  # fmt: skip
        return {"executions": page}

    def get_execution_history(self, params: dict[str, Any]) -> dict[str, Any]:
        """One page of events."""
        events = self.histories.events(_key(self._execution(params["executionArn"])["arn"]))
        ordered = list(reversed(events)) if params.get("reverseOrder") else events
        first = int(params.get("nextToken") or 0)
        size = params.get("maxResults") or 1000
        page = [
            {**e, "timestamp": datetime.fromisoformat(e["timestamp"])} for e in ordered[first : first + size]
        ]
        more = {"nextToken": str(first + size)} if first + size < len(ordered) else {}
        return {"events": page, **more}

    # Inside

    def _launch(self, execution: dict[str, Any]) -> None:
        self.live[execution["arn"]] = execution
        self.stops[execution["arn"]] = threading.Event()
        self._save(execution)
        threading.Thread(target=self._run, args=(execution,), name=execution["name"], daemon=True).start()

    def _run(self, execution: dict[str, Any]) -> None:
        stop = self.stops[execution["arn"]]
        definition = json.loads(execution["definition"])
        document = json.loads(execution["input"])
        resume = execution.get("resume") or {
            "state": definition["StartAt"],
            "input": document,
            "variables": {},
        }
        context = {
            "Execution": {
                "Id": execution["arn"], "Name": execution["name"], "Input": document,
                "StartTime": iso(datetime.fromisoformat(execution["started"])),
                "RedriveCount": execution["redrives"],
            },
            "StateMachine": {"Id": execution["machine"], "Name": execution["machine"].rpartition(":")[2]},
        }  # fmt: skip

        def enter(state: str, document: Any, variables: dict[str, Any]) -> None:
            execution["resume"] = {"state": state, "input": document, "variables": dict(variables)}
            self._save(execution)

        def record(kind: str, details: dict[str, Any]) -> None:
            self._event(execution, kind, details)

        machine = Interpreter(
            self.runtime, definition, context, record, enter, stop.is_set, dict(resume["variables"])
        )
        try:
            output = machine.run(resume["state"], resume["input"])
            execution["output"] = json.dumps(output)
            self._end(execution, "SUCCEEDED")
        except Stopped:
            if not self.ending:
                self._end(execution, "ABORTED")
        except (ExecutionFailed, TaskError) as failure:
            execution.update(error=failure.error, cause=failure.cause)
            self._end(execution, "FAILED")
        except Exception as failure:  # noqa: BLE001 (a fault of ours must end the execution, not hang it)
            execution.update(error="States.Runtime", cause=repr(failure))
            self._end(execution, "FAILED")

    def _end(self, execution: dict[str, Any], status: str) -> None:
        execution.update(status=status, stopped=_now())
        kind = {"SUCCEEDED": "ExecutionSucceeded", "FAILED": "ExecutionFailed"}.get(
            status, "ExecutionAborted"
        )
        details = {k: execution[k] for k in ("output", "error", "cause") if execution.get(k) is not None}
        self._event(execution, kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": details})
        self._save(execution)
        self.live.pop(execution["arn"], None)
        self.histories.forget(_key(execution["arn"]))

    def _event(self, execution: dict[str, Any], kind: str, details: dict[str, Any]) -> None:
        self.histories.append(_key(execution["arn"]), kind, _now(), details)

    def _save(self, execution: dict[str, Any]) -> None:
        with self.lock:
            self.runtime.store.save(f"executions/{_key(execution['arn'])}", execution)
            self._summarise(execution)

    def _summarise(self, execution: dict[str, Any]) -> None:
        self.summaries[execution["arn"]] = {name: execution[name] for name in SUMMARY}

    def _load(self, arn: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.runtime.store.load(f"executions/{_key(arn)}")
        return found

    def _execution(self, arn: str) -> dict[str, Any]:
        if (found := self._load(arn)) is None:
            raise ServiceError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return found

    def _machines(self) -> dict[str, Any]:
        machines: dict[str, Any] = self.runtime.store.load("state_machines", {})
        return machines

    def _machine(self, arn: str) -> dict[str, Any]:
        machines = self._machines()
        if arn not in machines:
            raise ServiceError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        found: dict[str, Any] = machines[arn]
        return found


def _not_redrivable(execution: dict[str, Any]) -> str | None:
    """DescribeExecution's redriveStatusReason; None when it can be redriven."""
    if execution["status"] not in REDRIVABLE:
        return f"Execution is {execution['status']} and cannot be redriven"
    if datetime.now(UTC) - datetime.fromisoformat(execution["stopped"]) > REDRIVABLE_FOR:
        return "Execution redrivable period exceeded"
    return None if "resume" in execution else "Execution was started before the launch of RedriveExecution"


def _check(text: str) -> None:
    try:
        definition = json.loads(text)
        _check_states(definition)
    except (ValueError, KeyError) as error:
        raise ServiceError("InvalidDefinition", f"Invalid State Machine Definition: {error}") from error


def _check_states(definition: dict[str, Any]) -> None:
    states = definition["States"]
    targets = [definition["StartAt"]]
    for state in states.values():
        edges = [state, *state.get("Choices", []), *state.get("Catch", [])]
        targets += [edge[key] for edge in edges for key in ("Next", "Default") if key in edge]
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                _check_states(inner)
    if missing := [name for name in targets if name not in states]:
        raise ValueError(f"MISSING_TRANSITION_TARGET: {missing[0]}")


def _key(arn: str) -> str:
    """`<machine>:<name>`: two machines may have executions of the same name."""
    return ":".join(arn.split(":")[-2:])


def _now() -> str:
    return datetime.now(UTC).isoformat()
