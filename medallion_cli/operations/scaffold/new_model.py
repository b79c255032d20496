"""`model add`: a gold model's entry, its SELECT and its table, so that it runs as it is and is edited from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion_cli.assets import PIPELINE
from medallion_cli.errors import UsageError
from medallion_cli.merges import quoted
from medallion_cli.operations.scaffold.additions import Addition, own_project, with_entry
from medallion_cli.operations.scaffold.words import flow
from medallion_cli.spec_file import PipelineFile

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
            return _of_table(assets, pipeline, _table(pipeline, source), name, kind, tuple(key))
        case "refresh":
            return _refresh(assets, pipeline, _fact(pipeline, source), name, tuple(key))
        case _:
            raise UsageError(f"no kind {kind!r}", hint="one of: copy, upsert, scd2, refresh")


def _copy(assets: Assets, pipeline: Pipeline, name: str, source: str | None) -> Addition:
    if source not in (None, name):
        raise UsageError("a copy model has the name of its table", hint=f"medallion model add {source}")
    pipeline.table(name)
    return _addition(assets, name, [_copied(name)], {})


def _copied(table: str) -> str:
    return f"  {flow(table)}: {{kind: copy}}"


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


def _of_table(
    assets: Assets, pipeline: Pipeline, table: Table, name: str, kind: str, given: tuple[str, ...]
) -> Addition:
    """A row a row of the table: current, or one a version."""
    key = given or table.key
    if set(key) != set(table.key):
        raise UsageError(f"a row is a row of {table.name}", hint=f"its key is {', '.join(table.key)}")
    surrogate = f"{name.removeprefix('dim_')}_sk"
    names = _names(table, kind, surrogate)
    columns = [(names[c.name], c.redshift + (" NOT NULL" if c.name in key else "")) for c in table.columns]
    keys = [names[column] for column in key]
    entry = [f"  {flow(name)}:", f"    kind: {kind}", f"    key: {flow(keys)}"]
    entry += [f"    surrogate: {flow(surrogate)}"] if kind == "scd2" else []
    entry += [f"    inputs: {flow({table.name: _touches(key, names)})}"]
    files = {
        f"sql/silver_to_gold/{name}.sql": _select(table, kind, names),
        f"sql/redshift/tables/{name}.sql": _gold_table(name, kind, table.name, columns, keys, surrogate),
    }
    kept = _kept_copy(assets, pipeline, table.name)
    note = (
        f"gold.{table.name} stays a copy by a line of its own; without it the next up drops it with its rows"
    )
    notes = [note] if kept else []
    notes += [
        f"{old} is {new} in {name}: a history has its own {old}" for old, new in names.items() if old != new
    ]
    return _addition(assets, name, [*kept, *entry], files, notes)


def _kept_copy(assets: Assets, pipeline: Pipeline, table: str) -> list[str]:
    """The line of a copy that gold has only because no model names the table; none where it is no such copy."""
    is_copy = any(model.name == table and model.kind == "copy" for model in pipeline.models)
    if not is_copy or table in PipelineFile.read(assets.path(PIPELINE)).models:
        return []
    return [_copied(table)]


def _names(table: Table, kind: str, surrogate: str) -> dict[str, str]:
    """Gold's name of each column: its own, but for those that a history adds, which Redshift knows in any case."""
    added = {name for name, _ in HISTORY} | {surrogate} if kind == "scd2" else set()
    taken = added | {column.name.lower() for column in table.columns}
    names: dict[str, str] = {}
    for column in table.columns:
        new = column.name
        while new.lower() in added or (new != column.name and new.lower() in taken):
            new = f"source_{new}"
        names[column.name] = new
        taken.add(new.lower())
    return names


def _touches(key: Sequence[str], names: dict[str, str]) -> str:
    """`key`, or what gives it where its columns have other names in gold."""
    if all(names[column] == column for column in key):
        return "key"
    return f"SELECT {', '.join(_named(f'c.{column}', column, names) for column in key)} FROM changed c"


def _named(expression: str, column: str, names: dict[str, str]) -> str:
    return expression if names[column] == column else f"{expression} AS {names[column]}"


def _select(table: Table, kind: str, names: dict[str, str]) -> str:
    """Spark SQL."""
    plain = re.compile(r"[A-Za-z_]\w*")
    columns = [(c.name, c.name if plain.fullmatch(c.name) else f"`{c.name}`") for c in table.columns]
    period = ["t._from", "t._to"] if kind == "scd2" else []
    listed = ",\n".join(f"  {each}" for each in [*(_named(f"t.{q}", c, names) for c, q in columns), *period])
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


def _refresh(assets: Assets, pipeline: Pipeline, fact: Model, name: str, key: tuple[str, ...]) -> Addition:
    """Groups of a fact: how many rows, and the sums of its amounts."""
    columns = {column.name: column for column in fact.checked}
    if not key or (unknown := [column for column in key if column not in columns]):
        what = f"{fact.name} has no column {unknown[0]}" if key else "by which columns is it grouped?"
        raise UsageError(what, hint=f"--key one of: {', '.join(columns)}")
    amounts = [c for c in columns.values() if c.name not in key and _is_amount(c)]
    keys = [(name_, f"{columns[name_].redshift} NOT NULL") for name_ in key]
    sums = [(c.name, f"DECIMAL(38,{_scale(c)})") for c in amounts]
    entry = [
        f"  {flow(name)}:",
        "    kind: refresh",
        f"    from: {flow(fact.name)}",
        f"    key: {flow(list(key))}",
    ]
    files = {
        f"sql/redshift/aggregates/{name}.sql": _aggregate(fact, key, sums),
        f"sql/redshift/tables/{name}.sql": _create(
            name, f"Grain: one row a {', '.join(key)}.", [*keys, ("entries", "BIGINT"), *sums], key
        ),
    }
    return _addition(assets, name, [*_kept_copy(assets, pipeline, fact.name), *entry], files)


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


def _addition(
    assets: Assets, name: str, entry: Sequence[str], files: dict[str, str], notes: Sequence[str] = ()
) -> Addition:
    folder = own_project(assets)
    if there := [file for file in files if (folder / file).exists()]:
        raise UsageError(f"{there[0]} is there already", hint="choose another name")
    changed = {"configs/pipeline.yaml": with_entry(folder, "models", name, entry), **files}
    return Addition(changed, tuple(notes))
