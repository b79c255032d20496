"""A silver table as it was at a position of the source, and as it will be once what waits in bronze is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from medallion_glue import set_aside
from medallion_glue.bronze import entries, read_changes
from medallion_glue.document import Table
from medallion_glue.erasures import NOTHING, Erasures, left, read_erasures
from medallion_glue.evolution import as_held
from medallion_glue.generations import Generations, TableGenerations, read_generations
from medallion_glue.heartbeat import TABLE as HEARTBEAT
from medallion_glue.lakehouse import Lakehouse
from medallion_glue.models import GoldModel, Pin
from medallion_glue.newest import newest, state_columns
from medallion_glue.objects import Listed, parquet_files
from medallion_glue.set_aside import BadFile
from medallion_glue.silver import GENERATION, SilverTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NEWEST_FILES = 50  # of the heartbeat's, in which a token of the last minutes is


@dataclass(frozen=True)
class Position:
    """A position of the source: what is at or before it counts."""

    generation: str
    seq: str

    @property
    def until(self) -> str:
        """Spark SQL: whether a row is at or before it."""
        same = f"`_generation` = '{self.generation}' AND `_seq` <= '{self.seq}'"
        return f"(`_generation` < '{self.generation}' OR ({same}))"


def positions(
    spark: SparkSession, bucket: str, generation: str, tokens: Iterable[str]
) -> dict[str, Position]:
    """Positions of heartbeats by token; those that did not reach bronze are left out."""
    wanted = sorted(set(tokens))
    keys = [key for key, _ in parquet_files(bucket, f"{generation}/{HEARTBEAT}/")]
    changes = sorted(key for key in keys if "/LOAD" not in key)[-NEWEST_FILES:]
    if not wanted or not changes:
        return {}
    rows = spark.read.parquet(*[f"s3://{bucket}/{key}" for key in changes])
    listed = ", ".join(f"'{token}'" for token in wanted if token.isalnum())
    found = rows.where(f"token IN ({listed})").select("token", "dms_change_seq").collect()
    return {str(row[0]): Position(generation, str(row[1])) for row in found}


@dataclass(frozen=True)
class TableAt:
    """One silver table at a position (None: as it is); `generation` is the one that replication writes."""

    house: Lakehouse
    table: Table
    pin: Pin
    bronze: str = ""
    generation: str | None = None
    position: Position | None = None
    folders: TableGenerations = field(default_factory=TableGenerations)
    erasures: Erasures = NOTHING

    @property
    def keys(self) -> list[str]:
        """The key's columns."""
        return list(self.table.key)

    @property
    def changes(self) -> DataFrame:
        """What `<t>_changes` held when it was merged last, up to the position."""
        rows = self.house.at(self.table.changes, self.pin.changes)
        return rows if self.pin.changes is not None else rows.limit(0)

    @cached_property
    def held(self) -> DataFrame:
        """Live rows of `<t>` at the position; keys that changed since come from their history."""
        rows = self.house.at(self.table.name, self.pin.table)
        if self.position is None:
            return _live(rows)
        later = rows.where(f"NOT {self.position.until}")
        if later.isEmpty():
            return _live(rows)
        history = self._upto(self.changes).join(later.select(*self.keys), self.keys, "left_semi")
        return _live(rows.where(self.position.until)).unionByName(
            self._newest(history), allowMissingColumns=True
        )

    @cached_property
    def waiting(self) -> DataFrame | None:
        """Changes up to the position that `<t>` has not taken: files of bronze, and rows of `<t>_changes`; None: none."""
        parts = [part for part in (self._from_bronze(), self._unmerged()) if part is not None]
        if not parts:
            return None
        rows = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1], allowMissingColumns=True)
        rows = self._upto(rows)
        return None if rows.isEmpty() else rows.persist()

    @cached_property
    def whole(self) -> DataFrame:
        """Live rows of `<t>` once it has taken what waits."""
        waiting = self.waiting
        if waiting is None:
            return self.held
        if self._replaces(waiting):
            return self._newest(waiting.where(f"`_generation` >= '{self.base}'"))
        wanted = waiting.select(*self.keys).distinct()
        history = self._upto(self.changes).join(wanted, self.keys, "left_semi")
        again = history.unionByName(waiting, allowMissingColumns=True)
        return self.held.join(wanted, self.keys, "left_anti").unionByName(
            self._newest(again), allowMissingColumns=True
        )

    @property
    def base(self) -> str:
        """The generation with the load that counts at the newest one."""
        return self.folders.base(self.generation or "")

    @cached_property
    def _entries(self) -> list[Listed]:
        """Bronze files since that load."""
        if self.generation is None:
            return []
        first, last = (int(name[1:]) for name in (self.base, self.generation))
        folders = [f"g{number:04d}" for number in range(first, last + 1)]
        return [entry for folder in folders for entry in entries(self.bronze, folder, self.table)]

    @cached_property
    def taken(self) -> set[str]:
        """Those of them that silver has."""
        return {*self.silver.taken(), *self.erasures.emptied}

    @cached_property
    def bad(self) -> dict[str, BadFile]:
        """Those that are set aside, and those that will be since they cannot be taken."""
        known = set_aside.of(self.house, self.table)
        new = [e for e in self._entries if e.key not in self.taken]
        new = [e for e in new if e.key not in known or not known[e.key].is_of(e)]
        stays = {key: bad for key, bad in known.items() if key not in {entry.key for entry in new}}
        return stays | set_aside.looked_at(self.house.spark, self.table, self.bronze, new)

    def there(self) -> list[str]:
        """Those that can be taken."""
        return [entry.key for entry in self._entries if entry.key not in self.bad]

    def unread(self) -> list[str]:
        """Those that silver has not taken yet."""
        return [key for key in self.there() if key not in self.taken]

    @property
    def silver(self) -> SilverTable:
        """The table's way from bronze."""
        return SilverTable(self.house, self.table, self.bronze, self.erasures, self.folders)

    def of_bronze(self, keys: list[str]) -> DataFrame:
        """Bronze files as rows of `<t>_changes`, less what was erased."""
        rows = read_changes(self.house.spark, self.bronze, keys, as_held(self.house, self.table))
        return left(rows, self.table, self.erasures)

    def _from_bronze(self) -> DataFrame | None:
        unread = self.unread()
        return self.of_bronze(unread) if unread else None

    def _unmerged(self) -> DataFrame | None:
        head = self.house.head(self.table.changes)
        if head is None or head == self.pin.changes:
            return None
        if self.pin.changes is not None and not self.house.only_grew(self.table.changes, self.pin.changes):
            return None
        return self.house.appended(self.table.changes, self.pin.changes, head)

    def _replaces(self, waiting: DataFrame) -> bool:
        """Whether a load waits that will replace the one at hand."""
        known = self.house.property(self.table.name, GENERATION) or ""
        return known < self.base and not waiting.where(f"`_generation` >= '{self.base}'").isEmpty()

    def _upto(self, rows: DataFrame) -> DataFrame:
        return rows if self.position is None else rows.where(self.position.until)

    def _newest(self, changes: DataFrame) -> DataFrame:
        return _live(newest(changes, self.table).select(*[name for name, _ in state_columns(self.table)]))


@dataclass(frozen=True)
class Bronze:
    """The bucket of bronze, and what the artifacts bucket says of its generations and of what was erased in it."""

    bucket: str
    artifacts: str

    def at(
        self,
        house: Lakehouse,
        table: Table,
        pin: Pin,
        generation: str | None,
        position: Position | None = None,
    ) -> TableAt:
        """A silver table at a position, with what waits for it."""
        folders = self._generations.of(f"{table.schema}.{table.name}")
        erased = read_erasures(self.artifacts, [table.name]).get(table.name, NOTHING)
        return TableAt(house, table, pin, self.bucket, generation, position, folders, erased)

    @cached_property
    def _generations(self) -> Generations:
        return read_generations(self.artifacts)


def pinned_at(
    house: Lakehouse, tables: Iterable[Table], position: Mapping[str, int | None], pins: Mapping[str, Pin]
) -> dict[str, Pin]:
    """Pins for the snapshots of `<t>_changes` that a gold position names; `table` stays None where that is not the pinned one.

    KeyError for a table that is not in the position, LookupError when a snapshot is gone.
    """
    found = {}
    for table in tables:
        snapshot = position[table.name]
        if pins[table.name].changes == snapshot:
            found[table.name] = pins[table.name]
            continue
        if snapshot is not None and not house.descends(table.changes, snapshot):
            raise LookupError(f"{table.name}: snapshot {snapshot} is gone")
        found[table.name] = Pin(None, snapshot)
    return found


@dataclass(frozen=True)
class PastModel(GoldModel):
    """A gold model over silver as it was: pins without a snapshot of `<t>` stand for its history up to theirs."""

    def _views(self, sql: str, history: bool) -> None:
        super()._views(sql, history)
        for table in self.pipeline.tables:
            pin = self.pins.get(table.name)
            if pin is None or pin.table is not None or history:
                continue
            columns = [column.name for column in table.columns]
            rows = _live(newest(self._changes(table), table)).select(*columns)
            rows.createOrReplaceTempView(f"`{table.name}`")


def _live(rows: DataFrame) -> DataFrame:
    return rows.where("NOT `_is_deleted`")
