"""Checks of the source's schema: what silver saw of it, and what the source itself says of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError
from medallion_cli.operations import schema_drift
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.rules import NotLooked

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding


def seen(look: Look) -> Iterator[Finding]:
    """Drift as the newest runs met it; the source itself is asked where replication has counted a DDL statement."""
    names = {table.name for table in look.pipeline.tables}
    if any(table.ddls for table in look.replication.tables if table.table in names):
        with suppress(NotLooked):
            yield from asked(look)
    yield from met(look)


def met(look: Look) -> Iterator[Finding]:
    """Columns of bronze that are not those of the project, and rows that they set aside."""
    for table in look.pipeline.tables:
        entry = look.history.tables.get(table.name, {})
        drift: list[dict[str, Any]] = entry.get("drift") or []
        if told := [_told(one) for one in drift]:
            evidence = f"{table.name}: {', '.join(told)}; schema_drift is {table.schema_drift}"
            yield finding("MED-SRC-005", evidence, where=table.name, table=table.name)
        if aside := [one for one in drift if one.get("rows")]:
            counts = ", ".join(f"{one['rows']:,} of {one['column']}" for one in aside)
            yield finding("MED-SIL-011", f"{table.name}: {counts}", where=table.name, table=table.name)


def _told(one: dict[str, Any]) -> str:
    types = " → ".join(kind for kind in (one.get("was"), one.get("now")) if kind)
    return f"{one['column']} {one['change']} ({types})"


def asked(look: Look) -> Iterator[Finding]:
    """The source's own tables beside the project's DDL."""
    if look.paused is not None or not look.database.answers:
        raise NotLooked
    try:
        found = Source(look.target, look.outputs["SourceFunctionName"]).call("columns")
    except MedallionError:
        raise NotLooked from None  # told by `answers`
    for table, told in schema_drift.whole(look.pipeline, found["tables"]):
        evidence = f"{table.name}: {', '.join(map(str, told))}; schema_drift is {table.schema_drift}"
        yield finding("MED-SRC-005", evidence, where=table.name, table=table.name)
    for table in look.pipeline.tables:
        if table.name not in found["tables"]:
            yield finding("MED-SRC-006", f"{table.schema}.{table.name} is not there", where=table.name)
    yield from _emptied(look, found["empty"])


def _emptied(look: Look, empty: list[str]) -> Iterator[Finding]:
    """Tables without a row at the source, of which silver holds rows that no delete is on its way for."""
    ddls = {table.table: table.ddls for table in look.replication.tables}
    for name in empty:
        rows = look.history.tables.get(name, {}).get("rows") or 0
        if rows and ddls.get(name) and name not in look.facts.waiting_in_bronze:
            told = f"{name} has no row at the source, and {rows:,} in silver"
            yield finding("MED-SRC-007", told, where=name, table=name)
