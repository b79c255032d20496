"""The form of a template before anything is read out of it: no nulls, and functions with the arguments they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ValidationError


def check_form(document: Any) -> None:
    """ValidationError for the first null, or the first function with arguments of the wrong form."""
    for path, node in _nodes(document, ""):
        if node is None:
            raise ValidationError(
                f"Template format error: [{path}] 'null' values are not allowed in templates"
            )
        if isinstance(node, dict) and len(node) == 1:
            ((name, argument),) = node.items()
            if name in _FORMS and not _FORMS[name](argument):
                raise ValidationError(f"Template error: {name} has malformed arguments at {path}")


def _nodes(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, node
    match node:
        case dict():
            for name, item in node.items():
                yield from _nodes(item, f"{path}/{name}")
        case list():
            for index, item in enumerate(node):
                yield from _nodes(item, f"{path}/{index}")


def _is_text(argument: Any) -> bool:
    return isinstance(argument, str)


def _attribute(argument: Any) -> bool:
    match argument:
        case str():
            return "." in argument
        case [str(), str() | {"Ref": str()}]:
            return True
    return False


def _sub(argument: Any) -> bool:
    match argument:
        case str() | [str(), dict()]:
            return True
    return False


def _join(argument: Any) -> bool:
    match argument:
        case [str(), list() | dict()]:
            return True
    return False


def _select(argument: Any) -> bool:
    match argument:
        case [str() | int() | dict(), list() | dict()]:
            return not isinstance(argument[0], bool)
    return False


def _split(argument: Any) -> bool:
    match argument:
        case [str(), str() | dict()]:
            return True
    return False


def _if(argument: Any) -> bool:
    match argument:
        case [str(), _, _]:
            return True
    return False


def _find(argument: Any) -> bool:
    return (
        isinstance(argument, list) and len(argument) == 3 and all(isinstance(i, str | dict) for i in argument)
    )


def _cidr(argument: Any) -> bool:
    return isinstance(argument, list) and len(argument) in (2, 3)


def _value(argument: Any) -> bool:
    return isinstance(argument, str | dict)


_FORMS: Final[dict[str, Callable[[Any], bool]]] = {
    "Ref": _is_text,
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find,
    "Fn::Base64": _value,
    "Fn::Cidr": _cidr,
    "Fn::GetAZs": _value,
    "Fn::ImportValue": _value,
    "Fn::Equals": lambda argument: isinstance(argument, list) and len(argument) == 2,
}
