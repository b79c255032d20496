"""Bronze to silver of one table: append what is new to `<t>_changes`, then bring `<t>` up to it.

Each stage is one commit and safe to repeat: what was appended is read from the table itself, and a row of
`<t>` only gives way to a greater position. `medallion.merged_snapshot` may lag behind the rows, never lead.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medallion_glue import evolution, set_aside
from medallion_glue.bronze import change_columns, changes_of, entries, first_written, raw_frames
from medallion_glue.document import Table
from medallion_glue.erasures import NOTHING, Erasures, left
from medallion_glue.generations import TableGenerations
from medallion_glue.lakehouse import Lakehouse
from medallion_glue.newest import VERDICT, newest, state_columns
from medallion_glue.objects import Listed
from medallion_glue.refusing import refuse_new
from medallion_glue.relations import LOADED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MERGED = "medallion.merged_snapshot"
GENERATION = "medallion.generation"
SNAPSHOT = "snapshot:"  # `_bronze_file` of the tombstones that a generation's snapshot implies
_BROADCAST_ROWS = 200_000


@dataclass(frozen=True)
class TableReport:
    """What happened to a table, as the step file says it."""

    table: str
    state: str = "ok"
    read: int = 0
    files: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0
    rows: int | None = None
    last_change: str | None = None
    error: str | None = None
    layer: str = "silver"
    newest_file: str | None = None  # of changes, in bronze when it was looked at
    drift: tuple[evolution.Drift, ...] = ()  # how columns of the files read differ from the specification
    in_quarantine: int = 0  # keys whose newest version is kept out, all of them
    dropped: int = 0  # the same by rules that drop
    expectations: tuple[dict[str, Any], ...] = ()  # a rule each (medallion_glue.quality)
    set_aside: tuple[set_aside.BadFile, ...] = ()  # bronze files that could not be taken, all of them

    def document(self) -> dict[str, Any]:
        """Its entry in the step file."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """Keys that a merge changed, and new rows that a quarantine rule keeps out."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class SilverTable:
    """One table's way from bronze to silver."""

    house: Lakehouse
    table: Table
    bronze: str
    erasures: Erasures = NOTHING
    folders: TableGenerations = field(default_factory=TableGenerations)

    def take(self, generation: str, loaded: bool) -> TableReport:
        """Takes every new file: the rest of the generation at hand, then those after it that are loaded."""
        taken = self.taken()
        at_hand = max((_generation(file) for file in taken), default=None)
        steps = list(self.folders.due(at_hand, generation, loaded))
        if not steps:
            return TableReport(self.table.name, state="waiting_for_full_load")
        self.prepare()
        report, silver = TableReport(self.table.name), self
        for step, first in steps:
            report, silver = silver._step(report, step, taken, first)
        waiting = self.folders.waits(at_hand, generation, loaded)
        return self.described(replace(report, state="waiting_for_full_load" if waiting else "ok"))

    def _step(
        self, report: TableReport, generation: str, taken: Collection[str], first: bool
    ) -> tuple[TableReport, SilverTable]:
        done = {*taken, *self.erasures.emptied}
        there = entries(self.bronze, generation, self.table)
        new = [entry for entry in there if entry.key not in done]
        replaces = first and self.house.head(self.table.name) is not None
        good = set_aside.sound(self.house, self.table, self.bronze, there, new, replaces)
        before = self.house.head(self.table.changes)
        silver, read, drift = self._read(
            [entry for entry in new if entry.key in good], generation if first else None
        )
        counts = silver.bring()
        head = self.house.head(self.table.changes) if read and counts.quarantined else None
        if head is not None:
            drift += evolution.lengthened(self.house.appended(self.table.changes, before, head), silver.table)
        report = replace(
            report,
            read=report.read + read,
            files=report.files + len(good) if read else report.files,
            inserted=report.inserted + counts.inserted,
            updated=report.updated + counts.updated,
            deleted=report.deleted + counts.deleted,
            quarantined=report.quarantined + counts.quarantined,
            newest_file=max((entry.key for entry in there if "/LOAD" not in entry.key), default=None),
            drift=(*report.drift, *drift),
        )
        return report, silver

    def _read(
        self, new: list[Listed], snapshot_of: str | None
    ) -> tuple[SilverTable, int, list[evolution.Drift]]:
        """Appends the files; one that turns out to be damaged inside is set aside, and the others are read again."""
        keys = [entry.key for entry in new]
        frames = raw_frames(self.house.spark, self.bronze, keys)
        silver, drift = self._evolved(frames, keys)
        try:
            return silver, *silver._appended(frames, snapshot_of, drift)
        except Exception as error:
            broken = set_aside.damaged(error, self.bronze, keys)
            if broken is None:
                raise
            replaces = snapshot_of is not None and self.house.head(self.table.name) is not None
            set_aside.add(self.house, self.table, next(e for e in new if e.key == broken), replaces)
            return self._read([entry for entry in new if entry.key != broken], snapshot_of)

    def _evolved(self, frames: list[DataFrame], keys: list[str]) -> tuple[SilverTable, list[evolution.Drift]]:
        """The table as its policy has it for new files, and how they differ from what it was."""
        if not frames:
            return self, []
        seen = evolution.seen_columns(self.house, self.table)
        strictly = self.table.schema_drift == "fail" and len(keys) > 1
        last = raw_frames(self.house.spark, self.bronze, [max(keys, key=_written)]) if strictly else []
        table, drift = evolution.follow(self.table, frames, seen, *last)
        silver = replace(self, table=table)
        if table != self.table:
            silver.prepare()
        evolution.note_columns(self.house, table, frames, seen)
        return silver, drift

    def prepare(self) -> None:
        """Creates both tables, or adds the columns that the specification has gained."""
        self.house.ensure(self.table.changes, change_columns(self.table))
        self.house.ensure(self.table.name, state_columns(self.table))
        evolution.fit(self.house, self.table.changes, change_columns(self.table))
        evolution.fit(self.house, self.table.name, state_columns(self.table))

    def taken(self) -> set[str]:
        """Keys of the bronze files that are in `<t>_changes`."""
        if not self.house.exists(self.table.changes):
            return set()
        rows = self.house.at(self.table.changes, None).select("_bronze_file").distinct().collect()
        return {row[0] for row in rows if not row[0].startswith(VERDICT)}

    def append(self, keys: list[str], snapshot_of: str | None) -> int:
        """Appends bronze files in one commit, with the tombstones of a new generation; the number of rows."""
        return self._appended(raw_frames(self.house.spark, self.bronze, keys), snapshot_of, [])[0]

    def _appended(
        self, frames: list[DataFrame], snapshot_of: str | None, drift: list[evolution.Drift]
    ) -> tuple[int, list[evolution.Drift]]:
        batch = self._batch(frames, snapshot_of)
        if batch is None:
            return 0, drift
        drift = evolution.counted(batch, self.table, drift)
        refuse_new(self.house, self.table, self.folders, batch)
        batch.writeTo(self.house.name(self.table.changes)).append()
        return self.house.added_records(self.table.changes), drift

    def _batch(self, frames: list[DataFrame], snapshot_of: str | None) -> DataFrame | None:
        """What to append; None when there is no row, so that no snapshot comes of it."""
        rows = changes_of(frames, self.bronze, self.table) if frames else None
        rows = left(rows, self.table, self.erasures) if rows is not None else None
        if snapshot_of is not None and self.house.head(self.table.name) is not None:
            live = self.house.at(self.table.name, None).where("NOT `_is_deleted`")
            gone = self.tombstones(snapshot_of, rows, live)
            rows = gone if rows is None else self.settled(rows, snapshot_of).unionByName(gone)
        return None if rows is None or rows.isEmpty() else rows

    def settled(self, rows: DataFrame, generation: str) -> DataFrame:
        """A key that changed while its table alone was loaded counts by its changes, which are newer or the same."""
        if not self.folders.is_partial(generation):
            return rows
        keys = list(self.table.key)
        load, changes = rows.where("`_seq` = ''"), rows.where("`_seq` <> ''")
        return load.join(changes.select(*keys), keys, "left_anti").unionByName(changes)

    def tombstones(self, generation: str, rows: DataFrame | None, live: DataFrame) -> DataFrame:
        """A delete for every key of `live` that is absent from the generation's full load."""
        moment = None
        if rows is not None:
            load = rows.where("`_seq` = ''")
            live = live.join(load.select(*self.table.key), list(self.table.key), "left_anti")
            moment = _moment(load)
        moment = moment or first_written(self.bronze, generation)
        return live.selectExpr(
            *[
                f"`{c.name}`" if c.name in self.table.key else f"CAST(NULL AS {c.spark}) AS `{c.name}`"
                for c in self.table.columns
            ],
            "'D' AS `_op`",
            f"'{generation}' AS `_generation`",
            "'' AS `_seq`",
            f"{moment} AS `_commit_ts`",
            f"'{SNAPSHOT}{generation}' AS `_bronze_file`",
            "CAST(0 AS BIGINT) AS `_bronze_row`",
            "CAST(array() AS array<string>) AS `_failed`",
            "true AS `_valid`",
        )

    def bring(self) -> Counts:
        """Brings `<t>` to the newest valid version of every key in `<t>_changes`."""
        head = self.house.head(self.table.changes)
        if head is None:
            return self._without_rows()
        merged = self.house.property(self.table.name, MERGED)
        if merged == str(head):
            return Counts()
        counts = self._follow(int(merged), head) if merged else None
        if counts is None:
            counts = self._rebuild(head)
        return counts

    def _without_rows(self) -> Counts:
        """Notes that a full load was taken whole and is empty: rows of other tables are judged by it."""
        aside = set_aside.of(self.house, self.table).values()
        lost = [bad for bad in aside if bad.reason not in set_aside.HARMLESS]
        if not lost and self.house.property(self.table.name, LOADED) is None:
            self.house.set_properties(self.table.name, {LOADED: "empty"})
        return Counts()

    def _follow(self, merged: int, head: int) -> Counts | None:
        """Merges what was appended after `merged`; None when that needs the whole table."""
        if not self.house.only_grew(self.table.changes, merged):
            return None
        new = self.house.appended(self.table.changes, merged, head)
        generation, quarantined, rows = self._summary(new)
        known = self.house.property(self.table.name, GENERATION)
        if rows and generation and self.folders.base(generation) != known:
            return None
        counts = self._merge(newest(new, self.table), small=rows < _BROADCAST_ROWS) if rows else Counts()
        self._note(head, known)
        return replace(counts, quarantined=quarantined)

    def _merge(self, incoming: DataFrame, small: bool) -> Counts:
        """MERGEs the versions whose position is greater than what `<t>` holds."""
        incoming = incoming.persist()
        wins = self._winning(incoming, small).persist()
        try:
            counts = _tally(wins)
            if counts != Counts() or not wins.isEmpty():
                self._merge_into(wins)
            return counts
        finally:
            wins.unpersist()
            incoming.unpersist()

    def _winning(self, incoming: DataFrame, small: bool) -> DataFrame:
        """The incoming versions that are newer than `<t>`'s or judged otherwise, with `_was_live` (NULL: no such key)."""
        from pyspark.sql import functions as f

        keys = list(self.table.key)
        wanted = incoming.select(*keys)
        held = self.house.at(self.table.name, None).selectExpr(
            *[f"`{key}`" for key in keys],
            "struct(`_generation`, `_seq`) AS `_held`",
            "NOT `_is_deleted` AS `_was_live`",
        )
        newer = "`_held` IS NULL OR struct(`_generation`, `_seq`) > `_held`"
        judged = "struct(`_generation`, `_seq`) = `_held` AND `_is_verdict` AND `_is_deleted` = `_was_live`"
        held = held.join(f.broadcast(wanted) if small else wanted, keys, "left_semi")
        joined = incoming.join(f.broadcast(held) if small else held, keys, "left")
        return joined.where(f"{newer} OR ({judged})").drop("_held")

    def _merge_into(self, wins: DataFrame) -> None:
        view = f"_source_{self.table.name}"
        columns = [name for name, _ in state_columns(self.table)]
        wins.select(*columns).createOrReplaceTempView(view)
        on = " AND ".join(f"t.`{key}` = s.`{key}`" for key in self.table.key)
        updates = ", ".join(f"t.`{name}` = s.`{name}`" for name in columns)
        inserts = ", ".join(f"`{name}`" for name in columns)
        values = ", ".join(f"s.`{name}`" for name in columns)
        self.house.spark.sql(
            f"MERGE INTO {self.house.name(self.table.name)} t USING `{view}` s ON {on} "
            "WHEN MATCHED AND (s.`_generation` > t.`_generation` "
            "OR (s.`_generation` = t.`_generation` AND s.`_seq` >= t.`_seq`)) "
            f"THEN UPDATE SET {updates} WHEN NOT MATCHED THEN INSERT ({inserts}) VALUES ({values})"
        )
        self.house.spark.catalog.dropTempView(view)

    def _rebuild(self, head: int) -> Counts:
        """Replaces `<t>` in one commit by its newest generation; keys that are absent there are gone."""
        changes = self.house.at(self.table.changes, head)
        generation = self.folders.base(self._summary(changes)[0] or "g0001")
        columns = [name for name, _ in state_columns(self.table)]
        before = self.house.head(self.table.name)
        changes = changes.where(f"`_generation` >= '{generation}'")
        whole = newest(changes, self.table).select(*columns)
        whole.writeTo(self.house.name(self.table.name)).overwrite(_always())
        counts = self._difference(before)
        self._note(head, generation)
        return replace(counts, quarantined=self._summary(changes)[1])

    def _difference(self, before: int | None) -> Counts:
        """How the live rows differ from those of an earlier snapshot (None: there were none)."""
        now = self.house.at(self.table.name, None).where("NOT `_is_deleted`")
        if before is None:
            return Counts(inserted=now.count())
        keys = list(self.table.key)
        values = f"struct({', '.join(f'`{column.name}`' for column in self.table.columns)})"
        shape = [f"`{key}`" for key in keys]
        old = (
            self.house.at(self.table.name, before)
            .where("NOT `_is_deleted`")
            .selectExpr(*shape, f"{values} AS `_old`")
        )
        both = now.selectExpr(*shape, f"{values} AS `_new`").join(old, keys, "full_outer")
        return Counts(
            *both.selectExpr(
                "count_if(`_old` IS NULL)",
                "count_if(NOT (`_old` <=> `_new`) AND `_old` IS NOT NULL AND `_new` IS NOT NULL)",
                "count_if(`_new` IS NULL)",
            ).first()
        )

    def _summary(self, changes: DataFrame) -> tuple[str | None, int, int]:
        """Newest generation, rows that a quarantine rule keeps out, and rows."""
        names = ", ".join(f"'{name}'" for name in self.table.breaking("quarantine"))
        kept_out = f"count_if({evolution.is_unfit(names)})"
        generation, quarantined, rows = changes.selectExpr("max(`_generation`)", kept_out, "count(*)").first()
        return generation, int(quarantined), int(rows)

    def _note(self, head: int, generation: str | None) -> None:
        self.house.set_properties(self.table.name, {MERGED: str(head), GENERATION: generation or ""})

    def described(self, report: TableReport) -> TableReport:
        """With the live rows and the newest change that `<t>` holds now."""
        state = self.house.at(self.table.name, None)
        rows, last = state.selectExpr(
            "count_if(NOT `_is_deleted`)", "CAST(max(`_commit_ts`) AS STRING)"
        ).first()
        return replace(report, rows=rows, last_change=last and f"{last.replace(' ', 'T')}Z")


def _tally(wins: DataFrame) -> Counts:
    """Inserted, updated and deleted keys; a delete of what was not live changes nothing that can be seen."""
    live = "coalesce(`_was_live`, false)"
    row = wins.selectExpr(
        f"count_if(NOT `_is_deleted` AND NOT {live})",
        f"count_if(NOT `_is_deleted` AND {live})",
        f"count_if(`_is_deleted` AND {live})",
    ).first()
    return Counts(*row)


def _moment(load: DataFrame) -> str | None:
    """The moment of a full load as a literal; None without a row."""
    moment = load.selectExpr("CAST(min(`_commit_ts`) AS STRING)").first()[0]
    return f"TIMESTAMP '{moment}'" if moment else None


def _generation(file: str) -> str:
    return file.removeprefix(SNAPSHOT).split("/")[0]


def _written(key: str) -> tuple[bool, str]:
    """The order in which bronze files were written: full load first."""
    name = key.rpartition("/")[2]
    return not name.startswith("LOAD"), name


def _always() -> Any:
    from pyspark.sql import functions as f

    return f.lit(True)
