"""What is wrong with files by themselves: scripts that do not compile, keys of tables that are not there, days that go back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.warehouse_sql import code_of, place

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.spec import Pipeline
    from medallion_cli.warehouse import Statement

STYLES = ("AUTO", "EVEN", "ALL", "KEY")


def script_findings(assets: Assets) -> Iterator[Finding]:
    """Glue would take a script that does not compile, and every run would fail."""
    for pattern in ("*.py", "medallion_glue/*.py"):
        for name in assets.listing("glue_scripts", pattern):
            if fault := _fault(name, assets.read(name)):
                yield Finding(f"{name}:{fault[0]}", f"is no Python: {fault[1]}", "correct it", "MED-GLU-010")


@cache
def _fault(name: str, source: str) -> tuple[int, str] | None:
    """(line, what) of the first thing that does not compile."""
    try:
        compile(source, name, "exec")
    except (SyntaxError, ValueError) as error:
        return getattr(error, "lineno", None) or 1, str(error)
    return None


def table_findings(statements: list[Statement]) -> Iterator[Finding]:
    """Distribution and sort keys are columns of their tables; variables of procedures are declared."""
    for statement in statements:
        yield from _table(place(statement.name), statement.sql)


@cache
def _table(where: str, sql: str) -> tuple[Finding, ...]:
    code, found = code_of(sql), list[Finding]()
    for table in re.finditer(
        r"(?is)CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[\w.\"]+\s*(\(.*?\n\))([^;]*)", code
    ):
        found += _keys(where, table[1], table[2])
    if re.search(r"(?i)\bPROCEDURE\b", code):
        found += _variables(where, code)
    return tuple(found)


def _keys(where: str, columns: str, attributes: str) -> Iterator[Finding]:
    known = {name.lower() for name in re.findall(r"(?m)^\s*\"?(\w+)\"?\s+\w", columns)}
    for style in re.findall(r"(?i)\bDISTSTYLE\s+(\w+)", attributes):
        if style.upper() not in STYLES:
            yield Finding(
                where, f"there is no DISTSTYLE {style}", f"one of: {', '.join(STYLES)}", "MED-SQL-008"
            )
    distributed = re.search(r"(?i)\bDISTKEY\s*\(([^)]*)\)", attributes)
    if re.search(r"(?i)\bDISTSTYLE\s+KEY\b", attributes) and not distributed:
        yield Finding(where, "DISTSTYLE KEY without a DISTKEY", "DISTKEY (column)", "MED-SQL-008")
    for kind, listed in re.findall(r"(?i)\b(DISTKEY|SORTKEY)\s*\(([^)]*)\)", attributes):
        for name in (one.strip().strip('"').lower() for one in listed.split(",")):
            if name and name not in known:
                yield Finding(
                    where, f"{kind} {name} is no column", f"one of: {', '.join(sorted(known))}", "MED-SQL-008"
                )


def _variables(where: str, code: str) -> Iterator[Finding]:
    """`v_…` and `p_…` are variables and arguments, by this project's convention."""
    declared = {
        name.lower()
        for name in re.findall(
            r"(?i)\b([vp]_\w+)\s+(?:INTEGER|INT|BIGINT|SMALLINT|VARCHAR|CHAR|BOOLEAN|DECIMAL|NUMERIC|TIMESTAMP|DATE|RECORD|REFCURSOR|DOUBLE|SUPER)\b",
            code,
        )
    }
    for name in sorted({one.lower() for one in re.findall(r"(?i)(?<![.\w])([vp]_\w+)", code)} - declared):
        if not re.search(rf"(?i)gold\.{name}\b|make_{name}\b", code):
            yield Finding(where, f"{name} is not declared", "DECLARE it, or name an argument", "MED-SQL-009")


def pipeline_findings(pipeline: Pipeline) -> Iterator[Finding]:
    """Facts of the specification that its file's form does not show."""
    where = "configs/pipeline.yaml"
    zone = str(pipeline.source.get("time_zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Finding(
            f"{where} source.time_zone", f"no time zone {zone!r}", "an IANA name such as UTC", "MED-CFG-020"
        )
    calendar = pipeline.business.get("calendar") or {}
    if calendar and str(calendar["from"]) >= str(calendar["to"]):
        what = f"begins on {calendar['from']}, after its end on {calendar['to']}"
        yield Finding(f"{where} business.calendar", what, "from before to", "MED-CFG-021")
    if not re.fullmatch(r"[A-Z]{3}", str(pipeline.business.get("currency", "EUR"))):
        what = f"{pipeline.business.get('currency')!r} is no currency"
        yield Finding(f"{where} business.currency", what, "three letters such as EUR", "MED-CFG-022")
