"""What executing a template would do to a stack, in the shape DescribeChangeSet returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from medallion_cli.local.cloudformation.decisions import ALWAYS, CONDITIONALLY, NEVER, recreation
from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.intrinsics import attribute_references, references
from medallion_cli.local.cloudformation.properties import difference, violations
from medallion_cli.local.cloudformation.stack import Resource
from medallion_cli.local.cloudformation.tags import tag_property, tagged
from medallion_cli.local.cloudformation.unknown import UNKNOWN, has_unknown

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_SNAPSHOTS: Final = {"Snapshot": "Snapshot", "Retain": "Retain", "RetainExceptOnCreate": "Retain"}


@dataclass(frozen=True)
class Preview:
    """Changes by resource, and what CloudFormation's validation would refuse (one text a resource)."""

    changes: list[dict[str, Any]]
    refusals: list[str]


def preview(intent: Intent, tags: dict[str, str]) -> Preview:
    """Compare an intent (with `preview=True`) and stack tags with its stack, in dependency order."""
    changes: list[dict[str, Any]] = []
    refusals: list[str] = []
    active = intent.active
    for logical_id in active:
        properties = intent.properties(logical_id)
        refusals += refusal(intent, logical_id, properties)
        current = intent.stack.resources.get(logical_id)
        if current is None or not current.physical_id:
            change: dict[str, Any] | None = _addition(intent, logical_id)
        else:
            change = _Modification(intent, current, properties, tags).change()
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
    policy = _SNAPSHOTS.get(resource.deletion_policy, "Delete")
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


@dataclass(frozen=True)
class _Modification:
    """One resource that is there, against its desired properties."""

    intent: Intent
    current: Resource
    properties: dict[str, Any]
    tags: dict[str, str]

    def change(self) -> dict[str, Any] | None:
        """The change with its details, or None when there is none."""
        logical_id, details = self.current.logical_id, [*self._details()]
        retyped = self._type != self.current.type_name
        if not details and not retyped:
            return None
        replacement = "True" if retyped else _replacement(details)
        self.intent.modified.add(logical_id)
        if replacement != "False":
            self.intent.replaced.add(logical_id)
        scope = [*dict.fromkeys(detail["Target"]["Attribute"] for detail in details)]
        more: dict[str, Any] = {"Scope": scope, "Replacement": replacement, "Details": details}
        if replacement == "True":
            policy = self.intent.template.policy(logical_id, "UpdateReplacePolicy")
            more["PolicyAction"] = f"ReplaceAnd{_SNAPSHOTS.get(policy, 'Delete')}"
        contexts = (("BeforeContext", self.current.properties), ("AfterContext", self.properties))
        more |= {name: self._text({"Properties": value}) for name, value in contexts}
        return _change("Modify", logical_id, self._type, self.current.physical_id, **more)

    @property
    def _node(self) -> dict[str, Any]:
        return self.intent.template.resources[self.current.logical_id]

    @property
    def _type(self) -> str:
        return str(self._node["Type"])

    def _details(self) -> Iterator[dict[str, Any]]:
        schema = self.intent.template.schema(self.current.logical_id)
        own = tag_property(schema) if self._type == self.current.type_name else None
        for path in difference(self.current.properties, self.properties):
            if path.split(".")[0] != own:
                yield from self._property_details(path)
        before = tagged(self.current.properties, self.current.tags, schema).get(own or "")
        after = tagged(self.properties, self.tags, schema).get(own or "")
        if own and before != after:
            target = {"Attribute": "Tags", "RequiresRecreation": NEVER}
            yield self._detail(target, f"/Properties/{own}", before, after, "DirectModification", "")
        policies = {"DeletionPolicy": "deletion_policy", "UpdateReplacePolicy": "replace_policy"}
        for name, field in policies.items():
            yield from self._attribute(
                name,
                getattr(self.current, field),
                self.intent.template.policy(self.current.logical_id, name),
            )
        yield from self._attribute("Metadata", self.current.metadata, self._node.get("Metadata", {}))

    def _attribute(self, name: str, before: Any, after: Any) -> Iterator[dict[str, Any]]:
        if before != after:
            target = {"Attribute": name, "RequiresRecreation": NEVER}
            yield self._detail(target, f"/{name}", before, after, "DirectModification", "")

    def _property_details(self, path: str) -> Iterator[dict[str, Any]]:
        schema = self.intent.template.schema(self.current.logical_id)
        target = {
            "Attribute": "Properties",
            "Name": path.split(".")[0],
            "RequiresRecreation": recreation(path, self.current.properties, self.properties, schema),
        }
        before, after = _at(self.current.properties, path), _at(self.properties, path)
        place = "/Properties/" + path.replace(".", "/")
        for source, cause in self._sources(path.split(".")[0]):
            yield self._detail(target, place, before, after, source, cause)

    def _detail(
        self, target: dict[str, Any], path: str, before: Any, after: Any, source: str, cause: str
    ) -> dict[str, Any]:
        values = {"Path": path, "BeforeValue": before, "AfterValue": after}
        shown = {name: self._text(value) for name, value in values.items() if value is not None}
        kind = "Add" if before is None else "Remove" if after is None else "Modify"
        detail = {
            "Target": target | shown | {"AttributeChangeType": kind},
            "Evaluation": "Dynamic" if has_unknown(after) else "Static",
            "ChangeSource": source,
        }
        return detail | ({"CausingEntity": cause} if cause else {})

    def _sources(self, name: str) -> list[tuple[str, str]]:
        """Why a property changes: changed parameters and resources that it names, else the template."""
        node = self._node.get("Properties", {}).get(name)
        before, parameters = self.intent.stack.desired.parameters, self.intent.parameters
        found = [
            ("ParameterReference", item)
            for item in sorted(references(node) & parameters.keys())
            if item in before and before[item] != parameters[item].text
        ]
        attributes = sorted(attribute_references(node))
        found += [
            ("ResourceAttribute", f"{logical_id}.{attribute}")
            for logical_id, attribute in attributes
            if logical_id in self.intent.modified
        ]
        plain = references(node, attributes=False)
        found += [("ResourceReference", item) for item in sorted(plain & self.intent.replaced)]
        return found or [("DirectModification", "")]

    def _text(self, value: Any) -> str:
        """A value as text; with a NoEcho parameter's value in it, nothing of it."""
        text = value if isinstance(value, str) else json.dumps(value, default=repr)
        text = repr(UNKNOWN) if value is UNKNOWN else text
        return "****" if any(secret in text for secret in self._secrets()) else text

    def _secrets(self) -> list[str]:
        hidden = [item for item in self.intent.parameters.values() if item.no_echo]
        before = self.intent.stack.desired.parameters
        values = [item.text for item in hidden] + [before.get(item.name, "") for item in hidden]
        return [value for value in values if value]


def _replacement(details: list[dict[str, Any]]) -> str:
    """True for a change that always recreates and whose value is known, Conditional for one that may."""
    found = {(detail["Target"]["RequiresRecreation"], detail["Evaluation"]) for detail in details}
    if (ALWAYS, "Static") in found:
        return "True"
    return "Conditional" if any(kind in (ALWAYS, CONDITIONALLY) for kind, _ in found) else "False"


def _at(properties: dict[str, Any], path: str) -> Any:
    node: Any = properties
    for step in path.split("."):
        if node is UNKNOWN or not isinstance(node, dict):
            return node if node is UNKNOWN else None
        node = node.get(step)
    return node
