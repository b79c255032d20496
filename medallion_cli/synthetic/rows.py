"""Some rows of a source table, as they are: an operation of the Lambda; there is no free SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.connection import quoted, source
from medallion_cli.synthetic.seeding import Event, Project, Result

MOST, LONGEST = 1000, 2000  # rows; characters of a value
ANSWER_BYTES = 5_000_000  # a Lambda's answer has at most 6 MB


def rows(project: Project, event: Event) -> Result:
    """{columns, rows} of {table}: {limit} of the highest keys, or those of {key: {column: value}}, in key order.

    Texts, with bytes as hexadecimal; a value that is longer is cut and ends with `…`.
    """
    table = next((t for t in project.pipeline["tables"] if t["name"] == event["table"]), None)
    if table is None:
        raise UsageError(f"no table {event['table']} in the pipeline")
    wanted = dict(event.get("key") or {})
    if unknown := sorted(set(wanted) - set(table["key"])):
        raise UsageError(f"{table['name']}: the key is {', '.join(table['key'])}, not {unknown[0]}")
    where = " AND ".join(f"{quoted(name)} = %s" for name in wanted)
    order = ", ".join(f"{quoted(name)} DESC" for name in table["key"])
    limit = min(max(int(event.get("limit", 10)), 1), MOST)
    sql = (
        f"SELECT * FROM {quoted(project.schema)}.{quoted(table['name'])} "
        f"{f'WHERE {where} ' if where else ''}ORDER BY {order} LIMIT {limit}"
    )
    with source() as connection, connection.cursor() as cursor:
        cursor.execute(sql, list(wanted.values()))
        names = [column[0] for column in cursor.description]
        return {"columns": names, "rows": fitted(cursor.fetchall())}


def fitted(found: Sequence[Sequence[Any]]) -> list[list[str | None]]:
    """Rows as texts; the more there are, the earlier a long one is cut."""
    longest = LONGEST
    while len(json.dumps(rows := [[_text(v, longest) for v in row] for row in found])) > ANSWER_BYTES:
        longest //= 2
    return rows


def _text(value: Any, longest: int) -> str | None:
    if value is None:
        return None
    text = value.hex().upper() if isinstance(value, bytes) else str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
