"""PostgreSQL's errors in Redshift's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

_BYTES = re.compile(r"^(?P<column>.*)_varchar_(?P<length>\d+)_bytes$")


class SqlError(Exception):
    """A statement failed; PostgreSQL's `sqlstate`, the message as the Data API shows it after `ERROR: `."""

    def __init__(self, sqlstate: str, message: str, where: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.where = where


def from_postgres(error: psycopg.Error) -> SqlError:
    """The SqlError for an error of the driver."""
    diagnosis = error.diag
    message = diagnosis.message_primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
    sqlstate, message, detail = redshift_words(
        error.sqlstate or "08006", message, diagnosis.message_detail or "", diagnosis.constraint_name or ""
    )
    text = f"{message}\n  Detail: {detail}" if detail else message
    where = (diagnosis.context or "").splitlines()
    return SqlError(sqlstate, f"{text}\n  Where: {where[0]}" if where else text)


def redshift_words(sqlstate: str, message: str, detail: str, constraint: str) -> tuple[str, str, str]:
    """(sqlstate, message, detail) as Redshift says it: 1023 for a write conflict, too long for bytes."""
    if sqlstate == "40001":
        return sqlstate, "1023", f"Serializable isolation violation on table ({message})"
    length = _BYTES.match(constraint) if sqlstate == "23514" else None
    if length is not None:
        said = f"value too long for type character varying({length['length']})"
        return "22001", said, f"column {length['column']}: its length is counted in bytes"
    return sqlstate, message, detail
