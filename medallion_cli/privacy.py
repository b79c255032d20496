"""Which gold columns tell of a person, and what they look like to somebody who may not know.

A table's `personal:` columns are followed through the SELECTs of models; a model's own `personal:` adds what is not seen there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError
from medallion_cli.lineage import origins

if TYPE_CHECKING:
    from medallion_cli.spec import Model, Pipeline

ANALYST, PRIVILEGED = "medallion_analyst", "medallion_privileged"
ROLES = (ANALYST, PRIVILEGED)
READER = (
    "medallion_reader"  # the user as whom `query` reads: nobody signs in as it, and it can change nothing
)
READABLE = ("gold", "masked", "staging", "etl")
SCHEMA = "masked"
MASK = "***"

Columns = dict[str, frozenset[str]]


def personal_columns(pipeline: Pipeline) -> Columns:
    """Personal columns of every model, by name."""
    sources = {table.name: frozenset(table.personal) for table in pipeline.tables}
    shapes = {table.name: [column.name for column in table.columns] for table in pipeline.tables}
    found: Columns = {}
    for model in pipeline.models:
        if model.kind == "copy":
            found[model.name] = sources[model.name]
        elif model.source is not None:
            gold = {model.source: [c.name for c in pipeline.model(model.source).checked]}
            found[model.name] = _model(model, gold, found, "redshift")
        else:
            found[model.name] = _model(model, shapes, sources, "spark")
    return found


def personal_views(views: Mapping[str, str], personal: Mapping[str, frozenset[str]]) -> list[str]:
    """Names of the views (`gold.v_x`, in the order in which they are made) that show a personal column or such a view."""
    closed: list[str] = []
    for name, sql in views.items():
        if _shows(sql, personal, {other.rpartition(".")[2].strip('"') for other in closed}):
            closed.append(name)
    return closed


def _shows(sql: str, personal: Mapping[str, frozenset[str]], closed: set[str]) -> bool:
    """Whether SQL names a personal column of a gold model, all columns of one that has some, or a closed view."""
    import sqlglot

    try:
        parsed = [statement for statement in sqlglot.parse(sql, read="redshift") if statement is not None]
    except sqlglot.errors.ParseError:
        return True  # what cannot be read is kept from analysts
    return any(_statement_shows(statement, personal, closed) for statement in parsed)


def _statement_shows(parsed: Any, personal: Mapping[str, frozenset[str]], closed: set[str]) -> bool:
    from sqlglot import exp

    tables = {table.name for table in parsed.find_all(exp.Table)}
    if parsed.find(exp.Command) or tables & closed:
        return True
    told = {column for name in tables for column in personal.get(name, ())}
    stars = [star for star in parsed.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
    return bool(told and (stars or told & {column.name for column in parsed.find_all(exp.Column)}))


def masked_view(model: Model, relation: str, personal: frozenset[str]) -> str:
    """SELECT of a model's columns in which personal ones are masked: texts as `***`, anything else as NULL."""
    from medallion_cli.merges import quoted

    parts = [
        _masked(quoted(column.name), column.redshift) if column.name in personal else quoted(column.name)
        for column in model.checked
    ]
    return "SELECT " + ", ".join(parts) + f" FROM {relation}"


def _masked(name: str, kind: str) -> str:
    base, _, length = kind.upper().partition("(")
    if base.strip() not in ("VARCHAR", "CHAR", "CHARACTER VARYING", "TEXT", "BPCHAR"):
        return f"CAST(NULL AS {kind}) AS {name}"
    text = MASK[: int(length.rstrip(")"))] if length.rstrip(")").isdigit() else MASK
    return f"CAST(CASE WHEN {name} IS NOT NULL THEN '{text}' END AS {kind}) AS {name}"


def _model(
    model: Model, shapes: Mapping[str, list[str]], personal: Mapping[str, frozenset[str]], dialect: str
) -> frozenset[str]:
    from sqlglot.errors import SqlglotError

    tagged = frozenset(model.personal)
    if not any(personal.get(name) for name in shapes):
        return tagged
    try:
        return tagged | _lineage(model, shapes, personal, dialect)
    except (SqlglotError, ValueError) as error:
        raise UsageError(
            f"models.{model.name}: which of its columns are personal cannot be read from its SELECT "
            f"({' '.join(str(error).split())[:120]})",
            hint="make every column's table plain, as in `c.email`",
        ) from None


def _lineage(
    model: Model, shapes: Mapping[str, list[str]], personal: Mapping[str, frozenset[str]], dialect: str
) -> frozenset[str]:
    known = {(table.lower(), column.lower()) for table, columns in personal.items() for column in columns}
    found = origins(model.select or "", [column.name for column in model.columns], shapes, dialect)
    return frozenset(name for name, made_of in found.items() if made_of & known)
