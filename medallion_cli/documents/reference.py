"""docs/commands.md, written from the command tree: `python -m medallion_cli.documents.reference > docs/commands.md`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from medallion_cli.commands.examples import EXAMPLES
from medallion_cli.settings import OVERRIDES

HEAD = """# Commands

Generated from the code: `python -m medallion_cli.documents.reference > docs/commands.md`; CI compares.

Options of every command stand before or after its name. What a command says goes to stdout, talk about it to stderr; a pipe
gets plain lines, without colour or animation, and `NO_COLOR` takes the colour alone. `--output json` prints one document, whose
schema `medallion schema COMMAND` prints (all of them: [schemas/](schemas/)). Within a version of a schema no key is renamed,
removed or given another type; keys may be added. With `--dry-run` a command says what it would do and changes nothing; `up` has
`plan` for that.
"""
CODES = """## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed: an error of AWS, of an engine, of the network; at most two lines on stderr, the second is what to type next |
| 2 | wrong usage: unknown names, a specification that cannot be read, a confirmation that nobody gave |
| 3 | a check found something: `validate`, `plan`, `drift`, `verify`, `trace`, `status`, `doctor`; \
`init`: what it made does not validate; `up`: it would fail, or lose data |
| 130 | interrupted; the same command goes on |
"""
VARIABLES = f"""## Environment variables and folders

| variable | what it does |
|---|---|
| `MEDALLION_ENV`, `MEDALLION_PROJECT` | `--env`, `--project` |
| {", ".join(f"`MEDALLION_{name.upper()}`" for name in OVERRIDES)} | \
the setting of that name, in place of the one in `configs/<env>.yaml`; an option of that name wins |
| `MEDALLION_MYSQL_PASSWORD`, `MYSQL_PWD` | the password of `--from-mysql` |
| `MEDALLION_STATE_HOME` | local environments, the history of `query`'s shell; \
else `$XDG_STATE_HOME/medallion`, `~/.local/state/…` (root: `/var/lib/…`) |
| `MEDALLION_CACHE_HOME` | engines, parsed DDL; else `$XDG_CACHE_HOME/medallion`, `~/.cache/…` (root: `/var/cache/…`) |
| `JAVA_HOME` | the Java of local Spark, where it is of version 17 to 21; else the `PATH`'s `java`, then the extra's own |
| `AWS_PROFILE` and the others of the AWS SDK | credentials of environments on AWS |
| `NO_COLOR` | no colour |
| `COLUMNS` | the width that tables and charts are drawn for |
| `PAGER` | what `query` and `peek` show long tables in |

`medallion --install-completion` teaches the shell to complete commands, options, names of environments, tables, models, runs.
"""


def reference() -> str:
    """The whole document."""
    import typer

    from medallion_cli.cli import app

    root: Any = typer.main.get_command(app)
    commands = list(_leaves(root, ()))
    listed = [
        f"| [`{' '.join(path)}`](#{'-'.join(path)}) | {_first(command)} |" for path, command in commands
    ]
    parts = [HEAD, "\n".join(["| command | what it does |", "|---|---|", *listed]) + "\n"]
    parts += ["## Options of every command\n\n" + _parameters(root), CODES, VARIABLES]
    parts += [_section(path, command) for path, command in commands]
    return "\n".join(parts).rstrip() + "\n"


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands that do something, in the order of --help."""
    for name, each in command.commands.items():
        here = (*path, name)
        if not hasattr(each, "commands") or each.invoke_without_command:
            yield here, each
        if hasattr(each, "commands"):
            yield from _leaves(each, here)


def _paragraphs(command: Any) -> list[str]:
    text = re.sub(r"(?s)\n\s*Examples?: .*", "", inspect.cleandoc(command.help or ""))
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _first(command: Any) -> str:
    return _paragraphs(command)[0].replace("|", "\\|")


def _section(path: tuple[str, ...], command: Any) -> str:
    name = " ".join(path)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join(["medallion", name, *(_metavar(p) for p in arguments)])
    lines = [f"## {name}\n", *(f"{text}\n" for text in _paragraphs(command)), f"Usage: `{usage} [OPTIONS]`\n"]
    table = _parameters(command)
    shown = "\n".join(["```", *EXAMPLES.get(name, ()), "```"]) + "\n" if name in EXAMPLES else ""
    return "\n".join([*lines, *([table] if table else []), *([shown] if shown else [])])


def _metavar(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper()).strip("[]")
    return name if parameter.required else f"[{name}]"


def _parameters(command: Any) -> str:
    """A table of arguments and options; nothing for none."""
    rows = [row for parameter in command.params if (row := _row(parameter))]
    return "\n".join(["| option | what it is | default |", "|---|---|---|", *rows]) + "\n" if rows else ""


def _row(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    if "--help" in names or getattr(parameter, "hidden", False) or "--show-completion" in names:
        return ""
    is_option = parameter.param_type_name == "option"
    shown = (
        ", ".join(sorted((f"`{name}`" for name in names), key=len))
        if is_option
        else f"`{_metavar(parameter)}`"
    )
    default = parameter.default if is_option and not callable(parameter.default) else None
    told = "" if default in (None, False, "") else f"`{default}`"
    return f"| {shown} | {str(parameter.help or '').replace('|', chr(92) + '|')} | {told} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
