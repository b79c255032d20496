"""The CloudFormation API over the engine: stacks run in their own threads, and go on after a crash."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import Any, Final

from medallion_cli.local.cloudformation.change_sets import (
    check_target,
    make_change_set,
    take,
)
from medallion_cli.local.cloudformation.drift import Drift, resource_drift_shape
from medallion_cli.local.cloudformation.engine import Engine, begin, go_on
from medallion_cli.local.cloudformation.exports import exported, held, users
from medallion_cli.local.cloudformation.faults import Fault, ResourceFailure, ValidationError
from medallion_cli.local.cloudformation.inert import inert_handler
from medallion_cli.local.cloudformation.reads import Reads
from medallion_cli.local.cloudformation.requests import check_members
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.resources.handler import Handler
from medallion_cli.local.cloudformation.stack import Operation, Stack, now
from medallion_cli.local.cloudformation.workers import Workers
from medallion_cli.local.protocol import ServiceError

_SETTLED: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED")


class CloudFormation(Reads):
    """Operations take and return the API's own shapes; the work is the engine's."""

    def __init__(self, runtime: Any, active: dict[str, Handler] | None = None) -> None:
        super().__init__(runtime, active)
        self._stopping = threading.Event()
        self._workers = Workers()
        self._lock = threading.RLock()
        steps = Steps(runtime, self._handler, self._stopping.is_set, self._store.save)
        self._engine = Engine(steps, self._reader.intent, self._store.save, partial(held, self._store))
        self._drift = Drift(steps, self._store.save)

    def _handler(self, type_name: str) -> Handler:
        return self._active.get(type_name) or inert_handler()

    # ---- life of the daemon

    def start(self) -> None:
        """Put back what other services forgot, then carry on every operation that a stop interrupted."""
        self._stopping.clear()
        for stack in self._live():
            self._restore(stack)
        for stack in self._stacks():
            if stack.operation is not None:
                self._spawn(stack)

    def _restore(self, stack: Stack) -> None:
        """A resource that cannot be put back is an event of its stack; the daemon starts all the same."""
        for resource in list(stack.resources.values()):
            if resource.physical_id and resource.status in _SETTLED:
                try:
                    self._engine.steps.restore(stack, resource)
                except (ServiceError, ResourceFailure) as error:
                    stack.record(resource.status, f"Not restored: {failure_reason(error)}", resource)
                    self._store.save(stack)

    def stop(self) -> None:
        """Let running operations end at their next step; they stay as persisted."""
        self._stopping.set()

    def _spawn(self, stack: Stack) -> None:
        self._workers.submit(stack.stack_id, lambda: self._engine.proceed(stack))

    def _begin(self, stack: Stack, operation: Operation) -> None:
        begin(stack, operation)
        self._store.save(stack)
        self._spawn(stack)

    # ---- change sets

    def create_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """CREATE makes the stack (REVIEW_IN_PROGRESS); without changes the change set is FAILED, no error."""
        with self._lock:
            check_members(params)
            name, kind = params["StackName"], params.get("ChangeSetType", "UPDATE")
            known = self._store.find(name)
            check_target(known, name, kind, params["ChangeSetName"])
            stack = known or self._new_stack(name)
            desired = self._reader.desired(params, stack)
            change_set = make_change_set(self._reader, stack, params, desired)
            if known is None:
                stack.description = str(self._reader.template(desired.body).description)
                stack.record("REVIEW_IN_PROGRESS", "User Initiated")
            stack.change_sets[change_set["ChangeSetId"]] = change_set
            self._store.save(stack)
            return {"Id": change_set["ChangeSetId"], "StackId": stack.stack_id}

    def _new_stack(self, name: str) -> Stack:
        where = f"arn:aws:cloudformation:{self._runtime.region}:{self._runtime.account}"
        return Stack(stack_id=f"{where}:stack/{name}/{uuid.uuid4()}", name=name)

    def delete_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forget a change set; one that is not there is no error."""
        with self._lock:
            try:
                stack, change_set = self._change_set(params)
            except Fault as fault:
                if fault.code != "ChangeSetNotFound":
                    raise
                return {}
            del stack.change_sets[change_set["ChangeSetId"]]
            self._store.save(stack)
            return {}

    def execute_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """Start the stack operation; DescribeStacks tells how it goes."""
        with self._lock:
            check_members(params)
            stack, change_set = self._change_set(params)
            if stack.operation is not None:
                raise ValidationError(
                    f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
                )
            creating = stack.status == "REVIEW_IN_PROGRESS"
            previous, stack.desired = stack.desired, take(stack, change_set)
            if not creating:
                stack.updated = now()
            disabled = params.get("DisableRollback", False)
            operation = Operation(
                kind="CREATE" if creating else "UPDATE",
                phase="forward",
                on_failure="DO_NOTHING" if disabled else change_set["OnFailure"],
                token=params.get("ClientRequestToken", ""),
                previous=None if creating else previous,
            )
            self._begin(stack, operation)
            return {}

    def create_stack(self, params: dict[str, Any]) -> dict[str, Any]:
        """A CREATE change set, executed."""
        check_members(params)
        return self._direct(params, "CREATE")

    def update_stack(self, params: dict[str, Any]) -> dict[str, Any]:
        """An UPDATE change set, executed; ValidationError when nothing changes."""
        check_members(params)
        return self._direct(params, "UPDATE")

    def _direct(self, params: dict[str, Any], kind: str) -> dict[str, Any]:
        name = f"direct-{uuid.uuid4().hex}"
        failure = params.get("OnFailure", "DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK")
        more = {"ChangeSetName": name, "ChangeSetType": kind, "OnStackFailure": failure}
        made = self.create_change_set(params | more)
        change_set = self.describe_change_set({"ChangeSetName": made["Id"]})
        if change_set["Status"] == "FAILED":
            self._discard(made)
            nothing = "didn't contain changes" in change_set["StatusReason"]
            raise ValidationError(
                "No updates are to be performed." if nothing else change_set["StatusReason"]
            )
        stack = self._find(made["StackId"])
        stack.protected = bool(params.get("EnableTerminationProtection", stack.protected))
        self.execute_change_set({"ChangeSetName": made["Id"]})
        return {"StackId": made["StackId"]}

    def _discard(self, made: dict[str, Any]) -> None:
        self.delete_change_set({"ChangeSetName": made["Id"]})
        stack = self._find(made["StackId"])
        if stack.status == "REVIEW_IN_PROGRESS":
            stack.record("DELETE_COMPLETE")
            self._store.save(stack)

    # ---- stacks

    def delete_stack(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete in reverse order; a stack that is not there is no error, a running operation ends first."""
        check_members(params)
        stack = self._store.find(params["StackName"])
        if stack is None or not stack.live or stack.status == "DELETE_IN_PROGRESS":
            return {}
        if stack.protected:
            raise ValidationError(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        self._check_deletion(stack, list(params.get("RetainResources", [])))
        self._workers.join(stack.stack_id)
        with self._lock:
            if stack.live and stack.operation is None:
                token = params.get("ClientRequestToken", "")
                retain = list(params.get("RetainResources", []))
                self._begin(stack, Operation(kind="DELETE", phase="forward", token=token, retain=retain))
        return {}

    def _check_deletion(self, stack: Stack, retained: list[str]) -> None:
        for name in exported(stack):
            using = [user for user in users(self._store, name) if user != stack.name]
            if using:
                raise ValidationError(
                    f"Export {name} cannot be deleted as it is in use by {', '.join(using)}"
                )
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.stack_id}]: RetainResources is for a stack whose "
                f"deletion failed, and its status is {stack.status}"
            )

    def continue_update_rollback(self, params: dict[str, Any]) -> dict[str, Any]:
        """Go on with a rollback that failed, without the resources to skip."""
        with self._lock:
            check_members(params)
            stack, skipped = self._find(params["StackName"]), list(params.get("ResourcesToSkip", []))
            if stack.suspended is None or stack.status != "UPDATE_ROLLBACK_FAILED":
                raise ValidationError(
                    f"Stack:{stack.stack_id} is in {stack.status} state and can not continue its rollback."
                )
            failed = [name for name, item in stack.resources.items() if item.status == "UPDATE_FAILED"]
            strange = [name for name in skipped if name not in failed]
            if strange:
                raise ValidationError(
                    f"Resources to skip must be in UPDATE_FAILED state: [{', '.join(strange)}]"
                )
            stack.suspended.token = params.get("ClientRequestToken", "")
            go_on(stack, stack.suspended, skipped)
            self._store.save(stack)
            self._spawn(stack)
            return {}

    def update_termination_protection(self, params: dict[str, Any]) -> dict[str, Any]:
        """Switch termination protection on or off."""
        with self._lock:
            stack = self._find(params["StackName"])
            stack.protected = bool(params["EnableTerminationProtection"])
            self._store.save(stack)
            return {"StackId": stack.stack_id}

    # ---- drift

    def detect_stack_drift(self, params: dict[str, Any]) -> dict[str, Any]:
        """Compare every resource with its live state; the detection has ended when this returns."""
        stack = self._find(params["StackName"])
        return {"StackDriftDetectionId": self._drift.detect(stack, params.get("LogicalResourceIds"))}

    def detect_stack_resource_drift(self, params: dict[str, Any]) -> dict[str, Any]:
        """Compare one resource with its live state."""
        stack, logical_id = self._find(params["StackName"]), params["LogicalResourceId"]
        if logical_id not in stack.resources:
            raise ValidationError(f"Resource {logical_id} does not exist for stack {stack.name}")
        self._drift.detect(stack, [logical_id])
        (found,) = (item for item in stack.drift["Resources"] if item["LogicalResourceId"] == logical_id)
        return {"StackResourceDrift": resource_drift_shape(stack, found)}

    def wait(self, stack_name: str) -> None:
        """Until the stack's operation has ended (in process only)."""
        self._workers.join(self._find(stack_name).stack_id)


def create(runtime: Any) -> CloudFormation:
    """The service of one daemon."""
    return CloudFormation(runtime)
