"""The embedded AWS on this machine; the only command module that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from medallion_cli.local.lifecycle import Endpoint
    from medallion_cli.operations.doctor.rules import Finding

app = typer.Typer(no_args_is_help=True, help="The embedded AWS on this machine: start, stop, status, reset.")
INSTALL = "pip install 'medallion[local]'"


def reach(call: Invocation) -> Endpoint:
    """The running embedded AWS of this environment; started (or recovered) when it is not."""
    lifecycle = _lifecycle()
    found: Endpoint = lifecycle.ensure(_state(call), region=call.settings.region, notify=call.terminal.say)
    return found


# What of this machine keeps an environment from working → its code
SYMPTOMS = {
    "stopped": "MED-ENV-010",
    "disk": "MED-ENV-004",
    "java": "MED-ENV-005",
    "port": "MED-ENV-006",
    "version": "MED-ENV-003",
}


def seen(call: Invocation) -> list[Finding]:
    """What is wrong with this machine, without starting anything; nothing of an environment on AWS."""
    from medallion_cli.operations.doctor.catalogue import finding

    if call.settings.target != "embedded":
        return []
    _lifecycle()
    from medallion_cli.local.diagnosis import symptoms

    return [
        finding(SYMPTOMS[s.kind], s.text, where=s.kind, remedy=s.remedy, folder=s.remedy)
        for s in symptoms(_state(call))
    ]


def exists(call: Invocation) -> bool:
    """Whether this environment was ever stood up."""
    return _state(call).exists()


def remove(call: Invocation) -> None:
    """Stops every process of the environment and deletes its state."""
    _lifecycle().reset(_state(call))


@app.command("start")
def start(context: typer.Context) -> None:
    """Start the embedded AWS; what was deployed is there again."""
    call = invocation(context)
    endpoint = reach(_embedded(call))
    call.terminal.say(f"embedded AWS at {endpoint.url}", None)


@app.command("stop")
def stop(context: typer.Context) -> None:
    """Stop every process; the state stays."""
    call = invocation(context)
    _lifecycle().stop(_state(_embedded(call)))
    call.terminal.say("stopped", None)


@app.command("status")
def status(context: typer.Context) -> None:
    """Which processes run. Exit 0 either way."""
    call = invocation(context)
    found = _lifecycle().status(_state(_embedded(call)))
    if call.terminal.wants_json:
        call.terminal.document(found)
    else:
        call.terminal.rows(
            None,
            ("process", "pid", "port", "running"),
            [(p.name, p.pid and str(p.pid), p.port and str(p.port), p.running) for p in found],
        )


@app.command("reset")
def reset(context: typer.Context, yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask.")) -> None:
    """Stop everything and delete the environment's state."""
    call = _embedded(invocation(context))
    call.confirm(f"Delete {_state(call)}?", yes)
    remove(call)
    call.terminal.say("reset", None)


def _embedded(call: Invocation) -> Invocation:
    if call.settings.target != "embedded":
        raise UsageError(f"environment {call.env} is on AWS", hint="medallion local status")
    return call


def _state(call: Invocation) -> Path:
    from medallion_cli.local.lifecycle import state_root

    assert call.settings.prefix
    found: Path = state_root() / call.settings.prefix
    return found


def _lifecycle() -> ModuleType:
    from importlib.util import find_spec

    for name in ("moto", "pyspark"):  # looked for, not imported: that takes most of a second
        if find_spec(name) is None:
            raise MedallionError(f"the local engines are not installed: no {name}", hint=INSTALL)
    from medallion_cli.local import lifecycle

    return lifecycle
