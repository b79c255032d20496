"""Row changes over time: small transactions drawn from the recipe's kinds, each with its rows in
`medallion.change_ledger`.

A transaction is a function of (seed, chunk, its number) and of the rows it reads and locks; it writes its
changes, their ledger rows and commits in one round trip. So a chunk that was cut off goes on after its last
committed transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pymysql

from medallion_cli.errors import MedallionError
from medallion_cli.synthetic.connection import Connection, Cursor
from medallion_cli.synthetic.history import SECOND
from medallion_cli.synthetic.kinds import draw
from medallion_cli.synthetic.ledger import CHANGE_CHUNK, Recorded
from medallion_cli.synthetic.plan import Chunk
from medallion_cli.synthetic.recipe import Recipe
from medallion_cli.synthetic.render import Text
from medallion_cli.synthetic.scene import Change, Scene, Statement

RETRIES = 5
FRUITLESS = 500
DEADLOCK, LOCK_WAIT = 1213, 1205


def change_chunk(
    connection: Connection,
    recipe: Recipe,
    schema: str,
    recorded: Recorded,
    chunk: Chunk,
    promised: Mapping[str, int],
    deadline: float = float("inf"),
) -> int:
    """Bring a chunk's changes up to `chunk.rows`, or stop at `deadline` (monotonic); returns how many this
    call made.
    """
    done, number = _progress(connection, recorded.plan_id, chunk.number)
    start, fruitless = done, 0
    step = int(float(recipe.changes.get("seconds", 1)) * SECOND)
    while done < chunk.rows and time.monotonic() < deadline:
        salt = f"{recorded.seed}/{recorded.plan_id}/{chunk.number}/{number}"
        clock = recorded.clock + (chunk.number * CHANGE_CHUNK + number + 1) * step
        scene = partial(Scene, recipe=recipe, schema=schema, salt=salt, clock=clock, promised=promised)
        made = _transaction(connection, scene, chunk.rows - done, (recorded.plan_id, chunk.number, number))
        done, number, fruitless = done + made, number + 1, 0 if made else fruitless + 1
        if fruitless > FRUITLESS:
            raise MedallionError("the source has no rows to change", hint="medallion seed --rows N")
    return done - start


def _progress(connection: Connection, plan_id: int, chunk: int) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        cursor.execute(
            "SELECT COUNT(*), COALESCE(MAX(transaction_no) + 1, 0) FROM medallion.change_ledger"
            " WHERE plan_id = %s AND chunk = %s",
            (plan_id, chunk),
        )
        done, number = cursor.fetchone()
    connection.commit()
    return int(done), int(number)


def _transaction(
    connection: Connection, scene: Callable[..., Scene], budget: int, place: tuple[int, int, int]
) -> int:
    """One transaction of at most `budget` changes; returns how many. A deadlock with other writers is tried
    again.
    """
    for attempt in range(RETRIES):
        try:
            with connection.cursor() as cursor:
                return _commit(cursor, draw(scene(cursor=cursor), budget), place)
        except pymysql.err.OperationalError as error:
            connection.rollback()
            if error.args[0] not in (DEADLOCK, LOCK_WAIT) or attempt == RETRIES - 1:
                raise
        except BaseException:
            connection.rollback()
            raise
    return 0


def _commit(cursor: Cursor, statements: Sequence[Statement], place: tuple[int, int, int]) -> int:
    changes = [change for statement in statements for change in statement.changes]
    parts = [statement.sql for statement in statements]
    if changes:
        parts.append(_ledger_rows(cursor, changes, place))
    cursor.execute("; ".join([*parts, "COMMIT"]))
    while cursor.nextset():
        pass
    return len(changes)


def _ledger_rows(cursor: Cursor, changes: Sequence[Change], place: tuple[int, int, int]) -> str:
    values = [
        value
        for change in changes
        for value in (*place, change.table, change.op, *map(_json, (change.key, change.old_key, change.row)))
    ]
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, NOW(6))"] * len(changes))
    sql: str = cursor.mogrify(
        "INSERT INTO medallion.change_ledger (plan_id, chunk, transaction_no, table_name, op, key_json,"
        f" old_key_json, row_json, changed_at) VALUES {rows}",
        values,
    )
    return sql


def _json(row: Mapping[str, Text] | None) -> str | None:
    """Texts by column; binary as upper-case hexadecimal."""
    if row is None:
        return None
    texts = {name: value.hex().upper() if isinstance(value, bytes) else value for name, value in row.items()}
    return json.dumps(texts, ensure_ascii=False)
