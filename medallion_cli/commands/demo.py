"""The whole pipeline in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medallion_cli.commands import checks, observe, provision
from medallion_cli.commands.context import invocation
from medallion_cli.commands.data import run, seed


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    rows: Annotated[int, typer.Option("--rows", min=1000, help="Rows over all tables.")] = 100_000,
    html: Annotated[Path, typer.Option("--html", help="Where the page goes.")] = Path("medallion-demo.html"),
) -> None:
    """Up, seed, run, verify, dashboard: from nothing to the five answers. The environment stays up."""
    call = invocation(context)
    provision.up(context, yes=True)
    seed(context, rows=rows, changes=0, from_mysql=None, seed_=42)
    run(context, layer=None, table=None, full=False)
    seed(context, rows=0, changes=max(rows // 50, 100), from_mysql=None, seed_=43)
    run(context, layer=None, table=None, full=False)
    checks.verify(context)
    observe.dashboard(context)
    observe.dashboard(context, html=html)
    call.terminal.say(f"Take it down with: {call.command('down --yes')}", None)
