"""Spark's types as silver holds them: which holds every value of which, and what Iceberg widens in place."""

from __future__ import annotations

import re

_HELD = {"tinyint": "int", "smallint": "int", "float": "double", "timestamp_ntz": "timestamp"}
_DIGITS = {"int": 10, "bigint": 19}
_FREE = {
    ("boolean", "*"),
    ("int", "boolean"),
    ("binary", "string"),
    ("string", "binary"),
    ("timestamp", "date"),
}


def held_type(kind: str) -> str:
    """The silver type of a bronze column: Iceberg has no 1- and 2-byte integers, silver no 4-byte floats."""
    return _HELD.get(kind, kind)


def size(kind: str) -> tuple[int, int] | None:
    """(precision, scale) of a decimal; None of another type."""
    found = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind)
    return (int(found[1]), int(found[2])) if found else None


def holds(target: str, kind: str) -> bool:
    """Whether every value of `kind` is the same in `target`; what silver has always taken as it is counts as such."""
    if target in (kind, "string") or (target, kind) in _FREE or (target, "*") in _FREE:
        return True
    if wide := size(target):
        digits = size(kind) or ((_DIGITS[kind], 0) if kind in _DIGITS else None)
        return digits is not None and wide[1] >= digits[1] and wide[0] - wide[1] >= digits[0] - digits[1]
    return (target, kind) in (("bigint", "int"), ("double", "int"))


def widened(have: str, want: str) -> bool:
    """Whether Iceberg turns a column of `have` into `want` in place: int to bigint, a decimal of more digits."""
    if (have, want) in (("int", "bigint"), ("float", "double")):
        return True
    old, new = size(have), size(want)
    return old is not None and new is not None and old[1] == new[1] and new[0] > old[0]
