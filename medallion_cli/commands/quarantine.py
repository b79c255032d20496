"""Rows that rules keep out of silver, and bronze files that are set aside."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion_cli.commands import tabular
from medallion_cli.commands.context import invocation
from medallion_cli.commands.data import show_result
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Rows that rules keep out: list, show, judge anew.")


@app.command("list")
def list_(
    context: typer.Context,
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Only of this table.")] = None,
) -> None:
    """Broken rules with their rows, and bronze files that could not be taken, as the newest runs counted them."""
    call = invocation(context)
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.quarantine import kept_out

    found = kept_out(Look(call.target, call.outputs, call.settings, call.pipeline), table)
    if call.terminal.wants_json:
        call.terminal.document(found)
        return
    if found["rules"]:
        columns = ("table", "rule", "action", "rows", "new", "sample")
        rows = [(*(rule[c] for c in columns[:-1]), _sample(rule["sample"])) for rule in found["rules"]]
        call.terminal.rows(None, columns, rows)
    if found["files"]:
        shown = ("table", "file", "reason", "size")
        call.terminal.rows("set aside", shown, [tuple(file[c] for c in shown) for file in found["files"]])
    if untold := found["files_total"] - len(found["files"]):
        call.terminal.say(f"and {untold:,} more files that are set aside")
    if not found["rules"] and not found["files"]:
        call.terminal.say("nothing is in quarantine, and no file is set aside", None)


def _sample(rows: list[dict[str, dict[str, str]]]) -> str:
    """Keys of some rows."""
    shown = [",".join(str(value) for value in row["key"].values()) for row in rows]
    return ", ".join(shown)


@app.command("show")
def show(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table of the source.")],
    key: Annotated[
        str | None, typer.Option("--key", "-k", help="Of one row: a value, or column=value,column=value.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Rows, in key order.")] = 10,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Also rows that a rule only warns of; they are in silver.")
    ] = False,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Personal columns as they are, not masked.")
    ] = False,
) -> None:
    """The rows themselves, with the rules that they break, their bronze file and row. A Glue job: a minute on AWS."""
    call = invocation(context)
    from medallion_cli.operations import quarantine
    from medallion_cli.operations.peek import question

    tabular.refuse_screen(call)
    if table not in {one.name for one in call.pipeline.tables}:
        raise UsageError(f"no table {table!r}", hint=call.command("quarantine list"))
    asked = question(call.pipeline, "silver", table, key, limit)
    wanted = {"table": table, "key": dict(asked.key), "limit": limit, "warnings": warnings}
    where = (call.target, call.outputs, call.settings, call.pipeline)
    found = call.terminal.follow(quarantine.show(*where, wanted, show_personal=show_personal))
    if call.terminal.wants_json:
        call.terminal.document(found.dicts())
    elif found.rows:
        call.terminal.paged(found.columns, [list(row) for row in found.rows])
    else:
        call.terminal.say("no rows", None)
    if found.masked:
        call.terminal.say(f"masked: {', '.join(found.masked)} (--show-personal shows them)")


@app.command("replay")
def replay(
    context: typer.Context,
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Only this table.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Judge every row anew by the rules that are deployed: after a changed rule and `up`. Gold follows.

    Rows that are mended at the source need no replay: the next run takes them in.
    """
    call = invocation(context)
    from medallion_cli.operations import dry_runs, quarantine

    if dry_run:
        would(call, dry_runs.of_quarantine(call.target, call.outputs, call.pipeline, table))
        return
    where = (call.target, call.outputs, call.settings, call.pipeline)
    show_result(call, call.terminal.follow(quarantine.replay(*where, table)))
