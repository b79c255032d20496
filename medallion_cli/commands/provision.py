"""Stand an environment up, look at it, take it down."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.errors import CheckFailed, UsageError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (validate, plan, up, outputs, pause, resume, down):
        app.command()(command)


def validate(context: typer.Context) -> None:
    """Check specification, SQL and templates, offline. Exit 3 when something is found."""
    call = invocation(context)
    from medallion_cli.operations.validate import validate as check

    findings = check(call.pipeline, call.assets)
    if call.terminal.wants_json:
        call.terminal.document(findings)
    for finding in findings:
        call.terminal.say(f"✗ {finding}", None)
    if findings:
        raise CheckFailed(f"{len(findings)} findings", hint="mend them, then: " + call.command("validate"))
    call.terminal.say(f"✓ {len(call.pipeline.tables)} tables, {len(call.pipeline.models)} models", None)


def plan(context: typer.Context) -> None:
    """Show what `up` would change. Exit 3 when changes are pending."""
    call = invocation(context)
    from medallion_cli.operations.deploy import plan as plan_stacks

    found = call.terminal.follow(plan_stacks(call.target, call.settings, call.pipeline, call.assets))
    if call.terminal.wants_json:
        call.terminal.document(found)
    else:
        rows = [(c.stack, c.action, c.resource, c.type, c.replacement) for c in found.changes]
        call.terminal.rows(None, ("stack", "action", "resource", "type", "replacement"), rows)
    if found.changes:
        raise CheckFailed(f"{len(found.changes)} changes pending", hint=call.command("up"))


def up(context: typer.Context, yes: Yes = False) -> None:
    """Stand the environment up, or bring it to what the project says. Safe to repeat after any interruption."""
    call = invocation(context)
    from medallion_cli.operations.deploy import deploy

    if call.settings.target == "aws":
        call.confirm(f"Deploy {call.settings.prefix} to {call.settings.region}?", yes)
    call.terminal.follow(deploy(call.target, call.settings, call.pipeline, call.assets))
    call.terminal.say(f"{call.settings.prefix} is up. Next: {call.command('seed --rows 100000')}", None)


def outputs(context: typer.Context) -> None:
    """Print names and ARNs of what is deployed."""
    call = invocation(context)
    if call.terminal.wants_json:
        call.terminal.document(call.outputs)
    else:
        call.terminal.rows(None, ("output", "value"), sorted(call.outputs.items()))


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
    from medallion_cli.operations.deploy import destroy

    if call.settings.target == "embedded":
        from medallion_cli.commands.local import exists, remove

        if not exists(call):
            call.terminal.say(f"{call.settings.prefix} is not up", None)
            return
        remove(call)
        call.terminal.say(f"{call.settings.prefix} is gone", None)
        return
    call.terminal.follow(destroy(call.target, call.settings, delete_data))
    call.terminal.say(f"{call.settings.prefix} is gone", None)
