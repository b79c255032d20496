"""All SQL that a pipeline's warehouse is made of, rendered from its specification; nothing is run here.

Every statement can be run again: tables stay as long as their columns do, procedures and views are replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.errors import UsageError
from medallion_cli.merges import Merge, copied_gold_ddl, matched
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


def bootstrap_statements(pipeline: Pipeline, assets: Assets) -> list[Statement]:
    """Schemas, ledger, tables, procedures, other tables and views, in an order in which they can be run."""
    found = [
        *_schemas(assets),
        *_tables(pipeline, assets),
        *_procedures(pipeline, assets),
        *_extra_tables(pipeline, assets),
        *_views(pipeline, assets),
    ]
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


def _schemas(assets: Assets) -> Iterator[Statement]:
    for name in SCHEMAS:
        for number, sql in enumerate(split_statements(assets.read(name)), 1):
            yield Statement(f"{name} {number}", sql)


def _tables(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    yield Statement("procedure etl.drop_views", _rendered("drop_views.sql", assets))
    for model in pipeline.models:
        merge = _merge(model, pipeline, assets)
        yield Statement(
            f"procedure {merge.renew_procedure}",
            _rendered("renew.sql", assets, m=merge),
        )
        yield Statement(f"tables of {model.name}", f"CALL {merge.renew_procedure}()")


def _procedures(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    for model in pipeline.models:
        merge = _merge(model, pipeline, assets)
        yield Statement(f"procedure {merge.procedure}", merge_procedure(model, pipeline, assets))
        if model.kind == "refresh":
            sql = _rendered("refresh_touched.sql", assets, m=merge)
            yield Statement(f"procedure {merge.touched_procedure}", sql)
    yield Statement("procedure gold.merge_run", merge_run(pipeline, assets))


def _extra_tables(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    """Tables of the project that are no models, such as dim_date."""
    models = {model.name for model in pipeline.models}
    for name in assets.listing("sql/redshift/tables", "*.sql"):
        if _stem(name) not in models:
            for number, sql in enumerate(_file(name, pipeline, assets), 1):
                yield Statement(f"table gold.{_stem(name)} {number}", sql)


def _views(pipeline: Pipeline, assets: Assets) -> Iterator[Statement]:
    views = [_view(name, pipeline, assets) for name in assets.listing("sql/redshift/views", "*.sql")]
    for view in views:
        yield Statement(f"procedure {view.procedure}", _rendered("make_view.sql", assets, view=view))
    shape = hashlib.sha256(repr(views).encode()).hexdigest()[:16]
    yield Statement(
        "procedure etl.renew_views", _rendered("renew_views.sql", assets, views=views, shape=shape)
    )
    yield Statement("views", "CALL etl.renew_views()")


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
