"""Stand an environment up, look at it, take it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.commands.make import fill
from medallion_cli.errors import CheckFailed

if TYPE_CHECKING:
    from medallion_cli.commands.context import Invocation
    from medallion_cli.operations.deployment.plan import DeployPlan

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (validate, plan, up, outputs, unlock):
        app.command()(command)


def validate(context: typer.Context) -> None:
    """Check specification, SQL, templates and state machine, offline. Exit 3 when something is found.

    A specification that can't be read at all is wrong usage (exit 2), as in every command.
    """
    call = invocation(context)
    from medallion_cli.operations.validate import validate as check

    findings = check(call.assets)
    if call.terminal.wants_json:
        call.terminal.document(findings)
    pipeline = call.pipeline
    for finding in findings:
        call.terminal.say(f"✗ {finding}", None)
    if findings:
        raise CheckFailed(f"{len(findings)} findings", hint="mend them, then: " + call.command("validate"))
    call.terminal.say(f"✓ {len(pipeline.tables)} tables, {len(pipeline.models)} models", None)


def plan(context: typer.Context) -> None:
    """Show what `up` would change, and its cost. Exit 3 when changes are pending; needs no credentials."""
    call = invocation(context)
    from medallion_cli.commands.plans import show
    from medallion_cli.operations.deployment import plan as plans

    project = (call.settings, call.pipeline, call.assets)
    if call.settings.target == "aws" and not call.target.has_credentials():
        show(call, plans.plan_unseen(*project))
        return
    found = call.terminal.follow(plans.plan(call.target, *project))
    show(call, found)
    if found.pending:
        raise CheckFailed(f"{found.pending} changes pending", hint=call.command("up"))


Only = Annotated[
    Literal["sql", "scripts", "lambda"] | None,
    typer.Option("--only", help="Update this code alone, without CloudFormation."),
]


def up(
    context: typer.Context,
    yes: Yes = False,
    only: Only = None,
    replace_data: Annotated[
        bool, typer.Option("--replace-data", help="Let a change replace or remove what holds data.")
    ] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight/--no-preflight", help="Look at the account first (AWS).")
    ] = True,
) -> None:
    """Stand the environment up, or bring it to what the project says. Safe to repeat after any interruption."""
    call = invocation(context)
    from medallion_cli.operations.deployment import apply, code

    project = (call.settings, call.pipeline, call.assets)
    if only is not None:
        if call.settings.target == "aws":
            call.confirm(f"Update the {only} of {call.settings.prefix}?", yes)
        call.change(f"up --only {only}", code.only(only, call.target, call.outputs, *project))
        _document(call, only=only)
        return
    agreed = _agree(call, yes, replace_data, preflight) if call.settings.target == "aws" else None
    call.change("up", apply.deploy(call.target, *project, replace_data=replace_data))
    copied = fill(call)
    _document(call, agreed, copied=copied)
    follows = "run" if copied else "seed --rows 100000"
    call.terminal.say(f"{call.settings.prefix} is up. Next: {call.command(follows)}", None)


def _document(
    call: Invocation,
    agreed: DeployPlan | None = None,
    *,
    changed: bool = True,
    only: str | None = None,
    copied: bool = False,
) -> None:
    """What `up` did, and by which plan, as JSON."""
    from medallion_cli.commands.plans import document

    if call.terminal.wants_json:
        plan = None if agreed is None else document(agreed)
        facts = {"environment": call.settings.prefix, "changed": changed, "only": only, "copied": copied}
        call.terminal.document({"version": 1, **facts, "plan": plan})


def _agree(call: Invocation, yes: bool, replace_data: bool, preflight: bool) -> DeployPlan:
    """Shows the plan and asks; CheckFailed for what is sure to fail, with the plan as its document."""
    from medallion_cli.commands.plans import draw, warn
    from medallion_cli.operations.deployment.plan import plan as plans

    found = call.terminal.follow(
        plans(call.target, call.settings, call.pipeline, call.assets, look=preflight)
    )
    if not call.terminal.wants_json:
        draw(call.terminal, found)
    warn(call.terminal, found)
    try:
        _check(call, found, replace_data)
    except CheckFailed:
        _document(call, found, changed=False)
        raise
    call.confirm(f"Deploy {call.settings.prefix} to {call.settings.region}?", yes)
    return found


def _check(call: Invocation, found: DeployPlan, replace_data: bool) -> None:
    if stops := [finding for finding in found.findings if finding.severity == "stop"]:
        raise CheckFailed(str(stops[0]), hint=f"{len(stops)} to mend; to try all the same: --no-preflight")
    if found.losses and not replace_data:
        change, lost = found.losses[0]
        hint = "if that is meant: " + call.command("up --replace-data")
        raise CheckFailed(f"{change.stack} {change.resource}: {lost} would be gone", hint=hint)


def unlock(context: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Break the lock of an operation that nobody runs any more; who holds it is told first."""
    call = invocation(context)
    from medallion_cli.operations import lock

    found = lock.holder(call.target)
    if dry_run:
        would(call, [f"break the lock of {found}"] if found else [])
        return
    if found is not None:
        call.confirm(f"Break the lock of {found}?", yes)
        lock.unlock(call.target)
    if call.terminal.wants_json:
        told = None if found is None else str(found)
        call.terminal.document({"version": 1, "unlocked": found is not None, "holder": told})
    said = f"unlocked; it was held by {found}" if found else f"{call.settings.prefix} is not locked"
    call.terminal.say(said, None)


def outputs(context: typer.Context) -> None:
    """Print names and ARNs of what is deployed."""
    call = invocation(context)
    if call.terminal.wants_json:
        call.terminal.document(call.outputs)
    else:
        call.terminal.rows(None, ("output", "value"), sorted(call.outputs.items()))
