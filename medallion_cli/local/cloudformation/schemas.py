"""CloudFormation's resource schemas, from cfn-lint's bundled data (one pointer file a region)."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

# older types whose settable properties GetAtt gives too (as cfn-lint lists them)
_WHOLE = frozenset(
    f"AWS::{name}"
    for name in [
        "EC2::SecurityGroup",
        "EC2::Subnet",
        "EC2::VPC",
        "RDS::DBInstance",
        "RDS::DBParameterGroup",
        "RedshiftServerless::Workgroup",
        "SNS::Topic",
        "SQS::Queue",
        "SSM::Parameter",
    ]
)


@dataclass(frozen=True)
class ResourceSchema:
    """One resource type; property paths are dotted and relative (`Workgroup.Endpoint.Port`)."""

    type_name: str
    document: dict[str, Any]

    @property
    def read_only(self) -> tuple[str, ...]:
        """What GetAtt may ask for."""
        return _paths(self.document.get("readOnlyProperties", ()))

    @property
    def create_only(self) -> tuple[str, ...]:
        """A change to one of these replaces the resource."""
        return _paths(self.document.get("createOnlyProperties", ()))

    @property
    def conditional_create_only(self) -> tuple[str, ...]:
        """A change to one of these replaces the resource in some cases."""
        return _paths(self.document.get("conditionalCreateOnlyProperties", ()))

    @property
    def write_only(self) -> tuple[str, ...]:
        """What no service gives back."""
        return _paths(self.document.get("writeOnlyProperties", ()))

    @property
    def primary_identifier(self) -> tuple[str, ...]:
        """The properties whose values name the resource."""
        return _paths(self.document.get("primaryIdentifier", ()))

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Every name GetAtt accepts: read-only leaves and the objects that hold them, nothing write-only."""
        return frozenset(self._attributes()) - frozenset(self.write_only)

    def _attributes(self) -> Iterator[str]:
        if self.type_name in _WHOLE:
            yield from self._leaves("", self.document)
        for path in self.read_only:
            yield path
            node = self.resolve(self.node(path))
            for child in node.get("properties", {}):
                yield from self._leaves(f"{path}.{child}", self.resolve(node["properties"][child]))

    def _leaves(self, path: str, node: dict[str, Any]) -> Iterator[str]:
        if path:
            yield path
        for child, inner in node.get("properties", {}).items():
            yield from self._leaves(f"{path}.{child}".lstrip("."), self.resolve(inner))

    def node(self, path: str) -> dict[str, Any]:
        """The schema of a dotted property path; empty when the path leaves the schema."""
        node: dict[str, Any] = self.document
        for step in path.split("."):
            node = self.resolve(node)
            node = node.get("properties", {}).get(step) or node.get("items", {}) if node else {}
        return node

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow `$ref` to its definition."""
        while "$ref" in node:
            target: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node


def _paths(pointers: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pointer.removeprefix("/properties/").replace("/", ".") for pointer in pointers)


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("cfn-lint is not installed: its resource schemas drive local CloudFormation")
    return Path(spec.submodule_search_locations[0]) / "data" / "schemas"


@cache
def _types(region: str) -> dict[str, str]:
    chosen = _folder() / "providers" / f"{region}.json"
    fallback = _folder() / "providers" / "us-east-1.json"
    types: dict[str, str] = json.loads((chosen if chosen.exists() else fallback).read_text("utf-8"))
    return types


@cache
def resource_schema(type_name: str, region: str = "us-east-1") -> ResourceSchema | None:
    """The schema of a type in a region; None when CloudFormation has no such type there."""
    digest = _types(region).get(type_name)
    if digest is None:
        return None
    text = (_folder() / "resources" / f"{digest}.json").read_text("utf-8")
    return ResourceSchema(type_name, json.loads(text))
