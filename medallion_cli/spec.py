"""The pipeline's specification: `configs/pipeline.yaml` joined with the DDL it points to.

Everything else (DMS mappings, prefixes, Glue arguments, COPY lists, merge procedures, status rows) derives from `Pipeline`.
`Pipeline.resolved()` is the same as one JSON document, for the Glue scripts and the source Lambda.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from medallion_cli.assets import PIPELINE, Assets
from medallion_cli.ddl import Column, GoldColumn, TableDdl, known_tables
from medallion_cli.errors import UsageError
from medallion_cli.expectations import Expectation, expectation, faults
from medallion_cli.spec_file import FreshnessEntry, ModelEntry, PipelineFile, TableEntry

if TYPE_CHECKING:
    from jinja2 import Environment

KINDS = ("copy", "upsert", "scd2", "refresh")
SCD2_COLUMNS = ("version", "valid_from", "valid_to", "is_current")
RUN_COLUMN = "_run_id"
# Columns of our own beside a source table's, in any layer; Spark and Redshift know names in any case.
OWN_COLUMN = re.compile(
    r"(?i:op|_op|_source_op|_run_id|_generation|_seq|_commit_ts|_bronze_file|_bronze_row|_valid|_failed|_is_deleted|"
    r"_file|_row|_from|_to|_deleted|dms_commit_ts|dms_change_seq)|BI_.*"
)


@dataclass(frozen=True)
class Freshness:
    """Seconds that data may be behind the source, before it is late, and before it is stale."""

    warn_after: float = 3_600
    error_after: float = 86_400


@dataclass(frozen=True)
class Table:
    """A source table."""

    name: str
    schema: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    expectations: tuple[Expectation, ...]
    personal: tuple[str, ...] = ()  # columns that tell of a person
    freshness: Freshness = Freshness()
    schema_drift: str = "evolve"  # evolve, ignore or fail
    bad_files: str = "set_aside"  # or fail: what a bronze file that can't be taken does to the table


@dataclass(frozen=True)
class Input:
    """A table that a model reads; `touches` maps its changed rows to model keys (None: they hold the key)."""

    table: str
    touches: str | None


@dataclass(frozen=True)
class Lookup:
    """A surrogate key that a fact looks up in an scd2 dimension, as of one of its timestamps."""

    column: str
    dimension: str
    on: dict[str, str]
    as_of: str


@dataclass(frozen=True)
class Model:
    """A gold model; `columns` are those that its SELECT returns, in staging order."""

    name: str
    kind: str
    key: tuple[str, ...]
    select: str | None
    inputs: tuple[Input, ...]
    columns: tuple[GoldColumn, ...]
    lookups: tuple[Lookup, ...] = ()
    surrogate: str | None = None
    source: str | None = None  # the fact that a refresh model aggregates
    personal: tuple[str, ...] = ()  # beside what lineage finds (medallion_cli.privacy)
    freshness: Freshness = Freshness()

    @cached_property
    def select_hash(self) -> str:
        """Changes when the model has to be evaluated in full: its SELECT, columns, key, inputs or lookups differ."""
        facts: list[object] = [self.kind, self.select, self.key, [(c.name, c.redshift) for c in self.columns]]
        facts += [[(i.table, i.touches) for i in self.inputs], [vars(lookup) for lookup in self.lookups]]
        return _digest(facts)

    @cached_property
    def checked(self) -> tuple[GoldColumn, ...]:
        """The columns that verification compares, in order: all of gold's but the run column."""
        surrogate = [GoldColumn(self.surrogate, "BIGINT")] if self.surrogate else []
        history = list(zip(SCD2_COLUMNS, ("INTEGER", "TIMESTAMP", "TIMESTAMP", "BOOLEAN"), strict=True))
        extra = [GoldColumn(n, t) for n, t in history] if self.kind == "scd2" else []
        return (*surrogate, *self.columns, *extra, *(GoldColumn(k.column, "BIGINT") for k in self.lookups))

    @property
    def staged(self) -> bool:
        """Whether Spark stages rows for it (a refresh model is computed in the warehouse)."""
        return self.kind != "refresh"


@dataclass(frozen=True)
class Pipeline:
    """The whole specification; models are in merge order."""

    name: str
    source: dict[str, str]
    business: dict[str, Any]
    tables: tuple[Table, ...]
    models: tuple[Model, ...]

    def table(self, name: str) -> Table:
        """The table called `name`; UsageError lists the names there are."""
        return next((t for t in self.tables if t.name == name), None) or _unknown("table", name, self.tables)

    def model(self, name: str) -> Model:
        """The model called `name`; UsageError lists the names there are."""
        return next((m for m in self.models if m.name == name), None) or _unknown("model", name, self.models)

    @property
    def schema(self) -> str:
        """The source database."""
        return self.source["schema"]

    @cached_property
    def spec_hash(self) -> str:
        """16 hex digits over the resolved document."""
        return _digest(self._document())

    def resolved(self) -> dict[str, Any]:
        """The document that travels to Glue and the Lambda as pipeline.json."""
        return {"spec_hash": self.spec_hash, **self._document()}

    def _document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": self.source,
            "business": self.business,
            "tables": [_table_document(table) for table in self.tables],
            "models": [_model_document(model) for model in self.models],
        }


def load_pipeline(assets: Assets) -> Pipeline:
    """Reads and joins the specification; UsageError gives file, key and what is wrong."""
    entry = PipelineFile.read(assets.path(PIPELINE))
    source = known_tables(assets.read(entry.source.ddl), "mysql", entry.source.ddl)
    tables = tuple(_table(name, spec, entry, source) for name, spec in entry.tables.items())
    rules = {t.name: ({c.name: c for c in t.columns}, t.expectations) for t in tables}
    if fault := next(iter(faults(rules)), None):
        raise UsageError(f"{PIPELINE}: {fault}")
    business = json.loads(entry.business.model_dump_json(by_alias=True))
    models = _models(entry, tables, assets, {"business": business, "source": entry.source.model_dump()})
    return Pipeline(
        name=entry.name,
        source={"schema": entry.source.schema_, "ddl": entry.source.ddl, "time_zone": entry.source.time_zone},
        business=business,
        tables=tables,
        models=models,
    )


def _table(name: str, spec: TableEntry, entry: PipelineFile, source: Mapping[str, TableDdl]) -> Table:
    ddl = source.get(name)
    if ddl is None:
        raise UsageError(f"{PIPELINE}: tables.{name}: no CREATE TABLE {name} in {entry.source.ddl}")
    known = {column for column, _, _ in ddl.columns}
    if unknown := [c for c in (*spec.clean, *spec.key, *spec.personal) if c not in known]:
        raise UsageError(
            f"{PIPELINE}: tables.{name}: no column {unknown[0]} (has {', '.join(sorted(known))})"
        )
    return Table(
        name=name,
        schema=entry.source.schema_,
        key=_table_key(name, spec, entry.source.ddl, ddl),
        columns=tuple(Column(n, t, null, tuple(spec.clean.get(n, ()))) for n, t, null in ddl.columns),
        expectations=tuple(expectation(n, e) for n, e in spec.expectations.items()),
        personal=tuple(spec.personal),
        freshness=_freshness(spec.freshness, entry.freshness),
        schema_drift=spec.schema_drift,
        bad_files=spec.bad_files or entry.bad_files,
    )


def _table_key(name: str, spec: TableEntry, file: str, ddl: TableDdl) -> tuple[str, ...]:
    """The primary key; `key:` may repeat it, no more: DMS writes before-images, which tell a changed key, of no other."""
    if not ddl.key:
        raise UsageError(
            f"{PIPELINE}: tables.{name}: no primary key in {file}",
            hint=f"ALTER TABLE {name} ADD PRIMARY KEY (…) at the source and in {file}, or leave the table out",
        )
    if spec.key and set(spec.key) != set(ddl.key):
        raise UsageError(
            f"{PIPELINE}: tables.{name}.key: {', '.join(spec.key)} is not the primary key in {file}, which is "
            f"{', '.join(ddl.key)}: DMS tells a changed key by that alone",
            hint=f"leave out `key:` of tables.{name} in {PIPELINE}",
        )
    return tuple(spec.key) or ddl.key


def _freshness(own: FreshnessEntry, default: FreshnessEntry) -> Freshness:
    """Each threshold from the nearest place that names it."""
    given = {**default.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)}
    return Freshness(**given)


def _models(
    entry: PipelineFile, tables: tuple[Table, ...], assets: Assets, context: dict[str, Any]
) -> tuple[Model, ...]:
    used = {table for model in entry.models.values() for table in model.inputs}
    by_name = {table.name: table for table in tables}
    for name, model in entry.models.items():
        if unknown := [table for table in model.inputs if table not in by_name]:
            raise UsageError(f"{PIPELINE}: models.{name}.inputs: no table {unknown[0]}")
    named = [
        _copy(name, by_name) if model.kind == "copy" else _model(name, model, assets, context)
        for name, model in entry.models.items()
    ]
    named = [replace(m, freshness=_freshness(entry.models[m.name].freshness, entry.freshness)) for m in named]
    implied = [_copy(t.name, by_name) for t in tables if t.name not in used and t.name not in entry.models]
    return (*implied, *named)


def _copy(name: str, tables: Mapping[str, Table]) -> Model:
    if name not in tables:
        raise UsageError(f"{PIPELINE}: models.{name}: a copy model has the name of its table")
    table = tables[name]
    columns = tuple(GoldColumn(c.name, c.redshift) for c in table.columns)
    return Model(name, "copy", table.key, None, (Input(name, None),), columns, freshness=table.freshness)


def _model(name: str, entry: ModelEntry, assets: Assets, context: dict[str, Any]) -> Model:
    ddl_name, folder = f"sql/redshift/tables/{name}.sql", _select_folder(entry.kind)
    ddl = known_tables(_render(assets.read(ddl_name), ddl_name, context), "redshift", ddl_name).get(name)
    if ddl is None:
        raise UsageError(f"{ddl_name}: no CREATE TABLE gold.{name}")
    lookups = tuple(Lookup(c, look.dimension, look.on, look.as_of) for c, look in entry.lookups.items())
    own = {RUN_COLUMN, entry.surrogate, *(look.column for look in lookups)}
    own |= set(SCD2_COLUMNS) if entry.kind == "scd2" else set()
    columns = tuple(GoldColumn(n, t) for n, t, _ in ddl.columns if n not in own)
    for place, wanted in (("key", entry.key), ("personal", entry.personal)):
        if missing := [k for k in wanted if k not in {n for n, _, _ in ddl.columns}]:
            raise UsageError(f"{PIPELINE}: models.{name}.{place}: {ddl_name} has no column {missing[0]}")
    select_name = f"{folder}/{name}.sql"
    return Model(
        name=name,
        kind=entry.kind,
        key=tuple(entry.key),
        select=_render(assets.read(select_name), select_name, context),
        inputs=tuple(Input(t, None if touches == "key" else touches) for t, touches in entry.inputs.items()),
        columns=columns,
        lookups=lookups,
        surrogate=entry.surrogate,
        source=entry.source,
        personal=tuple(entry.personal),
    )


def _select_folder(kind: str) -> str:
    return "sql/redshift/aggregates" if kind == "refresh" else "sql/silver_to_gold"


def _render(text: str, where: str, context: dict[str, Any]) -> str:
    """SQL text with the spec's facts filled in (`business`, `source`; filter `sql_list` quotes a list)."""
    import jinja2

    try:
        return _jinja().from_string(text).render(**context).strip()
    except jinja2.TemplateError as error:
        raise UsageError(f"{where}: {error}", hint="medallion validate") from error


@cache
def _jinja() -> Environment:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    environment.filters["sql_list"] = sql_list
    return environment


def sql_list(values: list[str]) -> str:
    """`'a', 'b'`: string literals for an IN list."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _table_document(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "schema": table.schema,
        "key": list(table.key),
        "columns": [
            {
                "name": c.name,
                "mysql": c.mysql,
                "nullable": c.nullable,
                "spark": c.spark,
                "redshift": c.redshift,
                "clean": list(c.clean),
                "canonical": c.canonical,
            }
            for c in table.columns
        ],
        "expectations": [vars(e) for e in table.expectations],
        "bad_files": table.bad_files,
        "personal": list(table.personal),
        "schema_drift": table.schema_drift,
    }


def _model_document(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "key": list(model.key),
        "select": model.select,
        "select_hash": model.select_hash,
        "inputs": [vars(i) for i in model.inputs],
        "columns": [_gold_document(c) for c in model.columns],
        "checked": [_gold_document(c) for c in model.checked],
        "lookups": [vars(look) for look in model.lookups],
        "surrogate": model.surrogate,
        "from": model.source,
    }


def _gold_document(column: GoldColumn) -> dict[str, Any]:
    canonical = column.canonical
    return {"name": column.name, "redshift": column.redshift, "spark": column.spark, "canonical": canonical}


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _unknown(what: str, name: str, things: Sequence[Table | Model]) -> NoReturn:
    raise UsageError(f"no {what} {name!r}", hint=f"one of: {', '.join(t.name for t in things)}")
