"""`--dry-run`, as every command that changes something takes it: the same option, the same answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medallion_cli.commands.context import Invocation

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]


def would(call: Invocation, steps: Iterable[str], **facts: object) -> None:
    """What would be done, a line each; in JSON with more `facts`."""
    told = list(steps)
    if call.terminal.wants_json:
        call.terminal.document({"version": 1, "dry_run": True, "would": told, **facts})
        return
    for step in told:
        call.terminal.line(step)
    call.terminal.say("nothing was changed" if told else "nothing would be done", None)
