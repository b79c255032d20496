"""Checksums in Spark: the text and sums that medallion_cli.canonical renders for the other engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from medallion_glue.document import Column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CELL = 8  # hex digits of a column's hash


def row_text(columns: Iterable[Column]) -> str:
    """The row's text: `<characters>:<text>` a column, `~` for NULL, joined by `|`."""
    parts = [f"coalesce(concat(char_length({c.canonical}), ':', {c.canonical}), '~')" for c in columns]
    return f"concat_ws('|', {', '.join(parts)})"


def checksum(rows: DataFrame, columns: Iterable[Column]) -> dict[str, Any]:
    """Rows, and the checksum `<rows>:<s1>:<s2>:<s3>:<s4>`: sums of the 32-bit words of each row's md5."""
    hashed = rows.selectExpr(f"md5({row_text(columns)}) AS h")
    found = hashed.selectExpr("count(*) AS n", f"{_sums()} AS checksum").first()
    return {"rows": int(found["n"]), "checksum": str(found["checksum"])}


def digests(
    rows: DataFrame, key: Iterable[Column], columns: Iterable[Column], digits: int, prefixes: Sequence[str]
) -> dict[str, str]:
    """Checksums by bucket: the first hex digits of the md5 of a key's text, within prefixes (none: all)."""
    hashed = rows.selectExpr(f"{_bucket(key, digits)} AS bucket", f"md5({row_text(columns)}) AS h")
    sums = _within(hashed, prefixes).groupBy("bucket").agg(*_summed())
    return {row["bucket"]: str(row["checksum"]) for row in sums.collect()}


def cells(
    rows: DataFrame, key: Sequence[Column], columns: Iterable[Column], prefixes: Sequence[str]
) -> DataFrame:
    """Rows in some buckets: `k` (an array of the key's texts) and `cells` (eight hex digits a column)."""
    each = [f"substring(md5({row_text([column])}), 1, {CELL})" for column in columns]
    digits = max((len(prefix) for prefix in prefixes), default=1)
    texts = ", ".join(f"coalesce({column.canonical}, '')" for column in key)
    shape = [
        f"{_bucket(key, digits)} AS bucket",
        f"array({texts}) AS k",
        f"concat({', '.join(each)}) AS cells",
    ]
    return _within(rows.selectExpr(*shape), prefixes).select("k", "cells")


def _bucket(key: Iterable[Column], digits: int) -> str:
    return f"substring(md5({row_text(key)}), 1, {int(digits)})"


def _within(rows: DataFrame, prefixes: Sequence[str]) -> DataFrame:
    if not any(prefixes):
        return rows
    listed = ", ".join(f"'{prefix}'" for prefix in prefixes)
    return rows.where(f"substring(bucket, 1, {len(prefixes[0])}) IN ({listed})")


def _summed() -> list[Any]:
    from pyspark.sql import functions as f

    return [f.expr(_sums()).alias("checksum")]


def _sums() -> str:
    lanes = [f"coalesce(sum({_word(start)}), 0)" for start in (1, 9, 17, 25)]
    return f"concat_ws(':', count(*), {', '.join(lanes)})"


def _word(start: int) -> str:
    return f"CAST(conv(substring(h, {start}, 8), 16, 10) AS BIGINT)"
