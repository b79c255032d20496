"""What executing a template would do to a stack, in the shape DescribeChangeSet returns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.intrinsics import references
from medallion_cli.local.cloudformation.properties import difference, recreates, violations
from medallion_cli.local.cloudformation.stack import Resource
from medallion_cli.local.cloudformation.unknown import UNKNOWN, has_unknown

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


@dataclass(frozen=True)
class Preview:
    """Changes by resource, and what CloudFormation's validation would refuse (one text a resource)."""

    changes: list[dict[str, Any]]
    refusals: list[str]


def preview(intent: Intent) -> Preview:
    """Compare an intent (with `preview=True`) with its stack, resource by resource in dependency order."""
    changes: list[dict[str, Any]] = []
    refusals: list[str] = []
    active = intent.active
    for logical_id in active:
        properties = intent.properties(logical_id)
        refusals += refusal(intent, logical_id, properties)
        current = intent.stack.resources.get(logical_id)
        change = _modification(intent, current, properties) if current else _addition(intent, logical_id)
        if change:
            changes.append(change)
    gone = [resource for name, resource in intent.stack.resources.items() if name not in active]
    return Preview(changes + [_removal(resource) for resource in gone], refusals)


def refusal(intent: Intent, logical_id: str, properties: dict[str, Any]) -> list[str]:
    """CloudFormation's validation message for a resource, or nothing."""
    found = violations(properties, intent.template.schema(logical_id))
    return [
        f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(found)
    ] * bool(found)


def _addition(intent: Intent, logical_id: str) -> dict[str, Any]:
    return _change("Add", logical_id, intent.template.resources[logical_id]["Type"])


def _removal(resource: Resource) -> dict[str, Any]:
    policy = "Retain" if resource.deletion_policy == "Retain" else "Delete"
    return _change(
        "Remove", resource.logical_id, resource.type_name, resource.physical_id, PolicyAction=policy
    )


def _change(
    action: str, logical_id: str, type_name: str, physical_id: str = "", **more: Any
) -> dict[str, Any]:
    body = {
        "Action": action,
        "LogicalResourceId": logical_id,
        "ResourceType": type_name,
        "Scope": [],
        "Details": [],
    }
    if physical_id:
        body["PhysicalResourceId"] = physical_id
    return {"Type": "Resource", "ResourceChange": body | more}


def _modification(intent: Intent, current: Resource, properties: dict[str, Any]) -> dict[str, Any] | None:
    logical_id = current.logical_id
    node = intent.template.resources[logical_id]
    paths = list(difference(current.properties, properties))
    scope = (["Properties"] if paths else []) + (
        ["Metadata"] if node.get("Metadata", {}) != current.metadata else []
    )
    if not scope and node["Type"] == current.type_name:
        return None
    replacement = _replacement(intent, current, properties, paths)
    if replacement != "False":
        intent.replaced.add(logical_id)
    details = [_detail(intent, current, properties, path) for path in paths]
    more = {"Scope": scope, "Replacement": replacement, "Details": details}
    if replacement == "True":
        more["PolicyAction"] = (
            "ReplaceAndRetain" if current.replace_policy == "Retain" else "ReplaceAndDelete"
        )
    return _change("Modify", logical_id, node["Type"], current.physical_id, **more)


def _replacement(intent: Intent, current: Resource, properties: dict[str, Any], paths: list[str]) -> str:
    if intent.template.resources[current.logical_id]["Type"] != current.type_name:
        return "True"
    fixed = recreates(paths, intent.template.schema(current.logical_id))
    if not fixed:
        return "False"
    unsure = all(has_unknown(_at(properties, path)) for path in fixed)
    return "Conditional" if unsure else "True"


def _detail(intent: Intent, current: Resource, properties: dict[str, Any], path: str) -> dict[str, Any]:
    after = _at(properties, path)
    fixed = bool(recreates([path], intent.template.schema(current.logical_id)))
    recreation = "Never" if not fixed else "Conditionally" if has_unknown(after) else "Always"
    target = {"Attribute": "Properties", "Name": path.split(".")[0], "Path": "/" + path.replace(".", "/")}
    secrets = _secrets(intent)
    target |= _shown("BeforeValue", _at(current.properties, path), secrets) | _shown(
        "AfterValue", after, secrets
    )
    source, cause = _source(intent, current.logical_id, path)
    return {
        "Target": target | {"RequiresRecreation": recreation},
        "Evaluation": "Dynamic" if has_unknown(after) else "Static",
        "ChangeSource": source,
    } | ({"CausingEntity": cause} if cause else {})


def _secrets(intent: Intent) -> list[str]:
    """Values of NoEcho parameters, the coming and the present ones."""
    hidden = [item for item in intent.parameters.values() if item.no_echo]
    values = [item.text for item in hidden] + [
        intent.stack.desired.parameters.get(item.name, "") for item in hidden
    ]
    return [value for value in values if value]


def _source(intent: Intent, logical_id: str, path: str) -> tuple[str, str]:
    node = intent.template.resources[logical_id].get("Properties", {}).get(path.split(".")[0])
    named = references(node)
    for name in sorted(named & set(intent.parameters)):
        return "ParameterReference", name
    for name in sorted(named & set(intent.template.resources)):
        return "ResourceReference", name
    return "DirectModification", ""


def _shown(name: str, value: Any, secrets: list[str]) -> dict[str, str]:
    """A value as text, with NoEcho parameters masked."""
    if value is None:
        return {}
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return {name: "****" if any(secret in text for secret in secrets) else text}


def _at(properties: dict[str, Any], path: str) -> Any:
    node: Any = properties
    for step in path.split("."):
        if node is UNKNOWN or not isinstance(node, dict):
            return node if node is UNKNOWN else None
        node = node.get(step)
    return node
