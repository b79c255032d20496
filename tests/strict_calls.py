"""Checks each boto3 call of the product against botocore's service model, values included, in whatever test makes it.

boto3 itself looks at names and types only. Lists of values, patterns and lengths are in its models all the same; what breaks
them is refused by AWS, so here it is an error, too. Calls that a test makes by itself are its own affair.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import regex
from botocore.validate import ParamValidator

ROOT = Path(__file__).parents[1]
PRODUCT = (str(ROOT / "medallion_cli"), str(ROOT / "glue_scripts"))
NOT_OURS = str(ROOT / "medallion_cli/local")  # the embedded AWS: what answers, not what asks
BOUNDARY = str(ROOT / "medallion_cli/aws/session.py")  # through which all calls go
# What Java's patterns have and Python's `regex` writes otherwise.
JAVA = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF", r"\z": r"\Z"}


class RefusedByModel(AssertionError):
    """A value that the service's own model rules out."""


@dataclass(frozen=True)
class Call:
    """One call: where in the product it was made, and what it asked."""

    path: str
    line: int
    shape: str  # the operation's input


def install(record: Callable[[Call], None] = lambda call: None) -> Callable[[], None]:
    """From here on, every call of the product is checked and told to `record`; what is returned ends that."""
    original = ParamValidator.validate

    def validate(self: Any, params: Any, shape: Any) -> Any:
        found = original(self, params, shape)
        site = _site()
        if site is not None and not found.has_errors():
            check(params, shape)
            record(Call(*site, shape.name))
        return found

    ParamValidator.validate = validate

    def uninstall() -> None:
        ParamValidator.validate = original

    return uninstall


def check(params: Any, shape: Any) -> None:
    """RefusedByModel when a value is none that the service takes."""
    if wrong := list(faults(params, shape, "")):
        raise RefusedByModel(f"{shape.name}: " + "; ".join(wrong))


def faults(value: Any, shape: Any, where: str) -> Iterator[str]:
    """What is wrong with a value, and where in the call it is."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            for name, inner in value.items():
                yield from faults(inner, shape.members[name], f"{where}.{name}")
        case "list":
            yield from _size(len(value), shape, where)
            for number, inner in enumerate(value):
                yield from faults(inner, shape.member, f"{where}[{number}]")
        case "map":
            yield from _size(len(value), shape, where)
            for name, inner in value.items():
                yield from faults(name, shape.key, f"{where}.{name}")
                yield from faults(inner, shape.value, f"{where}.{name}")
        case "string":
            yield from _text(value, shape, where)
        case "integer" | "long" | "float" | "double":
            yield from _size(value, shape, where)
        case "blob" if isinstance(value, (bytes, str)):
            yield from _size(len(value), shape, where)


def _text(value: str, shape: Any, where: str) -> Iterator[str]:
    allowed = list(getattr(shape, "enum", []))
    if allowed and value not in allowed:
        yield f"{where}: {value!r} is none of {', '.join(allowed)}"
    yield from _size(len(value), shape, where)
    pattern = shape.metadata.get("pattern")
    if pattern and not compiled(pattern).fullmatch(value):
        yield f"{where}: {value!r} does not match {pattern}"


def _size(size: float, shape: Any, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < float(least):
        yield f"{where}: {size} is under {least}"
    if most is not None and size > float(most):
        yield f"{where}: {size} is over {most}"


@cache
def compiled(pattern: str) -> Any:
    """A model's pattern, as Python reads it."""
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    return regex.compile(pattern)


def _site() -> tuple[str, int] | None:
    """(file, line) of the product's code that makes the call; None when a test, or the embedded AWS, makes it."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PRODUCT) and name != BOUNDARY:
            return None if name.startswith(NOT_OURS) else (str(Path(name).relative_to(ROOT)), frame.f_lineno)
        if name.startswith(str(ROOT / "tests")) and not name.endswith("strict_calls.py"):
            return None
        frame = frame.f_back
    return None
