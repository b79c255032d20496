"""The interactive shell of `query`: history, completion by the specification, a statement ends with `;`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.commands.tabular import show
from medallion_cli.errors import MedallionError
from medallion_cli.folders import state_root
from medallion_cli.operations.query import query

if TYPE_CHECKING:
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.commands.context import Invocation

KEYWORDS = """SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER CROSS ON USING AS AND OR NOT IN
IS NULL LIKE ILIKE BETWEEN EXISTS CASE WHEN THEN ELSE END DISTINCT UNION ALL INTERSECT EXCEPT WITH OVER PARTITION ASC DESC
COUNT SUM MIN MAX AVG COALESCE NULLIF CAST DATE_TRUNC EXTRACT EXPLAIN ROW_NUMBER RANK LAG LEAD ROUND TRUE FALSE"""
HELP = r"""\d           tables and views          \d TABLE  its columns
\q  Ctrl-D   leave                     \?        this
A statement ends with ; and may take several lines. Ctrl-C drops what is typed, or cancels what runs."""
_ALIASED = re.compile(r"(?i)\b(?:from|join)\s+((?:\w+\.)?\w+)(?:\s+(?:as\s+)?(\w+))?")

Catalog = dict[str, list[str]]  # `gold.fact_sales` → columns


def run(call: Invocation, warehouse: Warehouse, *, write: bool) -> None:
    """Reads and runs statements until the end; a statement that fails is told, and the shell goes on."""
    catalog = known_tables(call)
    session = _session(call, catalog)
    call.terminal.say(f"{call.settings.prefix}{'' if write else ', read-only'}. \\? helps, \\q leaves.")
    while True:
        try:
            text = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.strip() in (r"\q", "exit", "quit", "exit;", "quit;"):
            return
        _answer(call, warehouse, catalog, text, write)


def _answer(call: Invocation, warehouse: Warehouse, catalog: Catalog, text: str, write: bool) -> None:
    words = text.split()
    if not words:
        return
    try:
        match words[0]:
            case r"\?":
                call.terminal.line(HELP)
            case r"\d":
                _describe(call, catalog, words[1:])
            case _:
                show(call, query(warehouse, text, write=write))
    except MedallionError as error:
        call.terminal.error(error)
    except KeyboardInterrupt:
        call.terminal.say("cancelled")


def _describe(call: Invocation, catalog: Catalog, names: list[str]) -> None:
    """`\\d` lists tables; `\\d TABLE` its columns."""
    if not names:
        call.terminal.paged(("table", "columns"), [(name, len(columns)) for name, columns in catalog.items()])
        return
    found = {name: columns for name, columns in catalog.items() if names[0] in (name, name.partition(".")[2])}
    if not found:
        call.terminal.say(f"no table {names[0]}", None)
    call.terminal.paged(
        ("table", "column"), [(name, column) for name, columns in found.items() for column in columns]
    )


def known_tables(call: Invocation) -> Catalog:
    """Tables and views of gold by the specification: nothing is asked of the warehouse."""
    from medallion_cli.lineage import gold_columns

    return {
        f"gold.{name}": list(columns) for name, columns in gold_columns(call.pipeline, call.assets).items()
    }


def candidates(before: str, catalog: Catalog) -> Iterator[str]:
    """What may follow `before`, the statement up to the cursor, in place of its last word."""
    word = re.search(r"[\w.]*$", before)
    typed = word.group() if word else ""
    owner, dot, _ = typed.rpartition(".")
    used = {(alias or table.rpartition(".")[2]).lower(): table for table, alias in _ALIASED.findall(before)}
    if dot:
        table = used.get(owner.lower(), owner)
        known = catalog.get(table) or catalog.get(f"gold.{table}") or []
        yield from (f"{owner}.{column}" for column in known)
        yield from (name for name in catalog if name.startswith(f"{owner}."))
        return
    if not re.search(r"(?i)\b(from|join)\s+[\w.]*$", before):
        for table in used.values():
            yield from catalog.get(table) or catalog.get(f"gold.{table}") or []
        yield from KEYWORDS.split()
    yield from catalog


def _session(call: Invocation, catalog: Catalog) -> Any:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application.current import get_app
    from prompt_toolkit.filters import Condition

    @Condition
    def unfinished() -> bool:
        text = get_app().current_buffer.text.strip()
        return (
            bool(text)
            and not text.endswith(";")
            and not text.startswith("\\")
            and text not in ("exit", "quit")
        )

    return PromptSession(
        "gold> ",
        multiline=unfinished,
        prompt_continuation="   -> ",
        history=_history(call.settings.prefix or "medallion"),
        completer=_completer(catalog),
        complete_while_typing=False,
        enable_history_search=True,
    )


def _completer(catalog: Catalog) -> Any:
    from prompt_toolkit.completion import Completer, Completion

    class Names(Completer):
        """Keywords, tables and columns that begin as the word at the cursor does."""

        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Any]:
            before = document.text_before_cursor
            found = re.search(r"[\w.]*$", before)
            typed = found.group() if found else ""
            for name in dict.fromkeys(candidates(before, catalog)):
                if name.lower().startswith(typed.lower()):
                    yield Completion(name, start_position=-len(typed))

    return Names()


def _history(name: str) -> Any:
    """A file of the user's own under the state folder, where no environment's name begins with a dot; else in memory alone."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = state_root() / ".query-history" / f"{name}.sql"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
