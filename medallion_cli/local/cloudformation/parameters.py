"""Template parameters: declared types and limits against the values given, with CloudFormation's messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError
from medallion_cli.local.cloudformation.template import Template

_SCALARS: Final = ("String", "Number")
_LISTS: Final = ("CommaDelimitedList", "List<Number>")
_AWS_TYPES: Final = re.compile(
    r"(List<)?AWS::(EC2::(AvailabilityZone|Image|Instance|KeyPair|SecurityGroup|Subnet|Volume|VPC)::\w+"
    r"|Route53::HostedZone::Id)>?"
)
_STORED: Final = re.compile(r"AWS::SSM::Parameter::(Name|Value<(.+)>)")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_LIMITS: Final = ("MaxLength", "MinLength", "MaxValue", "MinValue")
_SCALAR_KEYS: Final = ("Type", "Default", "NoEcho", "AllowedPattern", "Description", "ConstraintDescription")
_KEYS: Final = frozenset(
    [
        "Type",
        "Default",
        "NoEcho",
        "AllowedValues",
        "AllowedPattern",
        "MaxLength",
        "MinLength",
        "MaxValue",
        "MinValue",
        "Description",
        "ConstraintDescription",
    ]
)


@dataclass(frozen=True)
class Parameter:
    """A parameter's value: as given (text), and as Ref returns it (text or list)."""

    name: str
    text: str
    value: Any
    no_echo: bool
    stored: bool = False


def resolve_parameters(
    template: Template, given: Mapping[str, str], read_stored: Callable[[str], str]
) -> dict[str, Parameter]:
    """Every declared parameter with its value; `read_stored` answers for SSM types."""
    declared = template.section("Parameters")
    extra = sorted(set(given) - set(declared))
    if extra:
        raise ValidationError(f"Parameters: [{', '.join(extra)}] do not exist in the template")
    for name, node in declared.items():
        _check_declaration(name, node)
    missing = [name for name, node in declared.items() if name not in given and "Default" not in node]
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return {
        name: _resolve(name, node, given.get(name, _as_text(node.get("Default"))), read_stored)
        for name, node in declared.items()
    }


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_declaration(name: str, node: Any) -> None:
    if not isinstance(node, dict) or "Type" not in node:
        raise ValidationError(
            f"Template format error: Every Parameters object must contain a Type member. ({name})"
        )
    unknown = sorted(set(node) - _KEYS)
    if unknown:
        raise ValidationError(f"Invalid template parameter property '{unknown[0]}'")
    if not isinstance(node.get("AllowedValues", []), list):
        raise ValidationError(f"Template format error: Parameter {name}: AllowedValues must be a list")
    for member in _LIMITS:
        if not _NUMBER.fullmatch(_as_text(node.get(member, 0))):
            raise ValidationError(f"Template format error: Parameter {name}: {member} must be a number")
    kind = node["Type"]
    strange = [member for member in _SCALAR_KEYS if isinstance(node.get(member, ""), dict | list)]
    strange += [] if isinstance(kind, str) else ["Type"]
    if strange:
        raise ValidationError(f"Template format error: Every {strange[0]} member must be a string. ({name})")
    _check_expression(name, node)
    if kind not in _SCALARS + _LISTS and not _AWS_TYPES.fullmatch(kind) and not _STORED.fullmatch(kind):
        raise ValidationError(f"Template format error: Unrecognized parameter type: {kind}")


def _check_expression(name: str, node: dict[str, Any]) -> None:
    try:
        re.compile(_as_text(node.get("AllowedPattern", "")))
    except re.error as error:
        raise ValidationError(
            f"Template format error: Parameter {name}: AllowedPattern is no regular expression: {error}"
        ) from error


def _resolve(name: str, node: dict[str, Any], text: str, read_stored: Callable[[str], str]) -> Parameter:
    stored = _STORED.fullmatch(node["Type"])
    no_echo = _as_text(node.get("NoEcho", False)) == "true"
    if stored and stored.group(2):
        value = read_stored(text)
        return Parameter(name, text, _typed(stored.group(2), value), no_echo, stored=True)
    for item in _typed(node["Type"], text) if _is_list(node["Type"]) else [text]:
        _check_value(name, node, item)
    return Parameter(name, text, _typed(node["Type"], text), no_echo)


def _is_list(kind: str) -> bool:
    return kind in _LISTS or kind.startswith("List<")


def _typed(kind: str, text: str) -> Any:
    return ([item.strip() for item in text.split(",")] if text else []) if _is_list(kind) else text


def _check_value(name: str, node: dict[str, Any], text: str) -> None:
    reason = next(filter(None, (check(name, node, text) for check in _CHECKS)), None)
    if reason and "ConstraintDescription" in node:
        reason = f"Parameter '{name}' failed to satisfy constraint: {node['ConstraintDescription']}"
    if reason:
        raise ValidationError(reason)


def _check_allowed(name: str, node: dict[str, Any], text: str) -> str | None:
    allowed = [_as_text(item) for item in node.get("AllowedValues", [text])]
    return None if text in allowed else f"Parameter '{name}' must be one of AllowedValues"


def _check_pattern(name: str, node: dict[str, Any], text: str) -> str | None:
    pattern = node.get("AllowedPattern")
    if pattern is None or re.fullmatch(_as_text(pattern), text):
        return None
    return f"Parameter '{name}' must match pattern {pattern}"


def _check_length(name: str, node: dict[str, Any], text: str) -> str | None:
    if len(text) < int(node.get("MinLength", 0)):
        return f"Parameter '{name}' must contain at least {node['MinLength']} characters"
    if len(text) > int(node.get("MaxLength", len(text))):
        return f"Parameter '{name}' must contain at most {node['MaxLength']} characters"
    return None


def _check_number(name: str, node: dict[str, Any], text: str) -> str | None:
    if "Number" not in node["Type"]:
        return None
    try:
        value = float(text)
    except ValueError:
        return f"Parameter '{name}' must be a number"
    if value < float(node.get("MinValue", value)):
        return f"Parameter '{name}' must be a number not less than {node['MinValue']}"
    if value > float(node.get("MaxValue", value)):
        return f"Parameter '{name}' must be a number not greater than {node['MaxValue']}"
    return None


_CHECKS: Final = (_check_allowed, _check_pattern, _check_length, _check_number)
