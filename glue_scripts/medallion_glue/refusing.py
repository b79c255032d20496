"""Rules with `on_fail: fail`: looked at before anything is committed, so that their table stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_glue import relations
from medallion_glue.document import Table
from medallion_glue.generations import TableGenerations
from medallion_glue.newest import newest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medallion_glue.lakehouse import Lakehouse


class ExpectationBroken(Exception):
    """A rule with `on_fail: fail` is false for a newest version; nothing of the table was committed."""


def refuse_new(house: Lakehouse, table: Table, folders: TableGenerations, batch: DataFrame) -> None:
    """Raises ExpectationBroken when rows that are about to be appended have a newest version that breaks such a rule."""
    if not table.breaking("fail"):
        return
    held = house.at(table.changes, None)
    for name, broken in _broken(batch, table):
        _refuse(table, name, _unreplaced(broken, held, table).count())
    if relations.rules(table, "fail"):
        whole = held.select(*batch.columns).unionByName(batch)
        refuse_related(house, table, _at_hand(whole, folders))


def refuse_whole(house: Lakehouse, table: Table, folders: TableGenerations, changes: DataFrame) -> None:
    """The same of all that `<t>_changes` is about to hold."""
    if not table.breaking("fail"):
        return
    changes = _at_hand(changes, folders)
    for name, broken in _broken(changes, table):
        _refuse(table, name, broken.count())
    refuse_related(house, table, changes)


def refuse_related(house: Lakehouse, table: Table, changes: DataFrame) -> None:
    """Raises ExpectationBroken when newest versions break a rule over more than one row that fails the run."""
    broken = relations.breaches(changes, house, table, relations.rules(table, "fail"))
    found = broken.groupBy("_mark").count().orderBy("_mark").collect() if broken is not None else []
    for name, count in found:
        _refuse(table, name, count)


def _refuse(table: Table, name: str, count: int) -> None:
    if count:
        raise ExpectationBroken(f"{table.name}: {count} row(s) break {name!r}")


def _broken(changes: DataFrame, table: Table) -> list[tuple[str, DataFrame]]:
    """By rule over one row: the newest versions that break it."""
    names = [rule.name for rule in table.expectations if rule.on_fail == "fail" and not rule.over_rows]
    versions = newest(changes, table)
    return [(name, versions.where(f"array_contains(`_failed`, '{name}')")) for name in names]


def _unreplaced(versions: DataFrame, held: DataFrame, table: Table) -> DataFrame:
    """Those that are newer than what is held of their keys: a late file may bring one that was replaced long ago."""
    from pyspark.sql import functions as f

    keys = list(table.key)
    known = held.join(versions.select(*keys), keys, "left_semi")
    latest = known.groupBy(*keys).agg(f.max(f.struct("_generation", "_seq")).alias("_held"))
    joined = versions.join(latest, keys, "left")
    return joined.where("`_held` IS NULL OR struct(`_generation`, `_seq`) > `_held`")


def _at_hand(changes: DataFrame, folders: TableGenerations) -> DataFrame:
    """Those since the newest full load."""
    newest_folder = changes.selectExpr("max(`_generation`)").first()[0]
    return changes.where(f"`_generation` >= '{folders.base(newest_folder)}'") if newest_folder else changes
