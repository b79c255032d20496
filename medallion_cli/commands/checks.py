"""Is every number right, and where does one row come from and go to."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.errors import CheckFailed

if TYPE_CHECKING:
    from medallion_cli.operations.trace import Trace
    from medallion_cli.operations.verification.findings import Difference, Verification

LIMIT = 20


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (verify, trace):
        app.command()(command)


def verify(
    context: typer.Context,
    table: Annotated[str | None, typer.Option("--table", "-t", help="Only this table.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this gold model.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="Differences that are listed; all are counted.")
    ] = LIMIT,
) -> None:
    """Compare source, silver and gold by checksums of every column. Exit 3 when something differs.

    Where checksums differ, the rows and columns that do are found, with the first layer and the reason. Changes may flow
    meanwhile: the source is compared at a heartbeat, and what comes after it is left out.
    """
    call = invocation(context)
    from medallion_cli.operations.verification.verify import scope
    from medallion_cli.operations.verification.verify import verify as compare

    what = scope(call.pipeline, table, model, limit)
    with closing(warehouse(call)) as gold:
        steps = compare(call.target, call.outputs, call.settings, call.pipeline, gold, what)
        found = call.terminal.follow(steps).spelled(call.command("").strip())
    if call.terminal.wants_json:
        call.terminal.document(found.document)
    else:
        _show(call, found)
    if not found.equal:
        raise _not_equal(call, found)


def _show(call: Invocation, found: Verification) -> None:
    tables = [
        ("table", t["table"], t["source"]["rows"], t["silver"]["rows"], t["equal"]) for t in found.tables
    ]
    models = [
        ("model", m["model"], m["expected"]["rows"], m["gold"]["rows"], m["equal"]) for m in found.models
    ]
    call.terminal.rows(None, ("", "name", "expected rows", "rows", "equal"), [*tables, *models])
    if found.waiting:
        told = ", ".join(f"{name} {rows:,}" for name, rows in found.waiting.items())
        call.terminal.line(
            f"\nchanges flow; not merged yet, and not counted as different: {told} keys", "dim"
        )
    if found.differences:
        rows = [
            (d.code, d.layer, d.table, _key(d), ", ".join(d.columns) or "row", _why(d))
            for d in found.differences
        ]
        call.terminal.line()
        call.terminal.rows(None, ("code", "layer", "table", "key", "differs", "why"), rows)
    if (total := found.differences_total) > len(found.differences):
        least = "" if found.differences_exact else "at least "
        call.terminal.line(f"{len(found.differences)} of {least}{total:,} differences", "dim")


def _key(one: Difference) -> str:
    if one.key is None:
        return f"{one.rows:,} rows"
    return ", ".join(f"{name}={value}" for name, value in one.key.items())


def _why(one: Difference) -> str:
    more = [*one.rules, *([one.run_id] if one.run_id else []), *([one.file] if one.file else [])]
    after = f", after {', '.join(one.follows)}" if one.follows else ""
    return one.reason.replace("_", " ") + (f" ({', '.join(more)})" if more else "") + f": {one.why}{after}"


def _not_equal(call: Invocation, found: Verification) -> CheckFailed:
    pairs = [*found.tables, *found.models]
    names = ", ".join(str(e.get("table") or e.get("model")) for e in pairs if not e["equal"])
    again = call.command("verify")
    if found.first is None:
        return CheckFailed(f"not equal: {names}", hint=again)
    return CheckFailed(f"{found.first.code} not equal: {names}", hint=f"{found.first.remedy} && {again}")


def trace(
    context: typer.Context,
    table: Annotated[str, typer.Option("--table", "-t", help="The source table.")],
    key: Annotated[
        str,
        typer.Option(
            "--key", "-k", help="A value; several in the key's order: 1,2; or order_id=1,line_no=2."
        ),
    ],
    personal: Annotated[
        bool, typer.Option("--show-personal", help="Show what tells of a person; masked otherwise.")
    ] = False,
) -> None:
    """The life of one row: source, binlog, bronze, silver, runs, gold and the dashboard. Exit 3 when it is nowhere."""
    call = invocation(context)
    from medallion_cli.operations.trace import Tracer, key_of

    wanted = call.pipeline.table(table)
    found_key = key_of(wanted, key)
    with closing(warehouse(call)) as gold:
        tracer = Tracer(call.target, call.outputs, call.settings, call.pipeline, call.assets, gold, personal)
        found = call.terminal.follow(tracer.trace(wanted, found_key))
    if call.terminal.wants_json:
        call.terminal.document(found.document)
    elif found.found:
        _draw(call, found)
    if not found.found:
        shown = ", ".join(f"{name}={value}" for name, value in found_key.items())
        raise CheckFailed(
            f"{table} {shown} is nowhere: not at the source, nor in any layer",
            hint=call.command(f"peek source {table}"),
        )


def _draw(call: Invocation, found: Trace) -> None:
    from rich.tree import Tree

    shown = ", ".join(f"{name}={value}" for name, value in found.key.items())
    tree = Tree(_text(f"{found.table} {shown}", "bold"), guide_style="dim")
    tree.add(_text("source now: " + (_values(found.source) if found.source else "no such row")))
    for one in (*found.changes, *found.waiting):
        _add_change(tree, one, waits=one in found.waiting)
    if found.silver:
        state = found.silver
        what = "deleted" if state["deleted"] else _values(state["values"])
        tree.add(
            _text(f"silver now: {what} (snapshot {state['snapshot']}, as of {state['position']['text']})")
        )
    for entry in found.gold:
        _add_model(tree, entry)
    for entry in found.aggregates:
        branch = tree.add(_text(f"gold {entry['model']}, groups of {entry['of']} that it counts in"))
        for row in entry["rows"]:
            branch.add(_text(_values(row)))
    if found.dashboard:
        tree.add(_text("dashboard: " + ", ".join(found.dashboard)))
    call.terminal.print(tree)


OPS = {"I": "inserted", "U": "updated", "D": "deleted", "L": "loaded anew"}


def _add_change(tree: Any, one: dict[str, Any], *, waits: bool) -> None:
    bronze = one["bronze"]
    again = "judged again: " if one["judged_again"] else ""
    what = f"{again}{OPS.get(one['op'], one['op'])} {one['committed_at_source'] or ''} at {one['position']['text']}"
    branch = tree.add(_text(what))
    if one["op"] != "D":
        branch.add(_text(_values(one["values"])))
    gone = " (gone)" if bronze["there"] is False else ""
    branch.add(_text(f"bronze {bronze['file']} row {bronze['row']}{gone}"))
    if one["broken_rules"]:
        kept = "kept out" if not one["valid"] else "let through"
        branch.add(_text(f"breaks {', '.join(one['broken_rules'])}: {kept}", "yellow"))
    if waits:
        branch.add(_text("silver has not taken it yet", "yellow"))
    elif one["silver"]:
        run = f", {one['run_id']}" if one["run_id"] else ""
        branch.add(_text(f"silver snapshot {one['silver']['snapshot']} {one['silver']['committed_at']}{run}"))


def _add_model(tree: Any, entry: dict[str, Any]) -> None:
    more = entry["keys_total"] - len(entry["keys"])
    branch = tree.add(
        _text(f"gold {entry['model']} ({entry['kind']})" + (f", {more} more keys" if more else ""))
    )
    loads = {load["run_id"]: load for load in entry["loads"]}
    for row in entry["rows"]:
        leaf = branch.add(_text(_values({k: v for k, v in row.items() if k != "_run_id"})))
        if load := loads.get(row["_run_id"]):
            leaf.add(_text(f"merged {load['merged_at']} by {load['run_id']}, up to {load['to_position']}"))
    if not entry["rows"]:
        branch.add(_text("no row"))
    if staged := entry["staged"]:
        branch.add(_text(f"staging: {', '.join(staged['ops'])} of {staged['run_id']}"))


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={'NULL' if value is None else value}" for name, value in values.items())


def _text(text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text("".join(c if c.isprintable() else " " for c in text), style=style)
