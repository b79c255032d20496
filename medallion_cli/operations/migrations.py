"""Migrations of a live warehouse: what is due (`plan` shows it), and bringing it there (`up` does, after its stacks)."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Noted, Progressed
from medallion_cli.migrations import CATALOG, PROCEDURES, ROLES, SHAPES, Deployed, Migration, deployed
from medallion_cli.warehouse import Statement, bootstrap_statements, due, schema_statements, update_statements

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.spec import Pipeline

STEP = "warehouse bootstrap"
EMPTIED = "; ITS TABLE IS REPLACED BY AN EMPTY ONE until the next run"


def digest(pipeline: Pipeline, assets: Assets) -> str:
    """Of everything that the project's warehouse is made of: another one says that `bring` has something to do."""
    statements = bootstrap_statements(pipeline, assets)
    return hashlib.sha256("\n".join(s.sql for s in statements).encode()).hexdigest()


def look(warehouse: Warehouse) -> Deployed:
    """What the warehouse holds; nothing, as long as it was never set up."""
    columns = warehouse.execute(CATALOG).rows
    is_set_up = any(schema == "etl" and table == "shape" for schema, table, *_ in columns)
    shapes = warehouse.execute(SHAPES).rows if is_set_up else ()
    return deployed(columns, shapes, warehouse.execute(PROCEDURES).rows, warehouse.execute(ROLES).rows)


def pending(warehouse: Warehouse, pipeline: Pipeline, assets: Assets) -> list[Migration]:
    """What `up` would do to gold; reads only."""
    return due(pipeline, assets, look(warehouse))


def bring(
    warehouse: Warehouse, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, list[Migration]]:
    """Brings the warehouse to what the project says. Interrupted anywhere, the same again goes on; the migrations made."""
    for statement in schema_statements(assets):
        _execute(warehouse, statement)
    there = look(warehouse)
    found = due(pipeline, assets, there)
    for migration in found if there.shapes else ():
        yield Noted(f"gold: {migration}{EMPTIED if migration.empties else ''}")
    statements = update_statements(pipeline, assets, there)
    for number, statement in enumerate(statements, start=1):
        _execute(warehouse, statement)
        yield Progressed(STEP, number, len(statements), "statements")
    _recompute(warehouse, pipeline)
    return found


def _recompute(warehouse: Warehouse, pipeline: Pipeline) -> None:
    """Aggregates whose SELECT is another one now: the warehouse has all that they are made of."""
    rows = warehouse.execute("SELECT model, select_hash FROM etl.position").rows
    known = {str(model): known_hash for model, known_hash in rows}
    stale = [
        model
        for model in pipeline.models
        if model.source in known and known.get(model.name) != model.select_hash
    ]
    if stale:
        run_id = f"up-{hashlib.sha256(''.join(m.select_hash for m in stale).encode()).hexdigest()[:12]}"
        names = ",".join(model.name for model in stale)
        warehouse.execute("CALL gold.merge_run(:run_id, :models)", {"run_id": run_id, "models": names})


def _execute(warehouse: Warehouse, statement: Statement) -> None:
    try:
        warehouse.execute(statement.sql)
    except MedallionError as error:
        raise MedallionError(f"{statement.name}: {error}", hint="medallion validate") from error
