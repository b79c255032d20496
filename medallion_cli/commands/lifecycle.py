"""Pause, resume, and take an environment down."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.errors import UsageError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (pause, resume, down):
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
