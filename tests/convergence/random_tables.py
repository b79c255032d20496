"""Random source tables: columns of every type that the pipeline carries, keys of one or two columns, values that hurt.

A value is kept in the one form in which it is compared everywhere (`canonical`), so that a row of the harness, of MariaDB
and of the warehouse are equal as Python values.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

BAD_NUMBER = 13  # what the expectation of a table refuses
TEXTS = (
    "",
    "a",
    "B ",
    "  lead",
    "it's",
    'say "x"',
    "line\nfeed",
    "tab\t,",
    "Grüße",
    "日本",
    "\\N",
    "null",
    "0",
    "naïve😀",
)
KEY_KINDS = ("int", "bigint", "varchar(12)", "date", "smallint unsigned")
EPOCH = datetime(2026, 1, 1)


@dataclass(frozen=True)
class ColumnShape:
    """A column: its MySQL type, whether NULL is allowed, and what `clean` says of it."""

    name: str
    mysql: str
    nullable: bool = True
    clean: tuple[str, ...] = ()

    @property
    def ddl(self) -> str:
        return f"`{self.name}` {self.mysql}{'' if self.nullable else ' NOT NULL'}"

    @property
    def is_text(self) -> bool:
        return base(self.mysql) in ("varchar", "char", "text")

    def cleaned(self, value: Any) -> Any:
        """A value as silver should hold it."""
        for rule in self.clean if value is not None else ():
            match rule:
                case "trim":
                    value = value.strip(" ")
                case "lower":
                    value = value.lower()
                case "null_if_empty":
                    value = value or None
        return value


@dataclass(frozen=True)
class TableShape:
    """A table as the project's DDL has it; `rule` is the consequence of its expectation, if it has one."""

    name: str
    key: tuple[str, ...]
    columns: tuple[ColumnShape, ...]
    rule: str | None = None

    @property
    def ddl(self) -> str:
        parts = [column.ddl for column in self.columns]
        parts.append(f"PRIMARY KEY ({', '.join(f'`{name}`' for name in self.key)})")
        return f"CREATE TABLE `{self.name}` (\n  " + ",\n  ".join(parts) + "\n)"

    def column(self, name: str) -> ColumnShape:
        return next(column for column in self.columns if column.name == name)

    def key_of(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def is_bad(self, row: dict[str, Any]) -> bool:
        """Whether the table's expectation keeps the row out of silver's newest versions."""
        return self.rule in ("quarantine", "drop") and row.get("num") == BAD_NUMBER


def base(mysql: str) -> str:
    """`varchar(20)` → `varchar`."""
    return mysql.partition("(")[0].partition(" ")[0]


def parent(chance: random.Random) -> TableShape:
    """A table that others refer to; its key has one or two columns."""
    kinds = [chance.choice(KEY_KINDS) for _ in range(chance.choice((1, 1, 2)))]
    key = [ColumnShape(f"k{n}", kind, False) for n, kind in enumerate(kinds)]
    own = [ColumnShape("label", "varchar(20)", clean=_cleaning(chance)), ColumnShape("num", "int")]
    return _table(chance, "parent", key, own)


def child(chance: random.Random, other: TableShape) -> TableShape:
    """A table with a reference to `other`, a group, a number and a moment, which models need."""
    key = [ColumnShape("id", chance.choice(("int", "bigint", "int unsigned", "varchar(12)")), False)]
    if chance.random() < 0.3:
        key.append(ColumnShape("line", "smallint", False))
    own = [ColumnShape(f"r{n}", other.column(name).mysql) for n, name in enumerate(other.key)]
    own += [ColumnShape("grp", "varchar(8)"), ColumnShape("num", "int")]
    own += [ColumnShape("moment", "datetime", False)]
    return _table(chance, "child", key, own)


def loner(chance: random.Random) -> TableShape:
    """A table that no model but its copy reads, with many types."""
    kinds = chance.sample(KEY_KINDS, 2)
    key = [ColumnShape(f"k{n}", kind, False) for n, kind in enumerate(kinds)]
    return _table(chance, "loner", key, [ColumnShape("num", "int")], extra=6)


def _table(
    chance: random.Random, name: str, key: list[ColumnShape], own: list[ColumnShape], extra: int = 2
) -> TableShape:
    kinds = chance.sample(sorted(VALUES), extra)
    more = [ColumnShape(f"x{n}", kind, chance.random() < 0.8) for n, kind in enumerate(kinds)]
    more = [replace(c, clean=_cleaning(chance)) if c.is_text and c.nullable else c for c in more]
    columns = [*key, *own, *more]
    if chance.random() < 0.3:
        chance.shuffle(columns)
    rule = chance.choice((None, None, "quarantine", "drop", "warn"))
    return TableShape(name, tuple(c.name for c in key), tuple(columns), rule)


def _cleaning(chance: random.Random) -> tuple[str, ...]:
    return chance.choice(((), (), ("trim",), ("trim", "lower"), ("trim", "null_if_empty")))


def value(chance: random.Random, column: ColumnShape) -> Any:
    """A random value of a column that is no key."""
    if column.nullable and chance.random() < 0.15:
        return None
    match column.name:
        case "num":
            return chance.choice((BAD_NUMBER, -1, 0, 1, 2, 3, 5, 8, 1000, chance.randint(-(10**6), 10**6)))
        case "grp":
            return chance.choice(("a", "b", "c", "d"))
        case "moment":
            return EPOCH + timedelta(seconds=chance.choice((-86_400, 0, 3_600, 50_000, 10**6, 10**7)))
    return VALUES[column.mysql](chance)


def key_value(chance: random.Random, mysql: str) -> Any:
    """One of few values, so that keys meet again; texts differ in case from time to time."""
    number = chance.randint(1, 14)
    match base(mysql):
        case "varchar":
            return f"K{number}" if chance.random() < 0.2 else f"k{number}"
        case "date":
            return date(2020, 1, 1) + timedelta(days=number)
    return number


def identity(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the source takes for one key: its collation knows no case."""
    return tuple(part.casefold() if isinstance(part, str) else part for part in key)


def _whole(low: int, high: int) -> Callable[[random.Random], int]:
    return lambda chance: chance.choice((low, high, 0, 1, chance.randint(low, high)))


def _decimal(whole: int, scale: int) -> Callable[[random.Random], Decimal]:
    limit = 10 ** (whole + scale) - 1
    return lambda chance: Decimal(chance.choice((limit, -limit, 0, chance.randint(-limit, limit)))).scaleb(
        -scale
    )


def _moment(digits: int) -> Callable[[random.Random], datetime]:
    step = 10 ** (6 - digits)

    def draw(chance: random.Random) -> datetime:
        micros = chance.randrange(10**6) // step * step
        return datetime(chance.choice((1971, 1999, 2026, 2037)), 2, 28, 23, 59, 59, micros)

    return draw


def _clock(digits: int) -> Callable[[random.Random], str]:
    def draw(chance: random.Random) -> str:
        text = f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
        return f"{text}.{chance.randrange(10**digits):0{digits}d}" if digits else text

    return draw


def _text(length: int) -> Callable[[random.Random], str]:
    return lambda chance: chance.choice(TEXTS)[:length]


def _bytes(length: int, fixed: bool = False) -> Callable[[random.Random], bytes]:
    def draw(chance: random.Random) -> bytes:
        size = length if fixed else chance.randint(0, length)
        return bytes(chance.choice((0, 10, 34, 44, 92, 255)) for _ in range(size))

    return draw


VALUES: dict[str, Callable[[random.Random], Any]] = {
    "tinyint": _whole(-128, 127),
    "tinyint unsigned": _whole(0, 255),
    "smallint": _whole(-32768, 32767),
    "mediumint": _whole(-(2**23), 2**23 - 1),
    "int": _whole(-(2**31), 2**31 - 1),
    "int unsigned": _whole(0, 2**32 - 1),
    "bigint": _whole(-(2**63), 2**63 - 1),
    "bigint unsigned": _whole(0, 2**64 - 1),
    "decimal(8,2)": _decimal(6, 2),
    "decimal(20,6)": _decimal(14, 6),
    "float": lambda chance: chance.choice((0.0, 0.5, -1.25, 1024.0, 3.0e8)),
    "double": lambda chance: chance.choice((0.0, 0.1, -1 / 3, 1e300, 5e-324, chance.random())),
    "bit(1)": lambda chance: chance.random() < 0.5,
    "date": lambda chance: date(chance.choice((1000, 1969, 2000, 2026, 9999)), 12, 31),
    "datetime": _moment(0),
    "datetime(3)": _moment(3),
    "datetime(6)": _moment(6),
    "timestamp(6)": _moment(6),
    "time": _clock(0),
    "time(3)": _clock(3),
    "year": lambda chance: chance.choice((1901, 2026, 2155)),
    "char(6)": lambda chance: chance.choice(TEXTS)[:6].rstrip(" "),
    "varchar(20)": _text(20),
    "text": _text(100),
    "enum('one','two','drei ü')": lambda chance: chance.choice(("one", "two", "drei ü")),
    "set('x','y','z')": lambda chance: ",".join(c for c in "xyz" if chance.random() < 0.5),
    "varbinary(12)": _bytes(12),
    "binary(4)": _bytes(4, fixed=True),
    "blob": _bytes(30),
}  # fmt: skip


def canonical(value: Any) -> Any:
    """A value as rows are compared: floats by their digits, bytes as hex, moments with six digits."""
    match value:
        case None | bool() | str():
            return value
        case bytes():
            return value.hex()
        case float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat(" ", "microseconds")
    return str(value)


def from_source(mysql: str, found: Any) -> Any:
    """What the driver gave for a column, in the harness's form."""
    if found is None:
        return None
    match base(mysql):
        case "bit":
            return found != b"\x00" if isinstance(found, bytes) else bool(found)
        case "time":
            return found.decode() if isinstance(found, bytes) else found
    return found


def selected(column: ColumnShape) -> str:
    """The expression that reads a column whole: TIME as its text, FLOAT with all its digits."""
    match base(column.mysql):
        case "time":
            return f"CAST(`{column.name}` AS CHAR)"
        case "float":
            return f"CAST(`{column.name}` AS DOUBLE)"
    return f"`{column.name}`"


def from_warehouse(redshift: str, text: str | None) -> Any:
    """A text of the warehouse in canonical form."""
    kind = redshift.partition("(")[0]
    match kind if text is not None else None:
        case "BOOLEAN":
            return text in ("t", "true")
        case "DOUBLE PRECISION":
            return repr(float(str(text)))
        case "TIMESTAMP":
            return datetime.fromisoformat(str(text)).isoformat(" ", "microseconds")
        case "VARBYTE":
            return str(text).removeprefix("\\x")
        case "DECIMAL":
            return f"{Decimal(str(text)):f}"
    return text
