"""The command tree, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from medallion_cli import __version__
from medallion_cli.commands import (
    add,
    again,
    ask,
    checks,
    data,
    examples,
    health,
    keep,
    lifecycle,
    make,
    observe,
    policy,
    provision,
)
from medallion_cli.commands import demo as demo_commands
from medallion_cli.commands import local as local_commands
from medallion_cli.commands import quarantine as quarantine_commands
from medallion_cli.commands.context import FORMS, Invocation
from medallion_cli.console import Terminal
from medallion_cli.errors import MedallionError, UsageError

app = typer.Typer(
    name="medallion",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Stand up and operate a medallion data warehouse: MySQL, change data capture, bronze, silver, gold, dashboards.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medallion {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    env: Annotated[
        str, typer.Option("--env", "-e", envvar="MEDALLION_ENV", help="configs/<ENV>.yaml")
    ] = "local",
    project: Annotated[
        Path | None,
        typer.Option("--project", "-p", envvar="MEDALLION_PROJECT", help="Folder of your own pipeline."),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="table or json; query: csv, parquet, too; peek: csv; lineage: mermaid."
        ),
    ] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks.")] = False,
    region: Annotated[
        str | None, typer.Option("--region", help="Overrides the environment's region.")
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="AWS profile.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that every command takes (before or after its name)."""
    forms = ("table", "json", *FORMS.get(context.invoked_subcommand or "", ()))
    if output not in forms:
        raise typer.BadParameter(f"{', '.join(forms[:-1])} or {forms[-1]}", param_hint="--output")
    terminal = Terminal(output="json" if output == "json" else "table", quiet=quiet)
    context.obj = Invocation(env, project, terminal, debug, {"region": region, "profile": profile}, output)


make.register(app)
add.register(app)
provision.register(app)
lifecycle.register(app)
data.register(app)
again.register(app)
health.register(app)
observe.register(app)
checks.register(app)
ask.register(app)
keep.register(app)
policy.register(app)
app.add_typer(quarantine_commands.app, name="quarantine")
app.add_typer(local_commands.app, name="local")
demo_commands.register(app)
examples.attach(app)


INTERRUPTED = 130
GLOBAL_FLAGS = {"--quiet", "-q", "--debug"}
GLOBAL_VALUES = {"--env", "-e", "--project", "-p", "--output", "-o", "--region", "--profile"}


def _globals_first(arguments: list[str]) -> list[str]:
    """Moves the global options in front of the command, so that they are taken everywhere."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            return [*front, *rest, word, *queue]
        if word in GLOBAL_FLAGS or (word.partition("=")[0] in GLOBAL_VALUES and "=" in word):
            front.append(word)
        elif word[:2] in GLOBAL_VALUES and len(word) > 2:  # -ojson
            front += [word[:2], word[2:]]
        elif word in GLOBAL_VALUES and queue:
            front += [word, queue.pop(0)]
        else:
            rest.append(word)
    return [*front, *rest]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code: 0 done, 1 failed, 2 wrong usage, 3 a check found something."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(_globals_first(words)))


def _run(words: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    if instruction := os.environ.get("_MEDALLION_COMPLETE", ""):
        from medallion_cli.commands import completion

        if instruction.startswith("complete_"):
            return completion.answer(command, instruction, _globals_first)
    try:
        result = command.main(words, prog_name="medallion", standalone_mode=False)
    except MedallionError as error:
        if "--debug" in words:
            raise
        error.hint = error.hint and _in_this_environment(error.hint, words)
        Terminal().error(error, _code(str(error)))
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:
        return 1
    except OSError as error:
        if "--debug" in words or error.filename is None:
            raise
        Terminal().error(
            MedallionError(
                f"{error.filename}: {error.strerror}", hint="free space or permissions, then again"
            )
        )
        return 1
    except TyperException as error:
        return _wrong_usage(error)
    if result == INTERRUPTED:  # typer's own answer to Ctrl-C
        return _interrupted()
    return result if isinstance(result, int) else 0


def _code(message: str) -> str | None:
    """The finding that an error is a case of."""
    from medallion_cli.operations.doctor.causes import code_of_error

    return code_of_error(message)


def _in_this_environment(hint: str, words: list[str]) -> str:
    """A hint's command lines with the environment and the project that this one names."""
    named = {"-e": "--env", "--env": "--env", "-p": "--project", "--project": "--project"}
    given = ""
    for word, value in zip(words, [*words[1:], ""], strict=True):
        option, _, joined = word.partition("=")
        if option in named and named[option] not in hint:
            given += f" {named[option]} {shlex.quote(joined or value)}"
    return re.sub(r"\bmedallion (?=[a-z])", lambda _: f"medallion{given} ", hint)


def _interrupted() -> int:
    Terminal().say("interrupted; type the same command to go on", None)
    return INTERRUPTED


def _wrong_usage(error: Any) -> int:
    """Options and arguments that the parser refused; a group without a command shows its help."""
    message = error.format_message()
    if message.startswith("Usage:"):
        typer.echo(message, err=True)
    else:
        path = error.ctx.command_path if getattr(error, "ctx", None) else "medallion"
        Terminal().error(UsageError(message, hint=f"{path} --help"))
    return 2


if __name__ == "__main__":
    main()
