"""Staging: a model's rows as Parquet with a manifest, and the statements that load them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_glue.objects import parquet_files, put_json

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FILES = 4
STATEMENTS = 40  # of one Data API batch
_STAGED = "run_id, model, from_position, to_position, select_hash, is_full, staged_rows"


@dataclass(frozen=True)
class Staged:
    """What was staged of a model, as the step file says it; positions as in `etl.position` or None."""

    model: str
    kind: str
    from_position: str | None
    to_position: str
    select_hash: str
    full: bool
    upserts: int
    deletes: int
    manifest: str | None
    note: str | None = None  # why it is full, where nobody asked for that

    def document(self) -> dict[str, Any]:
        """Its entry in the step file."""
        return {
            "model": self.model,
            "kind": self.kind,
            "from": self.from_position,
            "to": self.to_position,
            "hash": self.select_hash,
            "full": self.full,
            "staged": self.upserts + self.deletes,
            "upserts": self.upserts,
            "deletes": self.deletes,
            "manifest": self.manifest,
            "note": self.note,
        }


def write_rows(rows: DataFrame, bucket: str, run_id: str, model: str) -> tuple[int, int, str | None]:
    """Writes Parquet and its manifest; upserts, deletes, and the manifest's URI (None without a row)."""
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    seen = Observation(f"staged {model}")
    counted = rows.observe(
        seen, f.count(f.lit(1)).alias("rows"), f.count_if(rows["_op"] == "D").alias("deletes")
    )
    prefix = f"{run_id}/{model}/"
    writer = counted.coalesce(FILES).write.mode("overwrite")
    writer.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(
        f"s3://{bucket}/{prefix}"
    )
    total, deletes = seen.get["rows"], seen.get["deletes"]
    if not total:
        return 0, 0, None
    manifest = f"s3://{bucket}/{run_id}/{model}.manifest"
    put_json(
        manifest, {"entries": [_entry(bucket, key, size) for key, size in parquet_files(bucket, prefix)]}
    )
    return total - deletes, deletes, manifest


def _entry(bucket: str, key: str, size: int) -> dict[str, Any]:
    return {"url": f"s3://{bucket}/{key}", "mandatory": True, "meta": {"content_length": size}}


def load_batches(staged: Iterable[Staged], run_id: str, role: str) -> list[list[str]]:
    """The statements that load staged models, in batches that the Data API takes as one transaction each."""
    batches: list[list[str]] = []
    for model in staged:
        statements = load_statements(model, run_id, role)
        if batches and len(batches[-1]) + len(statements) <= STATEMENTS:
            batches[-1] += statements
        else:
            batches.append(statements)
    return batches


def load_statements(staged: Staged, run_id: str, role: str) -> list[str]:
    """Empties a staging table, COPYs into it and notes what is in it."""
    copy = (
        f"COPY staging.{staged.model} FROM '{staged.manifest}' IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST"
    )
    values = [run_id, staged.model, staged.from_position, staged.to_position, staged.select_hash]
    literals = [_literal(value) for value in values]
    literals += ["true" if staged.full else "false", str(staged.upserts + staged.deletes)]
    return [
        f"DELETE FROM staging.{staged.model}",
        *([copy] if staged.manifest else []),
        f"DELETE FROM etl.staged WHERE model = '{staged.model}'",
        f"INSERT INTO etl.staged({_STAGED}) VALUES ({', '.join(literals)})",
    ]


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
