"""Validation of properties against their schema, with the messages of CloudFormation's own validator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from medallion_cli.local.cloudformation.decisions import value_at
from medallion_cli.local.cloudformation.schemas import ResourceSchema
from medallion_cli.local.cloudformation.unknown import UNKNOWN

_NAMES = {
    dict: "JSONObject",
    list: "JSONArray",
    str: "String",
    bool: "Boolean",
    int: "Integer",
    float: "Number",
}
_DYNAMIC = "{{resolve:"


def coerce(value: Any, node: dict[str, Any], schema: ResourceSchema) -> Any:
    """The value in its property's own type: CloudFormation takes "true" for a Boolean and 20 for a String."""
    node = schema.resolve(node)
    if isinstance(value, dict):
        inner = node.get("properties", {})
        return {
            key: coerce(item, inner.get(key, _pattern_node(key, node)), schema) for key, item in value.items()
        }
    if isinstance(value, list):
        return [coerce(item, node.get("items", {}), schema) for item in value]
    return _coerce_scalar(value, _types(node))


def _pattern_node(key: str, node: dict[str, Any]) -> dict[str, Any]:
    for pattern, inner in node.get("patternProperties", {}).items():
        if _regex(pattern).search(key):
            found: dict[str, Any] = inner
            return found
    return {}


def _coerce_scalar(value: Any, types: tuple[str, ...]) -> Any:
    if not types or _has_type(value, types):
        return value
    match value:
        case bool() if "string" in types:
            return "true" if value else "false"
        case int() | float() if "string" in types:
            return str(value)
        case str() if "boolean" in types and value.lower() in ("true", "false"):
            return value.lower() == "true"
        case str():
            return _number(value, types)
    return value


def _number(text: str, types: tuple[str, ...]) -> Any:
    for name, read in (("integer", int), ("number", float)):
        if name in types:
            try:
                return read(text)
            except ValueError:
                continue
    return text


def _types(node: dict[str, Any]) -> tuple[str, ...]:
    kind = node.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _has_type(value: Any, types: tuple[str, ...]) -> bool:
    return any(_is(value, name) for name in types)


def _is(value: Any, name: str) -> bool:
    match name:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return value is None


def violations(properties: dict[str, Any], schema: ResourceSchema) -> list[str]:
    """Everything CloudFormation would refuse, as `#/Path: reason`; `properties` must be coerced."""
    found = [f"#: Encountered read-only property [{name}]" for name in _read_only(properties, schema)]
    return found + list(_check(properties, schema.document, "#", schema))


def _read_only(properties: dict[str, Any], schema: ResourceSchema) -> Iterator[str]:
    for path in schema.read_only:
        found = value_at(properties, path)
        if any(item is not None for item in (found if "*" in path and isinstance(found, list) else [found])):
            yield path.replace(".", "/")


def _check(value: Any, node: dict[str, Any], at: str, schema: ResourceSchema) -> Iterator[str]:
    node = schema.resolve(node)
    if value is UNKNOWN or (isinstance(value, str) and _DYNAMIC in value):
        return
    types = _types(node)
    if types and not _has_type(value, types):
        expected = " or ".join(name.capitalize() for name in types)
        yield f"{at}: expected type: {expected}, found: {_NAMES.get(type(value), 'Null')}"
        return
    yield from _check_choice(value, node, at)
    match value:
        case dict():
            yield from _check_object(value, node, at, schema)
        case list():
            yield from _check_array(value, node, at, schema)
        case str():
            yield from _check_text(value, node, at)
        case int() | float() if not isinstance(value, bool):
            yield from _check_number(value, node, at)
    yield from _check_combinations(value, node, at, schema)


def _check_choice(value: Any, node: dict[str, Any], at: str) -> Iterator[str]:
    if "enum" in node and value not in node["enum"]:
        yield f"{at}: {value} is not a valid enum value"
    folded = node.get("enumCaseInsensitive")
    if folded is not None and str(value).lower() not in [str(item).lower() for item in folded]:
        yield f"{at}: {value} is not a valid enum value"
    if "const" in node and value != node["const"]:
        yield f"{at}: {value} is not a valid enum value"


def _check_text(value: str, node: dict[str, Any], at: str) -> Iterator[str]:
    if len(value) < node.get("minLength", 0):
        yield f"{at}: expected minLength: {node['minLength']}, actual: {len(value)}"
    if len(value) > node.get("maxLength", len(value)):
        yield f"{at}: expected maxLength: {node['maxLength']}, actual: {len(value)}"
    if "pattern" in node and not _regex(node["pattern"]).search(value):
        yield f"{at}: failed validation constraint for keyword [pattern]"


def _check_number(value: float, node: dict[str, Any], at: str) -> Iterator[str]:
    if value < node.get("minimum", value):
        yield f"{at}: {value} is not greater or equal to {node['minimum']}"
    if value > node.get("maximum", value):
        yield f"{at}: {value} is not less or equal to {node['maximum']}"
    if "multipleOf" in node and value % node["multipleOf"]:
        yield f"{at}: {value} is not a multiple of {node['multipleOf']}"


def _check_array(value: list[Any], node: dict[str, Any], at: str, schema: ResourceSchema) -> Iterator[str]:
    count = len(value)
    if count < node.get("minItems", 0):
        yield f"{at}: expected minimum item count: {node['minItems']}, found: {count}"
    if count > node.get("maxItems", count):
        yield f"{at}: expected maximum item count: {node['maxItems']}, found: {count}"
    known = [json.dumps(item, sort_keys=True, default=id) for item in value]
    if node.get("uniqueItems") and len(set(known)) != count:
        yield f"{at}: array items are not unique"
    for index, item in enumerate(value):
        yield from _check(item, node.get("items", {}), f"{at}/{index}", schema)


def _check_object(
    value: dict[str, Any], node: dict[str, Any], at: str, schema: ResourceSchema
) -> Iterator[str]:
    properties = node.get("properties", {})
    for name in node.get("required", ()):
        if name not in value and not _is_read_only(name, at, schema):
            yield f"{at}: required key [{name}] not found"
    for name, item in value.items():
        inner = properties.get(name) or _pattern_node(name, node)
        if inner:
            yield from _check(item, inner, f"{at}/{name}", schema)
        elif node.get("additionalProperties") is False:
            yield f"{at}: extraneous key [{name}] is not permitted"
    yield from _check_groups(value, node, at)


def _is_read_only(name: str, at: str, schema: ResourceSchema) -> bool:
    path = f"{at.removeprefix('#').removeprefix('/').replace('/', '.')}.{name}".lstrip(".")
    return path in schema.read_only


def _check_groups(value: dict[str, Any], node: dict[str, Any], at: str) -> Iterator[str]:
    if len(value) < node.get("minProperties", 0):
        yield f"{at}: minimum size: [{node['minProperties']}], found: [{len(value)}]"
    if len(value) > node.get("maxProperties", len(value)):
        yield f"{at}: maximum size: [{node['maxProperties']}], found: [{len(value)}]"
    for group in (node["requiredXor"],) if "requiredXor" in node else ():
        if sum(name in value for name in group) != 1:
            yield f"{at}: exactly one of {group} is required"
    for group in (node["requiredOr"],) if "requiredOr" in node else ():
        if not any(name in value for name in group):
            yield f"{at}: at least one of {group} is required"
    for name, others in node.get("dependentExcluded", {}).items():
        for other in others if name in value else ():
            if other in value:
                yield f"{at}: {name} and {other} cannot be specified together"
    for name, others in node.get("dependentRequired", {}).items():
        for other in others if name in value else ():
            if other not in value:
                yield f"{at}: property [{other}] is required with [{name}]"


def _check_combinations(value: Any, node: dict[str, Any], at: str, schema: ResourceSchema) -> Iterator[str]:
    for inner in node.get("allOf", ()):
        yield from _check(value, inner, at, schema)
    if "anyOf" in node and not any(_holds(value, inner, at, schema) for inner in node["anyOf"]):
        yield f"{at}: #: no subschema matched out of the total {len(node['anyOf'])} subschemas"
    if "oneOf" in node:
        matched = sum(_holds(value, inner, at, schema) for inner in node["oneOf"])
        if matched != 1:
            yield f"{at}: #: {matched} subschemas matched instead of one"


def _holds(value: Any, node: dict[str, Any], at: str, schema: ResourceSchema) -> bool:
    return next(_check(value, node, at, schema), None) is None


@cache
def _regex(pattern: str) -> Any:
    """Schema patterns are ECMA/Java; `regex` (a cfn-lint dependency) knows their `\\p{…}` and `\\z`."""
    import regex  # type: ignore[import-untyped]

    astral = pattern.replace("\\uD800\\uDC00-\\uDBFF\\uDFFF", "\\U00010000-\\U0010FFFF")
    return regex.compile(astral.replace("\\z", "\\Z"))


def difference(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of the properties that differ, list indices left out, as create-only paths are written."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(key for key in after if key not in before)]:
            yield from difference(before.get(name), after.get(name), f"{path}.{name}".lstrip("."))
    elif before != after:
        yield path
