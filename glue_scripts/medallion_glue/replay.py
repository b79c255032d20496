"""Replay: bronze files that were taken already are processed again, as today's rules have it, and replace their rows.

Both tables change in one commit each: `<t>_changes` first, in which the rows of the files give way to those that the files
make now, then `<t>`, made anew from it. Until then the old state stays readable, and a kill in between is mended by the next
run. Rows of older files stay as they are, so nothing is lost where bronze has been deleted. Equal rows are not written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion_glue.bronze import change_columns, read_changes
from medallion_glue.erasures import left
from medallion_glue.newest import VERDICT, newest
from medallion_glue.objects import listed
from medallion_glue.refusing import refuse_whole
from medallion_glue.silver import SNAPSHOT, SilverTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import Column, DataFrame

    from medallion_glue.objects import Listed

EVERYTHING = "all"
LOAD = "LOAD"


class BronzeGone(Exception):
    """What is to be processed again is not in bronze any more."""


@dataclass(frozen=True)
class Replayed:
    """How many files were read, and rows that they made; no rows when they are as before."""

    files: int = 0
    rows: int = 0


def replay(silver: SilverTable, since: str) -> Replayed:
    """Processes what arrived in bronze at or after `since` (ISO 8601, or `all`) again; `take` goes on from there."""
    taken = silver.taken()
    snapshots = {file.removeprefix(SNAPSHOT) for file in taken if file.startswith(SNAPSHOT)}
    taken = {file for file in taken if not file.startswith(SNAPSHOT)}
    there = {entry.key: entry.modified for folder in folders(taken) for entry in _bronze(silver, folder)}
    again = chosen(taken, there, since)
    if not again:
        return Replayed()
    silver.prepare()
    fresh = begun(silver, again, snapshots)
    held = silver.house.at(silver.table.changes, silver.house.head(silver.table.changes))
    held = held.where(f"NOT startswith(`_bronze_file`, '{VERDICT}')")  # judged anew by `take`'s caller
    replaced = [*again, *(f"{SNAPSHOT}{folder}" for folder in fresh)]
    whole = _assembled(silver, held.where(_is_not_one_of(held, replaced)), again, fresh)
    refuse_whole(silver.house, silver.table, silver.folders, whole)
    if _is_same(whole, held):
        return Replayed(len(again))
    rows = whole.where(~_is_not_one_of(whole, replaced)).count()
    whole.writeTo(silver.house.name(silver.table.changes)).overwrite(_always())
    return Replayed(len(again), rows)


def begun(silver: SilverTable, again: list[str], snapshots: Collection[str]) -> list[str]:
    """The folders whose load is processed again, or would imply other deletes now: their tombstones are made anew."""
    first = min(folders(again))
    known = {*folders(again), *(folder for folder in snapshots if folder > first)}
    return sorted(f for f in known if silver.folders.is_fresh(f) and (f > first or loads(again, f)))


def folders(files: Iterable[str]) -> list[str]:
    """Their folders, in order."""
    return sorted({file.split("/")[0] for file in files})


def loads(files: Iterable[str], folder: str) -> bool:
    """Whether a file of the folder's full load is among them."""
    return any(f.startswith(f"{folder}/") and f.rpartition("/")[2].startswith(LOAD) for f in files)


def chosen(taken: Collection[str], there: dict[str, datetime], since: str) -> list[str]:
    """The taken files to process again; with a file of a full load everything from its folder on.

    BronzeGone when some of it was deleted: a folder goes as a whole, and what was before the oldest that is left is gone.
    """
    gone = sorted(taken - there.keys())
    start = None if since == EVERYTHING else datetime.fromisoformat(since).astimezone(UTC)
    oldest = min(there.values(), default=None)
    if gone and (start is None or oldest is None or start < oldest):
        raise BronzeGone(
            f"{len(gone)} files, the first of them {gone[0]}, are not in bronze any more; what is left began "
            f"{oldest:%Y-%m-%d %H:%M:%S} UTC: replay from there, or medallion replicate reload"
            if oldest
            else f"{gone[0]} and all others are not in bronze any more: medallion replicate reload"
        )
    again = {file for file in taken & there.keys() if start is None or there[file] >= start}
    if again:
        first = min(folders(again))
        whole = loads(again, first)
        again |= {
            f for f in taken & there.keys() if f.split("/")[0] > first or (whole and f.startswith(first))
        }
    return sorted(again)


def _assembled(silver: SilverTable, kept: DataFrame, again: list[str], fresh: list[str]) -> DataFrame:
    """All rows of `<t>_changes`: those kept, and folder by folder those made anew, with the deletes that a load implies."""
    whole = kept
    for folder in sorted({*folders(again), *fresh}):
        rows = _rows(silver, [file for file in again if file.startswith(f"{folder}/")])
        before = whole.where(f"`_generation` < '{folder}'")
        if folder in fresh and not before.isEmpty():
            gone = silver.tombstones(folder, rows, _live(silver, before))
            rows = gone if rows is None else rows.unionByName(gone)
        whole = whole if rows is None else whole.unionByName(rows)
    return whole


def _rows(silver: SilverTable, files: list[str]) -> DataFrame | None:
    if not files:
        return None
    names = [name for name, _ in change_columns(silver.table)]
    rows = read_changes(silver.house.spark, silver.bronze, files, silver.table).select(*names)
    return silver.told_apart(left(rows, silver.table, silver.erasures))


def _live(silver: SilverTable, changes: DataFrame) -> DataFrame:
    """What lived at the end of some generation's changes."""
    newest_folder = changes.selectExpr("max(`_generation`)").first()[0]
    base = silver.folders.base(newest_folder)
    state = newest(changes.where(f"`_generation` >= '{base}'"), silver.table)
    return state.where("NOT `_is_deleted`")


def _is_same(one: DataFrame, other: DataFrame) -> bool:
    names = other.columns
    same = one.select(*names)
    return bool(same.exceptAll(other).isEmpty() and other.exceptAll(same).isEmpty())


def _is_not_one_of(rows: DataFrame, files: list[str]) -> Column:
    return ~rows["_bronze_file"].isin(files)


def _bronze(silver: SilverTable, folder: str) -> Iterator[Listed]:
    return listed(silver.bronze, f"{folder}/{silver.table.schema}/{silver.table.name}/")


def _always() -> Column:
    from pyspark.sql import functions as f

    return f.lit(True)
