"""All SQL that a pipeline's warehouse is made of, rendered from its specification; nothing is run here.

Every statement can be run again: tables change by migrations alone, procedures and views are replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from medallion_cli import __version__
from medallion_cli.assets import Assets
from medallion_cli.errors import UsageError
from medallion_cli.merges import Merge, copied_gold_ddl, matched, quoted
from medallion_cli.migrations import EMPTY, Deployed, Migration, migrations
from medallion_cli.privacy import (
    ANALYST,
    PRIVILEGED,
    READABLE,
    READER,
    ROLES,
    SCHEMA,
    masked_view,
    personal_columns,
    personal_views,
)
from medallion_cli.spec import Model, Pipeline, sql_list

LARGEST_STATEMENT = 100 * 1024  # bytes, of the Data API
PROCEDURES = "sql/redshift/procedures"
SCHEMAS = ("sql/redshift/schemas/schemas.sql", "sql/redshift/schemas/tables.sql")
_SEPARATED = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|(\$\w*\$).*?\2|;)", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One statement of the bootstrap; `name` says what it is for, such as `table gold.fact_sales`."""

    name: str
    sql: str


@dataclass(frozen=True)
class View:
    """A file of sql/redshift/views, as the templates read it."""

    name: str
    procedure: str
    statements: tuple[str, ...]


def bootstrap_statements(pipeline: Pipeline, assets: Assets, there: Deployed = EMPTY) -> list[Statement]:
    """Everything from the schemas on, in an order in which it can be run; `there` is what the warehouse holds."""
    return [*schema_statements(assets), *update_statements(pipeline, assets, there)]


def schema_statements(assets: Assets) -> list[Statement]:
    """Schemas and ledger: what reading a warehouse's state stands on."""
    return _within_limits(
        Statement(f"{name} {number}", sql)
        for name in SCHEMAS
        for number, sql in enumerate(split_statements(assets.read(name)), 1)
    )


def update_statements(pipeline: Pipeline, assets: Assets, there: Deployed) -> list[Statement]:
    """Roles, procedures of views, the migrations due in one transaction, and the procedures that merge."""
    return _within_limits(
        [
            *(Statement(f"role {name}", f"CREATE ROLE {name}") for name in ROLES if name not in there.roles),
            *_reader(there),
            *_views(pipeline, assets),
            *_migrations(pipeline, assets, there),
            *_procedures(pipeline, assets),
        ]
    )


def _reader(there: Deployed) -> Iterator[Statement]:
    if READER not in there.roles:
        yield Statement(f"user {READER}", f"CREATE USER {READER} PASSWORD DISABLE")


def due(pipeline: Pipeline, assets: Assets, there: Deployed) -> list[Migration]:
    """The migrations between what a warehouse holds and what the project says."""
    merges = [_merge(model, pipeline, assets) for model in pipeline.models]
    return migrations(merges, pipeline, extra_tables(pipeline, assets), there)


def _within_limits(statements: Iterable[Statement]) -> list[Statement]:
    found = list(statements)
    for statement in found:
        if len(statement.sql.encode()) > LARGEST_STATEMENT:
            raise UsageError(f"{statement.name}: longer than the 100 KB that Redshift's Data API takes")
    return found


def staging_table(model: Model, pipeline: Pipeline) -> str:
    """CREATE TABLE of `staging.<model>`: `_op` ('U' or 'D'), then the staged files' columns in order."""
    return dict(Merge(model, pipeline).own_tables)[Merge(model, pipeline).staging]


def gold_table(model: Model, pipeline: Pipeline, assets: Assets) -> str:
    """CREATE TABLE of `gold.<model>`: the project's own file; for a copy model the source's columns."""
    return ";\n".join(_gold_ddl(model, pipeline, assets))


def merge_procedure(model: Model, pipeline: Pipeline, assets: Assets) -> str:
    """CREATE PROCEDURE of `gold.merge_<model>(run_id)`."""
    return _rendered(f"{model.kind}.sql", assets, m=_merge(model, pipeline, assets))


def merge_run(pipeline: Pipeline, assets: Assets) -> str:
    """CREATE PROCEDURE of `gold.merge_run(run_id, models)`."""
    return _rendered("merge_run.sql", assets, models=[Merge(model, pipeline) for model in pipeline.models])


def split_statements(text: str) -> list[str]:
    """A script's statements without their semicolons; those in strings, comments and bodies don't count."""
    parts, current = [], ""
    for number, piece in enumerate(_SEPARATED.split(text)):
        if number % 3 == 2:
            continue  # the inner group: the dollar quote itself
        if piece == ";":
            parts.append(current)
            current = ""
        else:
            current += piece or ""
    bodies = [part.strip() for part in [*parts, current]]
    return [body for body in bodies if re.sub(r"--[^\n]*|/\*.*?\*/", "", body, flags=re.DOTALL).strip()]


def _migrations(pipeline: Pipeline, assets: Assets, there: Deployed) -> Iterator[Statement]:
    found = due(pipeline, assets, there)
    for migration in found:
        sql = _rendered("migrate_model.sql", assets, m=migration, tool=__version__)
        yield Statement(f"procedure etl.migrate_{migration.model}", sql)
    extra = [sql for statements in extra_tables(pipeline, assets).values() for sql in statements]
    yield Statement("procedure etl.migrate", _rendered("migrate.sql", assets, migrations=found, extra=extra))
    yield Statement("migrations", "CALL etl.migrate()")


def _procedures(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    for model in pipeline.models:
        merge = _merge(model, pipeline, assets)
        yield Statement(f"procedure {merge.procedure}", merge_procedure(model, pipeline, assets))
        if model.kind == "refresh":
            sql = _rendered("refresh_touched.sql", assets, m=merge)
            yield Statement(f"procedure {merge.touched_procedure}", sql)
    yield Statement("procedure gold.merge_run", merge_run(pipeline, assets))


def extra_tables(pipeline: Pipeline, assets: Assets) -> dict[str, tuple[str, ...]]:
    """Statements of the project's tables that are no models, such as dim_date, by name."""
    models = {model.name for model in pipeline.models}
    names = [name for name in assets.listing("sql/redshift/tables", "*.sql") if _stem(name) not in models]
    return {_stem(name): tuple(_file(name, pipeline, assets)) for name in names}


def view_files(pipeline: Pipeline, assets: Assets) -> list[View]:
    """The project's views, in the order in which they are made."""
    return [_view(name, pipeline, assets) for name in assets.listing("sql/redshift/views", "*.sql")]


def _views(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    personal = personal_columns(pipeline)
    files = view_files(pipeline, assets)
    masked = [_masked(model, personal[model.name]) for model in pipeline.models]
    views = [*files, *masked]
    yield Statement("procedure etl.drop_views", _rendered("drop_views.sql", assets))
    for view in views:
        yield Statement(f"procedure {view.procedure}", _rendered("make_view.sql", assets, view=view))
    shape = hashlib.sha256(repr(views).encode()).hexdigest()[:16]
    yield Statement(
        "procedure etl.renew_views", _rendered("renew_views.sql", assets, views=views, shape=shape)
    )
    closed = personal_views({v.name: ";\n".join(v.statements) for v in files}, personal)
    plain = [f"gold.{quoted(name)}" for name in extra_tables(pipeline, assets)]
    yield Statement("procedure etl.grant_roles", _grants(assets, plain + [v.name for v in files], closed))


def _masked(model: Model, personal: frozenset[str]) -> View:
    name, select = (
        f"{SCHEMA}.{quoted(model.name)}",
        masked_view(model, f"gold.{quoted(model.name)}", personal),
    )
    return View(name, f"etl.make_masked_{model.name}", (f"CREATE OR REPLACE VIEW {name} AS {select}",))


def _grants(assets: Assets, readable: Iterable[str], closed: Sequence[str]) -> str:
    return _rendered(
        "grant_roles.sql",
        assets,
        masked=SCHEMA,
        reader=READER,
        readable=READABLE,
        roles=ROLES,
        analyst=ANALYST,
        privileged=PRIVILEGED,
        open=[name for name in readable if name not in closed],
        closed=closed,
    )


def _view(name: str, pipeline: Pipeline, assets: Assets) -> View:
    stem = _stem(name)
    return View(f"gold.{stem}", f"etl.make_{stem}", tuple(_file(name, pipeline, assets)))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".sql")


def _merge(model: Model, pipeline: Pipeline, assets: Assets) -> Merge:
    return Merge(model, pipeline, tuple(_gold_ddl(model, pipeline, assets)))


def _gold_ddl(model: Model, pipeline: Pipeline, assets: Assets) -> list[str]:
    if model.kind == "copy":
        return [copied_gold_ddl(model)]
    return _file(f"sql/redshift/tables/{model.name}.sql", pipeline, assets)


def _file(name: str, pipeline: Pipeline, assets: Assets) -> list[str]:
    """A project file's statements, with the specification's facts filled in."""
    import jinja2

    try:
        template = _environment(assets).from_string(assets.read(name))
        return split_statements(template.render(business=pipeline.business, source=pipeline.source))
    except jinja2.TemplateError as error:
        raise UsageError(f"{name}: {error}", hint="medallion validate") from error


def _rendered(name: str, assets: Assets, **facts: Any) -> str:
    return str(_environment(assets).get_template(name).render(**facts)).strip()


@lru_cache(4)
def _environment(assets: Assets) -> Any:
    """Jinja over the procedure templates, with the filters that write lists of columns."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(lambda name: assets.read(f"{PROCEDURES}/{name}")),
    )
    environment.filters.update(sql_list=sql_list, matched=matched, prefixed=_prefixed, assigned=_assigned)
    return environment


def _prefixed(columns: Sequence[str], alias: str) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


def _assigned(columns: Sequence[str], alias: str) -> list[str]:
    return [f"{column} = {alias}.{column}" for column in columns]
