"""Glue job: upkeep of silver's tables, retention of bronze and staging. Nothing that a gold model still reads goes.

The incremental evaluation of a model reads `<t>_changes` from the snapshot that its position names, so no snapshot from
the oldest of those on is expired, however old it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from medallion_glue.arguments import chosen, read_arguments
from medallion_glue.document import Pipeline, Table, read_pipeline
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.objects import put_json
from medallion_glue.retention import delete_generations, delete_older
from medallion_glue.silver import GENERATION, MERGED
from medallion_glue.upkeep import Upkeep

PARALLEL = 2
ORPHAN_DAYS = 3  # Iceberg's own default: no job writes for longer

LOOKED = "medallion.orphans_removed"


@dataclass(frozen=True)
class Kept:
    """What became of one Iceberg table."""

    table: str
    compacted: int
    files: int
    expired: int
    snapshots: int
    orphans: int


def main() -> None:
    """Runs the job."""
    arguments = read_arguments(
        "pipeline_uri",
        "run_id",
        "artifacts_bucket",
        "silver_database",
        "bronze_bucket",
        "staging_bucket",
        positions="{}",
        tables="all",
        snapshot_days="7",
        bronze_days="90",
        staging_days="14",
        catalog="glue_catalog",
    )
    started = datetime.now(UTC)
    pipeline = read_pipeline(arguments["pipeline_uri"])
    house = Lakehouse(open_session("housekeeping"), arguments["catalog"], arguments["silver_database"])
    put_json(
        f"s3://{arguments['artifacts_bucket']}/runs/{arguments['run_id']}/housekeeping.json",
        {
            "run_id": arguments["run_id"],
            "step": "housekeeping",
            "started_at": started.isoformat(),
            "tables": [asdict(kept) for kept in keep_tables(house, pipeline, arguments, started)],
            "bronze": bronze(house, pipeline, arguments, started),
            "staging": delete_older(
                arguments["staging_bucket"], days_ago(started, arguments["staging_days"])
            ),
            "finished_at": datetime.now(UTC).isoformat(),
        },
    )


def keep_tables(
    house: Lakehouse, pipeline: Pipeline, arguments: Mapping[str, str], now: datetime
) -> Iterator[Kept]:
    """Compacts, expires and cleans both tables of each source table that is in silver."""
    needed = snapshots_read(arguments["positions"])
    before = days_ago(now, arguments["snapshot_days"])
    names = chosen(arguments["tables"], [table.name for table in pipeline.tables])
    tables = [table for table in pipeline.tables if table.name in names and house.exists(table.name)]

    def keep(table: Table) -> list[Kept]:
        house.enter(table.name)
        merged = house.property(table.name, MERGED)
        read = {*needed.get(table.name, ()), *([int(merged)] if merged else [])}
        return [
            _keep(house, table.changes, before, read, now),
            _keep(house, table.name, before, set(), now),
        ]

    with ThreadPoolExecutor(PARALLEL) as pool:
        for both in pool.map(keep, tables):
            for kept in both:
                print(
                    f"{kept.table}: {kept.compacted} files compacted, {kept.expired} snapshots expired",
                    flush=True,
                )
                yield kept


def _keep(house: Lakehouse, name: str, before: datetime, read: set[int], now: datetime) -> Kept:
    upkeep = Upkeep(house, name)
    compacted = upkeep.compact() if house.head(name) is not None else 0
    moments = [moment for snapshot in read if (moment := upkeep.moment(snapshot)) is not None]
    expired = upkeep.expire(min([before, *moments]))
    return Kept(name, compacted, upkeep.files(), expired, upkeep.snapshots(), _orphans(house, upkeep, now))


def _orphans(house: Lakehouse, upkeep: Upkeep, now: datetime) -> int:
    """Removes orphans once in so many days: it lists every file that the table has."""
    age, last = timedelta(days=ORPHAN_DAYS), house.property(upkeep.table, LOOKED)
    if last is not None and now - datetime.fromisoformat(last) < age:
        return 0
    removed = upkeep.remove_orphans(now - age) if last is not None else 0
    house.set_properties(upkeep.table, {LOOKED: now.isoformat()})
    return removed


def snapshots_read(positions: str) -> dict[str, set[int]]:
    """Snapshots of `<t>_changes` that models stand at, by table; `positions` is what the warehouse says of them."""
    found: dict[str, set[int]] = {}
    for position in json.loads(positions or "{}").values():
        for table, snapshot in json.loads(position.get("to") or "{}").items():
            if snapshot is not None:
                found.setdefault(table, set()).add(int(snapshot))
    return found


def bronze(
    house: Lakehouse, pipeline: Pipeline, arguments: Mapping[str, str], now: datetime
) -> dict[str, int]:
    """Deletes superseded generations of bronze; how many objects of each."""
    held = [
        house.property(table.name, GENERATION) if house.exists(table.name) else None
        for table in pipeline.tables
    ]
    return delete_generations(arguments["bronze_bucket"], held, days_ago(now, arguments["bronze_days"]))


def days_ago(now: datetime, days: str) -> datetime:
    """The moment so many days before `now`."""
    return now - timedelta(days=float(days))


if __name__ == "__main__":
    main()
