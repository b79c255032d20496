"""SQL on the warehouse: read-only unless told otherwise, by a parser first and by the database in any case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.aws.warehouse_values import Rows

READS = ("select", "with", "show", "explain")
HINT = 'medallion query "SELECT * FROM gold.v_total_sales"'
WRITES = 'if that is meant: medallion query --write "…"'
_COMMENTS = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\")|--[^\n]*|/\*.*?\*/", re.DOTALL)


def query(warehouse: Warehouse, sql: str, *, write: bool = False) -> Rows:
    """Runs one statement; without `write` only one that reads, as a user who can change nothing."""
    statement = _one(sql)
    if write:
        return warehouse.execute(statement)
    _insist_on_reading(statement)
    return warehouse.read(statement)


def _one(sql: str) -> str:
    """The statement without its comments and its semicolon; UsageError for none and for several."""
    bare = _COMMENTS.sub(lambda found: found[1] or " ", sql).strip().rstrip(";").strip()
    if not bare:
        raise UsageError("query takes one statement", hint=HINT)
    outside = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1", "", bare, flags=re.DOTALL)
    if ";" in outside:
        raise UsageError("query takes one statement at a time", hint=HINT)
    return bare


def _insist_on_reading(statement: str) -> None:
    """UsageError for what certainly writes; the database refuses whatever else this does not know."""
    first = re.match(r"\(*\s*(\w+)", statement)
    word = first.group(1).lower() if first else ""
    if word not in READS:
        raise UsageError("query takes one statement that reads", hint=WRITES)
    if word == "show":
        return
    explained = re.sub(r"(?i)^explain(\s+verbose|\s+analyze)*\s+", "", statement)
    if found := _writing(explained):
        raise UsageError(f"query takes one statement that reads, not {found}", hint=WRITES)


def _writing(statement: str) -> str | None:
    """What in a statement would change something; None when nothing is seen, or it cannot be parsed."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed: Any = sqlglot.parse_one(statement, read="redshift")
    except SqlglotError:
        return None
    kinds = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Lock)
    changing = parsed.find(*kinds)
    if changing is None and isinstance(parsed, exp.Query | exp.Describe | exp.Subquery):
        return None
    found = changing or parsed
    return "SELECT … INTO" if isinstance(found, exp.Into) else type(found).__name__.upper()
