"""CloudFormation's functions over known values; UNKNOWN where only AWS could say."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from medallion_cli.operations.validation.documents import UNKNOWN, Document, at

NOTHING = object()  # AWS::NoValue


@dataclass(frozen=True)
class Scope:
    """What names stand for inside one template."""

    ref: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    conditions: Document
    mappings: Document
    zones: tuple[str, ...]
    beyond: list[str] = field(default_factory=list)  # what Fn::Select found no entry for


def resolved(value: Any, scope: Scope) -> Any:
    """A copy of `value` with its functions evaluated; a key without a value is left out."""
    match value:
        case dict() if len(value) == 1 and (name := next(iter(value))) in FUNCTIONS:
            return FUNCTIONS[name](value[name], scope)
        case dict() if len(value) == 1 and str(next(iter(value))).startswith("Fn::"):
            return UNKNOWN
        case dict():
            pairs = ((key, resolved(inner, scope)) for key, inner in value.items())
            return {key: inner for key, inner in pairs if inner is not NOTHING}
        case list():
            return [found for inner in value if (found := resolved(inner, scope)) is not NOTHING]
    return value


def holds(condition: Any, scope: Scope) -> bool:
    """Whether a condition is true; what is unknown is."""
    match condition:
        case str():
            return holds(scope.conditions.get(condition, True), scope)
        case {"Condition": str(name)}:
            return holds(name, scope)
        case {"Fn::Equals": [left, right]}:
            sides = resolved(left, scope), resolved(right, scope)
            return UNKNOWN in sides or str(sides[0]) == str(sides[1])
        case {"Fn::Not": [inner]}:
            return not holds(inner, scope)
        case {"Fn::And": list(inner)}:
            return all(holds(one, scope) for one in inner)
        case {"Fn::Or": list(inner)}:
            return any(holds(one, scope) for one in inner)
    return True


def _ref(name: Any, scope: Scope) -> Any:
    return NOTHING if name == "AWS::NoValue" else scope.ref(str(name))


def _attribute(given: Any, scope: Scope) -> Any:
    if isinstance(given, str):
        given = given.split(".", 1)
    match given:
        case [str(name), str(attribute)]:
            return scope.attribute(name, attribute)
    return UNKNOWN


def _sub(given: Any, scope: Scope) -> Any:
    body, own = (given[0], given[1]) if isinstance(given, list) and len(given) == 2 else (given, {})
    if not isinstance(body, str):
        return UNKNOWN
    known = resolved(own, scope)
    values = {name: _named(name, known, scope) for name in re.findall(r"\$\{([^!}][^}]*)\}", body)}
    if UNKNOWN in values.values():
        return UNKNOWN
    filled = re.sub(r"\$\{([^!}][^}]*)\}", lambda m: str(values[m[1]]), body)
    return filled.replace("${!", "${")


def _named(name: str, own: Document, scope: Scope) -> Any:
    if name in own:
        return own[name]
    return _attribute(name, scope) if "." in name else scope.ref(name)


def _join(given: Any, scope: Scope) -> Any:
    match resolved(given, scope):
        case [str(separator), list(parts)] if UNKNOWN not in parts:
            return separator.join(map(str, parts))
    return UNKNOWN


def _split(given: Any, scope: Scope) -> Any:
    match resolved(given, scope):
        case [str(separator), str(body)]:
            return body.split(separator)
    return UNKNOWN


def _select(given: Any, scope: Scope) -> Any:
    match resolved(given, scope):
        case [index, list(parts)] if str(index).isdigit() and int(index) < len(parts):
            return parts[int(index)]
        case [index, list(parts)] if index is not UNKNOWN and UNKNOWN not in parts:
            scope.beyond.append(f"Fn::Select [{index}] of {len(parts)} entries")
    return UNKNOWN


def _cidr(given: Any, scope: Scope) -> Any:
    match resolved(given, scope):
        case [str(block), count, *bits]:
            try:
                network = ipaddress.IPv4Network(block, strict=False)
                prefix = 32 - int(str(bits[0])) if bits else network.prefixlen + 4
            except ValueError:
                return UNKNOWN
            if prefix < network.prefixlen:
                return UNKNOWN
            nets = network.subnets(new_prefix=prefix)
            return [str(net) for net, _ in zip(nets, range(int(str(count))), strict=False)]
    return UNKNOWN


def _if(given: Any, scope: Scope) -> Any:
    if not isinstance(given, list) or len(given) != 3:
        return UNKNOWN
    return resolved(given[1] if holds(given[0], scope) else given[2], scope)


def _find(given: Any, scope: Scope) -> Any:
    keys = resolved(given, scope)
    found = at(scope.mappings, *keys[:3]) if isinstance(keys, list) else None
    return UNKNOWN if found is None else found


def _base64(given: Any, scope: Scope) -> Any:
    body = resolved(given, scope)
    return base64.b64encode(body.encode()).decode() if isinstance(body, str) else UNKNOWN


FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::Cidr": _cidr,
    "Fn::If": _if,
    "Fn::FindInMap": _find,
    "Fn::Base64": _base64,
    "Fn::GetAZs": lambda _, scope: list(scope.zones),
}
