"""Schema drift at the source: how its tables differ from the project's DDL, and how the DDL takes that over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.ddl import Column, parse_tables
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.operations.scaffold.additions import Addition

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.spec import Pipeline, Table

# Of SHOW CREATE TABLE: a counter, and collations that MariaDB alone has.
OF_SERVER = re.compile(r"\s+AUTO_INCREMENT=\d+|\s+COLLATE[ =]\w*uca1400\w*", re.IGNORECASE)
# The display width of an integer: MariaDB shows it, MySQL 8.4 only that of a Boolean, tinyint(1).
WIDTH = re.compile(r"^((?:tiny|small|medium|big)?int)\((?!1\))\d+\)", re.IGNORECASE)
_TOKENS = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/|(?:--[ \t]|#)[^\n]*|--\n|;|.", re.DOTALL
)


@dataclass(frozen=True)
class Difference:
    """One column that is not as in the project: added, dropped or retyped; types are MySQL's, told without display widths."""

    column: str
    change: str
    was: str = ""
    now: str = ""
    like: str = ""  # the column that it seems to have been

    def __str__(self) -> str:
        types = " → ".join(WIDTH.sub(r"\1", kind) for kind in (self.was, self.now) if kind)
        hint = f", looks like a rename of {self.like}" if self.like else ""
        return f"{self.column} {self.change} ({types}{hint})"


def differences(table: Table, found: Sequence[Sequence[str]]) -> list[Difference]:
    """How the source's columns (name, MySQL type) differ from a table of the project, which may have been a rename."""
    own = {column.name.lower(): column for column in table.columns}
    there = {name.lower(): (name, kind) for name, kind in found}
    gone = [column for column in table.columns if column.name.lower() not in there]
    told = [Difference(column.name, "dropped", column.mysql) for column in gone]
    told += [
        Difference(column.name, "retyped", column.mysql, there[name][1])
        for name, column in own.items()
        if name in there and not is_same(column.mysql, there[name][1])
    ]
    for place, (name, kind) in enumerate(found):
        if name.lower() not in own:
            like = _renamed(table, gone, kind, place)
            gone = [column for column in gone if column is not like]
            told.append(Difference(name, "added", "", kind, like.name if like else ""))
    return told


def _renamed(table: Table, gone: Iterable[Column], kind: str, place: int) -> Column | None:
    """A dropped column of the same type: the one that stood at the same place, else the only one."""
    alike = [column for column in gone if is_same(column.mysql, kind)]
    at_place = [column for column in alike if table.columns.index(column) == place]
    return at_place[0] if at_place else alike[0] if len(alike) == 1 else None


def is_same(one: str, other: str) -> bool:
    """Whether two MySQL types are the same to silver and gold: display widths and a JSON's name are not told apart."""
    return _targets(one) == _targets(other)


def _targets(mysql: str) -> tuple[str, str]:
    text = mysql.lower().replace(" zerofill", "").strip()
    column = Column("", text, True)
    try:
        return column.spark, "" if text.startswith(("enum", "set")) else column.redshift
    except UsageError:
        return text, text


def updated(assets: Assets, pipeline: Pipeline, name: str, ddl: str) -> Addition:
    """The project's DDL with a table as the source defines it (`ddl`); a column that a model reads stays, with a note."""
    file = pipeline.source["ddl"]
    table, text = pipeline.table(name), assets.read(file)
    found = parse_tables(ddl, "mysql", f"the source's {name}").get(name)
    if found is None:
        raise MedallionError(f"the source's definition of {name} is not understood")
    told = differences(table, [(column, kind) for column, kind, _ in found.columns])
    kept = [d.column for d in told if d.change == "dropped" and _reader(pipeline, name, d.column)]
    if kept:
        readers = {c: _reader(pipeline, name, c) for c in kept}
        reader, column = next((r, c) for c, r in readers.items())
        raise UsageError(
            f"{name}.{column} is gone at the source, and {reader} reads it",
            hint=f"take it out of sql/silver_to_gold/{reader}.sql, then the same command again",
        )
    start, end = statement_of(text, name)
    head = _CREATE.match(text, start)
    body = _CREATE.sub(lambda _: head[0] if head else "", OF_SERVER.sub("", ddl.strip().rstrip(";")), count=1)
    return Addition({file: f"{text[:start]}{body};{text[end:]}"}, tuple(str(d) for d in told))


def _reader(pipeline: Pipeline, table: str, column: str) -> str | None:
    """A model whose SELECT names the column; a copy reads whatever there is."""
    word = re.compile(rf"\b{re.escape(column)}\b", re.IGNORECASE)
    models = (m for m in pipeline.models if m.select and table in {i.table for i in m.inputs})
    return next((m.name for m in models if word.search(m.select or "")), None)


def statement_of(text: str, table: str) -> tuple[int, int]:
    """Where the CREATE TABLE of a table stands in a script, with its semicolon; UsageError when it is not found."""
    at = begin = 0
    for token in _TOKENS.findall(text):
        at += len(token)
        if token == ";":
            found = _CREATE.search(text, begin, at)
            if found and found["name"].lower() == table.lower():
                return found.start(), at
            begin = at
    raise UsageError(f"no CREATE TABLE {table} that ends in a semicolon", hint="medallion validate")


_CREATE = re.compile(
    r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:`?\w+`?\.)?`?(?P<name>\w+)`?\s*\(", re.IGNORECASE
)


def whole(
    pipeline: Pipeline, found: dict[str, Sequence[Sequence[str]]]
) -> Iterator[tuple[Table, list[Difference]]]:
    """Each table of the pipeline that the source has, and how it differs."""
    for table in pipeline.tables:
        if table.name in found and (told := differences(table, found[table.name])):
            yield table, told
