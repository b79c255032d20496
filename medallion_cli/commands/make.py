"""Make a project, and add to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medallion_cli.commands.context import Invocation, invocation
from medallion_cli.commands.dry_run import DryRun, would
from medallion_cli.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from medallion_cli.operations.scaffold.project import Draft

Url = Annotated[
    str | None,
    typer.Option(
        "--from-mysql",
        metavar="URL",
        help="mysql://USER@HOST:PORT/DATABASE of a MySQL or MariaDB; its password is asked for, or MYSQL_PWD.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds this group's commands."""
    for command in (init, schema):
        app.command()(command)


def init(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or one without a project; default this one.")
    ] = Path("."),
    from_mysql: Url = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="One table, in place of the retail example.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="The project's name; default the database's or the folder's.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a project: of an existing database, of the shipped retail example, or with one table.

    A database is only read: tables, keys, types, references and volumes become pipeline.yaml and the source's DDL,
    with `review:` where a person should look. Then up, run and verify work as they are.
    """
    call = invocation(context)
    from medallion_cli.operations.scaffold import project

    if from_mysql and empty:
        raise UsageError("--empty and --from-mysql exclude each other", hint="medallion init --help")
    made = project.renamed(_draft(call, folder, from_mysql, empty), name)
    if dry_run:
        steps = [f"write {folder / file}" for file in sorted(project.content(made, folder))]
        would(call, steps, project=made.name, review=list(made.notes))
        return
    files = project.write(made, folder)
    _tell(call, made, folder, files)


def _draft(call: Invocation, folder: Path, url: str | None, empty: bool) -> Draft:
    from medallion_cli.operations.scaffold import existing, project

    if url is None:
        return project.empty(folder.resolve()) if empty else project.example(folder.resolve())
    address = existing.parse_url(url)
    secret = existing.password(asking(call), address)
    return project.from_database(folder, address, existing.read(address, secret))


def asking(call: Invocation) -> Callable[[str], str] | None:
    """Asks for a password on a terminal; None where nobody can answer."""
    if not sys.stdin.isatty():
        return None
    return lambda question: str(
        typer.prompt(question, hide_input=True, default="", show_default=False, err=True)
    )


def _tell(call: Invocation, made: Draft, folder: Path, files: list[str]) -> None:
    """What was made, what to look at, what is next; CheckFailed when validation finds something."""
    from medallion_cli.assets import Assets
    from medallion_cli.operations.validate import validate_specification

    findings = validate_specification(Assets.find(folder))
    if call.terminal.wants_json:
        call.terminal.document(
            {"version": 1, "project": made.name, "folder": str(folder.resolve()), "files": files,
             "review": list(made.notes), "findings": findings}
        )  # fmt: skip
    else:
        for note in made.notes:
            call.terminal.say(f"  {note}", None)
        call.terminal.line(str(folder / "configs/pipeline.yaml"))
    for finding in findings:
        call.terminal.say(f"✗ {finding}", None)
    if findings:
        raise CheckFailed(
            f"{len(findings)} findings", hint=f"mend them, then: medallion --project {folder} validate"
        )
    where = "" if folder == Path(".") else f" --project {folder}"
    call.terminal.say(f"{made.name} is made. Next: medallion{where} up --yes", None)


def fill(call: Invocation, url: str | None = None) -> bool:
    """Copies the rows of `url`, or those that the settings name where that was not done yet; whether there are such."""
    from medallion_cli.operations import copy_rows
    from medallion_cli.operations.scaffold import existing

    named = url or call.settings.copy_from
    if named is None:
        return False
    if url or copy_rows.is_due(call.target, named):
        address = existing.parse_url(named)
        secret = existing.password(asking(call), address)
        steps = copy_rows.copy_rows(call.target, call.outputs, call.pipeline, address, secret)
        written = call.change("copy rows", steps)
        if url and call.terminal.wants_json:
            call.terminal.document({"version": 1, "rows": written})
    return True


def filled(call: Invocation, url: str) -> list[str]:
    """What `fill` would copy: a line a table, rows as the server estimates them."""
    from medallion_cli.operations.scaffold import existing

    address = existing.parse_url(url)
    found = existing.read(address, existing.password(asking(call), address))
    rows = {table.name: table.rows for table in found.tables}
    names = [table.name for table in call.pipeline.tables]
    return [f"copy about {rows[name]:,} rows of {name}" for name in names if name in rows]


def schema(
    context: typer.Context,
    name: Annotated[
        list[str], typer.Argument(metavar="NAME", help="pipeline, environment, dashboard, or a command.")
    ],
) -> None:
    """Print the JSON schema of a YAML file, or of what a command prints with --output json.

    `init` puts those of the YAML files where editors find them.
    """
    call = invocation(context)
    from medallion_cli import schemas
    from medallion_cli.commands import documents

    asked = " ".join(name)
    if asked in documents.DOCUMENTS:
        call.terminal.document(documents.schema(asked))
        return
    if asked not in schemas.NAMES:
        known = ", ".join([*schemas.NAMES, *documents.DOCUMENTS])
        raise UsageError(f"no schema {asked!r}", hint=f"one of: {known}")
    call.terminal.document(schemas.schema(asked))
