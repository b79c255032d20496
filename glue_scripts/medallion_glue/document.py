"""The resolved pipeline document (`pipeline.json`) as the scripts read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from medallion_glue.objects import read_text


@dataclass(frozen=True)
class Column:
    """A column of silver or gold: Spark type, cleaning rules, canonical text expression (Spark SQL)."""

    name: str
    spark: str
    canonical: str
    clean: tuple[str, ...] = ()
    mysql: str = ""  # of a source column


@dataclass(frozen=True)
class Expectation:
    """A rule and what follows when it is broken: warn, drop, quarantine or fail.

    Over one row it is a condition in Spark's SQL; `unique` and `references` look at `columns` of all rows, and the latter at
    the `others` of the table `of` (medallion_glue.relations).
    """

    name: str
    expression: str
    on_fail: str
    kind: str = "expression"
    columns: tuple[str, ...] = ()
    of: str = ""
    others: tuple[str, ...] = ()

    @property
    def over_rows(self) -> bool:
        """Whether it looks at more than one row."""
        return self.kind in ("unique", "references")


@dataclass(frozen=True)
class Table:
    """A source table."""

    name: str
    schema: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    expectations: tuple[Expectation, ...]
    schema_drift: str = "evolve"  # evolve, ignore or fail
    personal: tuple[str, ...] = ()  # columns that tell of a person
    bad_files: str = "set_aside"  # or fail: what a bronze file that can't be taken does

    @property
    def changes(self) -> str:
        """The silver table that holds every change."""
        return f"{self.name}_changes"

    def breaking(self, *on_fail: str) -> tuple[str, ...]:
        """Names of the expectations with one of these consequences."""
        return tuple(e.name for e in self.expectations if e.on_fail in on_fail)


@dataclass(frozen=True)
class Input:
    """A table that a model reads; `touches` (SQL over `changed`) gives the model keys its changes touch."""

    table: str
    touches: str | None


@dataclass(frozen=True)
class Lookup:
    """A surrogate key that a fact looks up in a dimension; `on` maps fact columns to dimension columns."""

    column: str
    dimension: str
    on: dict[str, str]
    as_of: str


@dataclass(frozen=True)
class Model:
    """A gold model that Spark stages (kinds copy, upsert, scd2)."""

    name: str
    kind: str
    key: tuple[str, ...]
    select: str
    select_hash: str
    inputs: tuple[Input, ...]
    columns: tuple[Column, ...]
    checked: tuple[Column, ...]
    lookups: tuple[Lookup, ...]
    surrogate: str | None


@dataclass(frozen=True)
class Pipeline:
    """The document; `models` are those that Spark stages, in merge order; `refreshed` names the others."""

    schema: str
    tables: tuple[Table, ...]
    models: tuple[Model, ...]
    refreshed: tuple[str, ...] = ()

    def table(self, name: str) -> Table:
        """The table called `name`; KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]

    def model(self, name: str) -> Model:
        """The staged model called `name`; KeyError when there is none."""
        return {model.name: model for model in self.models}[name]


def read_pipeline(uri: str) -> Pipeline:
    """Reads `s3://…/pipeline.json`."""
    return pipeline(json.loads(read_text(uri)))


def pipeline(document: dict[str, Any]) -> Pipeline:
    """The typed form of a resolved pipeline document."""
    staged = [model for model in document["models"] if model["kind"] != "refresh"]
    return Pipeline(
        schema=document["source"]["schema"],
        tables=tuple(_table(table) for table in document["tables"]),
        models=tuple(_model(model) for model in staged),
        refreshed=tuple(model["name"] for model in document["models"] if model["kind"] == "refresh"),
    )


def _column(entry: dict[str, Any]) -> Column:
    clean, mysql = tuple(entry.get("clean", ())), entry.get("mysql", "")
    return Column(entry["name"], entry["spark"], entry["canonical"]["spark"], clean, mysql)


def _table(entry: dict[str, Any]) -> Table:
    return Table(
        name=entry["name"],
        schema=entry["schema"],
        key=tuple(entry["key"]),
        columns=tuple(_column(column) for column in entry["columns"]),
        expectations=tuple(Expectation(**expectation) for expectation in entry["expectations"]),
        schema_drift=entry.get("schema_drift", "evolve"),
        personal=tuple(entry.get("personal", ())),
        bad_files=entry.get("bad_files", "set_aside"),
    )


def _model(entry: dict[str, Any]) -> Model:
    return Model(
        name=entry["name"],
        kind=entry["kind"],
        key=tuple(entry["key"]),
        select=entry["select"] or f"SELECT * FROM `{entry['name']}`",
        select_hash=entry["select_hash"],
        inputs=tuple(Input(i["table"], i["touches"]) for i in entry["inputs"]),
        columns=tuple(_column(column) for column in entry["columns"]),
        checked=tuple(_column(column) for column in entry["checked"]),
        lookups=tuple(Lookup(**lookup) for lookup in entry["lookups"]),
        surrogate=entry["surrogate"],
    )
