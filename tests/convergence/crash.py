"""Where a job can be cut off: before or after each thing that it makes last, counted from the moment a fuse is armed.

What a Glue job leaves behind are commits of Iceberg tables, properties of those, files of staging and documents. A process
that is killed leaves some of them done and the rest undone; so does a job whose fuse blows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

WRITES = ("MERGE", "INSERT", "DELETE", "UPDATE", "ALTER", "CREATE", "CALL")
NOTES = ("MERGE", "set_properties")  # what a job does with rows that it has appended, and what it notes of it


class Crash(BaseException):
    """The job ends here, as by a kill: nothing of the product catches it."""


class Fuse:
    """Blows at the n-th write from now; what comes after it does not happen any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: int | None = None
        self._after = False
        self._kinds: tuple[str, ...] = ()
        self.blown = False

    def arm(self, count: int, after: bool, kinds: tuple[str, ...] = ()) -> None:
        """`after`: the write itself still happens; `kinds`: only writes of these count (none: all)."""
        self._left, self._after, self._kinds, self.blown = count, after, kinds, False

    def disarm(self) -> bool:
        """Whether it had blown."""
        self._left, blown = None, self.blown
        self.blown = False
        return blown

    def guard(self, kind: str, write: Callable[[], Any]) -> Any:
        """Does a write, or crashes."""
        if self._left is None:
            return write()
        with self._lock:
            if self.blown:
                raise Crash
            self._left -= not self._kinds or kind in self._kinds
            hit = self._left <= 0
            self.blown = hit
        if hit and not self._after:
            raise Crash
        result = write()
        if hit:
            raise Crash
        return result


FUSE = Fuse()


def install() -> None:
    """Puts the fuse into every way that the jobs write."""
    from medallion_glue import objects
    from medallion_glue.lakehouse import Lakehouse
    from pyspark.sql import DataFrameWriter, DataFrameWriterV2, SparkSession

    for owner, names in (
        (DataFrameWriterV2, ("append", "overwrite", "overwritePartitions", "create", "createOrReplace")),
        (DataFrameWriter, ("parquet",)),
        (Lakehouse, ("set_properties",)),
    ):
        for name in names:
            setattr(owner, name, _guarded(name, getattr(owner, name)))
    sql = SparkSession.sql

    def guarded(self: Any, statement: str, *args: Any, **named: Any) -> Any:
        if statement.lstrip().upper().startswith(WRITES):
            kind = statement.split(maxsplit=1)[0].upper()
            return FUSE.guard(kind, lambda: sql(self, statement, *args, **named))
        return sql(self, statement, *args, **named)

    SparkSession.sql = guarded
    put = objects.put_json
    objects.put_json = lambda *args, **named: FUSE.guard("put_json", lambda: put(*args, **named))


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **named: Any) -> Any:
        return FUSE.guard(name, lambda: method(*args, **named))

    return guarded
