"""Iceberg's own upkeep of one silver table: fewer files, fewer snapshots, no files that nothing names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from medallion_glue.lakehouse import Lakehouse

SMALL_FILES = 5  # so many make a compaction worth while
DELETE_FILES = 3  # position deletes on one data file


@dataclass(frozen=True)
class Upkeep:
    """One table of the lakehouse."""

    house: Lakehouse
    table: str

    def compact(self) -> int:
        """Rewrites small files, and those that many deletes point into, whole; how many files were rewritten."""
        if self.files() < SMALL_FILES and not self._deletes():
            return 0
        options = {"min-input-files": str(SMALL_FILES), "delete-file-threshold": str(DELETE_FILES)}
        rewritten = self._rewritten(options)
        if self._deletes():
            self._call(f"rewrite_position_delete_files(table => '{self._name}')")
        return rewritten

    def rewrite(self, condition: str) -> int:
        """Rewrites every file that may hold rows of a condition: what deletes had only hidden is gone from the new ones."""
        return self._rewritten({"rewrite-all": "true"}, condition)

    def _rewritten(self, options: dict[str, str], condition: str | None = None) -> int:
        pairs = ", ".join(f"'{key}', '{value}'" for key, value in options.items())
        quoted = condition.replace("'", "\\'") if condition else ""
        where = f", where => '{quoted}'" if condition else ""
        row = self._call(f"rewrite_data_files(table => '{self._name}', options => map({pairs}){where})")
        return int(row["rewritten_data_files_count"])

    def expire(self, before: datetime) -> int:
        """Forgets snapshots of before a moment, never the newest, and deletes every file that only they name; how many.

        The procedure looks at what is still reachable. The table's own `expireSnapshots()` does not: it leaves what the
        newest snapshot has replaced, until that one expires, too.
        """
        had, current = self._snapshots(), self.house.head(self.table)
        if not any(made < before and snapshot != current for snapshot, made in had.items()):
            return 0
        older = f"TIMESTAMP '{_text(before)}'"
        self._call(f"expire_snapshots(table => '{self._name}', older_than => {older}, retain_last => 1)")
        return len(had) - self.snapshots()

    def snapshots(self) -> int:
        """How many there are."""
        return len(self._snapshots())

    def moment(self, snapshot: int) -> datetime | None:
        """When a snapshot was made; None for one that is gone."""
        return self._snapshots().get(snapshot)

    def _snapshots(self) -> dict[int, datetime]:
        return {
            int(found.snapshotId()): datetime.fromtimestamp(found.timestampMillis() / 1000, UTC)
            for found in self.house.handle(self.table).snapshots()
        }

    def remove_orphans(self, before: datetime) -> int:
        """Deletes files of before a moment that no snapshot names, as killed jobs leave them; how many."""
        call = f"remove_orphan_files(table => '{self._name}', older_than => TIMESTAMP '{_text(before)}')"
        return len(self._rows(call))

    def files(self) -> int:
        """Data files of the current snapshot."""
        return self._total("total-data-files")

    def _deletes(self) -> int:
        return self._total("total-delete-files")

    def _total(self, what: str) -> int:
        snapshot = self.house.handle(self.table).currentSnapshot()
        return 0 if snapshot is None else int(snapshot.summary().get(what) or 0)

    @property
    def _name(self) -> str:
        return f"{self.house.database}.{self.table}"

    def _call(self, procedure: str) -> Any:
        return self._rows(procedure)[0]

    def _rows(self, procedure: str) -> list[Any]:
        return list(self.house.spark.sql(f"CALL {self.house.catalog}.system.{procedure}").collect())


def _text(moment: datetime) -> str:
    """A moment as a literal of the session, which is in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
