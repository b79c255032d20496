"""Process again what was processed, load again what was loaded; both tell first what they read and touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import show_result, warehouse
from medallion_cli.commands.dry_run import DryRun

if TYPE_CHECKING:
    from medallion_cli.operations.replay import ReplayPlan


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    app.command()(replay)


def replay(
    context: typer.Context,
    from_: Annotated[
        str,
        typer.Option("--from", metavar="RUN|TIME|all", help="A run's id, a moment (UTC), or all there is."),
    ],
    layer: Annotated[str | None, typer.Option("--layer", "-l", help="silver or gold; default both.")] = None,
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="Only this table, and models that read it.")
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Process again what a run and those after it took, by today's rules; what differs is replaced at one go.

    Bronze is read, never changed. Readers see the old state until the new one is whole. To bring in rows
    that bronze has lost, see replicate reload.
    """
    call = invocation(context)
    from medallion_cli.operations import replay as replays

    origin = replays.origin(call.target, call.outputs, from_)
    plan = replays.plan(call.target, call.outputs, call.pipeline, warehouse(call), origin, layer, table)
    if dry_run and call.terminal.wants_json:
        call.terminal.document(plan.document)
        return
    _tell(call, plan)
    if dry_run:
        return
    call.confirm("Process this again?", yes)
    show_result(call, call.terminal.follow(replays.replay(call.target, call.outputs, call.settings, plan)))


def _tell(call: Invocation, plan: ReplayPlan) -> None:
    """What will be read and touched, on stderr where a document goes to stdout."""
    if call.terminal.wants_json:
        return
    if plan.reads:
        columns = ("table", "files", "bytes", "first", "last")
        rows = [tuple(getattr(read, column) for column in columns) for read in plan.reads if read.files]
        call.terminal.rows(f"reads of bronze, since {plan.since}", columns, rows)
        call.terminal.say(f"replaces rows that differ in silver: {', '.join(plan.touches)}", None)
    if plan.models:
        told = ", ".join(f"{model} ({how})" for model, how in plan.models.items())
        call.terminal.say(f"merges into gold, in one transaction: {told}", None)
    elif "gold" in plan.run.layers:
        call.terminal.say("gold: nothing was merged since", None)
