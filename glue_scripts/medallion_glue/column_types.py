"""Spark's types as silver holds them: which holds every value of which, and what Iceberg widens in place."""

from __future__ import annotations

import re

_HELD = {"tinyint": "int", "smallint": "int", "float": "double", "timestamp_ntz": "timestamp"}
_DIGITS = {"int": 10, "bigint": 19}
_FREE = {
    ("int", "boolean"),
    ("binary", "string"),
    ("string", "binary"),
    ("timestamp", "date"),
}
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TEXTS = {
    "boolean": "0|1|true|false",
    "date": _DATE,
    "timestamp": f"{_DATE}[ T][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.][0-9]{{0,6}}0*)?",
    "double": "[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?",
}


def held_type(kind: str) -> str:
    """The silver type of a bronze column: Iceberg has no 1- and 2-byte integers, silver no 4-byte floats."""
    return _HELD.get(kind, kind)


def size(kind: str) -> tuple[int, int] | None:
    """(precision, scale) of a decimal; None of another type."""
    found = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind)
    return (int(found[1]), int(found[2])) if found else None


def length(mysql: str) -> int | None:
    """Characters that a CHAR or VARCHAR has room for; None of another type."""
    found = re.match(r"(?:var)?char\b(?:\((\d+)\))?", mysql)
    return int(found[1] or 1) if found else None


def holds(target: str, kind: str) -> bool:
    """Whether every value of `kind` is the same in `target`; what silver has always taken as it is counts as such."""
    if target in (kind, "string") or (target, kind) in _FREE:
        return True
    if wide := size(target):
        digits = size(kind) or ((_DIGITS[kind], 0) if kind in _DIGITS else None)
        return digits is not None and wide[1] >= digits[1] and wide[0] - wide[1] >= digits[0] - digits[1]
    return (target, kind) in (("bigint", "int"), ("double", "int"))


def kindred(target: str, kind: str) -> bool:
    """Whether a value of one may be one of the other: a number is no moment, bytes are neither, and a text may be each."""
    return "string" in (target, kind) or _family(target) == _family(kind)


def _family(kind: str) -> str:
    return "moment" if kind in ("date", "timestamp") else "bytes" if kind == "binary" else "number"


def text_of(target: str) -> str:
    """A pattern of the texts that are a value of `target` in full: Spark's cast takes the beginning, or today, or rounds."""
    if digits := size(target):
        return f"[+-]?[0-9]+([.][0-9]{{0,{digits[1]}}}0*)?"
    return _TEXTS.get(target, "[+-]?[0-9]+")


def widened(have: str, want: str) -> bool:
    """Whether Iceberg turns a column of `have` into `want` in place: int to bigint, a decimal of more digits."""
    if (have, want) in (("int", "bigint"), ("float", "double")):
        return True
    old, new = size(have), size(want)
    return old is not None and new is not None and old[1] == new[1] and new[0] > old[0]
