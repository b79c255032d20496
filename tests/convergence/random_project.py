"""A project folder over random tables: models of every kind, written as a user would write them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from random_tables import BAD_NUMBER, TableShape

from medallion_cli.ddl import Column


@dataclass(frozen=True)
class Project:
    """What is modelled: the tables, and which of the optional models there are."""

    schema: str
    tables: tuple[TableShape, ...]
    models: frozenset[str]  # of joined, alone, dim_parent, dim_child, rolled, grouped
    extra: dict[str, dict[str, Any]] = field(default_factory=dict)  # more keys of a table's entry

    def table(self, name: str) -> TableShape:
        return next(table for table in self.tables if table.name == name)

    @property
    def references(self) -> list[tuple[str, str]]:
        """(child's column, parent's key column)."""
        return [(f"r{n}", key) for n, key in enumerate(self.table("parent").key)]

    @property
    def child_columns(self) -> list[str]:
        """Those of a child that its dimension shows, in order."""
        return [c.name for c in self.table("child").columns if c.name not in ("moment", "grp")]


def choose(chance: random.Random, schema: str, tables: list[TableShape]) -> Project:
    """A project with the models that a trial's luck gives."""
    models = {"joined", "dim_parent"}
    models |= chance.choice(({"dim_child"}, {"rolled", "alone"}))
    if chance.random() < 0.8:
        models.add("grouped")
    return Project(schema, tuple(tables), frozenset(models))


def write(project: Project, folder: Path) -> None:
    """Writes pipeline.yaml and the SQL."""
    texts = {
        "configs/pipeline.yaml": yaml.safe_dump(_pipeline(project), sort_keys=False),
        "sql/mysql/schema.sql": ";\n\n".join(table.ddl for table in project.tables) + ";\n",
    }
    for name, (table, select, ddl) in _models(project).items():
        texts[f"sql/redshift/tables/{name}.sql"] = ddl
        texts[f"sql/{'redshift/aggregates' if table else 'silver_to_gold'}/{name}.sql"] = select
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _pipeline(project: Project) -> dict[str, Any]:
    return {
        "name": "trial",
        "source": {"schema": project.schema, "ddl": "sql/mysql/schema.sql"},
        "business": {"time_zone": "UTC", "currency": "EUR"},
        "tables": {table.name: _entry(table) | project.extra.get(table.name, {}) for table in project.tables},
        "models": _entries(project),
    }


def _entry(table: TableShape) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if clean := {column.name: list(column.clean) for column in table.columns if column.clean}:
        entry["clean"] = clean
    if table.rule:
        entry["expectations"] = {
            "not_thirteen": {"expression": f"num <> {BAD_NUMBER}", "on_fail": table.rule}
        }
    return entry


def _entries(project: Project) -> dict[str, Any]:
    child, parent = project.table("child"), project.table("parent")
    on = " AND ".join(f"c.{ours} = x.{theirs}" for ours, theirs in project.references)
    touches = f"SELECT {', '.join(f'c.{key}' for key in child.key)} FROM changed x JOIN child c ON {on}"
    lookup = {"dimension": "dim_parent", "match": dict(project.references), "as_of": "moment"}
    entries: dict[str, Any] = {table.name: {"kind": "copy"} for table in project.tables}
    entries["dim_parent"] = {
        **{"kind": "scd2", "key": list(parent.key), "surrogate": "parent_sk"},
        "inputs": {"parent": "key"},
    }
    entries["dim_child"] = {
        **{"kind": "scd2", "key": list(child.key), "surrogate": "child_sk"},
        "inputs": {"child": "key", "parent": touches},
    }
    entries["joined"] = {
        **{"kind": "upsert", "key": list(child.key), "inputs": {"child": "key", "parent": touches}},
        "lookups": {"parent_sk": lookup},
    }
    entries["alone"] = {  # its dimension's table is not among its inputs: only the lookup follows it
        **{"kind": "upsert", "key": list(child.key), "inputs": {"child": "key"}},
        "lookups": {"parent_sk": lookup},
    }
    entries["rolled"] = {
        **{"kind": "upsert", "key": ["ref"]},
        "inputs": {"child": "SELECT DISTINCT c.r0 AS ref FROM changed c"},
    }
    entries["grouped"] = {"kind": "refresh", "from": "joined", "key": ["grp"]}
    wanted = {table.name for table in project.tables} | project.models
    return {name: entry for name, entry in entries.items() if name in wanted}


def _models(project: Project) -> dict[str, tuple[bool, str, str]]:
    """(computed in the warehouse, SELECT, DDL) by model."""
    made = {
        "dim_parent": _dim_parent,
        "dim_child": _dim_child,
        "joined": _joined,
        "alone": _alone,
        "rolled": _rolled,
        "grouped": _grouped,
    }
    return {name: make(project) for name, make in made.items() if name in project.models}


def _redshift(table: TableShape, name: str) -> str:
    return Column(name, table.column(name).mysql, True).redshift


def _ddl(name: str, columns: list[tuple[str, str]], key: list[str]) -> str:
    lines = [f"{column} {kind}" for column, kind in columns]
    lines += ["_run_id VARCHAR(64)", f"PRIMARY KEY ({', '.join(key)})"]
    return f"CREATE TABLE IF NOT EXISTS gold.{name} (\n  " + ",\n  ".join(lines) + "\n)\nDISTSTYLE AUTO;\n"


HISTORY = [
    ("version", "INTEGER NOT NULL"),
    ("valid_from", "TIMESTAMP NOT NULL"),
    ("valid_to", "TIMESTAMP NOT NULL"),
    ("is_current", "BOOLEAN NOT NULL"),
]


def _dim_parent(project: Project) -> tuple[bool, str, str]:
    parent = project.table("parent")
    names = [column.name for column in parent.columns]
    select = f"SELECT {', '.join(f'p.{name}' for name in names)}, p._from, p._to FROM parent p WHERE NOT p._deleted\n"
    columns = [("parent_sk", "BIGINT NOT NULL"), *((n, _redshift(parent, n)) for n in names), *HISTORY]
    return False, select, _ddl("dim_parent", columns, ["parent_sk"])


def _dim_child(project: Project) -> tuple[bool, str, str]:
    child, parent = project.table("child"), project.table("parent")
    names = project.child_columns
    on = [f"p.{theirs} = c.{ours}" for ours, theirs in project.references]
    on += ["p._from < c._to", "c._from < p._to"]
    select = (
        f"SELECT {', '.join(f'c.{name}' for name in names)}, p.label AS parent_label, p.num AS parent_num,\n"
        "  greatest(c._from, p._from) AS _from, least(c._to, p._to) AS _to\n"
        f"FROM child c LEFT JOIN parent p ON {' AND '.join(on)}\nWHERE NOT c._deleted\n"
    )
    columns = [("child_sk", "BIGINT NOT NULL"), *((n, _redshift(child, n)) for n in names)]
    columns += [(f"parent_{n}", _redshift(parent, n)) for n in ("label", "num")]
    return False, select, _ddl("dim_child", [*columns, *HISTORY], ["child_sk"])


def _joined(project: Project) -> tuple[bool, str, str]:
    child, parent = project.table("child"), project.table("parent")
    names = [*child.key, *(ours for ours, _ in project.references)]
    on = " AND ".join(f"p.{theirs} = c.{ours}" for ours, theirs in project.references)
    select = (
        f"SELECT {', '.join(f'c.{name}' for name in names)}, coalesce(c.grp, 'none') AS grp, c.num, c.moment,\n"
        f"  p.label AS parent_label, p.num AS parent_num\nFROM child c LEFT JOIN parent p ON {on}\n"
    )
    columns = [(name, _redshift(child, name)) for name in names]
    columns += [("grp", "VARCHAR(32)"), ("num", "INTEGER"), ("moment", "TIMESTAMP")]
    columns += [(f"parent_{n}", _redshift(parent, n)) for n in ("label", "num")]
    return False, select, _ddl("joined", [*columns, ("parent_sk", "BIGINT NOT NULL")], list(child.key))


def _alone(project: Project) -> tuple[bool, str, str]:
    child = project.table("child")
    names = [*child.key, *(ours for ours, _ in project.references), "moment"]
    columns = [(name, _redshift(child, name)) for name in names]
    ddl = _ddl("alone", [*columns, ("parent_sk", "BIGINT NOT NULL")], list(child.key))
    return False, f"SELECT {', '.join(f'c.{name}' for name in names)}\nFROM child c\n", ddl


def _rolled(project: Project) -> tuple[bool, str, str]:
    select = (
        "SELECT c.r0 AS ref, count(*) AS members, CAST(sum(c.num) AS BIGINT) AS total\n"
        "FROM child c WHERE c.r0 IS NOT NULL GROUP BY c.r0\n"
    )
    columns = [("ref", _redshift(project.table("child"), "r0")), ("members", "BIGINT"), ("total", "BIGINT")]
    return False, select, _ddl("rolled", columns, ["ref"])


def _grouped(project: Project) -> tuple[bool, str, str]:
    select = (
        "SELECT grp, COUNT(*) AS members, CAST(SUM(num) AS BIGINT) AS total, MAX(parent_num) AS greatest\n"
        "FROM gold.joined GROUP BY grp\n"
    )
    columns = [("grp", "VARCHAR(32)"), ("members", "BIGINT"), ("total", "BIGINT"), ("greatest", "INTEGER")]
    return True, select, _ddl("grouped", columns, ["grp"])


def document(pipeline: Any) -> str:
    """pipeline.json, as `up` puts it beside the jobs."""
    return json.dumps(pipeline.resolved())
