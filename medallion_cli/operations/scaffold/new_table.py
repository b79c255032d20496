"""`table add`: a source table from an existing database, from the project's DDL, or anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medallion_cli.errors import UsageError
from medallion_cli.operations.scaffold.additions import Addition, own_project, with_entry
from medallion_cli.operations.scaffold.words import flow

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.operations.scaffold.existing import Catalogue
    from medallion_cli.spec import Pipeline

_COLUMN = re.compile(r"^([A-Za-z_]\w*)\s+(\S.*)$")


def from_database(assets: Assets, pipeline: Pipeline, name: str, found: Catalogue) -> Addition:
    """A table of an existing database, with its references to tables that the project has."""
    from medallion_cli.operations.scaffold.project import table_entry
    from medallion_cli.operations.scaffold.review import review

    known = {table.name for table in pipeline.tables} | {name}
    there = [table for table in found.tables if table.name in known]
    each = next((one for one in review(tuple(there)) if one.table.name == name), None)
    if each is None:
        names = ", ".join(sorted(table.name for table in found.tables)) or "it has none"
        raise UsageError(f"{found.database} has no table {name}", hint=f"one of: {names}")
    if each.refused:
        raise UsageError(f"{name} cannot be taken: {each.refused}", hint="mend that in the source first")
    folder = own_project(assets)
    return Addition(
        {
            "configs/pipeline.yaml": with_entry(folder, "tables", name, table_entry(each)),
            **_ddl(assets, pipeline, name, each.ddl),
        },
        each.notes,
    )


def anew(assets: Assets, pipeline: Pipeline, name: str, columns: Sequence[str]) -> Addition:
    """A table that the DDL has, or one of `columns` ("price DECIMAL(12,2)") with a key that counts."""
    folder = own_project(assets)
    if not re.fullmatch(r"[A-Za-z_]\w{0,62}", name):
        raise UsageError(f"{name!r} is no table's name", hint="letters, digits and _")
    entry = {"configs/pipeline.yaml": with_entry(folder, "tables", name, [f"  {flow(name)}: {{}}"])}
    if _has(assets, pipeline, name):
        if columns:
            raise UsageError(f"{name} has its columns in {pipeline.source['ddl']}", hint="leave --column out")
        return Addition(entry)
    return Addition({**entry, **_ddl(assets, pipeline, name, _create(name, columns))}, _notes(name, columns))


def _notes(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    return () if columns else (f"{name} has a key and a name alone: write its columns into the DDL",)


def _create(name: str, columns: Sequence[str]) -> str:
    from medallion_cli.spec import OWN_COLUMN

    given = [match for column in columns if (match := _COLUMN.match(column))]
    if len(given) < len(columns):
        raise UsageError("a column is a name and a type", hint='--column "price DECIMAL(12,2)"')
    if own := [match[1] for match in given if OWN_COLUMN.fullmatch(match[1])]:
        raise UsageError(f"the pipeline uses the name {own[0]} itself", hint="give the column another name")
    listed = [f"  `{match[1]}` {match[2]}" for match in given] or ["  `name` VARCHAR(200) NOT NULL"]
    key = f"{name}_id"
    body = ",\n".join([f"  `{key}` BIGINT NOT NULL AUTO_INCREMENT", *listed, f"  PRIMARY KEY (`{key}`)"])
    return f"CREATE TABLE `{name}` (\n{body}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"


def _has(assets: Assets, pipeline: Pipeline, name: str) -> bool:
    from medallion_cli.ddl import parse_tables

    file = pipeline.source["ddl"]
    return name in parse_tables(assets.read(file), "mysql", file)


def _ddl(assets: Assets, pipeline: Pipeline, name: str, statement: str) -> dict[str, str]:
    """The DDL file with the table; as it is when it has one."""
    file = pipeline.source["ddl"]
    if _has(assets, pipeline, name):
        return {}
    return {file: f"{assets.read(file).rstrip()}\n\n{statement};\n"}
