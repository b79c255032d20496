"""The embedded AWS on this machine; the only command module that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli import INSTALL_LOCAL
from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from medallion_cli.local.lifecycle import Endpoint
    from medallion_cli.local.replication.simulation import Simulation
    from medallion_cli.operations.doctor.rules import Finding

app = typer.Typer(no_args_is_help=True, help="The embedded AWS on this machine: start, stop, status, reset.")


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

    told = [
        finding(SYMPTOMS[s.kind], s.text, where=s.kind, remedy=s.remedy, folder=s.remedy)
        for s in symptoms(_state(call))
    ]
    return told if exists(call) else [*told, _never_up(call)]


def away(call: Invocation) -> list[Finding]:
    """Why there is no AWS to ask on this machine, by a look that takes no time; nothing when there is, or on AWS."""
    from medallion_cli.operations.doctor.catalogue import finding

    if call.settings.target != "embedded":
        return []
    if not exists(call):
        return [_never_up(call)]
    from medallion_cli.local.diagnosis import away as symptoms_of

    return [
        finding(SYMPTOMS[s.kind], s.text, where=s.kind, folder=s.remedy) for s in symptoms_of(_state(call))
    ]


def _never_up(call: Invocation) -> Finding:
    from medallion_cli.operations.doctor.catalogue import finding

    return finding("MED-ENV-014", f"there is no {_state(call)}")


def exists(call: Invocation) -> bool:
    """Whether this environment was ever stood up."""
    return _state(call).exists()


def remove(call: Invocation) -> None:
    """Stops every process of the environment and deletes its state."""
    _lifecycle().reset(_state(call))


def removal(call: Invocation) -> list[str]:
    """What `remove` would do."""
    if not exists(call):
        return []
    return ["stop every process of the environment", f"delete {_state(call)} with all its data"]


@app.command("start")
def start(context: typer.Context) -> None:
    """Start the embedded AWS; what was deployed is there again."""
    call = invocation(context)
    endpoint = reach(_embedded(call))
    if call.terminal.wants_json:
        call.terminal.document({"version": 1, "url": endpoint.url})
    call.terminal.say(f"embedded AWS at {endpoint.url}", None)


@app.command("stop")
def stop(context: typer.Context) -> None:
    """Stop every process; the state stays."""
    call = invocation(context)
    _lifecycle().stop(_state(_embedded(call)))
    if call.terminal.wants_json:
        call.terminal.document({"version": 1, "stopped": True})
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
    for one in _simulated(call):
        call.terminal.say(f"simulated: {one.kind} of {one.table}, {one.left} left", None)


@app.command("simulate")
def simulate(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="The fault; without it, what is simulated now.")] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", "-t", help="Only this table; without it, all that replication reads."),
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, help="Batches that it shows in.")] = 1,
    message: Annotated[str, typer.Option("--message", help="Of `fail`: what DMS gives as the reason.")] = "",
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget everything that is still to be simulated.")
    ] = False,
) -> None:
    """Have replication act out a fault of DMS: ties, late, duplicate, key-only-delete, null-op, suspend, fail."""
    call = _embedded(invocation(context))
    _lifecycle()
    from medallion_cli.local.replication import simulation

    if not exists(call):
        raise UsageError(f"environment {call.env} is not up", hint=call.command("up"))
    folder = _tasks(call)
    if clear:
        gone = simulation.clear_simulations(folder)
        call.terminal.say(f"{len(gone)} forgotten; a suspended table stays so until it is loaded again", None)
    if kind is not None:
        _check(call, kind, table, message)
        named = (f"{each.schema}.{each.name}" for each in call.pipeline.tables if each.name == table)
        name = next(named, simulation.ANY_TABLE)
        simulation.add_simulation(folder, kind, name, times, message)
        call.terminal.say(f"{kind}: {simulation.KINDS[kind]}", None)
    found = _simulated(call)
    if call.terminal.wants_json:
        call.terminal.document(found)
    else:
        rows = [(str(s.number), s.kind, s.table, s.left, simulation.KINDS[s.kind]) for s in found]
        call.terminal.rows(None, ("number", "kind", "table", "left", "what it does"), rows)


def _check(call: Invocation, kind: str, table: str | None, message: str) -> None:
    """UsageError for a fault that there is not, or one of a table that there is not."""
    from medallion_cli.local.replication.simulation import KINDS

    if kind not in KINDS:
        raise UsageError(f"no fault {kind!r}: {', '.join(KINDS)}", hint="medallion local simulate --help")
    if kind == "fail" and table:
        raise UsageError("a task fails with all of its tables", hint="medallion local simulate fail")
    if kind != "fail" and message:
        raise UsageError(f"{kind} has no message", hint=f"medallion local simulate {kind}")
    if kind == "suspend" and not table:
        raise UsageError("which table is suspended?", hint="medallion local simulate suspend --table TABLE")
    known = [each.name for each in call.pipeline.tables]
    if table and table not in known:
        raise UsageError(f"no table {table}: {', '.join(known)}", hint="medallion replicate status")


def _simulated(call: Invocation) -> list[Simulation]:
    from medallion_cli.local.replication.simulation import read_simulations

    return read_simulations(_tasks(call))


def _tasks(call: Invocation) -> Path:
    """The folder of the DMS service's tasks."""
    return _state(call) / "engines" / "dms"


@app.command("reset")
def reset(
    context: typer.Context,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    dry_run: DryRun = False,
) -> None:
    """Stop everything and delete the environment's state."""
    call = _embedded(invocation(context))
    if dry_run:
        would(call, removal(call))
        return
    was_there = exists(call)
    call.confirm(f"Delete {_state(call)}?", yes)
    remove(call)
    if call.terminal.wants_json:
        call.terminal.document({"version": 1, "folder": str(_state(call)), "removed": was_there})
    call.terminal.say("reset", None)


def _embedded(call: Invocation) -> Invocation:
    if call.settings.target != "embedded":
        raise UsageError(f"environment {call.env} is on AWS", hint="medallion local status")
    return call


def _state(call: Invocation) -> Path:
    from medallion_cli.folders import state_root

    assert call.settings.prefix
    return state_root() / call.settings.prefix


def _lifecycle() -> ModuleType:
    from importlib.util import find_spec

    for name in ("moto", "pyspark"):  # looked for, not imported: that takes most of a second
        if find_spec(name) is None:
            raise MedallionError(f"the local engines are not installed: no {name}", hint=INSTALL_LOCAL)
    from medallion_cli.local import lifecycle

    return lifecycle
