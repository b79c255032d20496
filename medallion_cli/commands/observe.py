"""Look at the warehouse: is it healthy, is it right, what does it say."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from medallion_cli.operations.dashboard import Answer


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (verify, dashboard):
        app.command()(command)


def verify(context: typer.Context) -> None:
    """Compare source, silver and gold by checksums of every column. Exit 3 when something differs."""
    call = invocation(context)
    from medallion_cli.operations.verify import verify as compare

    steps = compare(call.target, call.outputs, call.settings, call.pipeline, warehouse(call))
    found = call.terminal.follow(steps)
    if call.terminal.wants_json:
        call.terminal.document(found.document)
    else:
        tables = [
            ("table", t["table"], t["source"]["rows"], t["silver"]["rows"], t["equal"]) for t in found.tables
        ]
        models = [
            ("model", m["model"], m["expected"]["rows"], m["gold"]["rows"], m["equal"]) for m in found.models
        ]
        call.terminal.rows(None, ("", "name", "expected rows", "rows", "equal"), [*tables, *models])
    if not found.equal:
        names = [
            str(e.get("table") or e.get("model")) for e in [*found.tables, *found.models] if not e["equal"]
        ]
        raise CheckFailed(f"not equal: {', '.join(names)}", hint=call.command("run") + ", then verify again")


def dashboard(
    context: typer.Context,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write one self-contained page to this file.", dir_okay=False),
    ] = None,
) -> None:
    """Sales over time, total sales, top products, customer segments, revenue by brand."""
    call = invocation(context)
    from medallion_cli.commands.charts import draw
    from medallion_cli.operations.dashboard import answers, subtitle, visuals

    visuals(call.assets, call.pipeline)  # a project without any is told before AWS is asked for anything
    found = answers(warehouse(call), call.assets, call.pipeline)
    if html is not None:
        _write_page(call, found, html)
    elif call.terminal.wants_json:
        call.terminal.document([{"id": a.visual.id, "title": a.visual.title, "rows": a.rows} for a in found])
    else:
        draw(call.terminal, found)
        call.terminal.line("\n" + subtitle(call.pipeline, datetime.now(UTC)), "dim")


def _write_page(call: Invocation, found: list[Answer], file: Path) -> None:
    """The page, whole or not at all; its path is the result."""
    from medallion_cli.operations.dashboard import page

    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        partial.write_text(page(found, call.pipeline), encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint=call.command("dashboard --html FILE")) from None
    if call.terminal.wants_json:
        call.terminal.document({"file": str(file.resolve())})
    else:
        call.terminal.line(str(file.resolve()))
