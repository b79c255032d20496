"""Add one table or one model to a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.dry_run import DryRun
from medallion_cli.commands.make import Url, asking

if TYPE_CHECKING:
    from medallion_cli.operations.scaffold.additions import Addition

table_app = typer.Typer(no_args_is_help=True, help="Source tables of the project.")
model_app = typer.Typer(no_args_is_help=True, help="Gold models of the project.")


def register(app: typer.Typer) -> None:
    """Adds both groups."""
    app.add_typer(table_app, name="table")
    app.add_typer(model_app, name="model")


@table_app.command("add")
def table_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table.")],
    from_mysql: Url = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help='Of a new table: "price DECIMAL(12,2)"; repeatable.')
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Add a source table: of an existing database, one that the DDL has, or a new one.

    Its entry goes into pipeline.yaml, its CREATE TABLE into the DDL; gold gets a copy of it.
    """
    call = invocation(context)
    from medallion_cli.operations.scaffold import existing, new_table

    if from_mysql is None:
        _change(call, new_table.anew(call.assets, call.pipeline, name, column or []), name, dry_run)
        return
    address = existing.parse_url(from_mysql)
    found = existing.read(address, existing.password(asking(call), address))
    _change(call, new_table.from_database(call.assets, call.pipeline, name, found), name, dry_run)


@table_app.command("update")
def table_update(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table.")],
    dry_run: DryRun = False,
) -> None:
    """Take a table's columns, as the source has them now, into the project's DDL.

    `medallion up` then brings them to silver and gold; `medallion replicate reload` the values that older rows have.
    """
    call = invocation(context)
    from medallion_cli.aws.source import Source
    from medallion_cli.operations.schema_drift import updated

    call.pipeline.table(name)
    source = Source(call.target, call.outputs["SourceFunctionName"])
    found = source.call("definition", table=name)["ddl"]
    _change(call, updated(call.assets, call.pipeline, name, found), name, dry_run)


@model_app.command("add")
def model_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model; a copy has its table's name.")],
    kind: Annotated[str, typer.Option("--kind", help="copy, upsert, scd2 or refresh.")] = "copy",
    source: Annotated[
        str | None, typer.Option("--from", help="The table that it is made of; the fact of a refresh.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="Of a refresh: a column to group by; repeatable.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Add a gold model that runs as it is: its entry, its SELECT and its table, to be edited from there."""
    call = invocation(context)
    from medallion_cli.operations.scaffold.new_model import new_model

    _change(call, new_model(call.assets, call.pipeline, name, kind, source, key or []), name, dry_run)


def _change(call: Invocation, addition: Addition, name: str, dry_run: bool) -> None:
    """Shows or writes it; the changed files are the result."""
    from medallion_cli.operations.scaffold.additions import apply, difference, own_project

    folder = own_project(call.assets)
    lines = list(difference(addition, folder))
    if not dry_run:
        apply(addition, folder)
    if call.terminal.wants_json:
        call.terminal.document(
            {"version": 1, "name": name, "changed": not dry_run, "files": list(addition.files),
             "review": list(addition.notes), "difference": lines}
        )  # fmt: skip
    else:
        for line in lines if dry_run else addition.files:
            call.terminal.line(line)
    for note in addition.notes:
        call.terminal.say(f"review: {note}", None)
    if not dry_run:
        call.terminal.say(f"Next: {call.command('validate')}, then {call.command('up')}", None)
