"""Gold's SELECTs, expectations and views: they parse, name only what is there, and return what their tables hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from medallion_cli.operations.findings import Finding
from medallion_cli.spec import OWN_COLUMN

if TYPE_CHECKING:
    from medallion_cli.spec import Model, Pipeline, Table

PIPELINE = "configs/pipeline.yaml"
Names = tuple[tuple[str, tuple[str, ...]], ...]  # table → columns
INTERVAL = ("_from", "_to")  # from when to when a version held: an scd2 model's SELECT reads and returns them


def model_findings(
    pipeline: Pipeline, views: Mapping[str, str], tables: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    """Findings in the specification's SQL; `views` are texts by name, `tables` gold's other tables' columns."""
    silver = tuple((t.name, tuple(c.name for c in t.columns)) for t in pipeline.tables)
    gold = gold_columns(pipeline, tables)
    for table in pipeline.tables:
        yield from _table(table)
    for model in pipeline.models:
        yield from _model(model, silver, gold)
    yield from _views(views, gold)


def gold_columns(pipeline: Pipeline, others: Mapping[str, tuple[str, ...]]) -> Names:
    """What gold's tables hold, by name."""
    own = {m.name: (*(c.name for c in m.checked), "_run_id") for m in pipeline.models}
    return tuple({**others, **own}.items())


def _table(table: Table) -> Iterator[Finding]:
    columns = [column.name for column in table.columns]
    for name in filter(OWN_COLUMN.fullmatch, columns):
        where = f"{PIPELINE} tables.{table.name}"
        what = f"its column {name} has a name that the pipeline uses itself"
        yield Finding(where, what, "give the column another name at the source", "MED-MOD-010")
    for expectation in table.expectations:
        where = f"{PIPELINE} tables.{table.name}.expectations.{expectation.name}"
        sql = f"SELECT {expectation.expression} FROM {table.name}"
        if fault := parse_fault(sql, "spark"):
            yield Finding(where, fault, "a condition in Spark's SQL", "MED-MOD-001")
        elif fault := unknown_names(sql, "spark", ((table.name, tuple(columns)),)):
            yield Finding(where, fault, f"columns are {', '.join(columns)}", "MED-MOD-002")
    for key in table.key:
        column = next((c for c in table.columns if c.name == key), None)
        if column is not None and re.match(r"(float|double|real|text|blob|json)", column.mysql):
            what = f"the key {key} is {column.mysql}: equal keys would not compare equal"
            yield Finding(
                f"{PIPELINE} tables.{table.name}.key",
                what,
                "a key of whole numbers, texts or moments",
                "MED-MOD-003",
            )


def _model(model: Model, silver: Names, gold: Names) -> Iterator[Finding]:
    folder = "sql/redshift/aggregates" if model.kind == "refresh" else "sql/silver_to_gold"
    dialect = "redshift" if model.kind == "refresh" else "spark"
    where = f"{folder}/{model.name}.sql"
    known = gold if model.kind == "refresh" else silver
    if model.kind == "scd2":
        known = tuple((name, (*columns, *INTERVAL, "_deleted")) for name, columns in silver)
    if model.select is not None:
        yield from _select(where, model, dialect, known)
        yield from _inputs(where, model, silver)
    for entry in model.inputs:
        if entry.touches:
            yield from _touches(model, entry.table, entry.touches, silver)
    names = {column.name for column in model.columns}
    for look in model.lookups:
        at = f"{PIPELINE} models.{model.name}.lookups.{look.column}"
        for column in sorted({look.as_of, *look.on} - names):
            yield Finding(
                at,
                f"{model.name} has no column {column}",
                f"one of: {', '.join(sorted(names))}",
                "MED-MOD-004",
            )


def _select(where: str, model: Model, dialect: str, known: Names) -> Iterator[Finding]:
    assert model.select is not None
    if fault := parse_fault(model.select, dialect):
        yield Finding(where, fault, f"one SELECT in {dialect}'s SQL", "MED-MOD-001")
        return
    if fault := unknown_names(model.select, dialect, known):
        yield Finding(where, fault, "names of the tables that the model reads", "MED-MOD-002")
    given, wanted = selected(model.select, dialect), [column.name for column in model.columns]
    wanted += INTERVAL if model.kind == "scd2" else ()
    if "*" in given:
        return
    table = f"sql/redshift/tables/{model.name}.sql"
    for name in wanted:
        if name not in given:
            near = difflib.get_close_matches(name, given, 1)
            remedy = f"did you mean {near[0]}?" if near else f"add {name} to the SELECT"
            yield Finding(where, f"returns no {name}, which {table} has", remedy, "MED-MOD-005")
    for name in given:
        if name not in wanted:
            yield Finding(
                where,
                f"returns {name or 'a column without a name'}, which {table} has not",
                f"add it to {table}",
                "MED-MOD-005",
            )
    if model.kind == "refresh" and sorted(given) == sorted(wanted) and given != wanted:
        what = f"returns {', '.join(given)}; {table} holds {', '.join(wanted)}"
        yield Finding(
            where, f"the order differs: {what}", "the table's order: INSERT goes by position", "MED-MOD-006"
        )


def _inputs(where: str, model: Model, silver: Names) -> Iterator[Finding]:
    """A table that the SELECT reads and the model does not declare would change gold without its being noticed."""
    if model.kind == "refresh" or model.select is None:
        return
    read, declared = tables_of(model.select, "spark"), {entry.table for entry in model.inputs}
    for name in sorted(read & {name for name, _ in silver} - declared):
        what = f"reads {name}, which models.{model.name}.inputs does not name: its changes would be missed"
        yield Finding(where, what, f"add {name} to inputs", "MED-MOD-007")
    for name in sorted(declared - read):
        at = f"{PIPELINE} models.{model.name}.inputs.{name}"
        yield Finding(at, f"{where} does not read it", "take it out", "MED-MOD-007")


def _touches(model: Model, table: str, sql: str, silver: Names) -> Iterator[Finding]:
    where = f"{PIPELINE} models.{model.name}.inputs.{table}"
    columns = dict(silver).get(table, ())
    if fault := parse_fault(sql, "spark"):
        yield Finding(where, fault, "one SELECT in Spark's SQL", "MED-MOD-001")
        return
    if fault := unknown_names(sql, "spark", (*silver, ("changed", (*columns, "_is_deleted")))):
        yield Finding(where, fault, f"`changed` holds {', '.join(columns)}", "MED-MOD-002")
    given = selected(sql, "spark")
    if "*" not in given and not set(model.key) <= set(given):
        what = f"returns {', '.join(given)}; the model's key is {', '.join(model.key)}"
        yield Finding(where, what, "return every column of the key", "MED-MOD-008")


def _views(views: Mapping[str, str], gold: Names) -> Iterator[Finding]:
    known, returned = dict(gold), view_columns(views, gold)
    for name, text in views.items():
        where = f"sql/redshift/views/{name}.sql"
        if fault := parse_fault(text, "redshift"):
            yield Finding(where, fault, "one CREATE OR REPLACE VIEW", "MED-MOD-001")
            continue
        if not re.search(rf"(?i)\bCREATE\s+OR\s+REPLACE\s+VIEW\s+gold\.\"?{name}\"?\s", text):
            yield Finding(
                where, f"makes no view gold.{name}", f"CREATE OR REPLACE VIEW gold.{name} AS", "MED-MOD-009"
            )
        if fault := unknown_names(text, "redshift", tuple(known.items())):
            yield Finding(where, fault, "columns of gold's tables and of earlier views", "MED-MOD-002")
        known[name] = tuple(returned[name])


def view_columns(views: Mapping[str, str], gold: Names) -> dict[str, list[str]]:
    """What each view returns, over gold's tables and the views before it; one that does not parse returns nothing."""
    known, found = dict(gold), dict[str, list[str]]()
    for name, text in views.items():
        if parse_fault(text, "redshift") is None:
            found[name] = selected(text, "redshift", tuple(known.items()))
            known[name] = tuple(found[name])
    return found


@cache
def parse_fault(sql: str, dialect: str) -> str | None:
    """Why it is not one statement with a SELECT; None when it is."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.parse(sql, read=dialect)
    except SqlglotError as error:
        return re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()[0]
    if len(statements) != 1 or statements[0] is None or not statements[0].find(sqlglot.exp.Select):
        return "one SELECT is expected"
    return None


@cache
def selected(sql: str, dialect: str, known: Names = ()) -> list[str]:
    """Names of the columns that a statement returns; a `*` stays one, unless over tables that are `known`."""
    import sqlglot

    from medallion_cli.lineage import view_columns as followed

    statement = sqlglot.parse_one(sql, read=dialect)
    query = statement.expression if isinstance(statement, sqlglot.exp.Create) else statement
    if known and query is not None:
        return list(followed(query, dict(known)))
    return [str(name) for name in query.named_selects] if query is not None else []


@cache
def tables_of(sql: str, dialect: str) -> frozenset[str]:
    """Tables that a statement reads; its own WITH names are none."""
    import sqlglot

    statement = sqlglot.parse_one(sql, read=dialect)
    own = {cte.alias for cte in statement.find_all(sqlglot.exp.CTE)}
    return frozenset(str(t.name) for t in statement.find_all(sqlglot.exp.Table)) - own


@cache
def unknown_names(sql: str, dialect: str, known: Names) -> str | None:
    """The first table or column that `known` does not have."""
    import sqlglot
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    statement = sqlglot.parse_one(sql, read=dialect)
    query = statement.expression if isinstance(statement, sqlglot.exp.Create) else statement
    names = dict(known)
    if gone := sorted(tables_of(query.sql(dialect), dialect) - names.keys()):
        near = difflib.get_close_matches(gone[0], names, 1)
        return f"there is no table {gone[0]}" + (f" (did you mean {near[0]}?)" if near else "")
    schema = (
        {"gold": {t: dict.fromkeys(c, "varchar") for t, c in names.items()}}
        if dialect == "redshift"
        else {t: dict.fromkeys(c, "string") for t, c in names.items()}
    )
    try:
        qualify(query, schema=schema, dialect=dialect, validate_qualify_columns=True, quote_identifiers=False)
    except SqlglotError as error:
        return str(error).splitlines()[0]
    return None
