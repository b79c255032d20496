"""What the warehouse is told of data quality: rows of `etl.quality`, one a rule and run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from medallion_glue.objects import keys, read_text

COLUMNS = "run_id, table_name, rule, kind, action, new_rows, rows, sample, counted_at"
SAMPLE_BYTES = 8000  # of etl.quality.sample
SAMPLES_BYTES = 40_000  # of all samples: the statements go through Step Functions, which carries 256 KiB
STATEMENT_BYTES = 60_000  # of one INSERT: the Data API takes 100 KB
Step = Mapping[str, Any]


def silver_step(bucket: str, run_id: str) -> Step:
    """The run's own step file of silver; empty where the run began at gold."""
    key = f"runs/{run_id}/bronze_to_silver.json"
    there = key in keys(bucket, f"runs/{run_id}/")
    return dict(json.loads(read_text(f"s3://{bucket}/{key}"))) if there else {}


def quality_batches(step: Step, run_id: str) -> list[list[str]]:
    """One batch of statements that notes what the run counted, the same however often it runs; none where nothing was read."""
    tables = [entry for entry in step.get("tables", ()) if entry.get("read") and entry.get("expectations")]
    rules = sum(len(entry["expectations"]) for entry in tables)
    room = min(SAMPLE_BYTES, SAMPLES_BYTES // max(rules, 1))
    values = [value for entry in tables for value in _values(entry, run_id, str(step["finished_at"]), room)]
    if not values:
        return []
    delete = f"DELETE FROM etl.quality WHERE run_id = {_literal(run_id)}"
    return [[delete, *(f"INSERT INTO etl.quality({COLUMNS}) VALUES {part}" for part in _parts(values))]]


def _parts(values: list[str]) -> Iterator[str]:
    """Rows of an INSERT, as many as a statement may hold."""
    part: list[str] = []
    size = 0
    for value in values:
        length = len(value.encode())
        if part and size + length > STATEMENT_BYTES:
            yield ", ".join(part)
            part, size = [], 0
        part.append(value)
        size += length
    yield ", ".join(part)


def _values(entry: Step, run_id: str, moment: str, room: int) -> Iterator[str]:
    at = _literal(moment.replace("T", " ").split("+")[0])
    for rule in entry["expectations"]:
        texts = (run_id, entry["table"], rule["rule"], rule["kind"], rule["action"])
        sample = _literal(_sample(rule["sample"], room))
        yield f"({', '.join(map(_literal, texts))}, {int(rule['new'])}, {int(rule['rows'])}, {sample}, {at})"


def _sample(rows: list[Any], room: int) -> str:
    """Keys of as many rows as there is room for (bytes): `order_id=7, line_no=1; order_id=9, …`."""
    found = ""
    for row in rows:
        told = ", ".join(f"{name}={value}" for name, value in row["key"].items())
        longer = f"{found}; {told}" if found else told
        if len(longer.encode()) > room:
            break
        found = longer
    return found


def _literal(value: str) -> str:
    """A text in SQL; without backslashes, which Redshift may take as escapes."""
    return "'" + value.replace("\\", "").replace("'", "''") + "'"
