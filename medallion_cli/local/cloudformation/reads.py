"""What the CloudFormation API tells of stacks and change sets, without changing any."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from medallion_cli.local.cloudformation import shapes
from medallion_cli.local.cloudformation.change_sets import find_change_set
from medallion_cli.local.cloudformation.drift import detection_shape, resource_drift_shape
from medallion_cli.local.cloudformation.exports import import_value, users
from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.parameters import Parameter, resolve_parameters
from medallion_cli.local.cloudformation.requests import Reader
from medallion_cli.local.cloudformation.resources import handlers
from medallion_cli.local.cloudformation.resources.handler import Handler
from medallion_cli.local.cloudformation.stack import Resource, Stack, StackStore
from medallion_cli.local.cloudformation.template import load_template
from medallion_cli.local.protocol import Service


class Reads(Service):
    """The operations that only read; they take and return the API's own shapes."""

    name = "cloudformation"

    def __init__(self, runtime: Any, active: dict[str, Handler] | None = None) -> None:
        self._runtime = runtime
        self._store = StackStore(runtime.store)
        self._active = handlers() if active is None else active
        self._reader = Reader(runtime, self._store, self._active)

    def _stacks(self) -> list[Stack]:
        return list(self._store.stacks.values())

    def _find(self, name: str) -> Stack:
        stack = self._store.find(name)
        if stack is None:
            raise ValidationError(f"Stack with id {name} does not exist")
        return stack

    def _change_set(self, params: dict[str, Any]) -> tuple[Stack, dict[str, Any]]:
        name = params.get("StackName")
        stack = self._store.find(name) if name else None
        if name and stack is None:
            raise ValidationError(f"Stack [{name}] does not exist")
        return find_change_set(self._stacks(), params["ChangeSetName"], stack)

    def describe_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        """A change set with its changes."""
        values = bool(params.get("IncludePropertyValues"))
        return shapes.change_set_shape(self._change_set(params)[1], values=values)

    def list_change_sets(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change sets of a stack."""
        found = self._find(params["StackName"]).change_sets.values()
        return {"Summaries": [shapes.change_set_summary_shape(item) for item in found]}

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
        """Events, newest first, a hundred a page."""
        stack = self._find(params["StackName"])
        events = [shapes.event_shape(stack, event) for event in reversed(list(stack.events))]
        return shapes.page(events, params, "StackEvents")

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
        shape["Metadata"] = json.dumps(resource.metadata)
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

    def list_imports(self, params: dict[str, Any]) -> dict[str, Any]:
        """Names of the stacks that import an export."""
        name = params["ExportName"]
        import_value(self._store, name)
        found = users(self._store, name)
        if not found:
            raise ValidationError(f"Export '{name}' is not imported by any stack.")
        return {"Imports": found}

    def describe_stack_drift_detection_status(self, params: dict[str, Any]) -> dict[str, Any]:
        """How a detection ended."""
        wanted = params["StackDriftDetectionId"]
        for stack in self._stacks():
            if stack.drift.get("StackDriftDetectionId") == wanted:
                return detection_shape(stack)
        raise ValidationError(f"Drift detection {wanted} does not exist")

    def describe_stack_resource_drifts(self, params: dict[str, Any]) -> dict[str, Any]:
        """What the last detection found, a resource."""
        stack = self._find(params["StackName"])
        wanted = params.get("StackResourceDriftStatusFilters")
        found = [resource_drift_shape(stack, item) for item in stack.drift.get("Resources", [])]
        chosen = [item for item in found if not wanted or item["StackResourceDriftStatus"] in wanted]
        return shapes.page(chosen, params, "StackResourceDrifts")

    def signal_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refused: no type here waits for signals, and CreationPolicy is refused too."""
        raise ValidationError("SignalResource is not supported by the embedded AWS: no resource waits for it")
