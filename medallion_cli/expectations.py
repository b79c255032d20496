"""Expectations: what `configs/pipeline.yaml` says of a table's rows, as one condition in Spark's SQL or a rule over rows.

A rule that looks at one row becomes a condition; NULL meets all of them but `not_null`, as with CHECK. `unique` and
`references` look at other rows: silver judges them over the newest version of every key, again in every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion_cli.spec_file import ExpectationEntry

KINDS = ("expression", "not_null", "matches", "between", "in", "unique", "references")
OVER_ROWS = ("unique", "references")
MET = "true"
RESERVED = "type_of_"  # silver's own rules begin with it: a value that does not fit the type of its column


@dataclass(frozen=True)
class Expectation:
    """A condition that every row should meet (Spark SQL), and what happens to rows that do not.

    `unique` and `references` have no condition of their own: `columns` are the table's, `of` and `others` (in the same
    order) the table and the columns that they refer to.
    """

    name: str
    expression: str
    on_fail: str
    kind: str = "expression"
    columns: tuple[str, ...] = ()
    of: str = ""
    others: tuple[str, ...] = ()


def expectation(name: str, entry: ExpectationEntry) -> Expectation:
    """The typed form of an entry, which names exactly one rule."""
    kind = entry.kind
    columns = _columns(entry, kind)
    if kind == "references":
        targets = [target.rpartition(".") for target in (entry.references or {}).values()]
        others = tuple(column for _, _, column in targets)
        return Expectation(name, MET, entry.on_fail, kind, columns, targets[0][0], others)
    return Expectation(name, condition(entry, kind), entry.on_fail, kind, columns)


def _columns(entry: ExpectationEntry, kind: str) -> tuple[str, ...]:
    given = entry.rule(kind)
    if kind == "expression":
        return ()
    return tuple(given) if isinstance(given, list | dict) else (str(given),)


def condition(entry: ExpectationEntry, kind: str) -> str:
    """Spark SQL that is true for a row that meets the rule."""
    match kind:
        case "expression":
            return str(entry.expression)
        case "not_null":
            parts = [f"`{column}` IS NOT NULL" for column in _columns(entry, kind)]
        case "matches":
            parts = [f"`{c}` RLIKE {literal(pattern)}" for c, pattern in (entry.matches or {}).items()]
        case "between":
            parts = [part for c, ends in (entry.between or {}).items() for part in _within(c, ends)]
        case "in":
            parts = [_one_of(c, values) for c, values in (entry.in_ or {}).items()]
        case "unique":
            return MET
        case _:
            raise ValueError(f"no expectation {kind!r}")
    return " AND ".join(parts) if len(parts) == 1 else " AND ".join(f"({part})" for part in parts)


def _within(column: str, ends: Sequence[object]) -> Iterable[str]:
    low, high = ends
    if low is not None:
        yield f"`{column}` >= {literal(low)}"
    if high is not None:
        yield f"`{column}` <= {literal(high)}"


def _one_of(column: str, values: Sequence[object]) -> str:
    return f"`{column}` IN ({', '.join(map(literal, values))})"


def literal(value: object) -> str:
    """A value of YAML in Spark's SQL; its strings take backslashes as escapes."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return str(value)
        case datetime():
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case _:
            return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def faults(tables: Mapping[str, tuple[Mapping[str, object], Sequence[Expectation]]]) -> Iterable[str]:
    """What is wrong with names: `tables` gives each table's columns and rules; `table.rule: …` a fault."""
    for table, (columns, rules) in tables.items():
        for rule in rules:
            at = f"tables.{table}.expectations.{rule.name}"
            if rule.name.startswith(RESERVED):
                yield f"{at}: names that begin with {RESERVED} are the silver job's own; rename the rule"
            for column in rule.columns:
                if column not in columns:
                    yield f"{at}: {table} has no column {column} (has {', '.join(sorted(columns))})"
            if rule.kind != "references":
                continue
            if rule.of not in tables:
                yield f"{at}: no table {rule.of} (there are {', '.join(sorted(tables))})"
                continue
            for column in rule.others:
                if column not in tables[rule.of][0]:
                    yield f"{at}: {rule.of} has no column {column}"
    if circle := in_circles({name: rules for name, (_, rules) in tables.items()}):
        yield f"tables.{circle}.expectations: references that lead back to {circle}, so none can be judged first"


def in_circles(rules: Mapping[str, Sequence[Expectation]]) -> str | None:
    """A table whose references lead back to it over others; one that refers to itself alone is none."""
    left = {
        name: {r.of for r in own if r.kind == "references" and r.of != name and r.of in rules}
        for name, own in rules.items()
    }
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    return min(left, default=None)
