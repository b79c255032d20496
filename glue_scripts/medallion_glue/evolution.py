"""Schema drift: bronze files whose columns are not those of the specification, by the table's policy.

`evolve` takes a new column and a wider type into silver, `ignore` leaves them in bronze, `fail` takes nothing. Under each a
column that is gone is NULL in new rows, and a value that its column cannot hold sets its row aside: none is cut or rounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medallion_glue.column_types import held_type, holds, kindred, length, text_of, widened
from medallion_glue.document import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion_glue.lakehouse import Lakehouse

UNFIT = "type_of_"  # in `_failed`, before the column's name
SEEN = "medallion.bronze_columns"
FRAME = ("op", "dms_change_seq", "dms_commit_ts")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_$]*")


class SchemaDrifted(Exception):
    """The source's columns are not the specification's, and the table's policy is `fail`; nothing was committed."""


@dataclass(frozen=True)
class Drift:
    """One column that differs: added, dropped, widened or retyped; types are Spark's.

    One that is `lengthened` has values that are longer than its MySQL type, which is in `was`.
    """

    column: str
    change: str
    was: str | None = None
    now: str | None = None
    rows: int = 0  # set aside, since they do not fit
    followed: bool = False  # silver has it

    def __str__(self) -> str:
        types = " → ".join(kind for kind in (self.was, self.now) if kind)
        return f"{self.column} {self.change} ({types})"


def as_held(house: Lakehouse, table: Table) -> Table:
    """The table with what silver has beyond the specification: columns it has followed, types it has widened."""
    from medallion_glue.bronze import ORIGIN, POSITION

    if not house.exists(table.changes):
        return table
    found = {field.name: held_type(field.dataType.simpleString()) for field in house.schema(table.changes)}
    own = [_held(column, found.get(column.name)) for column in table.columns]
    known = {name.lower() for name, _ in POSITION + ORIGIN} | {column.name.lower() for column in own}
    more = [_column(name, kind) for name, kind in found.items() if name.lower() not in known]
    return replace(table, columns=(*own, *more))


def _held(column: Column, found: str | None) -> Column:
    wider = found is not None and widened(column.spark, found)
    return replace(column, spark=found) if wider and found else column


def _column(name: str, spark: str) -> Column:
    return Column(name, spark, f"CAST(`{name}` AS STRING)")


def follow(
    table: Table, frames: Sequence[DataFrame], seen: Iterable[str] | None, newest: DataFrame | None = None
) -> tuple[Table, list[Drift]]:
    """The table as its policy has it for these files, and how they differ; SchemaDrifted under `fail`.

    `seen` are the columns of the files before: one that was not there yet may still be on its way. `newest` is the last of
    several files: under `fail` it has to agree with the specification, whatever came before it.
    """
    found = columns_of(table, frames)
    drifts = list(compared(table, found, seen))
    if table.schema_drift == "fail":
        _refuse(table, found if newest is None else columns_of(table, [newest]), found, seen)
    if any(drift.change == "dropped" and drift.column in table.key for drift in drifts):
        raise SchemaDrifted(f"{table.name}: schema drift at the source: the key has changed")
    if table.schema_drift != "evolve":
        return table, drifts
    drifts = [replace(drift, followed=_follows(drift)) for drift in drifts]
    types = {drift.column: drift.now for drift in drifts if drift.followed and drift.now}
    own = tuple(replace(column, spark=types.pop(column.name, column.spark)) for column in table.columns)
    return replace(table, columns=(*own, *(_column(name, kind) for name, kind in types.items()))), drifts


def _refuse(table: Table, newest: Found, found: Found, seen: Iterable[str] | None) -> None:
    """SchemaDrifted when the newest columns are not those of the specification."""
    before = None if seen is None else {*seen, *(name for name, _ in found.values())}
    if told := ", ".join(map(str, compared(table, newest, before))):
        raise SchemaDrifted(f"{table.name}: schema drift at the source: {told}; its policy is fail")


def _follows(drift: Drift) -> bool:
    return drift.change == "widened" or (
        drift.change == "added" and _NAME.fullmatch(drift.column) is not None
    )


Found = dict[str, tuple[str, list[str]]]  # by lower-case name: a column's name and types, oldest file first


def compared(table: Table, columns: Found, seen: Iterable[str] | None) -> Iterator[Drift]:
    """How the columns of bronze files differ from those of the table, in the table's order.

    One that silver alone has (no MySQL type) may be gone: the specification has it no more, or never had.
    """
    found = dict(columns)
    before = None if seen is None else {name.lower() for name in seen}
    for column in table.columns:
        kinds = found.pop(column.name.lower(), None)
        if kinds is not None:
            yield from _retyped(column, kinds[1])
        elif column.mysql and (before is None or column.name.lower() in before):
            yield Drift(column.name, "dropped", column.spark)
    for name, kinds_of in found.values():
        yield Drift(name, "added", None, _widest(kinds_of))


def _retyped(column: Column, kinds: Sequence[str]) -> Iterator[Drift]:
    """A type that differs from the column's: one that it widens to, or one whose values may not fit."""
    if column.mysql.startswith("mediumint"):  # unsigned, bronze has it as 8 bytes; its values are looked at
        return
    now = column.spark
    for kind in kinds:
        now = kind if widened(now, kind) else now
    if now != column.spark:
        yield Drift(column.name, "widened", column.spark, now)
    if unfit := [kind for kind in kinds if not holds(now, kind) and not _is_own(column, kind)]:
        yield Drift(column.name, "retyped", column.spark, unfit[-1])


def _is_own(column: Column, kind: str) -> bool:
    """Whether replication has the column's MySQL type as a number, of which silver takes 0 and 1: BOOL, and BIT(n)."""
    named = column.mysql.startswith(("bool", "bit(")) and column.mysql != "bit(1)"
    return named and kind in ("int", "bigint", "decimal(20,0)")


def _widest(kinds: Sequence[str]) -> str:
    found = kinds[0]
    for kind in kinds[1:]:
        found = found if holds(found, kind) else kind if widened(found, kind) else "string"
    return found


def columns_of(table: Table, frames: Sequence[DataFrame]) -> Found:
    """The source's columns in bronze files."""
    own = {*FRAME, *(f"bi_{column.name}".lower() for column in table.columns)}
    found: Found = {}
    for frame in frames:
        for field in frame.schema.fields:
            if field.name.lower() not in own:
                kinds = found.setdefault(field.name.lower(), (field.name, []))[1]
                kinds.append(held_type(field.dataType.simpleString()))
    return found


def unfit(raw: DataFrame, table: Table) -> str:
    """SQL: the marks of a row's values that their columns cannot hold; none of a delete."""
    kinds = {field.name.lower(): held_type(field.dataType.simpleString()) for field in raw.schema.fields}
    found = [(column, kinds[column.name.lower()]) for column in table.columns if column.name.lower() in kinds]
    checks = [
        f"CASE WHEN {condition} THEN '{UNFIT}{column.name}' END"
        for column, kind in found
        if (condition := _unfit(column, kind)) is not None
    ]
    if not checks:
        return "CAST(array() AS array<string>)"
    alive = "coalesce(`Op`, 'I') <> 'D'" if "op" in kinds else "true"
    return f"CASE WHEN {alive} THEN array_compact(array({', '.join(checks)})) ELSE CAST(array() AS array<string>) END"


def _unfit(column: Column, kind: str) -> str | None:
    """SQL: whether a value of `kind` is one that the column cannot hold; None when it holds all of them."""
    if not holds(column.spark, kind):
        return _misses(column.name, kind, column.spark)
    longest = length(column.mysql) if kind == "string" else None
    return f"char_length(`{column.name}`) > {longest}" if longest else None


def _misses(name: str, kind: str, target: str) -> str:
    """Whether a value is lost or altered on its way to `target`: there and back has to be the same."""
    if not kindred(target, kind):
        return f"`{name}` IS NOT NULL"
    there = f"try_cast(`{name}` AS {target})"
    if kind == "string":
        same = f"`{name}` RLIKE '(?s)^({text_of(target)})(?!.)'"
    else:
        same = f"try_cast({there} AS {kind}) <=> `{name}`"
    if (kind, target) == ("string", "double"):
        exact = "AS decimal(38,18))"
        same += f" AND coalesce(try_cast({there} {exact} = try_cast(`{name}` {exact}, false)"
    return f"(`{name}` IS NOT NULL AND ({there} IS NULL OR NOT ({same})))"


def is_unfit(quarantined: str) -> str:
    """SQL: a row that is kept out by its types, or by one of the quarantine rules (literals, may be none)."""
    apart = f"exists(`_failed`, mark -> startswith(mark, '{UNFIT}'))"
    return f"{apart} OR arrays_overlap(`_failed`, array({quarantined}))" if quarantined else apart


def counted(rows: DataFrame, table: Table, drifts: Sequence[Drift]) -> list[Drift]:
    """The drifts with the rows that each sets aside; SchemaDrifted when a key does not fit: whose row it is, nobody knows.

    Lengths that decide whether anything is taken are looked at, too; the others are once it is (`lengthened`).
    """
    texts = [c for c in _texts(table) if c.name in table.key or table.schema_drift == "fail"]
    at_risk = [d.column for d in drifts if d.change in ("retyped", "widened") and not d.followed]
    numbers = _set_aside(rows, [*at_risk, *(column.name for column in texts)])
    if lost := [key for key in table.key if numbers.get(key)]:
        raise SchemaDrifted(
            f"{table.name}: schema drift at the source: values of the key {lost[0]} do not fit its type"
        )
    if longer := [str(_longer(column)) for column in texts if numbers[column.name]]:
        raise SchemaDrifted(
            f"{table.name}: schema drift at the source: {', '.join(longer)}; its policy is fail"
        )
    return [replace(drift, rows=numbers.get(drift.column, 0)) for drift in drifts]


def lengthened(new: DataFrame, table: Table) -> list[Drift]:
    """The columns for which new rows of `<t>_changes` have longer texts, which a bronze file's columns do not tell."""
    numbers = _set_aside(new, [column.name for column in _texts(table)])
    return [_longer(column, numbers[column.name]) for column in _texts(table) if numbers[column.name]]


def _texts(table: Table) -> list[Column]:
    return [column for column in table.columns if length(column.mysql)]


def _longer(column: Column, rows: int = 0) -> Drift:
    return Drift(column.name, "lengthened", column.mysql, rows=rows)


def _set_aside(rows: DataFrame, names: Sequence[str]) -> dict[str, int]:
    """By column: rows with a value that does not fit."""
    if not names:
        return {}
    marks = [f"count_if(array_contains(`_failed`, '{UNFIT}{name}'))" for name in names]
    return dict(zip(names, rows.selectExpr(*marks).first(), strict=True))


def seen_columns(house: Lakehouse, table: Table) -> dict[str, str] | None:
    """The columns of the newest bronze files taken so far and their types; None before the first."""
    noted = house.property(table.changes, SEEN) if house.exists(table.changes) else None
    return dict(json.loads(noted)) if noted else None


def note_columns(
    house: Lakehouse, table: Table, frames: Sequence[DataFrame], seen: dict[str, str] | None
) -> None:
    """Notes the columns of bronze files where they differ from those noted."""
    found = {name: kinds[-1] for name, kinds in columns_of(table, frames).values()}
    if found != seen:
        house.set_properties(table.changes, {SEEN: json.dumps(found)})


def standing(house: Lakehouse, table: Table, met: Sequence[Drift]) -> tuple[Drift, ...]:
    """How the source's columns, as bronze had them last, differ from the specification's, and rows just set aside."""
    seen = seen_columns(house, table)
    if seen is None:
        return tuple(met)
    held = {column.name: column.spark for column in as_held(house, table).columns}
    rows = {drift.column: drift.rows for drift in met if drift.rows}
    found: Found = {name.lower(): (name, [kind]) for name, kind in seen.items()}
    longer = [drift for drift in met if drift.change == "lengthened"]
    return *longer, *(
        replace(
            drift,
            rows=rows.get(drift.column, 0),
            followed=drift.now is not None and held.get(drift.column) == drift.now,
        )
        for drift in compared(table, found, None)
    )


def fit(house: Lakehouse, name: str, columns: Sequence[tuple[str, str]]) -> None:
    """Gives the columns of a silver table their types: widened in place, or converted value by value."""
    found = {field.name: held_type(field.dataType.simpleString()) for field in house.schema(name)}
    _finish(house, name, found)
    for column, kind in columns:
        have = found.get(column, kind)
        if widened(have, kind):
            house.spark.sql(f"ALTER TABLE {house.name(name)} ALTER COLUMN `{column}` TYPE {kind}")
        elif have != kind:
            _convert(house, name, column, have, kind)


ASIDE = "_converted_"


def _finish(house: Lakehouse, name: str, found: dict[str, str]) -> None:
    """Ends a conversion that was cut off: one whose old column is gone lacks its name alone."""
    for aside in [column for column in found if column.startswith(ASIDE)]:
        column = aside.removeprefix(ASIDE)
        if column in found:
            house.spark.sql(f"ALTER TABLE {house.name(name)} DROP COLUMN `{aside}`")
        else:
            house.spark.sql(f"ALTER TABLE {house.name(name)} RENAME COLUMN `{aside}` TO `{column}`")
            found[column] = found[aside]
        del found[aside]


def _convert(house: Lakehouse, name: str, column: str, have: str, kind: str) -> None:
    """Another type that Iceberg cannot give in place: a new column with the old one's values takes its name."""
    table, aside = house.name(name), f"{ASIDE}{column}"
    house.spark.sql(f"ALTER TABLE {table} ADD COLUMNS (`{aside}` {kind})")
    if kindred(kind, have):
        house.spark.sql(f"UPDATE {table} SET `{aside}` = try_cast(`{column}` AS {kind})")
    house.spark.sql(f"ALTER TABLE {table} DROP COLUMN `{column}`")
    house.spark.sql(f"ALTER TABLE {table} RENAME COLUMN `{aside}` TO `{column}`")


def fitting(rows: DataFrame, column: Column) -> str:
    """SQL: a model's column in its type; an error where a number does not fit, which a cast would wrap or lose."""
    have = held_type(rows.schema[column.name].dataType.simpleString())
    cast = f"CAST(`{column.name}` AS {column.spark})"
    if holds(column.spark, have) or not (_whole(have) and _whole(column.spark)):
        return f"{cast} AS `{column.name}`"
    told = f"{column.name} holds a number that does not fit {column.spark}"
    return (
        f"CASE WHEN `{column.name}` IS NOT NULL AND try_cast(`{column.name}` AS {column.spark}) IS NULL "
        f"THEN CAST(raise_error('{told}') AS {column.spark}) ELSE {cast} END AS `{column.name}`"
    )


def _whole(kind: str) -> bool:
    return kind in ("int", "bigint", "smallint") or kind.startswith("decimal")
