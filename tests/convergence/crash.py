"""Where a job can be cut off: before or after each thing that it makes last, counted from the moment a fuse is armed.

What a Glue job leaves behind are commits of Iceberg tables, properties of those, files of staging and documents. A process
that is killed leaves some of them done and the rest undone; so does a job whose fuse blows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

WRITES = ("MERGE", "INSERT", "DELETE", "UPDATE", "ALTER", "CREATE", "CALL")


class Crash(BaseException):
    """The job ends here, as by a kill: nothing of the product catches it."""


class Fuse:
    """Blows at the n-th write from now; what comes after it does not happen any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: int | None = None
        self._after = False
        self.blown = False

    def arm(self, count: int, after: bool) -> None:
        """`after`: the write itself still happens."""
        self._left, self._after, self.blown = count, after, False

    def disarm(self) -> bool:
        """Whether it had blown."""
        self._left, blown = None, self.blown
        self.blown = False
        return blown

    def guard(self, write: Callable[[], Any]) -> Any:
        """Does a write, or crashes."""
        if self._left is None:
            return write()
        with self._lock:
            if self.blown:
                raise Crash
            self._left -= 1
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
            setattr(owner, name, _guarded(getattr(owner, name)))
    sql = SparkSession.sql

    def guarded(self: Any, statement: str, *args: Any, **named: Any) -> Any:
        if statement.lstrip().upper().startswith(WRITES):
            return FUSE.guard(lambda: sql(self, statement, *args, **named))
        return sql(self, statement, *args, **named)

    SparkSession.sql = guarded
    put = objects.put_json
    objects.put_json = lambda *args, **named: FUSE.guard(lambda: put(*args, **named))


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **named: Any) -> Any:
        return FUSE.guard(lambda: method(*args, **named))

    return guarded
