"""Ask the warehouse: SQL on gold, rows of any layer."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from medallion_cli.commands import tabular
from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.errors import UsageError


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (query, peek, lineage):
        app.command()(command)


def query(
    context: typer.Context,
    sql: Annotated[
        str | None, typer.Argument(help="One statement; without it, stdin, or a shell on a terminal.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="As the administrator: whatever the statement changes stays.")
    ] = False,
) -> None:
    """Run SQL on gold: a table (in a pager when it is long), or --output csv, json or parquet. Read-only.

    Without SQL a shell opens on a terminal, with history and completion; a pipe gives the SQL otherwise. Without
    --write the database itself refuses to change anything: the statement runs as a user that can only read.
    """
    call = invocation(context)
    from medallion_cli.operations.query import query as ask

    tabular.refuse_screen(call)
    if sql is None and sys.stdin.isatty():
        _shell(call, write)
        return
    text = sys.stdin.read() if sql is None or sql == "-" else sql
    tabular.show(call, ask(warehouse(call), text, write=write))


def peek(
    context: typer.Context,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="source, bronze, silver, staging or gold.")],
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="A table (silver also has T_changes); a model in staging and gold."
        ),
    ],
    key: Annotated[
        str | None, typer.Option("--key", "-k", help="Of one row: a value, or column=value,column=value.")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            max=1000,
            help="At most so many rows: the newest of bronze and silver, the highest keys of the source, gold's lowest.",
        ),
    ] = 10,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Personal columns as they are, not masked.")
    ] = False,
) -> None:
    """Rows of one layer as they are. Silver takes a Glue job: about a minute on AWS."""
    call = invocation(context)
    from medallion_cli.operations.peek import peek as look
    from medallion_cli.operations.peek import question

    asked = question(call.pipeline, layer, table, key, limit)
    where = (call.target, call.outputs, call.settings, call.pipeline, warehouse(call))
    found = call.terminal.follow(look(*where, asked, show_personal=show_personal))
    match call.output:
        case "json":
            call.terminal.document(found.dicts())
        case "csv":
            call.terminal.raw(tabular.csv_text(found.columns, found.rows).encode())
        case _ if found.rows:
            call.terminal.paged(found.columns, [[_exact(value) for value in row] for row in found.rows])
        case _:
            call.terminal.say("no rows", None)
    if found.masked:
        call.terminal.say(f"masked: {', '.join(found.masked)} (--show-personal shows them)")


def _exact(value: object) -> object:
    """A moment with all its digits: other tables show seconds."""
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value


def lineage(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL|COLUMN]", help="A table, model, view, visual, or TABLE.COLUMN; default all."
        ),
    ] = None,
) -> None:
    """Where it comes from and where it goes, from source to dashboard: a tree, --output mermaid or json.

    Read from the specification and, by a parser, from the SELECTs; nothing is asked of AWS.
    """
    call = invocation(context)
    from medallion_cli.commands import lineage_view
    from medallion_cli.dashboard import load_dashboard
    from medallion_cli.lineage import lineage as trace

    graph = trace(call.pipeline, call.assets, load_dashboard(call.assets))
    match call.output:
        case "json":
            call.terminal.document(lineage_view.document(graph, name))
        case "mermaid":
            call.terminal.line(lineage_view.mermaid(graph, name))
        case _:
            lineage_view.draw(call.terminal, graph, name)


def _shell(call: Invocation, write: bool) -> None:
    from medallion_cli.commands.shell import run

    if call.output != "table":
        raise UsageError("the shell shows tables", hint=call.command('query "SELECT …" --output json'))
    run(call, warehouse(call), write=write)
