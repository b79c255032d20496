"""The warehouse's SQL against Redshift's own rules: what it does not have, its limits, and what commits by itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.redshift_functions import FUNCTIONS, INSTEAD, WORDS
from medallion_cli.warehouse import Statement

LARGEST = 100 * 1024  # bytes of a Data API statement
REFUSED = Path(__file__).with_name("redshift_refused.yaml")
# Types that Redshift lacks, or reads as something else.
TYPES = {
    "TEXT": "TEXT is VARCHAR(256) and cuts nothing: longer texts fail",
    "SERIAL": "Redshift has no SERIAL",
    "BIGSERIAL": "Redshift has no BIGSERIAL",
    "UUID": "Redshift has no UUID",
    "JSON": "Redshift has no JSON",
    "JSONB": "Redshift has no JSONB",
    "BYTEA": "Redshift has no BYTEA",
    "XML": "Redshift has no XML",
    "MONEY": "Redshift has no MONEY",
    "INET": "Redshift has no INET",
    "TINYINT": "Redshift has no TINYINT",
    "MEDIUMINT": "Redshift has no MEDIUMINT",
    "DATETIME": "Redshift has no DATETIME",
    "BLOB": "Redshift has no BLOB",
    "CLOB": "Redshift has no CLOB",
    "STRING": "Redshift has no STRING",
    "ENUM": "Redshift has no ENUM",
    "UNSIGNED": "Redshift has no unsigned numbers",
    "BIT": "Redshift has no BIT",
}


def statement_findings(statements: Iterable[Statement]) -> Iterator[Finding]:
    """Findings in the statements that make the warehouse."""
    found = list(statements)
    made = {name for one in found for name in _created(one.sql)}
    for one in found:
        for what, remedy, code in _faults(one.sql):
            yield Finding(place(one.name), what, remedy, code)
        yield from _calls(one, made)


def place(name: str) -> str:
    """The file that a statement is made from, as far as its name tells."""
    found = re.match(r"(table|procedure) (?:gold\.|etl\.make_)?(\w+)", name)
    match found.groups() if found else None:
        case ("table", stem):
            return f"sql/redshift/tables/{stem}.sql"
        case ("procedure", stem) if "etl.make_v_" in name:
            return f"sql/redshift/views/{stem}.sql"
    return name if name.startswith("sql/") else f"sql/redshift {name}"


@cache
def _created(sql: str) -> frozenset[str]:
    pattern = r"(?i)\bCREATE\s+(?:OR\s+REPLACE\s+)?PROCEDURE\s+([\w.]+)"
    return frozenset(name.lower() for name in re.findall(pattern, sql))


def code_of(sql: str) -> str:
    """The statement without comments and texts, as long as it was by line."""
    return re.sub(
        r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", lambda m: "\n" * m[0].count("\n") or "''", sql, flags=re.DOTALL
    )


@cache
def _faults(sql: str) -> tuple[tuple[str, str, str], ...]:
    """(what, remedy, code) of one statement."""
    return (*_limits(sql), *_refused(sql), *_types(code_of(sql)), *_functions(code_of(sql)))


def _limits(sql: str) -> Iterator[tuple[str, str, str]]:
    if len(sql.encode()) > LARGEST:
        yield f"{len(sql.encode()):,} bytes: the Data API takes 100 KB", "split it", "MED-SQL-001"
    for name in re.findall(r'"([^"\n]{128,})"|\b([A-Za-z_]\w{127,})', code_of(sql)):
        yield f"{max(name)[:40]}… is longer than the 127 bytes of a name", "a shorter name", "MED-SQL-002"
    arguments = re.search(r"(?is)\bPROCEDURE\s+[\w.]+\s*\(((?:[^()]|\([^()]*\))*)\)", code_of(sql))
    if arguments and len(re.sub(r"\([^()]*\)", "", arguments[1]).split(",")) > 32:
        yield "has more than 32 arguments", "fewer arguments", "MED-SQL-001"


def _refused(sql: str) -> Iterator[tuple[str, str, str]]:
    code, procedure = code_of(sql), bool(_created(sql))
    for rule in _rules():
        found = re.search(rule["pattern"], code, re.IGNORECASE)
        if found and (procedure or not rule.get("procedures")):
            line = code[: found.start()].count("\n") + 1
            named = (found.group(found.lastindex) if found.lastindex else found[0]) or found[0]
            yield f"line {line}: {rule['what'].format(named.strip().upper())}", rule["remedy"], "MED-SQL-003"


@cache
def _rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(REFUSED.read_text(encoding="utf-8"))
    return found


def _types(code: str) -> Iterator[tuple[str, str, str]]:
    for length in re.findall(r"(?i)\b(?:VARCHAR|CHARACTER\s+VARYING|NVARCHAR)\s*\(\s*(\d+)\s*\)", code):
        if not 1 <= int(length) <= 65_535:
            yield f"VARCHAR({length}): Redshift holds 65535 bytes at most", "VARCHAR(65535)", "MED-SQL-004"
    for length in re.findall(r"(?i)(?<!VAR)\b(?:CHAR|BPCHAR|NCHAR)\s*\(\s*(\d+)\s*\)", code):
        if not 1 <= int(length) <= 4096:
            yield f"CHAR({length}): Redshift holds 4096 bytes at most", "VARCHAR", "MED-SQL-004"
    for precision, scale in re.findall(r"(?i)\b(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", code):
        if not 1 <= int(precision) <= 38 or int(scale or 0) > min(37, int(precision)):
            shown = f"{precision},{scale}" if scale else precision
            yield (
                f"DECIMAL({shown}): Redshift has 38 digits, 37 of them after the point",
                "DECIMAL(38,s)",
                "MED-SQL-004",
            )
    if re.search(r"(?i)\b(?:CREATE|ALTER)\s+(?:TEMP\s+)?TABLE\b", code):
        for name in re.findall(r"(?im)^\s*\"?\w+\"?\s+(\w+)\b(?!\s*\()", code):
            if name.upper() in ("VARCHAR", "DECIMAL", "NUMERIC", "CHAR"):
                meant = {"VARCHAR": "VARCHAR(256)", "CHAR": "CHAR(1)"}.get(name.upper(), "DECIMAL(18,0)")
                yield f"{name} without a size is {meant}", f"{name.upper()}(…)", "MED-SQL-005"
    for kind in _declared(code):
        if kind.upper() in TYPES:
            yield (
                TYPES[kind.upper()],
                "a type of Redshift: VARCHAR(n), BIGINT, DECIMAL(p,s), TIMESTAMP …",
                "MED-SQL-005",
            )


def _declared(code: str) -> Iterator[str]:
    """Names of types in columns, casts and declarations."""
    yield from re.findall(r"(?i)\bAS\s+(\w+)\s*\)", code) if re.search(r"(?i)\bCAST\s*\(", code) else []
    yield from re.findall(r"::\s*(\w+)", code)
    if re.search(r"(?i)\bCREATE\s+(?:TEMP\s+)?TABLE\b|\bDECLARE\b|\bALTER\s+TABLE\b", code):
        yield from re.findall(
            r"(?im)^\s*\"?\w+\"?\s+(\w+)\s*(?:\([\d,\s]*\))?\s*(?:UNSIGNED|NOT\s+NULL|NULL|DEFAULT|:=|,|;|$)",
            code,
        )
    if re.search(r"(?i)\bUNSIGNED\b", code):
        yield "UNSIGNED"


def _functions(code: str) -> Iterator[tuple[str, str, str]]:
    tables = set(
        re.findall(
            r"(?i)(?:INTO|TABLE|FROM|JOIN|VIEW|EXISTS|TEMP|KEY|WITH|,)\s+(?:\w+\.)?\"?(\w+)\"?\s*\(", code
        )
    )
    for name in sorted(set(re.findall(r"(?<![.\w\"])([A-Za-z_]\w*)\s*\(", code))):
        lower = name.lower()
        if (
            lower in FUNCTIONS
            or lower in WORDS
            or name in tables
            or re.search(rf"(?i)\b{name}\s+AS\s*\(", code)
        ):
            continue
        near = difflib.get_close_matches(lower, FUNCTIONS, 1)
        remedy = INSTEAD.get(lower) or (
            f"did you mean {near[0].upper()}?" if near else "a function of Redshift"
        )
        yield f"Redshift has no function {name.upper()}", remedy, "MED-SQL-006"


def _calls(statement: Statement, made: set[str]) -> Iterator[Finding]:
    for name in re.findall(r"(?i)\bCALL\s+([\w.]+)\s*\(", code_of(statement.sql)):
        if name.lower() not in made:
            near = difflib.get_close_matches(name.lower(), made, 1)
            remedy = f"did you mean {near[0]}?" if near else "make it first"
            yield Finding(place(statement.name), f"calls {name}, which nothing makes", remedy, "MED-SQL-007")
