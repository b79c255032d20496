"""Stacks, resources, events and change sets in the shapes of CloudFormation's API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.parameters import Parameter
from medallion_cli.local.cloudformation.requests import needed_capabilities
from medallion_cli.local.cloudformation.stack import Resource, Stack
from medallion_cli.local.cloudformation.template import Template

PAGE = 100  # what CloudFormation gives at a time


def moment(text: str) -> datetime | None:
    """A stored time; None when it never came."""
    return datetime.fromisoformat(text) if text else None


def page(items: list[Any], params: Mapping[str, Any], member: str) -> dict[str, Any]:
    """One page of a list; the token says how many events or items were on those before.

    It counts from the old end, so that what is new on top does not shift the pages.
    """
    size = int(params.get("MaxResults", PAGE))
    token = str(params.get("NextToken") or len(items))
    if not token.isdecimal() or int(token) > len(items):
        raise ValidationError(f"Invalid NextToken: {token}")
    left = int(token)
    start = len(items) - left
    rest = left - size
    return {member: items[start : start + size]} | ({"NextToken": str(rest)} if rest > 0 else {})


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value: the API leaves the others out."""
    return {name: value for name, value in members.items() if value not in (None, "")}


def stack_shape(stack: Stack, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """A member of DescribeStacks; NoEcho parameters read ****."""
    return given(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "Description": stack.description,
            "Parameters": [parameter_shape(item) for item in parameters.values()],
            "CreationTime": moment(stack.created),
            "LastUpdatedTime": moment(stack.updated),
            "DeletionTime": moment(stack.deleted),
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DisableRollback": False,
            "NotificationARNs": [],
            "Capabilities": stack.desired.capabilities,
            "Outputs": stack.outputs,
            "Tags": [{"Key": key, "Value": value} for key, value in stack.desired.tags.items()],
            "EnableTerminationProtection": stack.protected,
            "DriftInformation": drift_shape(stack),
        }
    )


def drift_shape(stack: Stack) -> dict[str, Any]:
    """What the last drift detection found of a stack."""
    found = stack.drift
    shape = {"StackDriftStatus": found.get("StackDriftStatus", "NOT_CHECKED")}
    return given(shape | {"LastCheckTimestamp": moment(found.get("Timestamp", ""))})


def _resource_drift_shape(stack: Stack, resource: Resource) -> dict[str, Any]:
    for item in stack.drift.get("Resources", []):
        if item["LogicalResourceId"] == resource.logical_id:
            return {
                "StackResourceDriftStatus": item["StackResourceDriftStatus"],
                "LastCheckTimestamp": moment(item["Timestamp"]),
            }
    return {"StackResourceDriftStatus": "NOT_CHECKED"}


def parameter_shape(item: Parameter) -> dict[str, str]:
    """A parameter as text; the resolved value beside the key of a stored one."""
    shape = {"ParameterKey": item.name, "ParameterValue": "****" if item.no_echo else item.text}
    return shape | ({"ResolvedValue": str(item.value)} if item.stored else {})


def summary_shape(stack: Stack) -> dict[str, Any]:
    """A member of ListStacks."""
    return given(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "TemplateDescription": stack.description,
            "CreationTime": moment(stack.created),
            "LastUpdatedTime": moment(stack.updated),
            "DeletionTime": moment(stack.deleted),
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": drift_shape(stack),
        }
    )


def event_shape(stack: Stack, event: Mapping[str, Any]) -> dict[str, Any]:
    """A member of DescribeStackEvents."""
    facts = {"StackId": stack.stack_id, "StackName": stack.name}
    return given(facts | dict(event) | {"Timestamp": moment(event["Timestamp"])})


def resource_shape(stack: Stack, resource: Resource) -> dict[str, Any]:
    """A member of DescribeStackResources."""
    return given(
        {
            "StackName": stack.name,
            "StackId": stack.stack_id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type_name,
            "Timestamp": moment(resource.timestamp),
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "DriftInformation": _resource_drift_shape(stack, resource),
        }
    )


def resource_summary_shape(stack: Stack, resource: Resource) -> dict[str, Any]:
    """A member of ListStackResources."""
    shape = resource_shape(stack, resource)
    shape["LastUpdatedTimestamp"] = shape.pop("Timestamp", None)
    return {name: value for name, value in shape.items() if name not in ("StackName", "StackId")}


_VALUES = frozenset(("Path", "BeforeValue", "AfterValue", "AttributeChangeType"))


def _without_values(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change as it is without IncludePropertyValues."""
    body = dict(change["ResourceChange"])
    body["Details"] = [
        detail | {"Target": {name: item for name, item in detail["Target"].items() if name not in _VALUES}}
        for detail in body["Details"]
    ]
    contexts = ("BeforeContext", "AfterContext")
    return {
        "Type": change["Type"],
        "ResourceChange": {name: item for name, item in body.items() if name not in contexts},
    }


def change_set_shape(change_set: Mapping[str, Any], *, values: bool = False) -> dict[str, Any]:
    """DescribeChangeSet's answer; `values` is its IncludePropertyValues."""
    hidden = ("Desired", "OnFailure", "NoEcho")
    shape = {name: value for name, value in change_set.items() if name not in hidden}
    if not values:
        shape["Changes"] = [_without_values(change) for change in change_set["Changes"]]
    secret = change_set["NoEcho"]
    shape["Parameters"] = [
        {"ParameterKey": name, "ParameterValue": "****" if name in secret else text}
        for name, text in change_set["Desired"]["parameters"].items()
    ]
    shape["Tags"] = [{"Key": key, "Value": value} for key, value in change_set["Desired"]["tags"].items()]
    shape["Capabilities"] = change_set["Desired"]["capabilities"]
    return given(shape | {"CreationTime": moment(change_set["CreationTime"]), "OnStackFailure": None})


def change_set_summary_shape(change_set: Mapping[str, Any]) -> dict[str, Any]:
    """A member of ListChangeSets."""
    names = [
        "StackId",
        "StackName",
        "ChangeSetId",
        "ChangeSetName",
        "ExecutionStatus",
        "Status",
        "StatusReason",
        "Description",
    ]
    shape = {name: change_set.get(name) for name in names}
    return given(shape | {"CreationTime": moment(change_set["CreationTime"])})


def template_shape(template: Template) -> dict[str, Any]:
    """ValidateTemplate's answer."""
    declared = template.section("Parameters")
    return {
        "Parameters": [_declared_shape(name, node) for name, node in declared.items()],
        "Description": template.description,
        "Capabilities": needed_capabilities(template),
    }


def _declared_shape(name: str, node: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"ParameterKey": name, "NoEcho": str(node.get("NoEcho", False)).lower() == "true"}
    if "Default" in node:
        shape["DefaultValue"] = str(node["Default"])
    return given(shape | {"Description": node.get("Description")})
