"""SQL on gold, read-only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.aws.warehouse_values import Rows

READS = ("select", "with", "show", "explain")


def query(warehouse: Warehouse, sql: str) -> Rows:
    """Runs one statement that reads; UsageError for anything else."""
    words = re.sub(r"(--[^\n]*\n)|(/\*.*?\*/)", " ", sql, flags=re.DOTALL).strip().rstrip(";")
    first = re.match(r"\(*\s*(\w+)", words)
    if first is None or first.group(1).lower() not in READS:
        raise UsageError(
            "query takes one statement that reads", hint='medallion query "SELECT * FROM gold.v_total_sales"'
        )
    return warehouse.execute(words)
