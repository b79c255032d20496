"""The structure of a template: sections, references and resource order, checked as CloudFormation does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.functions import check_form
from medallion_cli.local.cloudformation.intrinsics import attribute_references, references
from medallion_cli.local.cloudformation.parse import parse_template
from medallion_cli.local.cloudformation.schemas import ResourceSchema, resource_schema
from medallion_cli.local.cloudformation.structure import check_structure

MAX_BODY: Final = 51_200
MAX_FILE: Final = 1_000_000
PSEUDO: Final = frozenset(
    f"AWS::{name}"
    for name in [
        "AccountId",
        "NotificationARNs",
        "NoValue",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    ]
)
_SECTIONS: Final = frozenset(
    [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    ]
)
_ATTRIBUTES: Final = frozenset(
    [
        "Type",
        "Properties",
        "DependsOn",
        "Condition",
        "Metadata",
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "CreationPolicy",
        "UpdatePolicy",
    ]
)
_POLICIES: Final = {
    "DeletionPolicy": ("Delete", "Retain", "Snapshot", "RetainExceptOnCreate"),
    "UpdateReplacePolicy": ("Delete", "Retain", "Snapshot"),
}
_SNAPSHOT_BY_DEFAULT: Final = frozenset({"AWS::RDS::DBInstance"})


@dataclass(frozen=True)
class Template:
    """A parsed and checked template of one region."""

    body: str
    document: dict[str, Any]
    region: str

    def section(self, name: str) -> dict[str, Any]:
        """One top-level section; empty when the template has none."""
        return self.document.get(name) or {}

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Resource declarations by logical id."""
        return self.section("Resources")

    @property
    def description(self) -> str:
        """The template's own description, or nothing."""
        return str(self.document.get("Description", ""))

    def schema(self, logical_id: str) -> ResourceSchema:
        """The schema of a resource's type (every type was checked to exist)."""
        type_name = self.resources[logical_id]["Type"]
        found = resource_schema(type_name, self.region)
        if found is None:
            raise ValidationError(f"Template format error: Unrecognized resource types: [{type_name}]")
        return found

    def dependencies(self, logical_id: str) -> set[str]:
        """Resources that must be there first: DependsOn and everything that the properties refer to."""
        node = self.resources[logical_id]
        explicit = node.get("DependsOn", [])
        named = {explicit} if isinstance(explicit, str) else set(explicit)
        return (named | references(node.get("Properties", {}))) & set(self.resources)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Logical ids, each after its dependencies, otherwise as written; ValidationError on a cycle."""
        done: dict[str, None] = {}
        waiting = {name: self.dependencies(name) for name in self.resources}
        while waiting:
            ready = [name for name, needs in waiting.items() if needs <= done.keys()]
            if not ready:
                cycle = ", ".join(sorted(_in_cycle(waiting)))
                raise ValidationError(f"Circular dependency between resources: [{cycle}]")
            for name in ready:
                done[name] = None
                del waiting[name]
        return tuple(done)

    def policy(self, logical_id: str, kind: str) -> str:
        """DeletionPolicy or UpdateReplacePolicy in force, with the type's default."""
        node = self.resources[logical_id]
        default = (
            "Snapshot" if node["Type"] in _SNAPSHOT_BY_DEFAULT and kind == "DeletionPolicy" else "Delete"
        )
        return str(node.get(kind, default))


def _in_cycle(waiting: dict[str, set[str]]) -> set[str]:
    names = set(waiting)
    while True:
        kept = {n for n in names if waiting[n] & names and any(n in waiting[other] for other in names)}
        if kept == names:
            return names
        names = kept


@lru_cache(maxsize=64)
def load_template(body: str, region: str) -> Template:
    """Parse and check a template; raises ValidationError with CloudFormation's text."""
    template = Template(body, parse_template(body), region)
    check_form(template.document)
    _check_sections(template)
    _check_types(template)
    _check_references(template)
    _ = template.order
    return template


def _check_sections(template: Template) -> None:
    document = template.document
    if "Transform" in document:
        raise ValidationError(f"No transform named {document['Transform']} found.")
    unknown = sorted(set(document) - _SECTIONS - {"Hooks", "Rules"})
    if unknown:
        raise ValidationError(f"Invalid template property or properties [{', '.join(unknown)}]")
    for name in _SECTIONS - {"AWSTemplateFormatVersion", "Description"}:
        if not isinstance(document.get(name, {}), dict):
            raise ValidationError(f"Template format error: {name} must be an object")
    if not template.resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    for name, node in template.resources.items():
        _check_resource(name, node)
    check_structure(document)


def _check_resource(name: str, node: Any) -> None:
    if not re.fullmatch("[A-Za-z0-9]+", name):
        raise ValidationError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(node, dict):
        raise ValidationError("Template format error: Every Resources object must be an object.")
    if not isinstance(node.get("Type"), str):
        raise ValidationError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    for attribute in node:
        if attribute not in _ATTRIBUTES:
            raise ValidationError(f"Invalid template resource property '{attribute}'")
    for kind, allowed in _POLICIES.items():
        if node.get(kind, "Delete") not in allowed:
            raise ValidationError(
                f"Template format error: Unrecognized {kind} {node[kind]} for resource {name}"
            )
    depends = node.get("DependsOn", [])
    names = [depends] if isinstance(depends, str) else depends
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise ValidationError("Template format error: DependsOn must be a string or list of strings.")
    if not isinstance(node.get("Condition", ""), str):
        raise ValidationError(
            f"Template format error: [/Resources/{name}/Condition] Condition must be a string"
        )
    for member in ("Properties", "Metadata"):
        if not isinstance(node.get(member, {}), dict):
            raise ValidationError(
                f"Template format error: [/Resources/{name}/{member}] {member} must be an object"
            )


def _check_types(template: Template) -> None:
    types = {node["Type"] for node in template.resources.values()}
    unknown = sorted(name for name in types if resource_schema(name, template.region) is None)
    if unknown:
        raise ValidationError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")


def _check_references(template: Template) -> None:
    known = set(template.resources) | set(template.section("Parameters")) | PSEUDO
    for block in ("Resources", "Outputs"):
        found = references(template.section(block))
        if block == "Resources":
            found |= set().union(*_depends_on(template))
        missing = sorted(found - known)
        if missing:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
                f"in the {block} block of the template"
            )
    named = attribute_references([template.resources, template.section("Outputs")])
    for logical_id, attribute in sorted(named):
        _check_attribute(template, logical_id, attribute)
    for name in _condition_names(template):
        if name not in template.section("Conditions"):
            raise ValidationError(
                f"Template format error: Unresolved condition dependency {name} in the template"
            )


def _depends_on(template: Template) -> Iterator[set[str]]:
    for node in template.resources.values():
        explicit = node.get("DependsOn", [])
        yield {explicit} if isinstance(explicit, str) else set(explicit)


def _condition_names(template: Template) -> Iterator[str]:
    for node in [*template.resources.values(), *template.section("Outputs").values()]:
        if isinstance(node, dict) and isinstance(node.get("Condition"), str):
            yield node["Condition"]


def _check_attribute(template: Template, logical_id: str, attribute: str) -> None:
    if logical_id not in template.resources:
        raise ValidationError(
            f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
        )
    if attribute not in template.schema(logical_id).attributes:
        raise ValidationError(
            f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
        )
