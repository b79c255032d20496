"""Values in the machine's expressions: literals that are compared, numbers that come out, SQL, files that are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import Document, listed, mapping, text, words
from medallion_cli.operations.validation.machine import (
    NUMBERS,
    TYPE,
    WHERE,
    definition,
    inner_blocks,
    states,
    substituted,
    transitions,
)
from medallion_cli.operations.validation.machine_calls import called, calls
from medallion_cli.operations.validation.models import parse_fault, tables_of, unknown_names

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.operations.validation.deployment import Deployment
    from medallion_cli.operations.validation.project import Project

# DMS API reference: TableStatistics.TableState
TABLE_STATES = (
    "Table does not exist",
    "Before load",
    "Full load",
    "Table completed",
    "Table cancelled",
    "Table error",
    "Table is being reloaded",
)
# Statuses that the services of a run give: DMS's tasks, the Data API's statements, Glue's runs, Step Functions' executions.
STATUSES = words(
    """
    creating ready starting running stopping stopped modifying moving failed failed-move deleting testing
    SUBMITTED PICKED STARTED FINISHED ABORTED FAILED RUNNING SUCCEEDED TIMED_OUT STOPPED STOPPING TIMEOUT ERROR WAITING EXPIRED
    """
)
# service → statuses that its describing calls give (botocore's lists; DMS's guide)
ANSWERS = {
    "dms": words(
        "creating ready starting running stopping stopped modifying moving failed failed-move deleting testing"
    ),
    "redshift-data": words("SUBMITTED PICKED STARTED FINISHED ABORTED FAILED"),
    "glue": words("STARTING RUNNING STOPPING STOPPED SUCCEEDED FAILED TIMEOUT ERROR WAITING EXPIRED"),
}
ALIKE = re.compile(r"(\w+|\$states\.input)\s*(?:!?=|in)\s*(\[[^\]]*\]|'[^']*')")


def value_findings(deployment: Deployment, project: Project) -> Iterator[Finding]:
    """Findings in the values of every machine."""
    for _, _, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        if machine is None:
            continue
        filled = substituted(machine, properties)
        yield from _decided(filled)
        for path, _, state in states(filled):
            yield from _compared(path, state)
            yield from _constants(path, state)
            if text(state, "ItemProcessor", "ProcessorConfig", "Mode") == "DISTRIBUTED":
                what = "a distributed map starts executions of its own, which the role may not"
                yield Finding(f"{WHERE} {path}.ItemProcessor", what, "Mode: INLINE", "MED-ASL-040")
        for path, service, operation, arguments in calls(filled):
            if service == "redshift-data" and "Execute" in operation:
                yield from _statements(f"{WHERE} {path}.Arguments", arguments, project)
                yield from _warehouse(deployment, f"{WHERE} {path}.Arguments", arguments)
            if (service, operation) == ("s3", "GetObject"):
                yield from _file(f"{WHERE} {path}.Arguments.Key", text(arguments, "Key"), project.assets)


def _compared(path: str, state: Document) -> Iterator[Finding]:
    """A status that no service gives is never equal: the run would wait, or go on, for ever."""
    for key, expression in _expressions(state):
        for name, literals in ALIKE.findall(expression):
            allowed = {"TableState": frozenset(TABLE_STATES), "Status": STATUSES, "$states.input": None}.get(
                name
            )
            if allowed is None:
                continue
            for value in re.findall(r"'([^']*)'", literals):
                if value not in allowed:
                    where = f"{WHERE} {path}.{key}"
                    remedy = f"one of: {', '.join(sorted(allowed)[:8])}, …"
                    yield Finding(where, f"{name} is never {value!r}", remedy, "MED-ASL-041")


def _decided(block: Document, prefix: str = "") -> Iterator[Finding]:
    """A choice right after a call compares with what that very call answers."""
    known = {name: one for name, one in mapping(block, "States").items() if isinstance(one, dict)}
    for name, state in known.items():
        if state.get("Type") == "Choice":
            before = [one for one in known.values() if name in transitions(one) and one.get("Type") == "Task"]
            found = [called(text(one, "Resource")) for one in before]
            allowed = [ANSWERS[call[0]] for call in found if call and call[0] in ANSWERS]
            for key, expression in _expressions(state) if allowed else ():
                for subject, literals in re.findall(
                    r"(Status|\$states\.input)\s*(?:!?=|in)\s*(\[[^\]]*\]|'[^']*')", expression
                ):
                    for value in re.findall(r"'([^']*)'", literals):
                        if not any(value in one for one in allowed):
                            what = f"{subject} is never {value!r} after {text(before[0], 'Resource').rpartition(':')[2]}"
                            remedy = f"one of: {', '.join(sorted(allowed[0]))}"
                            yield Finding(f"{WHERE} {prefix}States.{name}.{key}", what, remedy, "MED-ASL-041")
        for key, inner in inner_blocks(state):
            yield from _decided(inner, f"{prefix}States.{name}.{key}.")


def _expressions(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                if key not in ("ItemProcessor", "Iterator", "Branches"):
                    yield from _expressions(inner, f"{path}.{key}".lstrip("."))
        case list():
            for number, inner in enumerate(value):
                yield from _expressions(inner, f"{path}[{number}]")
        case str() if value.startswith("{%") and value.endswith("%}"):
            yield path, value[2:-2].strip()


def _constants(path: str, state: Document) -> Iterator[Finding]:
    """Expressions without variables have one value: a number where a number is due, a boolean in a condition."""
    for key in NUMBERS:
        found = _constant(state.get(key))
        if found is not None and (
            not isinstance(found[0], (int, float)) or isinstance(found[0], bool) or found[0] < 0
        ):
            what = f"{state[key]} is {found[0]!r}, no number of {key}"
            yield Finding(f"{WHERE} {path}.{key}", what, "$number(…)", "MED-ASL-042")
    for number, choice in enumerate(listed(state, "Choices")):
        found = _constant(choice.get("Condition")) if isinstance(choice, dict) else None
        if found is not None:
            what = f"{choice['Condition']} is always {found[0]!r}"
            yield Finding(
                f"{WHERE} {path}.Choices[{number}].Condition", what, "a condition on the input", "MED-ASL-042"
            )


def _constant(value: Any) -> tuple[Any] | None:
    """The value of an expression that asks for nothing; None for any other."""
    if (
        not isinstance(value, str)
        or not value.startswith("{%")
        or re.search(r"\$[A-Za-z_]\w*(?!\w*\s*\()", value)
    ):
        return None
    return _evaluated(value[2:-2].strip())


@cache
def _evaluated(expression: str) -> tuple[Any] | None:
    try:
        from jsonata import Jsonata
        from jsonata.jexception import JException
    except ImportError:
        return None
    try:
        return (Jsonata.jsonata(expression).evaluate(None),)
    except (JException, RuntimeError, ValueError, TypeError):
        return None


def _statements(where: str, arguments: Document, project: Project) -> Iterator[Finding]:
    """SQL of the Data API: where it runs, its parameters, and names that the warehouse has."""
    if ("WorkgroupName" in arguments) == ("ClusterIdentifier" in arguments):
        yield Finding(
            where, "names no workgroup, or a cluster beside it", "WorkgroupName alone", "MED-ASL-043"
        )
    given = {text(one, "Name") for one in listed(arguments, "Parameters")}
    for one in listed(arguments, "Parameters"):
        if text(one, "Value") == "":
            what = f"the parameter {text(one, 'Name')} is empty, which the Data API refuses"
            yield Finding(f"{where}.Parameters", what, "a value", "MED-ASL-043")
    statements = [_literal(one) for one in [*listed(arguments, "Sql"), *listed(arguments, "Sqls")]]
    if len(statements) > 40:
        yield Finding(where, f"{len(statements)} statements", "at most 40 in a batch", "MED-ASL-043")
    asked = {name for sql in statements for name in re.findall(r"(?<![:\w]):([A-Za-z_]\w*)", sql)}
    for name in sorted(asked ^ given):
        what = f":{name} has no value" if name in asked else f"the parameter {name} is in no statement"
        yield Finding(f"{where}.Parameters", what, f"a Parameter named {name}, and :{name}", "MED-ASL-043")
    for sql in statements:
        yield from _statement(where, sql, project)


def _warehouse(deployment: Deployment, where: str, arguments: Document) -> Iterator[Finding]:
    """The statement goes to the workgroup and the database that the templates make."""
    for key, kind, name in (
        ("WorkgroupName", "AWS::RedshiftServerless::Workgroup", "WorkgroupName"),
        ("Database", "AWS::RedshiftServerless::Namespace", "DbName"),
    ):
        known = {text(properties, name) for _, _, properties in deployment.of_type(kind)}
        given = text(arguments, key)
        if given and "${" not in given and not given.startswith("{%") and given not in known:
            yield Finding(
                f"{where}.{key}",
                f"{given!r} is none of the templates'",
                f"one of: {', '.join(known)}",
                "MED-ASL-046",
            )


def _literal(sql: Any) -> str:
    """A statement as it is written; of one put together by an expression, with a text in place of each part."""
    if not isinstance(sql, str) or not sql.startswith("{%"):
        return str(sql)
    body = sql[2:-2].strip()
    if not body.startswith(("'", '"')):
        return ""
    parts = re.findall(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'", body)
    return "x".join(double or single for double, single in parts)


def _statement(where: str, sql: str, project: Project) -> Iterator[Finding]:
    if called := re.match(r"(?i)\s*CALL\s+([\w.]+)\s*\((.*)\)\s*$", sql):
        made = {}
        for one in project.statements:
            if found := re.search(
                r"(?i)CREATE OR REPLACE PROCEDURE\s+([\w.]+)\s*\(((?:[^()]|\(\d+\))*)\)", one.sql
            ):
                made[found[1].lower()] = len([a for a in found[2].split(",") if a.strip()])
        count = len([a for a in called[2].split(",") if a.strip()])
        if made.get(called[1].lower()) != count:
            what = f"calls {called[1]} with {count} arguments, and there is no such procedure"
            yield Finding(
                where, what, "a procedure of sql/redshift/procedures, with its arguments", "MED-ASL-044"
            )
        return
    if sql and re.match(r"(?i)\s*SELECT\b", sql):
        known = _ledger(
            tuple(s.sql for s in project.statements if "CREATE TABLE IF NOT EXISTS etl." in s.sql)
        )
        known += tuple(project.tables.items())
        if fault := parse_fault(sql, "redshift") or _unknown(sql, known):
            yield Finding(where, fault, "tables of etl and gold, and their columns", "MED-ASL-044")


def _unknown(sql: str, known: tuple[tuple[str, tuple[str, ...]], ...]) -> str | None:
    gone = tables_of(sql, "redshift") - dict(known).keys()
    if gone:
        return f"there is no table {min(gone)}"
    return unknown_names(sql.replace("etl.", "gold."), "redshift", known)


@cache
def _ledger(statements: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    from medallion_cli.ddl import parse_tables

    found: dict[str, tuple[str, ...]] = {}
    for sql in statements:
        found |= {
            t.name: tuple(c for c, _, _ in t.columns) for t in parse_tables(sql, "redshift", "etl").values()
        }
    return tuple(found.items())


def _file(where: str, key: str, assets: Assets) -> Iterator[Finding]:
    """A step's file that no script writes would never be there."""
    name = re.findall(r"'/([\w./]+)'", key)
    if name and name[-1] not in _written(assets):
        yield Finding(
            where,
            f"no script writes {name[-1]}",
            f"one of: {', '.join(sorted(_written(assets)))}",
            "MED-ASL-045",
        )


def _written(assets: Assets) -> set[str]:
    """Names of the files that the scripts write below runs/<run>/."""
    names = set[str]()
    for script in assets.listing("glue_scripts", "*.py"):
        try:
            names |= set(re.findall(r"/runs/\{[^}]*\}/([\w.]+)", assets.read(script)))
        except UsageError:
            continue
    return names
