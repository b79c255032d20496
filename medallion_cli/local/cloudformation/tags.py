"""Tags: CloudFormation gives a stack's to every resource that takes tags; the resource's own win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.schemas import ResourceSchema

MOST: Final = 50


def read_tags(given: list[dict[str, str]]) -> dict[str, str]:
    """The tags of a request; ValidationError for too many, a repeated key or AWS's own prefix."""
    if len(given) > MOST:
        raise ValidationError(f"Number of tags {len(given)} exceeds the limit of {MOST}")
    tags = {item["Key"]: item["Value"] for item in given}
    if len(tags) != len(given):
        raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case sensitive.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise ValidationError("aws: prefixed tag key names are not allowed for external use.")
    return tags


def tag_property(schema: ResourceSchema) -> str | None:
    """The property that holds a type's tags; None when it takes none."""
    tagging = schema.document.get("tagging", {})
    if not tagging.get("taggable", schema.document.get("taggable", True)):
        return None
    name = str(tagging.get("tagProperty", "/properties/Tags")).removeprefix("/properties/")
    return name if name in schema.document.get("properties", {}) else None


def tagged(properties: dict[str, Any], tags: Mapping[str, str], schema: ResourceSchema) -> dict[str, Any]:
    """The properties as a handler gets them: the stack's tags among its own."""
    name = tag_property(schema)
    if name is None or not tags:
        return properties
    own = properties.get(name)
    if schema.resolve(schema.node(name)).get("type") == "object":
        return {**properties, name: {**tags, **(own or {})}}
    known = {item.get("Key") for item in own or []}
    more = [{"Key": key, "Value": value} for key, value in tags.items() if key not in known]
    return {**properties, name: [*(own or []), *more]}
