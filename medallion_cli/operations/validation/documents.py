"""Reading documents that may be wrong anywhere: what is not there, or of another shape, is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
Path = tuple[str | int, ...]


class Unknown:
    """A value that only AWS knows."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


def at(value: Any, *path: str | int) -> Any:
    """What stands at `path`; None when nothing does."""
    for part in path:
        match value, part:
            case dict(), _ if part in value:
                value = value[part]
            case list(), int() if 0 <= part < len(value):
                value = value[part]
            case _:
                return None
    return value


def mapping(value: Any, *path: str | int) -> Document:
    """The mapping at `path`, else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def listed(value: Any, *path: str | int) -> list[Any]:
    """The list at `path`; one thing is a list of it, nothing an empty one."""
    found = at(value, *path)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def text(value: Any, *path: str | int) -> str:
    """The text at `path`; of anything else its JSON, of nothing the empty text."""
    found = at(value, *path)
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, default=str)


def dotted(path: Path) -> str:
    """`Resources.Task.Properties.Rules[0]`."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
    return shown.lstrip(".")


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of everything that is neither a mapping nor a list."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
        case list():
            for number, inner in enumerate(value):
                yield from leaves(inner, (*path, number))
        case _:
            yield path, value


def parsed_json(value: Any) -> Any:
    """A JSON text's document; a document as it is; None when it is neither."""
    if not isinstance(value, str):
        return value if isinstance(value, (dict, list)) else None
    try:
        return json.loads(value)
    except ValueError:
        return None


def truthy(value: Any) -> bool:
    """CloudFormation takes booleans as texts, too."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def words(given: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(given.split())
