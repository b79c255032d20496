"""Look at what gold says: the dashboard in the terminal, as a page, or served while data flow."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.data import warehouse
from medallion_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    app.command()(dashboard)


def dashboard(
    context: typer.Context,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write one self-contained page to this file.", dir_okay=False),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Serve the page on this machine; it follows the data until Ctrl-C."),
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of --serve; default any that is free.")
    ] = 0,
    every: Annotated[
        float, typer.Option("--every", min=1, help="Of --serve: seconds between looks. Each wakes Redshift.")
    ] = 30,
) -> None:
    """Draw the dashboard: in the terminal, as a page that needs no network, or served while data flow."""
    call = invocation(context)
    from medallion_cli.operations.dashboard import visuals

    if html is not None and serve:
        raise UsageError("--html and --serve exclude each other", hint=call.command("dashboard --serve"))
    visuals(call.assets, call.pipeline)  # a project without any is told before AWS is asked for anything
    if serve:
        _serve(call, port, every)
    elif html is not None:
        _write_page(call, html)
    else:
        _draw(call)


def _draw(call: Invocation) -> None:
    """Charts on the terminal, or their rows as JSON."""
    from medallion_cli.commands.charts import draw
    from medallion_cli.operations.dashboard import answers, subtitle

    found = answers(warehouse(call), call.assets, call.pipeline)
    if call.terminal.wants_json:
        call.terminal.document([{"id": a.visual.id, "title": a.visual.title, "rows": a.rows} for a in found])
        return
    draw(call.terminal, found)
    call.terminal.line("\n" + subtitle(call.pipeline, datetime.now(UTC)), "dim")


def _asking(call: Invocation) -> Callable[[], dict[str, Any]]:
    """Asks gold for everything that the page holds."""
    from medallion_cli.dashboard import load_dashboard
    from medallion_cli.operations.dashboard import answers
    from medallion_cli.operations.dashboard_page import document
    from medallion_cli.operations.dashboard_slices import cubes

    gold, dashboard = warehouse(call), load_dashboard(call.assets)

    def ask() -> dict[str, Any]:
        found = answers(gold, call.assets, call.pipeline)
        slices = cubes(gold, found)
        return document(found, call.pipeline, dashboard=dashboard, cubes=slices)

    return ask


def _write_page(call: Invocation, file: Path) -> None:
    """The page, whole or not at all; its path is the result."""
    from medallion_cli.operations.dashboard_page import html_of

    partial = file.with_name(f".{file.name}.{os.getpid()}")
    text = html_of(_asking(call)())
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint=call.command("dashboard --html FILE")) from None
    if call.terminal.wants_json:
        call.terminal.document({"file": str(file.resolve())})
    else:
        call.terminal.line(str(file.resolve()))


def _serve(call: Invocation, port: int, every: float) -> None:
    """Answers until Ctrl-C; the address is the result."""
    from medallion_cli.operations.dashboard_page import html_of
    from medallion_cli.operations.dashboard_server import Asked, server

    asked = Asked(_asking(call), every)
    asked.document()  # what is wrong is told here, not in the browser
    with server(port, lambda data: html_of(data, every=every), asked) as serving:
        url = f"http://127.0.0.1:{serving.server_address[1]}/"
        if call.terminal.wants_json:
            call.terminal.document({"url": url})
        else:
            call.terminal.line(url)
        call.terminal.say("Ctrl-C ends it")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return
