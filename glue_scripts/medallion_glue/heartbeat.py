"""The heartbeat: a row that the source writes to tell how far bronze has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_glue.objects import parquet_files

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "medallion/heartbeat"


def newest_token(spark: SparkSession, bucket: str, generation: str) -> str | None:
    """The token of the newest heartbeat in bronze (files are named by time); None while there is none."""
    keys = [key for key, _ in parquet_files(bucket, f"{generation}/{TABLE}/")]
    changes = [key for key in keys if not key.rsplit("/", 1)[-1].startswith("LOAD")]
    last = (sorted(changes) or sorted(keys))[-1:]
    if not last:
        return None
    token = spark.read.parquet(f"s3://{bucket}/{last[0]}").selectExpr("max_by(token, id)").first()[0]
    return str(token) if token is not None else None
