"""The IAM policy of the person who deploys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import invocation
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.commands.context import Invocation
    from medallion_cli.operations.deployer_policy import Policy


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    app.command()(policy)


def policy(
    context: typer.Context,
    account: Annotated[
        str, typer.Option("--account", help="The AWS account's number; any without it.")
    ] = "*",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Write a file for each policy, in place of showing them.")
    ] = None,
) -> None:
    """Print the IAM policies of who deploys this environment: least privilege, made from its templates. Offline."""
    call = invocation(context)
    if call.settings.target != "aws":
        raise UsageError("a local environment needs no IAM policy", hint="medallion --env dev policy")
    if account != "*" and not (account.isdigit() and len(account) == 12):
        raise UsageError(
            f"--account {account!r}: an account's number has 12 digits", hint="aws sts get-caller-identity"
        )
    made = _made(call, account)
    if account == "*":
        call.terminal.say("resources in any account; --account NUMBER narrows them to one", None)
    if folder is None:
        call.terminal.document({one.name: one.document for one in made})
        return
    folder.mkdir(parents=True, exist_ok=True)
    for one in made:
        path = folder / f"{one.name}.json"
        path.write_text(one.text + "\n", encoding="utf-8")
        call.terminal.say(
            f"aws iam create-policy --policy-name {one.name} --policy-document file://{path}", None
        )


def _made(call: Invocation, account: str) -> list[Policy]:
    from medallion_cli.operations.deployer_policy import policies
    from medallion_cli.operations.package import render_templates
    from medallion_cli.operations.template import parse_template
    from medallion_cli.operations.validation.deployment import simulate

    bodies = render_templates(call.pipeline, call.assets, call.settings)
    templates = {stack: parse_template(body) for stack, body in bodies.items()}
    return policies(simulate(call.settings, templates), account)
