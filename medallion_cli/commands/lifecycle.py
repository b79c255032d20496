"""Pause, resume, and take an environment down."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medallion_cli.aws.schedules import Schedule as ScheduleState
    from medallion_cli.commands.context import Invocation
    from medallion_cli.operations.cost import CostEstimate, CostLine

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (cost, drift, pause, resume, down):
        app.command()(command)


Schedule = Annotated[
    bool, typer.Option("--schedule", help="Only the schedules: of runs, of the generator, of housekeeping.")
]


def pause(context: typer.Context, schedule: Schedule = False, dry_run: DryRun = False) -> None:
    """Stop what works by itself and what can be stopped: schedules, replication, database. Nothing is lost."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations import pause as pausing

    where = (call.target, call.outputs)
    if dry_run:
        would(call, dry_runs.of_switch(*where, enabled=False) if schedule else dry_runs.of_pause(*where))
        return
    if schedule:
        _show_schedules(call, pausing.switch(call.target, call.outputs, False))
        return
    mark = call.change("pause", pausing.pause(call.target, call.outputs, call.settings))
    if call.terminal.wants_json:
        call.terminal.document(mark)
    call.terminal.say(f"{call.settings.prefix} is paused. Next: {call.command('resume')}", None)
    if call.settings.target == "aws":
        _say_what_costs_on(call)


def _say_what_costs_on(call: Invocation) -> None:
    from medallion_cli.operations.cost import estimate
    from medallion_cli.operations.package import render_templates

    found = estimate(call.settings, render_templates(call.pipeline, call.assets, call.settings), call.assets)
    for what, month in found.paused_by_type()[:5]:
        call.terminal.say(f"  costs on: {what}, {month:,.2f} {found.currency} a month")
    hint = f"{found.paused_month:,.0f} {found.currency} a month in all, prices as of {found.as_of}"
    call.terminal.say(f"{hint}: {call.command('cost')}; nothing of it but buckets: {call.command('down')}")


def resume(context: typer.Context, schedule: Schedule = False, dry_run: DryRun = False) -> None:
    """Bring back what `pause` stopped, in reverse order. With --schedule: runs and synthetic changes start by themselves."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations import pause as pausing

    where = (call.target, call.outputs)
    if dry_run:
        would(call, dry_runs.of_switch(*where, enabled=True) if schedule else dry_runs.of_resume(*where))
        return
    if schedule:
        _show_schedules(call, pausing.switch(call.target, call.outputs, True))
        return
    resumed = call.change("resume", pausing.resume(call.target, call.outputs, call.settings))
    if call.terminal.wants_json:
        call.terminal.document({"version": 1, "resumed": resumed})
    if resumed:
        call.terminal.say(f"{call.settings.prefix} goes on where it was paused", None)
    else:
        hint = f"; its schedules: {call.command('resume --schedule')}"
        call.terminal.say(f"{call.settings.prefix} is not paused{hint}", None)


def _show_schedules(call: Invocation, found: list[ScheduleState]) -> None:
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
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The environment's prefix, where --yes is not enough.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Take the environment down. Locally nothing remains; on AWS data is kept unless --delete-data."""
    call = invocation(context)
    from medallion_cli.operations import teardown

    local = call.settings.target == "embedded"
    teardown.check_unprotected(call.settings)
    if dry_run:
        would(call, _foreseen(call, delete_data))
        return
    data = "with its data" if local or delete_data else "its buckets, key and final snapshots stay"
    _agree(call, f"Take down {call.settings.prefix}, {data}?", yes, confirm)
    if local:
        _remove(call)
        if call.terminal.wants_json:
            call.terminal.document([])  # what stays
        return
    call.change("down", teardown.destroy(call.target, call.settings, delete_data))
    call.terminal.say(f"{call.settings.prefix} is gone", None)
    _show_remaining(call)


def _foreseen(call: Invocation, delete_data: bool) -> Iterable[str]:
    from medallion_cli.commands.local import removal
    from medallion_cli.operations import dry_runs

    if call.settings.target == "embedded":
        return removal(call)
    return dry_runs.of_down(call.target, call.settings, delete_data)


def _agree(call: Invocation, question: str, yes: bool, confirm: str | None) -> None:
    """Asks; where the environment's guards want it, for the prefix in full, which --yes does not stand for."""
    prefix = str(call.settings.prefix)
    if confirm is not None and confirm != prefix:
        raise UsageError(f"--confirm {confirm}: this is {prefix}; nothing was changed")
    if confirm is not None:
        return
    if not call.settings.guards.typed_confirmation:
        call.confirm(question, yes)
        return
    if not sys.stdin.isatty():
        more = "--yes is not enough here" if yes else "confirmation needed"
        raise UsageError(f"{more}: guards.typed_confirmation", hint=f"add --confirm {prefix}")
    call.terminal.say(question, None)
    if typer.prompt(f"Type {prefix} to confirm", default="", show_default=False, err=True) != prefix:
        raise UsageError("not confirmed; nothing was changed")


def _remove(call: Invocation) -> None:
    from medallion_cli.commands.local import exists, remove

    if not exists(call):
        call.terminal.say(f"{call.settings.prefix} is not up", None)
        return
    remove(call)
    call.terminal.say(f"{call.settings.prefix} is gone", None)


def _show_remaining(call: Invocation) -> None:
    """What stays, and what it costs: nobody should find it on a bill."""
    from medallion_cli.operations import teardown
    from medallion_cli.operations.prices import load_prices

    prices = load_prices(call.assets)
    left = teardown.remaining(call.target, call.settings, prices.of(call.settings.region)[0])
    if call.terminal.wants_json:
        call.terminal.document(left)
    elif left:
        title = f"what stays; {prices.currency} a month, prices as of {prices.as_of}"
        rows = [(x.kind, x.name, _decimal(x.gigabytes), _decimal(x.month), x.detail) for x in left]
        call.terminal.rows(title, ("kind", "name", "GB", "month", ""), rows)
        call.terminal.say(f"to delete it, too: {call.command('down --delete-data')}", None)


def _decimal(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(f"{amount:.2f}")


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


def drift(context: typer.Context) -> None:
    """Compare what is live with what was deployed, by CloudFormation and beyond. Exit 3 when something differs."""
    call = invocation(context)
    from medallion_cli.operations import drift as drifting
    from medallion_cli.operations.package import build

    package = build(call.pipeline, call.assets, call.settings)
    found = call.terminal.follow(drifting.drift(call.target, call.outputs, call.settings, package))
    if call.terminal.wants_json:
        call.terminal.document(found)
    elif found.differences:
        columns = ("stack", "resource", "property", "expected", "actual")
        rows = [(d.stack, d.resource, d.property, d.expected, d.actual) for d in found.differences]
        call.terminal.rows(None, columns, rows)
    for text in found.unseen:
        call.terminal.say(f"? not looked at: {text}", None)
    if found.differences:
        count = len(found.differences)
        hint = "undo it where it was made, or put it into the project, then: " + call.command("up")
        raise CheckFailed(f"{count} difference{'s' if count > 1 else ''} from what was deployed", hint=hint)
    call.terminal.say(f"✓ {call.settings.prefix} is as it was deployed", None)
