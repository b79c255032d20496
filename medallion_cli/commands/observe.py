"""Look at the warehouse: is it healthy, is it right, what does it say."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from medallion_cli.operations.dashboard import Answer


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    app.command()(dashboard)


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
