"""The value that only execution can tell, as change sets see it: `{{changeSet:KNOWN_AFTER_APPLY}}`."""

from __future__ import annotations

from typing import Any, Final


class Unknown:
    """Equal to nothing, valid for every property type."""

    def __repr__(self) -> str:
        return "{{changeSet:KNOWN_AFTER_APPLY}}"


UNKNOWN: Final = Unknown()


def has_unknown(value: Any) -> bool:
    """Whether an unknown is anywhere inside `value`."""
    match value:
        case Unknown():
            return True
        case dict():
            return any(has_unknown(item) for item in value.values())
        case list():
            return any(has_unknown(item) for item in value)
    return False
