"""Glue job: takes new bronze files into silver, all tables in one session; one that fails stops no other."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medallion_glue import quarantine
from medallion_glue.arguments import chosen, read_arguments
from medallion_glue.document import Pipeline, Table, read_pipeline
from medallion_glue.erasures import NOTHING, read_erasures
from medallion_glue.evolution import as_held, standing
from medallion_glue.faults import one_line
from medallion_glue.generations import read_generations
from medallion_glue.heartbeat import newest_token
from medallion_glue.judging import judged
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.objects import put_json
from medallion_glue.relations import waves
from medallion_glue.replay import Replayed, replay
from medallion_glue.silver import SilverTable, TableReport
from medallion_glue.step_file import fitted
from medallion_glue.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

PARALLEL = 3


def main() -> None:
    """Runs the job; SystemExit names the tables that failed, after the step file is written."""
    arguments = read_arguments(
        "pipeline_uri",
        "run_id",
        "artifacts_bucket",
        "silver_database",
        "bronze_bucket",
        "loaded",
        "generation",
        tables="all",
        replay="none",
        catalog="glue_catalog",
    )
    started = datetime.now(UTC)
    pipeline = read_pipeline(arguments["pipeline_uri"])
    house = Lakehouse(open_session("bronze_to_silver"), arguments["catalog"], arguments["silver_database"])
    house.create_database()
    reports = list(take_tables(house, pipeline, arguments))
    step = {
        "run_id": arguments["run_id"],
        "step": "bronze_to_silver",
        "started_at": started.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "generation": arguments["generation"],
        "heartbeat": newest_token(house.spark, arguments["bronze_bucket"], arguments["generation"]),
        "tables": [report.document() for report in reports],
    }
    place = f"s3://{arguments['artifacts_bucket']}/runs/{arguments['run_id']}/bronze_to_silver.json"
    put_json(place, fitted(step))
    if failed := [report for report in reports if report.state == "failed"]:
        raise SystemExit("; ".join(f"{report.table}: {report.error}" for report in failed))


def take_tables(house: Lakehouse, pipeline: Pipeline, arguments: dict[str, str]) -> Iterator[TableReport]:
    """Takes the chosen tables, a few at a time; reports in the specification's order."""
    loaded = {name.strip() for name in arguments["loaded"].split(",")}
    names = chosen(arguments["tables"], [table.name for table in pipeline.tables])
    erased = read_erasures(arguments["artifacts_bucket"], names)
    generations, bucket = read_generations(arguments["artifacts_bucket"]), arguments["bronze_bucket"]
    tables = [
        SilverTable(house, table, bucket, erased.get(table.name, NOTHING), generations.of(full_name(table)))
        for table in map(pipeline.table, names)
    ]

    def take(silver: SilverTable) -> TableReport:
        house.enter(silver.table.name)
        since = arguments.get("replay", "none")
        began = time.monotonic()
        report = _take(silver, arguments["generation"], full_name(silver.table) in loaded, since)
        if report.state != "failed":
            tell(f"{report.table}: taken, read {report.read} in {time.monotonic() - began:.1f} s")
        return report

    def judge(silver: SilverTable) -> TableReport:
        return _judge(silver, reports[silver.table.name])

    groups = [[s for s in tables if s.table in wave] for wave in waves([s.table for s in tables])]
    reports: dict[str, TableReport] = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        for step, group in [*((take, group) for group in groups), *((judge, group) for group in groups)]:
            reports |= {report.table: report for report in pool.map(step, group)}
    for silver in tables:
        report = reports[silver.table.name]
        tell(f"{report.table}: {report.state}, read {report.read}, live {report.rows}")
        yield report


def full_name(table: Table) -> str:
    """As DMS and the documents of generations name it."""
    return f"{table.schema}.{table.name}"


def _take(silver: SilverTable, generation: str, loaded: bool, since: str) -> TableReport:
    try:
        house, table = silver.house, silver.table
        silver = replace(silver, table=as_held(house, table))
        again = _again(silver, since)
        report = silver.take(generation, loaded)
        report = replace(report, drift=standing(house, table, report.drift))
        return replace(report, read=report.read + again.rows, files=report.files + again.files)
    except Exception as error:  # noqa: BLE001 (any fault of one table is that table's state; the job fails at its end)
        traceback.print_exc()
        return TableReport(silver.table.name, state="failed", error=one_line(error))


def _again(silver: SilverTable, since: str) -> Replayed:
    """What is to be processed again before new files are taken."""
    match since:
        case "none":
            return Replayed()
        case quarantine.MODE:
            return quarantine.rejudged(silver)
        case _:
            return replay(silver, since)


def _judge(silver: SilverTable, report: TableReport) -> TableReport:
    """Rules over more than one row, once all tables are there; what all rules keep out."""
    try:
        silver.house.enter(silver.table.name)
        return judged(replace(silver, table=as_held(silver.house, silver.table)), report)
    except Exception as error:  # noqa: BLE001 (as in _take)
        traceback.print_exc()
        told = report.error if report.state == "failed" else one_line(error)
        return replace(report, state="failed", error=told)


if __name__ == "__main__":
    main()
