"""Acts out simulated faults in what a task writes: rows on their way into a batch, files on their way into bronze."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.simulation import FATAL, FILE, Simulation, read_simulations, spend
from medallion_cli.local.replication.writer import HEARTBEAT

if TYPE_CHECKING:
    from pathlib import Path

    from medallion_cli.local.replication.binlog import Rows

Named = list[tuple[str, str]]  # (staged name, key)


class Simulator:
    """The simulations of one task; `folder` holds them, `staging` the files of the batch."""

    def __init__(self, folder: Path, staging: Path) -> None:
        self._folder = folder
        self._staging = staging
        self._read: tuple[int, list[Simulation]] = (-1, [])
        self._shown: set[int] = set()
        self._tied: dict[int, int] = {}

    def rows(self, rows: Rows) -> Rows:
        """The rows of one event as the simulations leave them."""
        for one in self._of(rows.table.shape.name, "ties", "key-only-delete", "null-op"):
            rows = self._changed(one, rows)
        return rows

    def suspends(self, table: str) -> bool:
        """Whether a table is to be suspended now."""
        return self._show(table, "suspend")

    def fail(self) -> None:
        """ReplicationFault when the task is to fail now; spent first, so that it can be resumed."""
        for one in self._current():
            if one.kind == "fail":
                spend(self._folder, {one.number})
                raise ReplicationFault(one.message or FATAL)

    def files(self, files: Named, held: Named, last: int) -> tuple[Named, Named, int]:
        """(files to publish, files held back, last stamp used) of a batch's files and those held before."""
        out: Named = []
        kept: Named = []
        for name, key in files:
            table = table_of(key)
            if self._show(table, "late"):
                kept.append((name, key))
                continue
            out.append((name, key))
            if self._show(table, "duplicate"):
                last += 1
                out.append((self._copy(name), again(key, last)))
        arrived = {table_of(key) for _, key in out}
        waiting = {table_of(key) for _, key in held if any(self._of(table_of(key), "late"))}
        free = [each for each in reversed(held) if table_of(each[1]) in arrived - waiting]
        if not (self._folder / FILE).exists():  # cleared; one that is spent leaves its file
            free = list(reversed(held))
        return out + free, [each for each in held if each not in free] + kept, last

    def done(self) -> None:
        """The batch is durable: what it showed is spent."""
        if self._shown:
            spend(self._folder, self._shown)
        self._shown, self._tied = set(), {}

    def _changed(self, one: Simulation, rows: Rows) -> Rows:
        match (one.kind, rows.op):
            case ("ties", _):
                self._shown.add(one.number)
                return replace(rows, micros=self._tied.setdefault(one.number, rows.micros))
            case ("null-op", "I"):
                self._shown.add(one.number)
                return replace(rows, op="")
            case ("key-only-delete", "D"):
                self._shown.add(one.number)
                key = set(rows.table.shape.key)
                return replace(rows, images=[_only(image, key) for image in rows.images])
        return rows

    def _show(self, table: str, kind: str) -> bool:
        found = self._of(table, kind)
        self._shown |= {one.number for one in found}
        return bool(found)

    def _copy(self, name: str) -> str:
        shutil.copyfile(self._staging / name, self._staging / f"{name}.again")
        return f"{name}.again"

    def _of(self, table: str, *kinds: str) -> list[Simulation]:
        if table == HEARTBEAT:  # the tool's own: what it tells must stay true
            return []
        return [one for one in self._current() if one.kind in kinds and one.covers(table)]

    def _current(self) -> list[Simulation]:
        path = self._folder / FILE
        try:
            found = path.stat()
        except FileNotFoundError:
            return []
        stamp = found.st_ino ^ found.st_mtime_ns
        if stamp != self._read[0]:
            self._read = (stamp, read_simulations(self._folder))
        return self._read[1]


def table_of(key: str) -> str:
    """`shop.orders` of a change file's key, with or without a folder and date folders."""
    parts = key.split("/")[:-1]
    while parts and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts[-2:])


def again(key: str, stamp: int) -> str:
    """The key of a second copy: the same folder, the name of another moment (ms)."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(stamp // 1000, UTC)
    return f"{key.rpartition('/')[0]}/{moment:%Y%m%d-%H%M%S}{stamp % 1000:03d}.parquet"


def _only(image: tuple[object, ...], key: set[int]) -> tuple[object, ...]:
    return tuple(value if index in key else None for index, value in enumerate(image))
