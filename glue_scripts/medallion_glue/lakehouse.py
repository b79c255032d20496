"""The Spark session and the silver tables in its Iceberg catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_glue.column_types import kindred

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Semantics, so never left to a job's settings: a moment is UTC microseconds, and old dates keep their digits.
_SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
_TABLE = {
    "format-version": "2",
    "write.merge.mode": "merge-on-read",
    "write.distribution-mode": "none",
    "write.merge.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


def open_session(name: str) -> SparkSession:
    """The job's session; master and catalog come from the job's own settings."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name).config("spark.scheduler.mode", "FAIR")
    return settled(builder.getOrCreate())


def settled(spark: SparkSession) -> SparkSession:
    """The session with the settings that results depend on."""
    for key, value in _SESSION.items():
        spark.conf.set(key, value)
    return spark


@dataclass(frozen=True)
class Lakehouse:
    """The silver database."""

    spark: SparkSession
    catalog: str
    database: str

    def enter(self, pool: str) -> Lakehouse:
        """Makes its session the calling thread's own, in a scheduler pool (Spark's defaults otherwise)."""
        self.spark._jvm.SparkSession.setActiveSession(self.spark._jsparkSession)
        self.spark.sparkContext.setLocalProperty("spark.scheduler.pool", pool)
        return self

    def apart(self, pool: str) -> Lakehouse:
        """The same database in a session of its own, entered: its temporary views meet no others."""
        return Lakehouse(settled(self.spark.newSession()), self.catalog, self.database).enter(pool)

    def name(self, table: str) -> str:
        """The quoted full name."""
        return f"{self.catalog}.`{self.database}`.`{table}`"

    def create_database(self) -> None:
        """Creates the database unless it is there."""
        if not self.spark.catalog.databaseExists(f"{self.catalog}.`{self.database}`"):
            self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {self.catalog}.`{self.database}`")

    def exists(self, table: str) -> bool:
        """Whether the table is in the catalog."""
        return bool(self.spark.catalog.tableExists(self.name(table)))

    def schema(self, table: str) -> Any:
        """The fields of a table now."""
        return self.spark.table(self.name(table)).schema

    def ensure(self, table: str, columns: list[tuple[str, str]]) -> None:
        """Creates the table, or adds the columns (name, Spark type) that it lacks."""
        name = self.name(table)
        if not self.exists(table):
            properties = ", ".join(f"'{key}'='{value}'" for key, value in _TABLE.items())
            shape = ", ".join(f"`{column}` {kind}" for column, kind in columns)
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {name} ({shape}) USING iceberg TBLPROPERTIES ({properties})"
            )
            return
        present = {column.lower() for column in self.spark.table(name).columns}
        if new := [f"`{column}` {kind}" for column, kind in columns if column.lower() not in present]:
            self.spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(new)})")

    def handle(self, table: str) -> Any:
        """Iceberg's own Table (Java), as fresh as the catalog."""
        jvm, session = self.spark._jvm, self.spark._jsparkSession
        handle = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session, self.name(table))
        handle.refresh()
        return handle

    def head(self, table: str) -> int | None:
        """The current snapshot's id; None while nothing was ever written."""
        snapshot = self.handle(table).currentSnapshot()
        return int(snapshot.snapshotId()) if snapshot is not None else None

    def added_records(self, table: str) -> int:
        """Rows that the current snapshot added."""
        return int(self.handle(table).currentSnapshot().summary().get("added-records") or 0)

    def descends(self, table: str, snapshot: int) -> bool:
        """Whether `snapshot` is still there and the table's current state came from it."""
        handle = self.handle(table)
        if handle.currentSnapshot() is None or handle.snapshot(snapshot) is None:
            return False
        return bool(self.spark._jvm.org.apache.iceberg.util.SnapshotUtil.isAncestorOf(handle, snapshot))

    def only_grew(self, table: str, since: int) -> bool:
        """Whether the current state is that of `since` with rows appended, and nothing rewritten but files."""
        if not self.descends(table, since):
            return False
        handle = self.handle(table)
        snapshot = handle.currentSnapshot()
        while snapshot.snapshotId() != since:
            if snapshot.operation() not in ("append", "replace"):
                return False
            snapshot = handle.snapshot(snapshot.parentId())
        return True

    def properties(self, table: str) -> tuple[int | None, dict[str, str]]:
        """The current snapshot's id (None: never written) and all properties, in one look at the catalog."""
        handle = self.handle(table)
        snapshot, found = handle.currentSnapshot(), handle.properties()
        return int(snapshot.snapshotId()) if snapshot is not None else None, dict(found)

    def property(self, table: str, key: str) -> str | None:
        """A table property."""
        value = self.handle(table).properties().get(key)
        return str(value) if value is not None else None

    def set_properties(self, table: str, properties: dict[str, str]) -> None:
        """Sets table properties in one commit; no snapshot."""
        update = self.handle(table).updateProperties()
        for key, value in properties.items():
            update.set(key, value)
        update.commit()
        self.spark.catalog.refreshTable(self.name(table))

    def at(self, table: str, snapshot: int | None) -> DataFrame:
        """The rows as of a snapshot (None: as of now), in the columns that the table has now."""
        reader = self.spark.read.format("iceberg")
        if snapshot is None:
            return reader.load(self.name(table))
        rows = reader.option("snapshot-id", str(snapshot)).load(self.name(table))
        return _in_columns(rows, self.schema(table))

    def appended(self, table: str, after: int | None, upto: int) -> DataFrame:
        """The rows appended after one snapshot (None: ever) up to another, inclusive."""
        if after is None:
            return self.at(table, upto)
        reader = self.spark.read.format("iceberg").option("start-snapshot-id", str(after))
        return reader.option("end-snapshot-id", str(upto)).load(self.name(table))


def _in_columns(rows: DataFrame, fields: Any) -> DataFrame:
    """Rows of a snapshot that is older than a column or its type, as they are read now."""
    if rows.schema.simpleString() == fields.simpleString():
        return rows
    there = {field.name.lower(): field.dataType.simpleString() for field in rows.schema}
    return rows.selectExpr(*[_in_column(field, there.get(field.name.lower())) for field in fields])


def _in_column(field: Any, had: str | None) -> str:
    """Its value then; NULL where it was not there, or of a type that no value of today's can be (Spark refuses to cast)."""
    kind = field.dataType.simpleString()
    value = f"`{field.name}`" if had and kindred(kind, had) else "NULL"
    return f"CAST({value} AS {kind}) AS `{field.name}`"
