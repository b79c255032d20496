"""Drift: what the services say of a stack's resources, against what the stack made of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from medallion_cli.local.cloudformation.faults import ResourceFailure, ValidationError
from medallion_cli.local.cloudformation.resource_steps import Steps
from medallion_cli.local.cloudformation.schemas import resource_schema
from medallion_cli.local.cloudformation.shapes import given, moment
from medallion_cli.local.cloudformation.stack import Resource, Stack, now
from medallion_cli.local.protocol import ServiceError

_DETECTABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
)


@dataclass(frozen=True)
class Drift:
    """Detects drift and keeps what it found in the stack's document; no secret is ever compared or shown."""

    steps: Steps
    save: Callable[[Stack], None]

    def detect(self, stack: Stack, wanted: list[str] | None) -> str:
        """Compare the wanted resources (all, for None); the detection's id.

        ValidationError while the stack is under way, as on AWS.
        """
        if stack.status not in _DETECTABLE:
            raise ValidationError(
                f"Drift detection cannot be performed on stack [{stack.stack_id}] while it is in "
                f"{stack.status} state"
            )
        found = {item["LogicalResourceId"]: item for item in stack.drift.get("Resources", [])}
        for resource in list(stack.resources.values()):
            if wanted is None or resource.logical_id in wanted:
                found[resource.logical_id] = self._compare(stack, resource)
        kept = [item for name, item in found.items() if name in stack.resources]
        with stack.guard:
            stack.drift = _summary(kept)
        self.save(stack)
        return str(stack.drift["StackDriftDetectionId"])

    def _compare(self, stack: Stack, resource: Resource) -> dict[str, Any]:
        try:
            read = self.steps.read(stack, resource)
        except (ServiceError, ResourceFailure) as error:
            return _found(resource, "UNKNOWN", reason=str(error))
        if read is None:
            return _found(resource, "NOT_CHECKED")
        wanted, live = read
        if live is None:
            return _found(resource, "DELETED", _shown(resource))
        told = _same_members(wanted, live)
        differences = list(_differences(told, live, ""))
        return _found(resource, "MODIFIED" if differences else "IN_SYNC", told, live, differences)


def _shown(resource: Resource) -> dict[str, Any]:
    """Its properties without those that no service gives back, which passwords are among."""
    schema = resource_schema(resource.type_name)
    hidden = {path.split(".")[0] for path in schema.write_only} if schema else set()
    return {name: value for name, value in resource.properties.items() if name not in hidden}


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    states = {item["StackResourceDriftStatus"] for item in found}
    drifted = [item for item in found if item["StackResourceDriftStatus"] in ("MODIFIED", "DELETED")]
    status = "DRIFTED" if drifted else "UNKNOWN" if "UNKNOWN" in states else "IN_SYNC"
    return {
        "StackDriftDetectionId": str(uuid.uuid4()),
        "StackDriftStatus": status if states - {"NOT_CHECKED"} else "NOT_CHECKED",
        "Drifted": len(drifted),
        "Timestamp": now(),
        "Resources": found,
    }


def _found(
    resource: Resource,
    status: str,
    expected: dict[str, Any] | None = None,
    actual: dict[str, Any] | None = None,
    differences: list[dict[str, str]] | None = None,
    reason: str = "",
) -> dict[str, Any]:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type_name,
        "StackResourceDriftStatus": status,
        "ExpectedProperties": _text(expected),
        "ActualProperties": _text(actual),
        "PropertyDifferences": differences or [],
        "DriftStatusReason": reason,
        "Timestamp": now(),
    }


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _same_members(wanted: Any, live: Any) -> Any:
    """The part of the wanted properties that the service tells: what it does not tell cannot drift."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {name: _same_members(item, live[name]) for name, item in wanted.items() if name in live}
    return wanted


def _differences(wanted: Any, live: Any, path: str) -> Iterator[dict[str, str]]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        for name in sorted(wanted.keys() | live.keys()):
            yield from _differences(wanted.get(name), live.get(name), f"{path}/{name}")
    elif wanted != live:
        kind = "ADD" if wanted is None else "REMOVE" if live is None else "NOT_EQUAL"
        values = {"ExpectedValue": _text(wanted), "ActualValue": _text(live)}
        yield {"PropertyPath": path, **values, "DifferenceType": kind}


def detection_shape(stack: Stack) -> dict[str, Any]:
    """DescribeStackDriftDetectionStatus's answer."""
    return {
        "StackId": stack.stack_id,
        "StackDriftDetectionId": stack.drift["StackDriftDetectionId"],
        "StackDriftStatus": stack.drift["StackDriftStatus"],
        "DetectionStatus": "DETECTION_COMPLETE",
        "DriftedStackResourceCount": stack.drift["Drifted"],
        "Timestamp": moment(stack.drift["Timestamp"]),
    }


def resource_drift_shape(stack: Stack, item: dict[str, Any]) -> dict[str, Any]:
    """A member of DescribeStackResourceDrifts."""
    return given({"StackId": stack.stack_id} | item | {"Timestamp": moment(item["Timestamp"])})
