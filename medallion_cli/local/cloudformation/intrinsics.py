"""Evaluation of intrinsic functions and conditions: a document in, the same document with values out."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.unknown import UNKNOWN, has_unknown

REMOVED: Final = object()
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True)
class Scope:
    """What a template's functions can see; `refer` and `attribute` answer for resources (perhaps UNKNOWN)."""

    values: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    refer: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    imports: Callable[[str], Any]
    _seen: dict[str, bool] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def holds(self, name: str) -> bool:
        """The value of a named condition."""
        if name not in self.conditions:
            raise ValidationError(
                f"Template format error: Unresolved condition dependency {name} in the template"
            )
        if name in self._open:
            raise ValidationError(
                f"Template error: Found circular condition dependency between {name} and itself"
            )
        if name not in self._seen:
            self._open.add(name)
            self._seen[name] = _condition(self.conditions[name], self)
            self._open.discard(name)
        return self._seen[name]


def evaluate(node: Any, scope: Scope) -> Any:
    """The value of a template node; keys and items whose value is AWS::NoValue are left out."""
    match node:
        case dict() if len(node) == 1:
            ((name, argument),) = node.items()
            if name in _FUNCTIONS:
                return _call(name, argument, scope)
            if name.startswith("Fn::"):
                raise ValidationError(f"Template error: unsupported intrinsic function {name}")
            return _evaluate_object(node, scope)
        case dict():
            return _evaluate_object(node, scope)
        case list():
            return [value for item in node if (value := evaluate(item, scope)) is not REMOVED]
    return node


def _call(name: str, argument: Any, scope: Scope) -> Any:
    try:
        return _FUNCTIONS[name](argument, scope)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ValidationError(f"Template error: {name} has malformed arguments: {argument!r}") from error


def _evaluate_object(node: dict[str, Any], scope: Scope) -> dict[str, Any]:
    pairs = ((name, evaluate(item, scope)) for name, item in node.items())
    return {name: value for name, value in pairs if value is not REMOVED}


def _ref(name: Any, scope: Scope) -> Any:
    if name == "AWS::NoValue":
        return REMOVED
    return scope.values[name] if name in scope.values else scope.refer(str(name))


def _get_att(argument: Any, scope: Scope) -> Any:
    logical, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(logical, str(evaluate(attribute, scope)))


def _sub(argument: Any, scope: Scope) -> Any:
    text, local = (argument, {}) if isinstance(argument, str) else argument
    known = {name: evaluate(value, scope) for name, value in local.items()}
    parts: list[Any] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        parts += [text[at : match.start()], _variable(match, known, scope)]
        at = match.end()
    return _concatenate("", [*parts, text[at:]])


def _variable(match: re.Match[str], known: dict[str, Any], scope: Scope) -> Any:
    literal, name = match.groups()
    if literal:
        return f"${{{name}}}"
    name = name.strip()
    if name in known:
        return known[name]
    return _get_att(name, scope) if "." in name else _ref(name, scope)


def _concatenate(separator: str, parts: list[Any]) -> Any:
    if has_unknown(parts):
        return UNKNOWN
    for part in parts:
        if isinstance(part, dict | list):
            raise ValidationError("Template error: every Fn::Join object must be a string")
    return separator.join(_text(part) for part in parts)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _join(argument: Any, scope: Scope) -> Any:
    separator, items = argument
    values = evaluate(items, scope)
    if values is UNKNOWN:
        return UNKNOWN
    if not isinstance(values, list):
        raise ValidationError("Template error: Fn::Join requires a list argument")
    return _concatenate(separator, values)


def _select(argument: Any, scope: Scope) -> Any:
    index, items = (evaluate(item, scope) for item in argument)
    if UNKNOWN in (index, items):
        return UNKNOWN
    if not isinstance(items, list):
        raise ValidationError("Template error: Fn::Select requires a list argument")
    if not 0 <= int(index) < len(items):
        raise ValidationError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[int(index)]


def _split(argument: Any, scope: Scope) -> Any:
    separator, text = argument[0], evaluate(argument[1], scope)
    return UNKNOWN if text is UNKNOWN else str(text).split(separator)


def _if(argument: Any, scope: Scope) -> Any:
    name, then, otherwise = argument
    return evaluate(then if scope.holds(name) else otherwise, scope)


def _equals(argument: Any, scope: Scope) -> Any:
    left, right = (evaluate(item, scope) for item in argument)
    return _text(left) == _text(right)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    keys = [evaluate(item, scope) for item in argument[:3]]
    node: Any = scope.mappings
    for key in keys:
        if not isinstance(node, Mapping) or str(key) not in node:
            raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(map(str, keys))}")
        node = node[str(key)]
    return node


def _base64(argument: Any, scope: Scope) -> Any:
    value = evaluate(argument, scope)
    return UNKNOWN if value is UNKNOWN else base64.b64encode(str(value).encode()).decode()


def _cidr(argument: Any, scope: Scope) -> Any:
    block, count, bits = ([evaluate(item, scope) for item in argument] + [8])[:3]
    if block is UNKNOWN:
        return UNKNOWN
    subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
    return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]


def _get_azs(argument: Any, scope: Scope) -> Any:
    region = evaluate(argument, scope) or scope.values["AWS::Region"]
    return [f"{region}{letter}" for letter in "abc"]


def _import(argument: Any, scope: Scope) -> Any:
    return scope.imports(str(evaluate(argument, scope)))


_FUNCTIONS: Final[dict[str, Callable[[Any, Scope], Any]]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::GetAZs": _get_azs,
    "Fn::ImportValue": _import,
}


def _condition(node: Any, scope: Scope) -> bool:
    match node:
        case {"Condition": str(name)} if len(node) == 1:
            return scope.holds(name)
        case {"Fn::And": list(items)} if len(node) == 1:
            return all(_condition(item, scope) for item in items)
        case {"Fn::Or": list(items)} if len(node) == 1:
            return any(_condition(item, scope) for item in items)
        case {"Fn::Not": [item]} if len(node) == 1:
            return not _condition(item, scope)
        case {"Fn::Equals": [_, _]} if len(node) == 1:
            return bool(_equals(node["Fn::Equals"], scope))
    raise ValidationError(
        "Template error: every Fn::Not, Fn::And, Fn::Or and Fn::Equals must form a condition"
    )


def references(node: Any, *, attributes: bool = True) -> set[str]:
    """Names that a node refers to by Ref, Sub and (with `attributes`) GetAtt, pseudo parameters among them."""
    match node:
        case {"Ref": str(name)} if len(node) == 1:
            return {name}
        case {"Fn::GetAtt": target} if len(node) == 1:
            name = target.split(".", 1)[0] if isinstance(target, str) else target[0]
            return {name} if attributes else set()
        case {"Fn::Sub": target} if len(node) == 1:
            return _sub_references(target, attributes)
        case dict():
            return set().union(*(references(item, attributes=attributes) for item in node.values()))
        case list():
            return set().union(*(references(item, attributes=attributes) for item in node))
    return set()


def _sub_references(target: Any, attributes: bool) -> set[str]:
    text, local = _sub_parts(target)
    names = {name for name in _sub_names(text, local) if attributes or "." not in name}
    return {name.split(".", 1)[0] for name in names} | references(local, attributes=attributes)


def _sub_parts(target: Any) -> tuple[str, dict[str, Any]]:
    match target:
        case str():
            return target, {}
        case [str(text), dict(local)]:
            return text, local
    raise ValidationError(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a "
        "string as first argument, and an optional second argument to specify a mapping of values"
    )


def _sub_names(text: str, local: dict[str, Any]) -> set[str]:
    found = {name.strip() for literal, name in _VARIABLE.findall(text) if not literal}
    return {name for name in found if name not in local}


def attribute_references(node: Any) -> set[tuple[str, str]]:
    """(logical id, attribute) of every GetAtt in a node, those within Sub among them."""
    match node:
        case {"Fn::GetAtt": [str(logical_id), str(attribute)]} if len(node) == 1:
            return {(logical_id, attribute)}
        case {"Fn::GetAtt": str(target)} if len(node) == 1 and "." in target:
            logical_id, attribute = target.split(".", 1)
            return {(logical_id, attribute)}
        case {"Fn::Sub": target} if len(node) == 1:
            text, local = _sub_parts(target)
            dotted = [name.split(".", 1) for name in _sub_names(text, local) if "." in name]
            return {(name, rest) for name, rest in dotted} | attribute_references(local)
        case dict():
            return set().union(*(attribute_references(item) for item in node.values()))
        case list():
            return set().union(*(attribute_references(item) for item in node))
    return set()
