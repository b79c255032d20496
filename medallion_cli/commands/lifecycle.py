"""Pause, resume, and take an environment down."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.commands.context import Invocation
    from medallion_cli.operations.cost import CostEstimate, CostLine

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (cost, pause, resume, down):
        app.command()(command)


Schedule = Annotated[bool, typer.Option("--schedule", help="The pipeline's and the generator's schedule.")]


def pause(context: typer.Context, schedule: Schedule = False) -> None:
    """Switch the schedules off."""
    _switch(context, schedule, enabled=False)


def resume(context: typer.Context, schedule: Schedule = False) -> None:
    """Switch the schedules on: runs and synthetic changes then start by themselves."""
    _switch(context, schedule, enabled=True)


def _switch(context: typer.Context, schedule: bool, *, enabled: bool) -> None:
    call = invocation(context)
    if not schedule:
        word = "resume" if enabled else "pause"
        raise UsageError(f"nothing to {word}", hint=call.command(f"{word} --schedule"))
    from medallion_cli.aws.schedules import switch

    found = switch(call.target, call.outputs, enabled)
    if call.terminal.wants_json:
        call.terminal.document(found)
    else:
        columns = ("schedule", "enabled", "when")
        call.terminal.rows(None, columns, [(s.name, s.enabled, s.expression) for s in found])


def down(
    context: typer.Context,
    yes: Yes = False,
    delete_data: Annotated[
        bool,
        typer.Option("--delete-data", help="Also empty and delete buckets and snapshots (implied locally)."),
    ] = False,
) -> None:
    """Take the environment down. Locally nothing remains; on AWS data is kept unless --delete-data."""
    call = invocation(context)
    call.confirm(f"Take down {call.settings.prefix}, with its data?", yes)
    from medallion_cli.operations.teardown import destroy

    if call.settings.target == "embedded":
        from medallion_cli.commands.local import exists, remove

        if not exists(call):
            call.terminal.say(f"{call.settings.prefix} is not up", None)
            return
        remove(call)
        call.terminal.say(f"{call.settings.prefix} is gone", None)
        return
    call.change("down", destroy(call.target, call.settings, delete_data))
    call.terminal.say(f"{call.settings.prefix} is gone", None)


def cost(context: typer.Context) -> None:
    """Estimate what the environment costs, an hour and a month, idle and running. Asks AWS nothing."""
    call = invocation(context)
    from medallion_cli.operations.cost import estimate
    from medallion_cli.operations.package import render_templates

    templates = render_templates(call.pipeline, call.assets, call.settings)
    show_cost(call, estimate(call.settings, templates, call.assets))


def show_cost(call: Invocation, found: CostEstimate) -> None:
    """A line a resource, the sums, what is paid by use, and what is assumed; or one JSON document."""
    if call.terminal.wants_json:
        call.terminal.document(found)
        return
    columns = ("resource", "what", "idle/h", "running/h", "idle/month", "running/month", "paused/month")
    lines = sorted(found.lines, key=lambda line: -line.running_hour)
    rows = [(line.resource, line.what, *_amounts(line)) for line in lines]
    if rows:
        title = f"{found.env} in {found.region}, {found.currency}, prices as of {found.as_of}"
        call.terminal.rows(title, columns, [*rows, ("total", "", *_amounts(found))])
    for used in found.by_use:
        call.terminal.line(f"by use: {used.what}: {used.price:g} per {used.unit}")
    for name in found.missing:
        call.terminal.line(f"no price of {name}: add it to configs/prices.yaml; it is in no sum")
    for note in (*found.notes, *([str(found)] if rows else [])):
        call.terminal.line(note)


def _amounts(of: CostLine | CostEstimate) -> tuple[Decimal, ...]:
    hours = (Decimal(f"{amount:.4f}") for amount in (of.idle_hour, of.running_hour))
    months = (Decimal(f"{amount:.2f}") for amount in (of.idle_month, of.running_month, of.paused_month))
    return (*hours, *months)
