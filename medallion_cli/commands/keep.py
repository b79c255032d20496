"""What a warehouse needs over time: housekeeping, and forgetting a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.commands.dry_run import DryRun, would

if TYPE_CHECKING:
    from medallion_cli.operations.erase import Erasure


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (erase, housekeeping):
        app.command()(command)


def erase(
    context: typer.Context,
    table: Annotated[str, typer.Option("--table", "-t", help="The source table.")],
    key: Annotated[str, typer.Option("--key", "-k", help="Its key: 42, or order_id=1,line_no=2.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Erase a row that the source has deleted from silver, history, staging and gold; says what bronze keeps."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations import erase as erasing

    source = call.pipeline.table(table)
    wanted = erasing.parse_key(source, key)
    where = (call.target, call.outputs, call.settings, call.pipeline, warehouse(call))
    plan = call.terminal.follow(erasing.look(*where, source, wanted, arrive=not dry_run))
    if not call.terminal.wants_json:
        _show(call, plan)
    if dry_run:
        would(call, dry_runs.of_erase(plan), plan=plan.document)
        return
    if not plan.is_done:
        call.confirm("Erase it? It cannot be brought back.", yes)
        call.change("erase", erasing.erase(*where, plan))
    if call.terminal.wants_json:
        call.terminal.document(plan.document)
    else:
        call.terminal.say("nothing is left to erase" if plan.is_done else "erased", None)


def _show(call: Invocation, plan: Erasure) -> None:
    """What is touched, and what stays."""
    from medallion_cli.operations.erase import bronze_days

    rows: list[tuple[str, str, int | str]] = [("silver", name, n) for name, n in plan.silver.items()]
    rows += [("staging", "objects of its models", len(plan.staged))]
    rows += [
        ("gold", name, "evaluated anew" if count is None else count) for name, count in plan.gold.items()
    ]
    call.terminal.rows(None, ("layer", "what", "rows"), rows)
    for name, count in plan.named_by.items():
        call.terminal.line(f"{name}: {count} rows name this key and stay as long as the source has them")
    days = bronze_days(call.settings)
    for generation, until in plan.kept_until.items():
        count = sum(file.startswith(f"{generation}/") for file in plan.bronze)
        end = (
            f"until {until}"
            if until
            else f"until {days} days after a reload replaces it ({call.command('replicate reload')})"
        )
        call.terminal.line(f"bronze: {count} files of {generation} hold it {end}; no rebuild brings it back")
    call.terminal.line("backups of the source and of the warehouse keep it for their own retention")


def housekeeping(context: typer.Context, dry_run: DryRun = False) -> None:
    """Compact silver, expire its old snapshots, delete superseded bronze and old staging: as every night, now."""
    call = invocation(context)
    from medallion_cli.operations import dry_runs
    from medallion_cli.operations.housekeeping import housekeeping as keep

    if dry_run:
        would(call, dry_runs.of_housekeeping(call.target, call.outputs, call.settings))
        return
    found = call.change("housekeeping", keep(call.target, call.outputs, call.settings))
    if call.terminal.wants_json:
        call.terminal.document(found)
        return
    columns = ("table", "compacted", "files", "expired", "snapshots", "orphans")
    call.terminal.rows(None, columns, [tuple(t[c] for c in columns) for t in found["tables"]])
    for generation, objects in found["bronze"].items():
        call.terminal.line(f"bronze: {generation} is superseded, {objects} objects deleted")
    call.terminal.line(f"staging: {found['staging']} old objects deleted")
