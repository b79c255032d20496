"""The CloudFormation API over the engine: stacks run in their own threads, and go on after a crash."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from typing import Any, Final

from medallion_cli.local.cloudformation import shapes
from medallion_cli.local.cloudformation.change_sets import (
    check_target,
    find_change_set,
    make_change_set,
    take,
)
from medallion_cli.local.cloudformation.engine import Engine, begin
from medallion_cli.local.cloudformation.faults import Fault, ResourceFailure, ValidationError
from medallion_cli.local.cloudformation.inert import inert_handler
from medallion_cli.local.cloudformation.parameters import Parameter, resolve_parameters
from medallion_cli.local.cloudformation.requests import Reader
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.resources import handlers
from medallion_cli.local.cloudformation.resources.handler import Handler
from medallion_cli.local.cloudformation.stack import Operation, Resource, Stack, StackStore, now
from medallion_cli.local.cloudformation.template import load_template
from medallion_cli.local.cloudformation.workers import Workers
from medallion_cli.local.protocol import Service, ServiceError

_SETTLED: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED")


class CloudFormation(Service):
    """Operations take and return the API's own shapes; the work is the engine's."""

    name = "cloudformation"

    def __init__(self, runtime: Any, active: dict[str, Handler] | None = None) -> None:
        self._runtime = runtime
        self._store = StackStore(runtime.store)
        self._active = handlers() if active is None else active
        self._reader = Reader(runtime, self._store, self._active)
        self._stopping = threading.Event()
        self._workers = Workers()
        self._lock = threading.RLock()
        steps = Steps(runtime, self._handler, self._stopping.is_set, self._store.save)
        self._engine = Engine(steps, self._reader.intent, self._store.save)

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

    def _stacks(self) -> list[Stack]:
        return list(self._store.stacks.values())

    def _find(self, name: str) -> Stack:
        stack = self._store.find(name)
        if stack is None:
            raise ValidationError(f"Stack with id {name} does not exist")
        return stack

    # ---- change sets

    def create_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """CREATE makes the stack (REVIEW_IN_PROGRESS); without changes the change set is FAILED, no error."""
        with self._lock:
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

    def _change_set(self, params: dict[str, Any]) -> tuple[Stack, dict[str, Any]]:
        name = params.get("StackName")
        stack = self._store.find(name) if name else None
        if name and stack is None:
            raise ValidationError(f"Stack [{name}] does not exist")
        return find_change_set(self._stacks(), params["ChangeSetName"], stack)

    def describe_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """A change set with its changes."""
        return shapes.change_set_shape(self._change_set(params)[1])

    def list_change_sets(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change sets of a stack."""
        found = self._find(params["StackName"]).change_sets.values()
        return {"Summaries": [shapes.change_set_summary_shape(item) for item in found]}

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
        return self._direct(params, "CREATE")

    def update_stack(self, params: dict[str, Any]) -> dict[str, Any]:
        """An UPDATE change set, executed; ValidationError when nothing changes."""
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
        stack = self._store.find(params["StackName"])
        if stack is None or not stack.live or stack.status == "DELETE_IN_PROGRESS":
            return {}
        if stack.protected:
            raise ValidationError(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        self._check_exports(stack)
        self._workers.join(stack.stack_id)
        with self._lock:
            if stack.live and stack.operation is None:
                token = params.get("ClientRequestToken", "")
                retain = list(params.get("RetainResources", []))
                self._begin(stack, Operation(kind="DELETE", phase="forward", token=token, retain=retain))
        return {}

    def _check_exports(self, stack: Stack) -> None:
        names = [item["ExportName"] for item in stack.outputs if "ExportName" in item]
        for other in self._stacks():
            for name in names if other.live and other is not stack else ():
                if f'"{name}"' in other.desired.body or f"ImportValue {name}" in other.desired.body:
                    raise ValidationError(f"Export {name} cannot be deleted as it is in use by {other.name}")

    def describe_stacks(self, params: dict[str, Any]) -> dict[str, Any]:
        """One stack (a deleted one by its id), or all live ones."""
        wanted = [self._find(params["StackName"])] if "StackName" in params else self._live()
        return {"Stacks": [shapes.stack_shape(stack, self._parameters(stack)) for stack in wanted]}

    def _live(self) -> Iterable[Stack]:
        return [stack for stack in self._stacks() if stack.live]

    def _parameters(self, stack: Stack) -> dict[str, Parameter]:
        if not stack.desired.body:
            return {}
        template = load_template(stack.desired.body, self._runtime.region)
        return resolve_parameters(template, stack.desired.parameters, self._reader.stored)

    def list_stacks(self, params: dict[str, Any]) -> dict[str, Any]:
        """Summaries of all stacks, deleted ones among them, newest first."""
        wanted = params.get("StackStatusFilter")
        found = [stack for stack in self._stacks() if not wanted or stack.status in wanted]
        found.sort(key=lambda stack: stack.created, reverse=True)
        return {"StackSummaries": [shapes.summary_shape(stack) for stack in found]}

    def describe_stack_events(self, params: dict[str, Any]) -> dict[str, Any]:
        """Events, newest first."""
        stack = self._find(params["StackName"])
        return {"StackEvents": [shapes.event_shape(stack, event) for event in reversed(list(stack.events))]}

    def describe_stack_resources(self, params: dict[str, Any]) -> dict[str, Any]:
        """Resources of a stack, or of the stack that owns a physical id."""
        stack = self._owner(params)
        wanted = params.get("LogicalResourceId")
        found = [item for item in list(stack.resources.values()) if wanted in (None, item.logical_id)]
        return {"StackResources": [shapes.resource_shape(stack, item) for item in found]}

    def _owner(self, params: dict[str, Any]) -> Stack:
        if "StackName" in params:
            return self._find(params["StackName"])
        physical = params.get("PhysicalResourceId")
        for stack in self._live():
            if any(item.physical_id == physical for item in stack.resources.values()):
                return stack
        raise ValidationError(f"Stack for {physical} does not exist")

    def describe_stack_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """One resource, with its metadata as JSON text."""
        stack = self._find(params["StackName"])
        resource = stack.resources.get(params["LogicalResourceId"])
        if resource is None:
            logical_id = params["LogicalResourceId"]
            raise ValidationError(f"Resource {logical_id} does not exist for stack {stack.name}")
        shape = shapes.resource_summary_shape(stack, resource)
        return {"StackResourceDetail": shape | {"StackName": stack.name, "StackId": stack.stack_id}}

    def list_stack_resources(self, params: dict[str, Any]) -> dict[str, Any]:
        """Resource summaries of a stack."""
        stack = self._find(params["StackName"])
        found: list[Resource] = list(stack.resources.values())
        return {"StackResourceSummaries": [shapes.resource_summary_shape(stack, item) for item in found]}

    def get_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """The template as it was given, of a stack or of a change set."""
        if "ChangeSetName" in params:
            body = self._change_set(params)[1]["Desired"]["body"]
        else:
            body = self._find(params["StackName"]).desired.body
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def get_template_summary(self, params: dict[str, Any]) -> dict[str, Any]:
        """Declared parameters, types and needed capabilities."""
        stack = self._find(params["StackName"]) if "StackName" in params else None
        template = self._reader.template(stack.desired.body if stack else self._reader.body(params))
        return shapes.template_shape(template) | {
            "Parameters": [
                shape | {"ParameterType": template.section("Parameters")[shape["ParameterKey"]]["Type"]}
                for shape in shapes.template_shape(template)["Parameters"]
            ],
            "ResourceTypes": sorted({node["Type"] for node in template.resources.values()}),
            "Version": str(template.document.get("AWSTemplateFormatVersion", "2010-09-09")),
        }

    def validate_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Structure only, as on AWS: properties are validated by a change set."""
        return shapes.template_shape(self._reader.template(self._reader.body(params)))

    def update_termination_protection(self, params: dict[str, Any]) -> dict[str, Any]:
        """Switch termination protection on or off."""
        with self._lock:
            stack = self._find(params["StackName"])
            stack.protected = bool(params["EnableTerminationProtection"])
            self._store.save(stack)
            return {"StackId": stack.stack_id}

    def list_exports(self, params: dict[str, Any]) -> dict[str, Any]:
        """Exported outputs of live stacks."""
        return {
            "Exports": [
                {"ExportingStackId": stack.stack_id, "Name": item["ExportName"], "Value": item["OutputValue"]}
                for stack in self._live()
                for item in stack.outputs
                if "ExportName" in item
            ]
        }

    def wait(self, stack_name: str) -> None:
        """Until the stack's operation has ended (in process only)."""
        self._workers.join(self._find(stack_name).stack_id)


def create(runtime: Any) -> CloudFormation:
    """The service of one daemon."""
    return CloudFormation(runtime)
