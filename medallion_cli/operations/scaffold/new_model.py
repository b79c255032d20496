"""`model add`: a gold model's entry, its SELECT and its table, so that it runs as it is and is edited from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion_cli.assets import PIPELINE
from medallion_cli.errors import UsageError
from medallion_cli.merges import quoted
from medallion_cli.operations.scaffold.additions import Addition, own_project, with_entry

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.ddl import GoldColumn
    from medallion_cli.spec import Model, Pipeline, Table

HISTORY = (
    ("version", "INTEGER NOT NULL"),
    ("valid_from", "TIMESTAMP NOT NULL"),
    ("valid_to", "TIMESTAMP NOT NULL"),
    ("is_current", "BOOLEAN NOT NULL"),
)
Typed = tuple[str, str]


def new_model(
    assets: Assets, pipeline: Pipeline, name: str, kind: str, source: str | None, key: Sequence[str]
) -> Addition:
    """A model of one table (copy, upsert, scd2) or of one fact (refresh); UsageError for what does not fit."""
    own_project(assets)
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise UsageError(f"{name!r} is no model's name", hint="small letters, digits and _")
    if any(model.name == name for model in pipeline.models):
        raise UsageError(f"{PIPELINE}: models.{name} is there already", hint="choose another name")
    match kind:
        case "copy":
            return _copy(assets, pipeline, name, source)
        case "upsert" | "scd2":
            return _of_table(assets, _table(pipeline, source), name, kind, tuple(key))
        case "refresh":
            return _refresh(assets, _fact(pipeline, source), name, tuple(key))
        case _:
            raise UsageError(f"no kind {kind!r}", hint="one of: copy, upsert, scd2, refresh")


def _copy(assets: Assets, pipeline: Pipeline, name: str, source: str | None) -> Addition:
    if source not in (None, name):
        raise UsageError("a copy model has the name of its table", hint=f"medallion model add {source}")
    pipeline.table(name)
    return _addition(assets, name, [f"  {name}: {{kind: copy}}"], {})


def _table(pipeline: Pipeline, source: str | None) -> Table:
    if source is None:
        names = ", ".join(table.name for table in pipeline.tables)
        raise UsageError("which table is it made of?", hint=f"--from one of: {names}")
    return pipeline.table(source)


def _fact(pipeline: Pipeline, source: str | None) -> Model:
    facts = [model.name for model in pipeline.models if model.kind in ("upsert", "copy")]
    if source not in facts:
        raise UsageError(
            "which fact does it add up?", hint=f"--from one of: {', '.join(facts) or 'none yet'}"
        )
    return pipeline.model(source)


def _of_table(assets: Assets, table: Table, name: str, kind: str, given: tuple[str, ...]) -> Addition:
    """A row a row of the table: current, or one a version."""
    key = given or table.key
    if set(key) != set(table.key):
        raise UsageError(f"a row is a row of {table.name}", hint=f"its key is {', '.join(table.key)}")
    columns = [(c.name, c.redshift + (" NOT NULL" if c.name in key else "")) for c in table.columns]
    entry = [f"  {name}:", f"    kind: {kind}", f"    key: [{', '.join(key)}]"]
    surrogate = f"{name.removeprefix('dim_')}_sk"
    entry += [f"    surrogate: {surrogate}"] if kind == "scd2" else []
    entry += [f"    inputs: {{{table.name}: key}}"]
    files = {
        f"sql/silver_to_gold/{name}.sql": _select(table, kind),
        f"sql/redshift/tables/{name}.sql": _gold_table(name, kind, table.name, columns, key, surrogate),
    }
    return _addition(assets, name, entry, files)


def _select(table: Table, kind: str) -> str:
    """Spark SQL."""
    plain = re.compile(r"[A-Za-z_]\w*")
    names = [c.name if plain.fullmatch(c.name) else f"`{c.name}`" for c in table.columns]
    period = ["t._from", "t._to"] if kind == "scd2" else []
    listed = ",\n".join(f"  {name}" for name in [*(f"t.{name}" for name in names), *period])
    grain = f"version of a row of {table.name}" if kind == "scd2" else f"row of {table.name}"
    deleted = "\nWHERE NOT t._deleted" if kind == "scd2" else ""
    return f"-- Grain: one row a {grain}.\nSELECT\n{listed}\nFROM {table.name} t{deleted}\n"


def _gold_table(
    name: str, kind: str, source: str, columns: Sequence[Typed], key: Sequence[str], surrogate: str
) -> str:
    first = [(surrogate, "BIGINT NOT NULL")] if kind == "scd2" else []
    history = list(HISTORY) if kind == "scd2" else []
    grain = f"version of a row of {source}" if kind == "scd2" else f"row of {source}"
    unique = [surrogate] if kind == "scd2" else key
    return _create(name, f"Grain: one row a {grain}.", [*first, *columns, *history], unique)


def _refresh(assets: Assets, fact: Model, name: str, key: tuple[str, ...]) -> Addition:
    """Groups of a fact: how many rows, and the sums of its amounts."""
    columns = {column.name: column for column in fact.checked}
    if not key or (unknown := [column for column in key if column not in columns]):
        what = f"{fact.name} has no column {unknown[0]}" if key else "by which columns is it grouped?"
        raise UsageError(what, hint=f"--key one of: {', '.join(columns)}")
    amounts = [c for c in columns.values() if c.name not in key and _is_amount(c)]
    keys = [(name_, f"{columns[name_].redshift} NOT NULL") for name_ in key]
    sums = [(c.name, f"DECIMAL(38,{_scale(c)})") for c in amounts]
    entry = [f"  {name}:", "    kind: refresh", f"    from: {fact.name}", f"    key: [{', '.join(key)}]"]
    files = {
        f"sql/redshift/aggregates/{name}.sql": _aggregate(fact, key, sums),
        f"sql/redshift/tables/{name}.sql": _create(
            name, f"Grain: one row a {', '.join(key)}.", [*keys, ("entries", "BIGINT"), *sums], key
        ),
    }
    return _addition(assets, name, entry, files)


def _is_amount(column: GoldColumn) -> bool:
    return bool(re.match(r"(?i)(decimal|numeric)\(\d+, *[1-9]", column.redshift))


def _scale(column: GoldColumn) -> str:
    found = re.search(r",\s*(\d+)\)", column.redshift)
    return found[1] if found else "0"


def _aggregate(fact: Model, key: Sequence[str], sums: Sequence[Typed]) -> str:
    """Redshift SQL."""
    lines = [*(quoted(name) for name in key), "COUNT(*) AS entries"]
    lines += [f"CAST(SUM({quoted(name)}) AS {kind}) AS {quoted(name)}" for name, kind in sums]
    listed = ",\n".join(f"  {line}" for line in lines)
    grouped = ", ".join(quoted(name) for name in key)
    known = [f"{quoted(name)} IS NOT NULL" for name in key if name not in fact.key]
    where = f"WHERE {' AND '.join(known)}   -- a key is never NULL\n" if known else ""
    origin = f"FROM gold.{quoted(fact.name)}\n{where}GROUP BY {grouped}"
    return f"-- Grain: one row a {', '.join(key)}.\nSELECT\n{listed}\n{origin}\n"


def _create(name: str, grain: str, columns: Sequence[Typed], key: Sequence[str]) -> str:
    lines = [f"  {quoted(column)} {kind}" for column, kind in columns]
    lines += ["  _run_id VARCHAR(64)", f"  PRIMARY KEY ({', '.join(quoted(column) for column in key)})"]
    body = ",\n".join(lines)
    return f"-- {grain}\nCREATE TABLE IF NOT EXISTS gold.{quoted(name)} (\n{body}\n)\nDISTSTYLE AUTO;\n"


def _addition(assets: Assets, name: str, entry: Sequence[str], files: dict[str, str]) -> Addition:
    folder = own_project(assets)
    if there := [file for file in files if (folder / file).exists()]:
        raise UsageError(f"{there[0]} is there already", hint="choose another name")
    return Addition({"configs/pipeline.yaml": with_entry(folder, "models", name, entry), **files})
