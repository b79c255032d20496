"""Checksums in Spark: the text and sums that medallion_cli.canonical renders for the other engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from medallion_glue.document import Column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def row_text(columns: Iterable[Column]) -> str:
    """The row's text: `<characters>:<text>` a column, `~` for NULL, joined by `|`."""
    parts = [f"coalesce(concat(char_length({c.canonical}), ':', {c.canonical}), '~')" for c in columns]
    return f"concat_ws('|', {', '.join(parts)})"


def checksum(rows: DataFrame, columns: Iterable[Column]) -> dict[str, Any]:
    """Rows, and the checksum `<rows>:<s1>:<s2>:<s3>:<s4>`: sums of the 32-bit words of each row's md5."""
    lanes = [f"coalesce(sum({_word(start)}), 0)" for start in (1, 9, 17, 25)]
    hashed = rows.selectExpr(f"md5({row_text(columns)}) AS h")
    found = hashed.selectExpr(
        "count(*) AS n", f"concat_ws(':', count(*), {', '.join(lanes)}) AS checksum"
    ).first()
    return {"rows": int(found["n"]), "checksum": str(found["checksum"])}


def _word(start: int) -> str:
    return f"CAST(conv(substring(h, {start}, 8), 16, 10) AS BIGINT)"
