"""Resource properties against botocore's models: what cfn-lint's schemas leave open, the services' own lists and limits close.

A property is compared with the member of the same name in the API call that CloudFormation makes from it; a property
without such a member is left to cfn-lint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, Path, dotted, mapping
from medallion_cli.operations.validation.resource_calls import CALLS, RENAMED

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment


def property_findings(deployment: Deployment) -> Iterator[Finding]:
    """Values that the resource's own API would refuse."""
    for stack in deployment.stacks.values():
        for logical, resource in stack.resources.items():
            kind = str(resource.get("Type"))
            for path, what, remedy in refused(kind, mapping(resource, "Properties")):
                where = deployment.place(stack.name, logical, *path)
                yield Finding(where, f"{dotted(path)}: {what}", remedy, "MED-PRP-001")


def refused(kind: str, properties: Document) -> Iterator[tuple[Path, str, str]]:
    """(path, what is wrong, remedy) of one resource's values; nothing for a type that is not known here."""
    for number, (service, operation) in enumerate(CALLS.get(kind, ())):
        shape, renamed = input_shape(service, operation), RENAMED.get(kind, {})
        yield from _structure(properties, shape, (), renamed)
        yield from _required(properties, shape, renamed) if number == 0 else ()


def _required(properties: Document, shape: Any, renamed: dict[str, str]) -> Iterator[tuple[Path, str, str]]:
    """What the call needs and the resource has not; CloudFormation makes up names by itself."""
    given = {_plain(renamed.get(str(key), str(key))) for key in properties}
    for name in shape.required_members:
        if _plain(name) not in given and not re.search(r"(?i)(name|identifier|id)$", name):
            yield (name[0].upper() + name[1:],), f"{shape.name} needs it", f"add {name[0].upper() + name[1:]}"


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service; UnknownServiceError for one that there is not."""
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def input_shape(service: str, operation: str) -> Any:
    """What an operation takes."""
    return service_model(service).operation_model(operation).input_shape


def faults(value: Any, shape: Any, path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Where a value breaks its shape's list, pattern or limits; names are matched whatever their case."""
    if value is UNKNOWN or value is None:
        return
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            yield from _structure(value, shape, path, {})
        case "list" if isinstance(value, list):
            yield from _sized(len(value), shape, path, "entries")
            for number, inner in enumerate(value):
                yield from faults(inner, shape.member, (*path, number))
        case "map" if isinstance(value, dict):
            for key, inner in value.items():
                yield from faults(inner, shape.value, (*path, key))
        case "string" if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield from _text(str(value), shape, path)
        case "integer" | "long" | "float" | "double":
            yield from _number(value, shape, path)
        case "boolean" if str(value).lower() not in ("true", "false"):
            yield path, f"{value!r} is neither true nor false", "write true or false"


def _structure(
    value: Document, shape: Any, path: Path, renamed: dict[str, str]
) -> Iterator[tuple[Path, str, str]]:
    members = {_plain(name): member for name, member in shape.members.items()}
    for key, inner in value.items():
        member = members.get(_plain(renamed.get(str(key), str(key))))
        if member is not None:
            yield from faults(inner, member, (*path, key))


@cache
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _text(value: str, shape: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    allowed = list(getattr(shape, "enum", []))
    # Services spell their lists in one case and take another (DMS: `sse-kms` and `SSE_KMS`).
    if allowed and _plain(value) not in {_plain(one) for one in allowed}:
        shown = ", ".join(allowed[:12]) + (", …" if len(allowed) > 12 else "")
        yield path, f"{value!r} is none of what {shape.name} may be", f"one of: {shown}"
        return
    yield from _sized(len(value), shape, path, "characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield path, f"{value!r} does not match {pattern}", f"a value of the form that {shape.name} has"


def _sized(size: int, shape: Any, path: Path, unit: str) -> Iterator[tuple[Path, str, str]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < int(least):
        yield path, f"{size} {unit}, fewer than {least}", f"at least {least} {unit}"
    if most is not None and size > int(most):
        yield path, f"{size} {unit}, more than {most}", f"at most {most} {unit}"


def _number(value: Any, shape: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        yield path, f"{value!r} is no number", "write a number"
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < float(least):
        yield path, f"{value} is less than {least}", f"at least {least}"
    if most is not None and number > float(most):
        yield path, f"{value} is more than {most}", f"at most {most}"


def _matches(pattern: str, value: str) -> bool:
    """Whether a service's pattern, in Java's dialect, is found; one that Python cannot read says nothing."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(value) is not None


@cache
def _compiled(pattern: str) -> Any:
    engine: Any = import_module("regex" if find_spec("regex") else "re")
    try:
        return engine.compile(pattern)
    except engine.error:
        return None
