"""The source and what the harness knows of it by itself: rows as they should be, and every change in commit order.

It writes to MariaDB with a clock of its own (`SET timestamp`), so that transactions tie in time, and in places run backwards.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from random_tables import (
    EPOCH,
    ColumnShape,
    TableShape,
    canonical,
    from_source,
    identity,
    key_value,
    selected,
    value,
)

Row = dict[str, Any]
Position = tuple[int, int]  # number of the binlog file, offset


@dataclass(frozen=True)
class Change:
    """One row's change: keys before and after (None: there was none), the row after it in the project's columns."""

    position: Position  # the end of its transaction
    at: datetime
    table: str
    old: tuple[Any, ...] | None
    new: tuple[Any, ...] | None
    row: Row | None


@dataclass
class SourceTable:
    """A table now: its columns as they are at the source, and its rows by key."""

    shape: TableShape
    columns: list[ColumnShape]
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)

    def known(self, row: Row) -> Row:
        """A row in the project's columns; what the source does not have is NULL."""
        return {column.name: row.get(column.name) for column in self.shape.columns}

    @property
    def plain(self) -> list[ColumnShape]:
        """Columns that are no key."""
        return [column for column in self.columns if column.name not in self.shape.key]

    def takes(self, key: tuple[Any, ...]) -> bool:
        """Whether no row has the key."""
        return identity(key) not in {identity(other) for other in self.rows}


@dataclass
class SourceModel:
    """The database `name` at a server; `changes` is the log that history is compared with."""

    server: Any
    name: str
    chance: random.Random
    tables: dict[str, SourceTable] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    clock: datetime = EPOCH
    connection: Any = None
    truncated: bool = False  # since the last reload
    _open: list[tuple[str, tuple[Any, ...] | None, tuple[Any, ...] | None, Row | None]] = field(
        default_factory=list
    )

    def create(self, shapes: list[TableShape]) -> None:
        """Makes the database and its tables."""
        self.server.create_database(self.name)
        self.connect()
        for shape in shapes:
            self.tables[shape.name] = SourceTable(shape, list(shape.columns))
            self.run(shape.ddl)

    def connect(self) -> None:
        """A new connection, as after a restart of the server."""
        import pymysql

        self.connection = pymysql.connect(
            host="127.0.0.1", port=self.server.port, user="admin", password="secret", database=self.name,
            charset="utf8mb4", autocommit=True,
        )  # fmt: skip

    def run(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        """One statement; its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def touch(self) -> None:
        """Logs something that changes nothing: the log of a server that has been started again ends in no commit."""
        self._set_clock(self.clock)
        self.run("DROP TABLE IF EXISTS nowhere")

    def _set_clock(self, at: datetime) -> None:
        self.run(f"SET timestamp = {int((at - datetime(1970, 1, 1)).total_seconds())}")

    def position(self) -> Position:
        """Where the binlog ends."""
        ((name, offset, *_),) = self.run("SHOW MASTER STATUS")
        return int(name.rpartition(".")[2]), int(offset)

    def tick(self) -> datetime:
        """The next transaction's time: mostly the last one's, now and then an hour later or a second before."""
        steps = (0, 0, 0, 0, 1, 1, 2, 60, 3600, -1)
        self.clock += timedelta(seconds=self.chance.choice(steps))
        return self.clock

    def transaction(self, table: str | None = None) -> None:
        """Some random statements, committed or rolled back; of one table only, if it is named."""
        names = [table] if table else list(self.tables)
        at = self.tick()
        self._set_clock(at)
        before = {name: dict(table.rows) for name, table in self.tables.items()}
        self.run("BEGIN")
        self._open = []
        for _ in range(self.chance.randint(1, 4)):
            self._statement(self.tables[self.chance.choice(names)])
        if self.chance.random() < 0.07:
            self.run("ROLLBACK")
            for name, rows in before.items():
                self.tables[name].rows = rows
            return
        self.run("COMMIT")
        end = self.position()
        self.changes += [Change(end, at, *change) for change in self._open]

    def _statement(self, table: SourceTable) -> None:
        kinds = ["insert"] * 4 + ["update"] * 6 + ["delete", "delete", "move", "move", "replace", "shift"]
        kind = self.chance.choice(kinds) if table.rows else "insert"
        getattr(self, f"_{kind}")(table)

    def _insert(self, table: SourceTable, count: int | None = None) -> None:
        rows = []
        for _ in range(count or self.chance.randint(1, 4)):
            row = self._row(table)
            key = table.shape.key_of(row)
            if table.takes(key):
                table.rows[key] = row
                rows.append(row)
                self._note(table, None, key)
        if rows:
            names = [column.name for column in table.columns]
            marks = ", ".join(["%s"] * len(names))
            listed = ", ".join(f"`{name}`" for name in names)
            every = ", ".join([f"({marks})"] * len(rows))
            values = [row[name] for row in rows for name in names]
            self.run(f"INSERT INTO `{table.shape.name}` ({listed}) VALUES {every}", values)

    def _update(self, table: SourceTable) -> None:
        keys = self._some(table, 3)
        columns = self.chance.sample(table.plain, min(len(table.plain), self.chance.randint(1, 3)))
        new = {column.name: self._value(column) for column in columns}
        changed = [key for key in keys if self._differs(table.rows[key], new)]
        for key in changed:
            table.rows[key] = table.rows[key] | new
            self._note(table, key, key)
        sets = ", ".join(f"`{name}` = %s" for name in new)
        where, values = self._where(table, keys)
        self.run(f"UPDATE `{table.shape.name}` SET {sets} WHERE {where}", [*new.values(), *values])

    def _differs(self, row: Row, new: Row) -> bool:
        """An update to the values that are there is not logged."""
        return any(canonical(row[name]) != canonical(value) for name, value in new.items())

    def _delete(self, table: SourceTable) -> None:
        keys = self._some(table, 3)
        where, values = self._where(table, keys)
        self.run(f"DELETE FROM `{table.shape.name}` WHERE {where}", values)
        for key in keys:
            del table.rows[key]
            self._note(table, key, None)

    def _replace(self, table: SourceTable) -> None:
        """Deletes a row and inserts another of its key, in one transaction."""
        (key,) = self._some(table, 1)
        where, values = self._where(table, [key])
        self.run(f"DELETE FROM `{table.shape.name}` WHERE {where}", values)
        del table.rows[key]
        self._note(table, key, None)
        row = self._row(table) | dict(zip(table.shape.key, key, strict=True))
        names = [column.name for column in table.columns]
        marks = ", ".join(["%s"] * len(names))
        listed = ", ".join(f"`{name}`" for name in names)
        self.run(f"INSERT INTO `{table.shape.name}` ({listed}) VALUES ({marks})", [row[n] for n in names])
        table.rows[key] = row
        self._note(table, None, key)

    def _move(self, table: SourceTable) -> None:
        """Another key for a row; of a text maybe only its case."""
        (key,) = self._some(table, 1)
        new = tuple(
            part.swapcase()
            if isinstance(part, str) and self.chance.random() < 0.3
            else self._key_part(table, name)
            for name, part in zip(table.shape.key, key, strict=True)
        )
        if new == key or (identity(new) != identity(key) and not table.takes(new)):
            return
        sets = ", ".join(f"`{name}` = %s" for name in table.shape.key)
        where, values = self._where(table, [key])
        self.run(f"UPDATE `{table.shape.name}` SET {sets} WHERE {where}", [*new, *values])
        self._moved(table, key, new)

    def _shift(self, table: SourceTable) -> None:
        """Every row's number one up, from the greatest: each key but one is left and taken in one statement."""
        name = table.shape.key[0]
        if len(table.shape.key) > 1 or not isinstance(next(iter(table.rows))[0], int):
            return
        self.run(f"UPDATE `{table.shape.name}` SET `{name}` = `{name}` + 1 ORDER BY `{name}` DESC")
        for key in sorted(table.rows, reverse=True):
            self._moved(table, key, (key[0] + 1,))

    def _moved(self, table: SourceTable, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:
        row = table.rows.pop(old) | dict(zip(table.shape.key, new, strict=True))
        table.rows[new] = row
        self._note(table, old, new)

    def _note(self, table: SourceTable, old: tuple[Any, ...] | None, new: tuple[Any, ...] | None) -> None:
        row = None if new is None else table.known(table.rows[new])
        self._open.append((table.shape.name, old, new, row))

    def _some(self, table: SourceTable, most: int) -> list[tuple[Any, ...]]:
        keys = sorted(table.rows, key=repr)
        return self.chance.sample(keys, min(len(keys), self.chance.randint(1, most)))

    def _where(self, table: SourceTable, keys: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
        one = " AND ".join(f"`{name}` = %s" for name in table.shape.key)
        return " OR ".join([f"({one})"] * len(keys)), [part for key in keys for part in key]

    def _row(self, table: SourceTable) -> Row:
        row = {column.name: self._value(column) for column in table.plain}
        return row | {name: self._key_part(table, name) for name in table.shape.key}

    def _key_part(self, table: SourceTable, name: str) -> Any:
        return key_value(self.chance, table.shape.column(name).mysql)

    def _value(self, column: ColumnShape) -> Any:
        if column.name.startswith("r") and column.name[1:].isdigit():  # a reference, maybe to nothing
            if self.chance.random() < 0.1:
                return None
            parents = sorted(self.tables["parent"].rows, key=repr)
            if parents and self.chance.random() < 0.8:
                return self.chance.choice(parents)[int(column.name[1:])]
            return key_value(self.chance, column.mysql)
        return value(self.chance, column)

    # Definitions

    def define(self, kept: Container[str] = ()) -> str:
        """A random DDL statement; what it was. The project's own DDL stays as it is; of the tables `kept` no column goes."""
        table = self.tables[self.chance.choice(list(self.tables))]
        free = [c for c in table.plain if c.name.startswith("x")]
        kind = self.chance.choice(["add", "drop", "rename", "retype"]) if free else "add"
        name = f"`{table.shape.name}`"
        if table.shape.name in kept and kind in ("drop", "rename"):
            return self._retype(table)
        match kind:
            case "add":
                new = ColumnShape(f"y{len(self.changes)}", "int")
                if any(column.name == new.name for column in table.columns):
                    return "none"
                place = self.chance.choice(["", " FIRST", f" AFTER `{table.columns[0].name}`"])
                self.run(f"ALTER TABLE {name} ADD COLUMN {new.ddl} DEFAULT 7{place}")
                table.columns.append(new)
                self._everywhere(table, lambda row: row | {new.name: 7})
            case "drop":
                gone = self.chance.choice(free)
                self.run(f"ALTER TABLE {name} DROP COLUMN `{gone.name}`")
                table.columns.remove(gone)
                self._everywhere(table, lambda row: {k: v for k, v in row.items() if k != gone.name})
            case "rename":
                old = self.chance.choice(free)
                new = ColumnShape(f"z{len(self.changes)}{old.name}", old.mysql, old.nullable)
                self.run(f"ALTER TABLE {name} RENAME COLUMN `{old.name}` TO `{new.name}`")
                table.columns[table.columns.index(old)] = new
                self._everywhere(
                    table, lambda row: {new.name if k == old.name else k: v for k, v in row.items()}
                )
            case "retype":
                return self._retype(table)
        return kind

    def _everywhere(self, table: SourceTable, change: Any) -> None:
        table.rows = {key: change(row) for key, row in table.rows.items()}

    def _retype(self, table: SourceTable) -> str:
        """A type that holds every value of the old one; the values drawn stay as they are."""
        found = [
            column for column in table.columns if column.mysql in WIDER and column.name not in table.shape.key
        ]
        if not found:
            return "none"
        column = self.chance.choice(found)
        nullable = "" if column.nullable else " NOT NULL"
        wider = WIDER[column.mysql]
        self.run(f"ALTER TABLE `{table.shape.name}` MODIFY COLUMN `{column.name}` {wider}{nullable}")
        return "retype"

    def truncate(self) -> None:
        """TRUNCATE of a table: DMS does not tell, so only a reload brings it to the warehouse."""
        table = self.tables[self.chance.choice(list(self.tables))]
        self.run(f"TRUNCATE TABLE `{table.shape.name}`")
        table.rows = {}
        self.truncated = True

    # What is there

    def rows(self, name: str) -> dict[tuple[Any, ...], Row]:
        """A table's rows as MariaDB has them, in canonical form."""
        table = self.tables[name]
        found = self.run(f"SELECT {', '.join(selected(c) for c in table.columns)} FROM `{name}`")
        named = (self._read(table, row) for row in found)
        return {table.shape.key_of(row): {k: canonical(v) for k, v in row.items()} for row in named}

    def _read(self, table: SourceTable, row: tuple[Any, ...]) -> Row:
        pairs = zip(table.columns, row, strict=True)
        return {column.name: from_source(column.mysql, found) for column, found in pairs}

    def differences(self) -> Iterator[str]:
        """Where the harness's own rows are not MariaDB's: a fault of the harness."""
        for name, table in self.tables.items():
            held = {k: {n: canonical(v) for n, v in row.items()} for k, row in table.rows.items()}
            if held != (found := self.rows(name)):
                keys = [k for k in {**held, **found} if held.get(k) != found.get(k)]
                yield f"{name} {keys[0]}: harness {held.get(keys[0])}, source {found.get(keys[0])}"


WIDER = {
    "tinyint": "smallint",
    "smallint": "int",
    "int": "bigint",
    "int unsigned": "bigint unsigned",
    "varchar(20)": "varchar(60)",
    "char(6)": "varchar(20)",
    "decimal(8,2)": "decimal(12,2)",
    "varbinary(12)": "varbinary(40)",
    "text": "mediumtext",
}
