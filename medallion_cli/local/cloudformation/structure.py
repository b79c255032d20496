"""What a template may not say: CloudFormation's own rules, and what the embedded AWS does not act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.intrinsics import references

_UNSUPPORTED_SECTIONS: Final = ("Hooks", "Rules")
_UNSUPPORTED_ATTRIBUTES: Final = ("CreationPolicy", "UpdatePolicy")
SNAPSHOT_TYPES: Final = frozenset(
    f"AWS::{name}"
    for name in [
        "DocDB::DBCluster",
        "EC2::Volume",
        "ElastiCache::CacheCluster",
        "ElastiCache::ReplicationGroup",
        "Neptune::DBCluster",
        "RDS::DBCluster",
        "RDS::DBInstance",
        "Redshift::Cluster",
    ]
)
_MOST: Final = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
# the only properties that CloudFormation fills with an encrypted SSM parameter, of the types known here
_SECURE: Final = {
    "AWS::RDS::DBInstance": ("MasterUsername", "MasterUserPassword"),
    "AWS::RDS::DBCluster": ("MasterUsername", "MasterUserPassword"),
    "AWS::Redshift::Cluster": ("MasterUsername", "MasterUserPassword"),
}
_DYNAMIC: Final = re.compile(r"\{\{resolve:([^:}]*):[^}]*\}\}")


def check_structure(document: Mapping[str, Any]) -> None:
    """ValidationError for the first thing that CloudFormation, or the embedded one, would not take."""
    for name in _UNSUPPORTED_SECTIONS:
        if name in document:
            raise ValidationError(f"Template section {name} is not supported by the embedded AWS")
    version = document.get("AWSTemplateFormatVersion", "2010-09-09")
    if str(version) != "2010-09-09":
        raise ValidationError(f"Template format error: Unsupported template version {version}.")
    if not isinstance(document.get("Description", ""), str):
        raise ValidationError("Template format error: Description must be a string")
    for name, most in _MOST.items():
        if len(document.get(name) or {}) > most:
            raise ValidationError(f"Template format error: Number of {name} exceeds the maximum of {most}")
    _check_names(document)
    for name, node in document["Resources"].items():
        _check_attributes(name, node)
        _check_dynamic(name, node)
    _check_outputs(document.get("Outputs") or {})
    _check_conditions(document)


def _check_names(document: Mapping[str, Any]) -> None:
    for section in ("Parameters", "Outputs", "Conditions", "Mappings"):
        for name in document.get(section) or {}:
            if not re.fullmatch("[A-Za-z0-9]+", str(name)):
                raise ValidationError(f"Template format error: {section} name {name} is non alphanumeric.")


def _check_attributes(name: str, node: Mapping[str, Any]) -> None:
    for attribute in _UNSUPPORTED_ATTRIBUTES:
        if attribute in node:
            raise ValidationError(f"{attribute} is not supported by the embedded AWS (resource {name})")
    for kind in ("DeletionPolicy", "UpdateReplacePolicy"):
        if node.get(kind) == "Snapshot" and node["Type"] not in SNAPSHOT_TYPES:
            word = "deletion" if kind == "DeletionPolicy" else "update replace"
            raise ValidationError(
                f"Template error: resource type {node['Type']} does not support {word} policy Snapshot"
            )


def _check_dynamic(name: str, node: Mapping[str, Any]) -> None:
    for key, value in node.get("Properties", {}).items():
        for service in _services(value):
            if service not in ("ssm", "ssm-secure", "secretsmanager"):
                raise ValidationError(
                    f"Template error: dynamic reference to {service or 'nothing'} in {name}/{key} is not known"
                )
            if service == "ssm-secure" and key not in _SECURE.get(node["Type"], ()):
                raise ValidationError(
                    f"SSM Secure reference is not supported in: [{node['Type']}/Properties/{key}]"
                )


def _services(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield from _DYNAMIC.findall(node)
        case dict():
            for item in node.values():
                yield from _services(item)
        case list():
            for item in node:
                yield from _services(item)


def _check_outputs(outputs: Mapping[str, Any]) -> None:
    exported: set[str] = set()
    for name, node in outputs.items():
        if not isinstance(node, dict) or "Value" not in node:
            raise ValidationError(
                f"Template format error: Every Outputs member must contain a Value object: {name}"
            )
        extra = sorted(set(node) - {"Value", "Description", "Export", "Condition"})
        if extra:
            raise ValidationError(f"Invalid template output property '{extra[0]}'")
        if any(service in ("secretsmanager", "ssm-secure") for service in _services(node["Value"])):
            raise ValidationError(
                f"Template error: output {name} would show a secret: dynamic references to secrets are "
                "for resource properties only"
            )
        export = node.get("Export", {"Name": None})
        if not isinstance(export, dict) or set(export) != {"Name"}:
            raise ValidationError(f"Template format error: Output {name} is malformed: Export needs a Name")
        if isinstance(export["Name"], str) and export["Name"] in exported:
            raise ValidationError(
                f"Template format error: Duplicate Export names. More than one output exports {export['Name']}"
            )
        exported.add(str(export["Name"]))


def _check_conditions(document: Mapping[str, Any]) -> None:
    conditions = document.get("Conditions") or {}
    known = set(document.get("Parameters") or {})
    named = {name for name in references(conditions) if not name.startswith("AWS::")}
    strange = sorted(named - known)
    if strange:
        raise ValidationError(
            f"Template validation error: Template error: Unresolved dependencies [{', '.join(strange)}]. "
            "Cannot reference resources in the Conditions block of the template"
        )
    used = {*_chosen(document["Resources"]), *_chosen(document.get("Outputs") or {}), *_chosen(conditions)}
    missing = sorted(used - set(conditions))
    if missing:
        raise ValidationError(
            f"Template error: unresolved condition dependency {missing[0]} in Fn::If or Condition"
        )
    for node in conditions.values():
        _check_condition(node)


def _chosen(node: Any) -> Iterator[str]:
    """Conditions that Fn::If and Condition functions name."""
    match node:
        case {"Fn::If": [str(name), then, otherwise]} if len(node) == 1:
            yield name
            yield from _chosen([then, otherwise])
        case {"Condition": str(name)} if len(node) == 1:
            yield name
        case dict():
            for item in node.values():
                yield from _chosen(item)
        case list():
            for item in node:
                yield from _chosen(item)


def _check_condition(node: Any) -> None:
    match node:
        case {"Fn::And": list(items)} | {"Fn::Or": list(items)} if len(node) == 1:
            if not 2 <= len(items) <= 10:
                raise ValidationError(
                    "Template validation error: Template error: every Fn::And and Fn::Or object requires a "
                    "list of at least 2 and at most 10 boolean parameters."
                )
            for item in items:
                _check_condition(item)
        case {"Fn::Not": list(items)} if len(node) == 1:
            if len(items) != 1:
                raise ValidationError(
                    "Template validation error: Template error: every Fn::Not object requires one boolean "
                    "parameter."
                )
            _check_condition(items[0])
        case {"Fn::Equals": list(items)} if len(node) == 1 and len(items) == 2:
            pass
        case {"Condition": str()} if len(node) == 1:
            pass
        case _:
            raise ValidationError(
                "Template format error: Every Condition member must be a condition function "
                "(Fn::And, Fn::Equals, Fn::Not, Fn::Or or Condition)"
            )
