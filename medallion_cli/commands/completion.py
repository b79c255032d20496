"""What the Tab key offers: tables, models, runs, environments, layers, codes; the shell asks in the middle of a line."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from medallion_cli.errors import MedallionError

VARIABLE = "_MEDALLION_COMPLETE"  # set by the shell's function, as typer makes it
NO_ENVIRONMENT = ("pipeline", "dashboard", "synthetic", "prices")
Names = Callable[["Line"], Iterable[str]]


class Line:
    """The command line so far: its environment, its project, the command's own values, and the word at the cursor."""

    def __init__(self, context: Any, word: str = "") -> None:
        self.values, self.word = context.params, word
        given = context.find_root().params
        self.env = str(given.get("env") or os.environ.get("MEDALLION_ENV") or "local")
        project = given.get("project") or os.environ.get("MEDALLION_PROJECT")
        self.project = Path(project) if project else None

    def document(self) -> dict[str, Any]:
        """pipeline.yaml as it is written."""
        from medallion_cli.assets import PIPELINE, Assets
        from medallion_cli.spec_file import read_yaml

        return read_yaml(Assets.find(self.project).path(PIPELINE))


def tables(line: Line) -> list[str]:
    """Source tables."""
    return list(line.document().get("tables") or {})


def models(line: Line) -> list[str]:
    """Gold models: those that are named, and the copies of tables that none reads."""
    document = line.document()
    named = document.get("models") or {}
    read = {table for model in named.values() for table in (model or {}).get("inputs") or {}}
    return list(dict.fromkeys([*named, *(t for t in document.get("tables") or {} if t not in read)]))


def things(line: Line) -> list[str]:
    """Tables and models."""
    return list(dict.fromkeys([*tables(line), *models(line)]))


def peeked(line: Line) -> list[str]:
    """What the layer that was named has: models in staging and gold, tables before; silver also has their changes."""
    match line.values.get("layer"):
        case "staging" | "gold":
            return models(line)
        case "silver":
            return [name for table in tables(line) for name in (table, f"{table}_changes")]
        case _:
            return tables(line)


def followed(line: Line) -> Iterator[str]:
    """What lineage follows: tables, models, views and visuals; the columns of one once its dot is typed."""
    from medallion_cli.assets import Assets
    from medallion_cli.dashboard import load_dashboard
    from medallion_cli.lineage import gold_columns
    from medallion_cli.spec import load_pipeline

    assets = Assets.find(line.project)
    pipeline = load_pipeline(assets)
    known = {table.name: [column.name for column in table.columns] for table in pipeline.tables}
    known |= {name: list(columns) for name, columns in gold_columns(pipeline, assets).items()}
    owner, dot, _ = line.word.partition(".")
    if dot:
        yield from (f"{owner}.{column}" for column in known.get(owner, ()))
    else:
        yield from (*known, *(visual.id for visual in load_dashboard(assets).visuals))


def environments(line: Line) -> list[str]:
    """configs/<env>.yaml of the project and the shipped ones."""
    from medallion_cli.assets import Assets

    files = Assets.find(line.project).listing("configs", "*.yaml")
    return [name for name in (Path(file).stem for file in files) if name not in NO_ENVIRONMENT]


def runs(line: Line) -> list[str]:
    """The newest runs; none of an embedded AWS that is not running: Tab starts nothing."""
    from medallion_cli.commands import local
    from medallion_cli.commands.context import Invocation
    from medallion_cli.console import Terminal
    from medallion_cli.operations.runs import recent

    call = Invocation(line.env, line.project, Terminal(quiet=True))
    if call.settings.target == "embedded" and (not local.exists(call) or local.seen(call)):
        return []
    return [brief.run_id for brief in recent(call.target, call.outputs, 20)]


def origins(line: Line) -> Iterator[str]:
    """Where a replay can begin."""
    from medallion_cli.operations.replay import EVERYTHING

    yield EVERYTHING
    with suppress(MedallionError):  # an environment that is not up has no runs
        yield from runs(line)


def logged(line: Line) -> list[str]:
    """Layers and components that have logs."""
    from medallion_cli.operations.logs import GROUPS

    return list(GROUPS)


def forms(line: Line) -> list[str]:
    """Of --output: what all commands take, and what some do; which one is typed is not known there."""
    from medallion_cli.commands.context import FORMS

    return list(dict.fromkeys(["table", "json", *(form for forms in FORMS.values() for form in forms)]))


def codes(line: Line) -> list[str]:
    """Codes of findings."""
    from medallion_cli.operations.doctor.catalogue import CATALOGUE

    return [str(code) for code in CATALOGUE]


def schemas(line: Line) -> list[str]:
    """Names of JSON schemas."""
    from medallion_cli.commands.documents import DOCUMENTS
    from medallion_cli.schemas import NAMES

    return [*NAMES, *DOCUMENTS]


def _fixed(*names: str) -> Names:
    return lambda line: names


# parameter → its names; a command's own before the common ones
COMMON: dict[str, Names] = {
    "table": tables,
    "model": models,
    "run_id": runs,
    "env": environments,
    "layer": _fixed("bronze", "silver", "gold"),
    "code": codes,
    "kind": _fixed("copy", "upsert", "scd2", "refresh"),
    "output": forms,
    "where": logged,
    "only": _fixed("sql", "scripts", "lambda"),
}
OWN: dict[tuple[str, str], Names] = {
    ("peek", "layer"): _fixed("source", "bronze", "silver", "staging", "gold"),
    ("peek", "table"): peeked,
    ("lineage", "name"): followed,
    ("replay", "from_"): origins,
    ("replay", "layer"): _fixed("silver", "gold"),
    ("local simulate", "kind"): _fixed(
        "ties", "late", "duplicate", "key-only-delete", "null-op", "suspend", "fail"
    ),
    ("schema", "name"): schemas,
    ("table update", "name"): tables,
    ("model add", "source"): things,
    ("model add", "name"): tables,
}


def attach(command: Any, path: tuple[str, ...] = ()) -> None:
    """Gives every parameter of the command tree its names."""
    for parameter in command.params:
        names = OWN.get((" ".join(path), parameter.name)) or COMMON.get(parameter.name)
        if names is not None and parameter._custom_shell_complete is None:
            parameter._custom_shell_complete = _completer(names)
    for name, each in getattr(command, "commands", {}).items():
        attach(each, (*path, name))


def _completer(names: Names) -> Callable[[Any, Any, str], list[Any]]:
    def complete(context: Any, parameter: Any, incomplete: str) -> list[Any]:
        try:
            found = list(names(Line(context, incomplete)))
        except (MedallionError, OSError):  # the line is not finished: nothing is told
            return []
        return [
            _typer().shell_completion.CompletionItem(name) for name in found if name.startswith(incomplete)
        ]

    return complete


def answer(command: Any, instruction: str, globals_first: Callable[[list[str]], list[str]]) -> int:
    """Prints what Tab offers; global options may stand anywhere, as when the line is run. Exit code 1 for no shell of ours."""
    completing = _typer()
    completing.completion_init()
    action, _, shell = instruction.partition("_")
    kind = completing.shell_completion.get_completion_class(shell)
    if action != "complete" or kind is None:
        return 1
    attach(command)

    class Completion(kind):  # type: ignore[misc, valid-type]
        """The shell's own, with the words in the order in which they are parsed."""

        def get_completion_args(self) -> tuple[list[str], str]:
            words, incomplete = super().get_completion_args()
            return _ordered(words, globals_first), incomplete

        def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
            found = super().get_completions(args, incomplete)
            if incomplete.startswith("-"):
                known = {item.value for item in found}
                every = [name for each in command.params for name in each.opts if name.startswith("--")]
                more = [name for name in every if name.startswith(incomplete) and name not in known]
                found += [completing.shell_completion.CompletionItem(name) for name in more]
            return list(found)

    print(Completion(command, {}, "medallion", VARIABLE).complete())
    return 0


def _typer() -> Any:
    """typer's completion, whose parts it does not export."""
    return importlib.import_module("typer.completion")


def _ordered(words: list[str], globals_first: Callable[[list[str]], list[str]]) -> list[str]:
    """The words before the cursor; one that waits for a global option's value is about that alone."""
    ordered = globals_first(words)
    if (
        words
        and ordered[-1:] == words[-1:]
        and words[-1] in ("--env", "-e", "--project", "-p", "--output", "-o")
    ):
        return [*globals_first(words[:-1])[: _leading(globals_first(words[:-1]))], words[-1]]
    return ordered


def _leading(words: list[str]) -> int:
    """How many words stand before the command's name."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += (
            2
            if words[place] in ("--env", "-e", "--project", "-p", "--output", "-o", "--region", "--profile")
            else 1
        )
    return place
