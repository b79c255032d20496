"""What the templates in sql/redshift/procedures say about a model: its names, columns and conditions.

Temporary tables are named after the model. Pending tables hold what a merge leaves for a later model to do:
keys to look up again, groups to compute again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from medallion_cli.errors import UsageError
from medallion_cli.spec import RUN_COLUMN, Lookup, Model, Pipeline, sql_list

# Redshift developer guide, "Reserved words", and those that only PostgreSQL has.
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
        all analyse analyze and any array as asc authorization backup between binary both bytedict case
        cast check collate column connect constraint create cross current_date current_time
        current_timestamp current_user default deferrable deflate defrag delta desc disable distinct do
        else empty enable encode encrypt end except explicit false fetch for foreign freeze from full
        grant group gzip having identity ignore ilike in initially inner intersect interval into is
        isnull join lateral leading left like limit localtime localtimestamp lun luns lzo minus natural
        new not notnull null nulls off offline offset oid old on only open or order outer overlaps
        parallel partition percent permissions pivot placing primary raw readratio recover references
        rejectlog resort respect restore returning right select session_user similar snapshot some
        symmetric sysdate system table tag tdes text255 text32k then timestamp to top trailing true
        truncatecolumns type union unique unnest unpivot user using variadic verbose wallet when where
        window with without
        """,
    )
)


def quoted(name: str) -> str:
    """An identifier as it is written: in double quotes only where it has to be."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _RESERVED
    return name if plain else f'"{name}"'


def matched(columns: Sequence[str], left: str, right: str) -> str:
    """Equality of the same columns on two sides."""
    return " AND ".join(f"{left}.{column} = {right}.{column}" for column in columns)


@dataclass(frozen=True)
class Resolving:
    """A lookup, seen from its fact and from its dimension."""

    fact_model: Model
    dimension_model: Model
    lookup: Lookup

    @property
    def column(self) -> str:
        """The fact's surrogate column."""
        return quoted(self.lookup.column)

    @property
    def surrogate(self) -> str:
        """The dimension's."""
        return quoted(self.dimension_model.surrogate or "")

    @property
    def alias(self) -> str:
        """The dimension's alias; one dimension may be looked up twice."""
        return f"of_{self.lookup.column}"

    @property
    def fact(self) -> str:
        return f"gold.{quoted(self.fact_model.name)}"

    @property
    def fact_name(self) -> str:
        return self.fact_model.name

    @property
    def dimension(self) -> str:
        return f"gold.{quoted(self.dimension_model.name)}"

    @property
    def match(self) -> list[str]:
        """The fact's columns that hold the dimension's key."""
        return [quoted(ours) for ours in self.lookup.on]

    @property
    def keys(self) -> list[str]:
        """The dimension's key columns, in the same order."""
        return [quoted(theirs) for theirs in self.lookup.on.values()]

    @property
    def pending(self) -> str:
        """Keys whose history changed since the fact was merged last."""
        return f"etl.pending_{self.fact_model.name}_{self.lookup.column}"

    def on(self, fact: str) -> str:
        """The version that was valid at the row's moment; for anything earlier the first one."""
        same = [
            f"{self.alias}.{theirs} = {fact}.{ours}"
            for ours, theirs in zip(self.match, self.keys, strict=True)
        ]
        as_of = f"{fact}.{quoted(self.lookup.as_of)}"
        started = f"({as_of} >= {self.alias}.valid_from OR {self.alias}.version = 1)"
        return " AND ".join([*same, f"{as_of} < {self.alias}.valid_to", started])

    @property
    def pending_ddl(self) -> str:
        types = {column.name: column.redshift for column in self.dimension_model.columns}
        return _create(
            self.pending, [(quoted(ours), types[theirs]) for ours, theirs in self.lookup.on.items()]
        )


@dataclass(frozen=True)
class Merge:
    """One model, as the templates read it; `gold_ddl` are the statements that make its gold table."""

    model: Model
    pipeline: Pipeline
    gold_ddl: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def kind(self) -> str:
        return self.model.kind

    @property
    def literal(self) -> str:
        return sql_list([self.name])

    @property
    def gold(self) -> str:
        return f"gold.{quoted(self.name)}"

    @property
    def bare(self) -> str:
        """The gold table in conditions of DELETE, UPDATE and MERGE, where it has no alias."""
        return quoted(self.name)

    @property
    def staging(self) -> str:
        return f"staging.{quoted(self.name)}"

    @property
    def procedure(self) -> str:
        return f"gold.merge_{self.name}"

    @property
    def touched_procedure(self) -> str:
        return f"gold.merge_touched_{self.name}"

    @property
    def merging(self) -> str:
        return f"merging_{self.name}"

    @property
    def again(self) -> str:
        return f"again_{self.name}"

    @property
    def touched(self) -> str:
        return f"touched_{self.name}"

    @property
    def pending(self) -> str:
        """A refresh model's groups that facts have left or entered."""
        return f"etl.pending_{self.name}"

    @property
    def key(self) -> list[str]:
        return [quoted(column) for column in self.model.key]

    @cached_property
    def types(self) -> dict[str, str]:
        """Redshift types by plain name."""
        return {column.name: column.redshift for column in self.model.checked}

    @property
    def key_types(self) -> list[tuple[str, str]]:
        return [(quoted(column), self.types[column]) for column in self.model.key]

    @property
    def surrogate(self) -> str:
        return quoted(self.model.surrogate or "")

    @property
    def columns(self) -> list[str]:
        """The columns that staging (or a refresh model's SELECT) holds, in order, less `_op`."""
        return [
            quoted(name) for name in self.types if name not in {look.column for look in self.model.lookups}
        ]

    @property
    def gold_columns(self) -> list[str]:
        """All of gold's columns; the run's is last."""
        return [*(quoted(name) for name in self.types), RUN_COLUMN]

    @property
    def compared(self) -> list[str]:
        """Gold's columns that tell whether a row has changed: all but the run's."""
        return self.gold_columns[:-1]

    @property
    def other_columns(self) -> list[str]:
        """Gold's columns but the key."""
        return [column for column in self.gold_columns if column not in self.key]

    @property
    def lookups(self) -> list[Resolving]:
        return [Resolving(self.model, self._dimension(look), look) for look in self.model.lookups]

    def _dimension(self, look: Lookup) -> Model:
        dimension = self.pipeline.model(look.dimension)
        if set(look.on.values()) != set(dimension.key):
            text = f"models.{self.name}.lookups.{look.column}.match: name the whole key of {dimension.name}"
            raise UsageError(text, hint=f"its key: {', '.join(dimension.key)}")
        return dimension

    @property
    def dependents(self) -> list[Resolving]:
        """Lookups of other models in this dimension."""
        merges = [Merge(model, self.pipeline) for model in self.pipeline.models if model.lookups]
        return [look for merge in merges for look in merge.lookups if look.dimension_model.name == self.name]

    @property
    def groups(self) -> list[Merge]:
        """The refresh models over this fact."""
        return [Merge(model, self.pipeline) for model in self.pipeline.models if model.source == self.name]

    @property
    def _source(self) -> Merge:
        return Merge(self.pipeline.model(self.source), self.pipeline)

    @property
    def source(self) -> str:
        return self.model.source or ""

    @property
    def source_literal(self) -> str:
        return sql_list([self.source])

    @property
    def source_gold(self) -> str:
        return self._source.gold

    @property
    def source_columns(self) -> list[str]:
        return self._source.gold_columns

    @property
    def source_rows(self) -> str:
        """The temporary table of the fact's rows in touched groups."""
        return f"rows_of_{self.name}"

    @property
    def hash_literal(self) -> str:
        return sql_list([self.model.select_hash])

    @property
    def select(self) -> str:
        return (self.model.select or "").rstrip().rstrip(";")

    @property
    def touched_select(self) -> str:
        """The SELECT over the fact's rows in touched groups only."""
        name = rf'\bgold\s*\.\s*"?{re.escape(self.source)}"?(?!\w)'
        return re.sub(name, self.source_rows, self.select, flags=re.IGNORECASE)

    @property
    def staging_columns(self) -> list[tuple[str, str]]:
        """Columns of the staging table, in the staged files' order: COPY from Parquet goes by position."""
        looked_up = {look.column for look in self.model.lookups}
        held = [(quoted(name), kind) for name, kind in self.types.items() if name not in looked_up]
        return [("_op", "CHAR(1)"), *held]

    @property
    def own_tables(self) -> list[tuple[str, str]]:
        """(name, CREATE TABLE) of the tables beside gold's that live and die with the model's columns."""
        pending = [(look.pending, look.pending_ddl) for look in self.lookups]
        if self.model.staged:
            return [(self.staging, _create(self.staging, self.staging_columns)), *pending]
        return [(self.pending, _create(self.pending, self.key_types))]


def _create(table: str, columns: Sequence[tuple[str, str]]) -> str:
    lines = ",\n  ".join(f"{name} {kind}" for name, kind in columns)
    return f"CREATE TABLE {table} (\n  {lines}\n)"


def copied_gold_ddl(model: Model) -> str:
    """The gold table of a copy model, whose columns are the source table's."""
    required = dict.fromkeys(model.key, " NOT NULL")
    columns = [f"{quoted(c.name)} {c.redshift}{required.get(c.name, '')}" for c in model.columns]
    key = ", ".join(quoted(name) for name in model.key)
    lines = ",\n  ".join([*columns, f"{RUN_COLUMN} VARCHAR(64)", f"PRIMARY KEY ({key})"])
    table = f"CREATE TABLE IF NOT EXISTS gold.{quoted(model.name)} (\n  {lines}\n)"
    return f"{table}\nDISTSTYLE AUTO\nSORTKEY ({key})"


__all__ = ["Merge", "Resolving", "copied_gold_ddl", "matched", "quoted"]
