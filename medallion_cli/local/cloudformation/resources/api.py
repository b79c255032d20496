"""Properties to API parameters: names matched to the operation's members, values to their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from functools import cache
from typing import Any

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.resources.handler import Made, Request, is_taken
from medallion_cli.local.protocol import ServiceError


@cache
def _model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def arguments(
    service: str,
    operation: str,
    properties: Mapping[str, Any],
    *,
    renamed: Mapping[str, str] | None = None,
    unsent: Set[str] = frozenset(),
) -> dict[str, Any]:
    """Keyword arguments of an operation; a property without a place there is refused unless `unsent`."""
    renamed = renamed or {}
    shape = _model(service).operation_model(operation).input_shape
    members = {name.lower(): name for name in shape.members}
    found: dict[str, Any] = {}
    for name, value in properties.items():
        target = members.get(renamed.get(name, name).lower())
        if target is not None:
            found[target] = _shaped(value, shape.members[target])
        elif name not in unsent:
            raise ResourceFailure(
                f"Property {name} is not supported by the embedded AWS ({service} {operation})"
            )
    return found


def _shaped(value: Any, shape: Any) -> Any:
    match shape.type_name:
        case "structure" if isinstance(value, Mapping):
            members = {name.lower(): name for name in shape.members}
            known = {members[name.lower()]: item for name, item in value.items() if name.lower() in members}
            return {name: _shaped(item, shape.members[name]) for name, item in known.items()}
        case "list" if isinstance(value, list):
            return [_shaped(item, shape.member) for item in value]
        case "map" if isinstance(value, Mapping):
            return {name: _shaped(item, shape.value) for name, item in value.items()}
        case "integer" | "long":
            return int(value)
        case "double" | "float":
            return float(value)
        case "string" if not isinstance(value, str):
            return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)
    return value


def changed(request: Request) -> dict[str, Any]:
    """The properties that differ from what the resource has."""
    return {name: value for name, value in request.properties.items() if request.before.get(name) != value}


def without(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The properties but for some."""
    return {name: value for name, value in properties.items() if name not in names}


def generated(request: Request, limit: int, *, lower: bool = False) -> str:
    """The generated name within a service's limit, its random end kept whole."""
    name = request.name
    if len(name) > limit:
        stem, suffix = name.rsplit("-", 1)
        name = f"{stem[: limit - len(suffix) - 1].rstrip('-')}-{suffix}"
    return name.lower() if lower else name


def recreated(create: Callable[[Request], Made]) -> Callable[[Request], None]:
    """A restore for services without memory: create, and be content when it is there."""

    def restore(request: Request) -> None:
        try:
            create(request)
        except ServiceError as error:
            if not is_taken(error):
                raise

    return restore


def tag_map(request: Request) -> dict[str, str]:
    """Tags as a map, whichever of CloudFormation's two forms the type uses."""
    return _as_map(request.properties.get("Tags", {}))


def _as_map(tags: Any) -> dict[str, str]:
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}


def retagged(request: Request) -> tuple[dict[str, str], list[str]]:
    """(tags to set, keys to take away) of an update."""
    new, old = tag_map(request), _as_map(request.before.get("Tags", {}))
    fresh = {key: value for key, value in new.items() if old.get(key) != value}
    return fresh, [key for key in old if key not in new]


def told(
    expected: Mapping[str, Any], answer: Mapping[str, Any], renamed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The live values of those expected properties that an answer of the service tells; tags are not.

    `renamed` maps properties to the answer's members where more than the case differs.
    """
    members = {name.lower(): value for name, value in answer.items()}
    found: dict[str, Any] = {}
    for name, value in expected.items():
        member = (renamed or {}).get(name, name).lower()
        if name != "Tags" and member in members:
            found[name] = _told(value, members[member])
    return found


def _told(expected: Any, live: Any) -> Any:
    """A live value as the template writes it: the expected one when both mean the same."""
    match expected, live:
        case Mapping(), Mapping():
            return told(expected, live)
        case list(), list() if len(expected) == len(live):
            return [_told(item, other) for item, other in zip(expected, live, strict=True)]
        case str(), str() if expected.lower() == live.lower() or _same_json(expected, live):
            return expected
    scalars = isinstance(expected, str | int | float) and isinstance(live, str | int | float)
    return expected if scalars and str(expected).lower() == str(live).lower() else live


def _same_json(left: str, right: str) -> bool:
    try:
        return bool(left.lstrip().startswith(("{", "[")) and json.loads(left) == json.loads(right))
    except ValueError:
        return False


def optional(request: Request, service: str, operation: str, params: Mapping[str, Any]) -> None:
    """A call that the local service may not have; what it would have done is then inert."""
    try:
        request.call(service, operation, **params)
    except ServiceError as error:
        if error.code != "NotImplemented":
            raise
