"""Limits that are written only in AWS's guides (limits.yaml): neither schemas nor botocore's models hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

TABLE = Path(__file__).with_name("limits.yaml")


def limit_findings(deployment: Deployment) -> Iterator[Finding]:
    """Values outside of what the guides allow, and values that only look optional."""
    for kind, rules in _table().items():
        for stack, logical, properties in deployment.of_type(kind):
            for path, rule in rules.items():
                value = at(properties, *path.split("."))
                if value is None and "needed" in rule and _parent(properties, path):
                    where = deployment.place(stack, logical, *path.split("."))
                    yield Finding(where, f"{path} is missing: {rule['needed']}", rule["form"], "MED-PRP-003")
                if value is not None and value is not UNKNOWN and not _right(value, rule):
                    where = deployment.place(stack, logical, *path.split("."))
                    yield Finding(where, f"{path} is {value!r}: {rule['why']}", rule["form"], "MED-PRP-002")


def _parent(properties: Document, path: str) -> bool:
    """Whether what holds the value is there, or is the resource itself."""
    *way, _ = path.split(".")
    return not way or at(properties, *way) is not None


@cache
def _table() -> dict[str, dict[str, Document]]:
    found: dict[str, dict[str, Document]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


def _right(value: Any, rule: Document) -> bool:
    """Whether a value is as the rule's one check wants it; a dynamic reference is."""
    if isinstance(value, str) and value.startswith("{{resolve:"):
        return True
    return all(check(value, rule[name]) for name, check in CHECKS.items() if name in rule)


def _between(value: Any, limits: list[float]) -> bool:
    """A number within limits, as CloudFormation takes it: a text, too."""
    number = _number(value)
    return number is not None and limits[0] <= number <= limits[1]


def _like(value: Any, pattern: str) -> bool:
    return re.fullmatch(pattern, str(value)) is not None


def _among(value: Any, allowed: list[str]) -> bool:
    """One of a list, in its own case; of a list, each."""
    return all(str(one) in map(str, allowed) for one in (value if isinstance(value, list) else [value]))


def _capacity(value: Any, _: Any) -> bool:
    """Redshift processing units."""
    number = _number(value) or 0
    return (
        number == 4 or (8 <= number <= 512 and number % 8 == 0) or (512 < number <= 1024 and number % 32 == 0)
    )


def _period(value: Any, _: Any) -> bool:
    """Seconds of an alarm's period."""
    number = int(_number(value) or 0)
    return number in (10, 20, 30) or (60 <= number <= 86_400 and number % 60 == 0)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "between": _between,
    "like": _like,
    "among": _among,
    "capacity": _capacity,
    "period": _period,
}
