"""Make data, replicate it, run it through the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.commands.make import fill, filled
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.operations.run import RunResult

replicate_app = typer.Typer(no_args_is_help=True, help="Change data capture: start, stop, reload, status.")


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (seed, run, retry, merge):
        app.command()(command)
    app.add_typer(replicate_app, name="replicate")


def seed(
    context: typer.Context,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Rows to insert, over all tables.")] = 0,
    changes: Annotated[
        int, typer.Option("--changes", min=0, help="Inserts, updates and deletes to make.")
    ] = 0,
    from_mysql: Annotated[
        str | None,
        typer.Option("--from-mysql", metavar="URL", help="Copy the rows of a MySQL, as `init` reads it."),
    ] = None,
    seed_: Annotated[
        int | None, typer.Option("--seed", help="Makes it repeatable; an interrupted seed goes on.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Fill the source with synthetic rows or with those of a database, or change what is there."""
    call = invocation(context)
    if from_mysql and dry_run:
        would(call, filled(call, from_mysql))
        return
    if from_mysql:
        fill(call, from_mysql)
        return
    if not rows and not changes:
        raise UsageError("nothing to seed", hint=call.command("seed --rows 100000"))
    from medallion_cli.aws.source import Source
    from medallion_cli.operations import dry_runs, paused
    from medallion_cli.operations.seed import seed as sow

    paused.refuse(call.target)
    if dry_run:
        source = Source(call.target, call.outputs["SourceFunctionName"])
        would(call, dry_runs.of_seed(source, rows, changes, seed_))
        return
    result = call.terminal.follow(
        sow(call.target, call.outputs, call.settings, call.pipeline, rows, changes, seed_)
    )
    if call.terminal.wants_json:
        call.terminal.document(result)


def run(
    context: typer.Context,
    layer: Annotated[
        str | None, typer.Option("--layer", "-l", help="bronze, silver or gold; default all.")
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", "-t", help="Only this table, and models that read it.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Evaluate gold models in full.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it and do not wait: see runs, logs.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Bring bronze, silver and gold up to now. Ctrl-C detaches; the same command attaches again."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations import run as runs

    plan = runs.plan(call.pipeline, layer, table, full)
    if dry_run:
        would(call, dry_runs.of_run(call.target, call.outputs, plan))
        return
    result = call.terminal.follow(runs.run(call.target, call.outputs, call.settings, plan, detach))
    show_result(call, result)


def retry(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the last run.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Retry a run that failed: redriven under its own id, or where AWS allows that no more, started anew.

    Nothing is done twice. A run that succeeded is left alone, one in flight is followed.
    """
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations import retry as retries

    if dry_run:
        would(call, dry_runs.of_retry(call.target, call.outputs, run_id))
        return
    found = call.terminal.follow(retries.retry(call.target, call.outputs, call.settings, run_id))
    if found.result is not None and not call.terminal.wants_json:
        show_result(call, found.result)
    elif call.terminal.wants_json:
        call.terminal.document(found.document)
    else:
        again = call.command(f"replay --from {found.run_id}")
        call.terminal.say(f"{found.run_id} succeeded: nothing to retry (to process it again: {again})", None)


def show_result(call: Invocation, result: RunResult) -> None:
    """What a run moved, by layer and table."""
    if call.terminal.wants_json:
        call.terminal.document(result.document)
        return
    if result.status == "RUNNING":
        call.terminal.line(str(result.run_id))
        call.terminal.say(f"running; see {call.command(f'runs show {result.run_id}')}", None)
        return
    moved = [r for r in result.tables if r["read"] or r["inserted"] or r["updated"] or r["deleted"]]
    columns = ("layer", "table", "read", "inserted", "updated", "deleted", "quarantined")
    if moved:
        call.terminal.rows(None, columns, [tuple(r[c] for c in columns) for r in moved])
    label = f"{result.run_id} " if result.run_id else ""
    nothing = "" if moved else ", nothing to move"
    call.terminal.say(f"{label}{result.status.lower()} in {result.seconds:.1f} s{nothing}", None)


def merge(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only this gold model.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run that staged; default the last one.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Merge staged rows into gold. Merging twice changes nothing; merging out of order is refused."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations.merge import merge as merge_staged

    what = (call.target, call.outputs, call.pipeline, warehouse(call), model, run_id)
    if dry_run:
        would(call, dry_runs.of_merge(*what))
        return
    rows = call.terminal.follow(merge_staged(*what))
    if call.terminal.wants_json:
        call.terminal.document(rows)
    else:
        columns = ("model", "staged_rows", "inserted", "updated", "deleted")
        call.terminal.rows(None, columns, [tuple(r[c] for c in columns) for r in rows])


def warehouse(call: Invocation):  # type: ignore[no-untyped-def]
    """The environment's Redshift, over the transport its settings name."""
    from medallion_cli.aws.warehouse import connect

    return connect(call.target, call.outputs, call.settings.connection)


@replicate_app.command("start")
def replicate_start(context: typer.Context, dry_run: DryRun = False) -> None:
    """Start or resume replication and wait for the full load."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs, replicate

    if dry_run:
        would(call, dry_runs.of_start(call.target, call.outputs))
        return
    call.terminal.follow(replicate.start(call.target, call.outputs, call.settings))
    _stands(call)


@replicate_app.command("stop")
def replicate_stop(context: typer.Context, dry_run: DryRun = False) -> None:
    """Stop replication; it can resume where it stopped."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs, replicate

    if dry_run:
        would(call, dry_runs.of_stop(call.target, call.outputs))
        return
    call.terminal.follow(replicate.stop(call.target, call.outputs, call.settings))
    _stands(call)


def _stands(call: Invocation) -> None:
    """Where replication stands afterwards, as JSON."""
    from medallion_cli.operations import replicate

    if call.terminal.wants_json:
        found = replicate.status(call.target, call.outputs)
        document = {"version": 1, "status": found.status, "generation": found.generation}
        call.terminal.document(document)


@replicate_app.command("reload")
def replicate_reload(
    context: typer.Context,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", help="Only this table (repeatable); the others go on."),
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Load source tables again, as a new generation that replaces the old one."""
    call = invocation(context)
    from medallion_cli.operations import reload, replicate

    plan = reload.plan(call.target, call.outputs, call.pipeline, table or [])
    follow = f"silver and {', '.join(plan.models)}" if plan.models else "silver"
    steps = [
        f"reads at the source, whole: {', '.join(plan.told)}",
        f"writes bronze/{plan.generation}; what is in {plan.current} stays",
        f"replaced at one go by the next run: {follow}; keys that are gone are deletes",
    ]
    if dry_run:
        would(call, steps, generation=plan.generation, tables=list(plan.tables), models=plan.models)
        return
    for step in steps:
        call.terminal.say(step, None)
    call.confirm("Read this again?", yes)
    where = (call.target, call.outputs, call.settings)
    again = replicate.reload(*where) if plan.whole else reload.reload_tables(*where, list(plan.tables))
    call.change("replicate reload", again)
    if call.terminal.wants_json:
        facts = {"generation": plan.generation, "tables": list(plan.tables), "models": plan.models}
        call.terminal.document({"version": 1, **facts})


@replicate_app.command("status")
def replicate_status(context: typer.Context) -> None:
    """State of replication and counts per table since its full load."""
    call = invocation(context)
    from medallion_cli.operations import replicate

    found = replicate.status(call.target, call.outputs)
    if call.terminal.wants_json:
        call.terminal.document(found)
        return
    call.terminal.line(f"{found.status}, generation {found.generation} {found.message}".rstrip())
    columns = ("table", "state", "full load", "inserts", "updates", "deletes")
    rows = [(t.table, t.state, t.full_load_rows, t.inserts, t.updates, t.deletes) for t in found.tables]
    call.terminal.rows(None, columns, rows)
