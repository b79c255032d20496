"""The whole pipeline in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from medallion_cli.commands import checks, observe, provision
from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import run, seed
from medallion_cli.console import Terminal


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
    steps: list[tuple[str, Callable[[], None]]] = [
        ("up", lambda: provision.up(context, yes=True)),
        ("seed", lambda: seed(context, rows=rows, changes=0, from_mysql=None, seed_=42)),
        ("run", lambda: run(context, layer=None, table=None, full=False)),
        ("seed", lambda: seed(context, rows=0, changes=max(rows // 50, 100), from_mysql=None, seed_=43)),
        ("run", lambda: run(context, layer=None, table=None, full=False)),
        ("verify", lambda: checks.verify(context)),
        ("dashboard", lambda: observe.dashboard(context)),
        ("dashboard", lambda: observe.dashboard(context, html=html)),
    ]
    _all(call, steps)
    call.terminal.say(f"Take it down with: {call.command('down --yes')}", None)


@dataclass
class Gathering(Terminal):
    """Keeps the documents of several commands, for one of its own."""

    documents: list[object] = field(default_factory=list)

    def document(self, value: object) -> None:
        """Keeps it."""
        self.documents.append(value)


def _all(call: Invocation, steps: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """One after another; in JSON what they print, one document each, is one, also when a step fails."""
    shown = call.terminal
    call.terminal = kept = Gathering(shown.output, shown.quiet)
    try:
        for _, step in steps:
            step()
    finally:
        call.terminal = shown
        told = [{"command": n, "document": d} for (n, _), d in zip(steps, kept.documents, strict=False)]
        if shown.wants_json:
            shown.document({"version": 1, "steps": told})
