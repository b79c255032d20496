"""Rows that differ: by key and column, with the first layer that does not hold what the layer before it holds, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medallion_glue.checksums import CELL, cells
from medallion_glue.document import Column
from medallion_glue.newest import VERDICT, newest
from medallion_glue.positions import TableAt
from medallion_glue.set_aside import HARMLESS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Key = tuple[str, ...]
Found = dict[str, Any]


def columns_of(one: str | None, other: str | None, columns: Sequence[Column]) -> list[str]:
    """Names of the columns whose hashes differ; none when a side has no such row."""
    if one is None or other is None:
        return []
    return [
        column.name
        for number, column in enumerate(columns)
        if one[number * CELL : (number + 1) * CELL] != other[number * CELL : (number + 1) * CELL]
    ]


def differing(left: DataFrame, right: DataFrame, limit: int) -> tuple[int, list[tuple[Key, Any, Any]]]:
    """How many keys differ, and the first of them with both sides' hashes (None: no such row)."""
    ours, theirs = _one_a_key(left, "a"), _one_a_key(right, "b")
    apart = ours.join(theirs, "k", "full_outer").where("NOT (a <=> b)").persist()
    total = apart.count()
    rows = apart.orderBy("k").limit(limit).collect()
    apart.unpersist()
    return total, [(tuple(row["k"]), row["a"], row["b"]) for row in rows]


def _one_a_key(rows: DataFrame, name: str) -> DataFrame:
    """Hashes by key; of several rows their number is added, which makes them differ from one in no column."""
    several = "CASE WHEN count(*) > 1 THEN concat('#', count(*)) ELSE '' END"
    return rows.groupBy("k").agg(*_expressions(f"concat(max(cells), {several}) AS {name}"))


def _expressions(*sql: str) -> list[Any]:
    from pyspark.sql import functions as f

    return [f.expr(text) for text in sql]


def waiting(table: TableAt, limit: int) -> Found:
    """What waiting changes will change: how many keys, the first of them, and how many changes there are."""
    rows = table.waiting
    assert rows is not None
    key, columns = key_columns(table), table.table.columns
    wanted = rows.select(*table.keys).distinct()
    before = cells(table.held.join(wanted, table.keys, "left_semi"), key, columns, [])
    after = cells(table.whole.join(wanted, table.keys, "left_semi"), key, columns, [])
    total, found = differing(after, before, limit)
    return {
        "changes": rows.count(),
        "total": total,
        "keys": [{"key": list(k), "columns": columns_of(a, b, columns)} for k, a, b in found],
    }


def key_columns(table: TableAt) -> list[Column]:
    """The key's columns in the key's order."""
    known = {column.name: column for column in table.table.columns}
    return [known[name] for name in table.table.key]


@dataclass(frozen=True)
class Version:
    """A key's newest version somewhere: hashes of its columns, whether it is a delete, and what it breaks."""

    cells: str
    deleted: bool
    failed: tuple[str, ...]
    file: str = ""

    def holds(self, wanted: str | None) -> bool:
        """Whether it is what the source holds (None: no row)."""
        return self.deleted if wanted is None else not self.deleted and self.cells == wanted


@dataclass(frozen=True)
class Reasons:
    """Why keys of a table differ from the source: looks into its history first, and into bronze when it must."""

    table: TableAt
    keys: tuple[Key, ...]

    def of(self, key: Key, source: str | None, silver: str | None) -> Found:
        """One difference: key, columns, layer and reason."""
        columns = self.table.table.columns
        found = {"key": list(key), "columns": columns_of(source, silver, columns)}
        version = self.history.get(key)
        if version and source is not None and silver is None and self._keeps_out(version, source):
            return found | self._ruled(version)
        if (version is None and source is None) or (version and version.holds(source)):
            return found | {"layer": "silver", "reason": "different"}
        arrived = self.bronze.get(key)
        if arrived and source is not None and silver is None and self._keeps_out(arrived, source):
            return found | self._ruled(arrived)
        if (arrived is None and source is None) or (arrived and arrived.holds(source)):
            return found | {"layer": "silver", "reason": "different", "file": arrived.file if arrived else ""}
        if self.table.position is None:
            return found | {"layer": "bronze", "reason": "not_replicated"}
        if lost := [file for file, bad in self.table.bad.items() if bad.reason not in HARMLESS]:
            return found | {"layer": "bronze", "reason": "set_aside", "file": lost[0]}
        return found | {"layer": "bronze", "reason": "missing_in_bronze"}

    @cached_property
    def history(self) -> dict[Key, Version]:
        """Newest versions in `<t>_changes`."""
        return self._versions(self.table.changes)

    @cached_property
    def bronze(self) -> dict[Key, Version]:
        """Newest versions in the files since the load."""
        there = self.table.there()
        return self._versions(self.table.of_bronze(there)) if there else {}

    def _versions(self, changes: DataFrame) -> dict[Key, Version]:
        return dict(self._collected(changes))

    def _collected(self, changes: DataFrame) -> Iterator[tuple[Key, Version]]:
        from pyspark.sql import functions as f

        table, position = self.table.table, self.table.position
        key = key_columns(self.table)
        texts = ", ".join(f"coalesce({column.canonical}, '')" for column in key)
        wanted = self.table.house.spark.createDataFrame([(list(k),) for k in self.keys], "w array<string>")
        upto = changes if position is None else changes.where(position.until)
        own = upto.join(f.broadcast(wanted), f.expr(f"array({texts}) = w"), "left_semi")
        files_of = own.selectExpr(
            f"array({texts}) AS k",
            "max_by(`_bronze_file`, struct(`_generation`, `_seq`)) OVER (PARTITION BY array("
            + texts
            + ")) AS file",
        )
        named = {tuple(row["k"]): row["file"].removeprefix(VERDICT) for row in files_of.distinct().collect()}
        for row, hashes in _hashed(newest(own, table), key, table.columns):
            failed = tuple(row["_failed"] or ())
            yield tuple(row["k"]), Version(hashes, row["_op"] == "D", failed, named.get(tuple(row["k"]), ""))

    def _keeps_out(self, version: Version, source: str) -> bool:
        """Whether a rule keeps out what the source holds; of a value that its column can not hold nothing is left."""
        names = self._blocking(version)
        return (
            not version.deleted
            and bool(names)
            and (version.cells == source or not self._rules.issuperset(names))
        )

    def _blocking(self, version: Version) -> list[str]:
        blocking = self.table.table.breaking("drop", "quarantine", "fail")
        return [name for name in version.failed if name in blocking or name not in self._rules]

    @property
    def _rules(self) -> frozenset[str]:
        return frozenset(expectation.name for expectation in self.table.table.expectations)

    def _ruled(self, version: Version) -> Found:
        kinds = {e.name: e.on_fail for e in self.table.table.expectations}
        names = self._blocking(version)
        done = {kinds.get(name, "quarantine") for name in names}
        reason = "refused" if "fail" in done else "quarantined" if "quarantine" in done else "dropped"
        return {"layer": "silver", "reason": reason, "rules": names, "file": version.file}


def _hashed(
    rows: DataFrame, key: Sequence[Column], columns: Sequence[Column]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Rows of `newest` with `k`, and the hashes of their columns."""
    from medallion_glue.checksums import row_text

    texts = ", ".join(f"coalesce({column.canonical}, '')" for column in key)
    each = ", ".join(f"substring(md5({row_text([column])}), 1, {CELL})" for column in columns)
    shown = rows.selectExpr(f"array({texts}) AS k", "`_op`", "`_failed`", f"concat({each}) AS cells")
    for row in shown.collect():
        yield row.asDict(), row["cells"]
