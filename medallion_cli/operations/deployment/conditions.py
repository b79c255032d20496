"""Which resources of a template will be made, as far as its parameters are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion_cli.operations.deployment.graph import document


def made(body: str, values: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """(logical id, type) of the resources; one whose condition can't be told yet is among them. None: not known."""
    conditions = document(body).get("Conditions", {})
    return [
        (name, entry["Type"])
        for name, entry in document(body)["Resources"].items()
        if "Condition" not in entry or _holds(conditions[entry["Condition"]], conditions, values) is not False
    ]


def _holds(node: Any, conditions: Mapping[str, Any], values: Mapping[str, str | None]) -> bool | None:
    match node:
        case {"Condition": str(name)}:
            return _holds(conditions[name], conditions, values)
        case {"Fn::Equals": [one, other]}:
            texts = [_text(one, values), _text(other, values)]
            return None if None in texts else texts[0] == texts[1]
        case {"Fn::Not": [part]}:
            held = _holds(part, conditions, values)
            return None if held is None else not held
        case {"Fn::And": list(parts)}:
            return _decided([_holds(part, conditions, values) for part in parts], decides=False)
        case {"Fn::Or": list(parts)}:
            return _decided([_holds(part, conditions, values) for part in parts], decides=True)
    return None


def _decided(parts: list[bool | None], *, decides: bool) -> bool | None:
    """What one of `parts` decides alone; otherwise not known unless all are."""
    if decides in parts:
        return decides
    return None if None in parts else not decides


def _text(node: Any, values: Mapping[str, str | None]) -> str | None:
    match node:
        case {"Ref": str(name)}:
            return values.get(name)
        case dict() | list():
            return None
    return str(node).lower() if isinstance(node, bool) else str(node)
