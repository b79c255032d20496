"""The ledger of erased keys: `s3://<artifacts>/erasures/<table>.json`, by which a rebuild from bronze leaves them out.

It holds hashes of keys, and up to which position a key was erased: the same key, used again at the source, comes through.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_glue.checksums import row_text
from medallion_glue.document import Table
from medallion_glue.objects import keys, read_text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEDGER = "erasures/"


@dataclass(frozen=True)
class Erasures:
    """What was erased of one table: (hash of the key, generation, sequence), and bronze files that held nothing else."""

    erased: tuple[tuple[str, str, str], ...] = ()
    emptied: frozenset[str] = frozenset()


NOTHING = Erasures()


def read_erasures(bucket: str, tables: Iterable[str]) -> dict[str, Erasures]:
    """Those of the tables of which anything was erased."""
    wanted = {f"{LEDGER}{table}.json": table for table in tables}
    return {
        wanted[key]: parsed(json.loads(read_text(f"s3://{bucket}/{key}")))
        for key in keys(bucket, LEDGER)
        if key in wanted
    }


def parsed(document: dict[str, list[dict[str, str | list[str]]]]) -> Erasures:
    """The typed form of a ledger document."""
    entries = document["erased"]
    return Erasures(
        tuple((str(e["key"]), str(e["generation"]), str(e["seq"])) for e in entries),
        frozenset(file for e in entries for file in e["emptied"]),
    )


def key_hash(table: Table) -> str:
    """Spark SQL: the hash of a row's key, over its canonical text."""
    columns = {column.name: column for column in table.columns}
    return f"sha2({row_text([columns[name] for name in table.key])}, 256)"


def left(rows: DataFrame, table: Table, erasures: Erasures) -> DataFrame:
    """Changes less those of erased keys up to where they were erased."""
    if not erasures.erased:
        return rows
    from pyspark.sql import functions as f

    shape = "_erased string, _upto_generation string, _upto_seq string"
    ledger = f.broadcast(rows.sparkSession.createDataFrame(list(erasures.erased), shape))
    hashed = rows.selectExpr("*", f"{key_hash(table)} AS `_key_hash`")
    upto = (
        "`_generation` < `_upto_generation` OR (`_generation` = `_upto_generation` AND `_seq` <= `_upto_seq`)"
    )
    joined = hashed.join(ledger, f.expr(f"`_key_hash` = `_erased` AND ({upto})"), "left_anti")
    return joined.drop("_key_hash")
