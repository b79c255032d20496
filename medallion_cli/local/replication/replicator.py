"""A replication task at work: the full load, then the binlog, until it is stopped or cannot go on."""

from __future__ import annotations

import shutil
import time
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from medallion_cli.local.replication import binlog, checkpoint, layout, snapshot
from medallion_cli.local.replication.checkpoint import BROKEN, LOADED, LOADING, MISSING, WAITING, TableState
from medallion_cli.local.replication.faults import ReplicationFault, SourceLost
from medallion_cli.local.replication.simulator import Simulator
from medallion_cli.local.replication.source import Position, current_position, shape_of, tables_of
from medallion_cli.local.replication.writer import Batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from medallion_cli.local.replication.task import Task

_RETRY_SECONDS = (0.5, 1, 2, 5, 10)
_PROGRESS_SECONDS = 0.5


class Stopped(Exception):
    """The task was asked to stop."""


class Replicator:
    """Runs one task; `stopping` says whether a stop was asked for, `log` takes one line at a time."""

    def __init__(self, task: Task, stopping: Callable[[], bool], log: Callable[[str], None]) -> None:
        self.task = task
        self.state = checkpoint.read_checkpoint(task.home)
        self._stopping = stopping
        self._log = log
        self._staging = task.home / "staging"
        self._shown = 0.0
        self._simulator = Simulator(task.home.parent, self._staging)

    def run(self) -> str:
        """Works until the end: `stopped` or `loaded` (a task without CDC).

        ReplicationFault when it cannot go on.
        """
        self._recover()
        attempt = 0
        while True:
            before = self.state.position
            try:
                if self.task.migration != "cdc":
                    self._load()
                if self.task.migration == "full-load":
                    return "loaded"
                self._replicate()
            except Stopped:
                self._show()
                return "stopped"
            except SourceLost as error:
                attempt = 0 if self.state.position != before else attempt + 1
                self._log(f"{error}; reconnecting")
                self._pause(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                if self._stopping():
                    return "stopped"

    def _recover(self) -> None:
        """Finishes the publishing that a crash cut short, and forgets what was staged after it."""
        self._staging.mkdir(parents=True, exist_ok=True)
        checkpoint.publish(self.task.home, self.task.target, self.state)
        held = {name for name, _ in self.state.held}
        for leftover in self._staging.iterdir():
            if leftover.name not in held:
                leftover.unlink()

    # The full load

    def _load(self) -> None:
        """Loads the tables that are not loaded yet, all in one snapshot."""
        with _closing(self.task.source.connect()) as connection:
            todo = self._plan(connection)
            if todo:
                at = snapshot.begin(connection)
                self._log(f"full load of {len(todo)} tables at {at.file}:{at.offset}")
                for schema, table in todo:
                    self._load_table(connection, schema, table, at)
        if self.state.position is None:
            known = [table.snapshot for table in self.state.tables.values() if table.snapshot]
            self.state.position = min(known)
            checkpoint.write_checkpoint(self.task.home, self.state)
            self._show()

    def _plan(self, connection: Any) -> list[tuple[str, str]]:
        """Selected tables still to load; explicit ones that the source lacks are shown as missing."""
        found = [name for name in tables_of(connection) if self.task.selects(*name)]
        tables = self.state.tables
        for rule in self.task.selections:
            if "%" not in rule.schema + rule.table and (rule.schema, rule.table) not in found:
                tables.setdefault(f"{rule.schema}.{rule.table}", TableState()).state = MISSING
        if not found:
            raise ReplicationFault(
                "No tables were found at task initialization: the selection rules match nothing"
            )
        if self.state.position is None:  # else a table that came later: its rows are all in the binlog
            for schema, table in found:
                known = tables.setdefault(f"{schema}.{table}", TableState())
                known.state = WAITING if known.state == MISSING else known.state
        self._show()
        settled = (LOADED, MISSING, BROKEN)  # a suspended table waits for a reload
        waiting = {name for name, table in tables.items() if table.state not in settled}
        return [name for name in found if ".".join(name) in waiting]

    def _load_table(self, connection: Any, schema: str, table: str, at: Position) -> None:
        state, shape = self.state.tables[f"{schema}.{table}"], shape_of(connection, schema, table)
        if not shape.key:
            self._log(f"{shape.name} has no primary key: its changes cannot be merged")
        state.load_rows, state.state, state.load_started = 0, LOADING, _now()
        self._clear_loads(schema, table, state.load_files)

        def progress(rows: int) -> None:
            state.load_rows += rows
            self._show(often=True)
            if self._stopping():
                raise Stopped

        amid = self.state.position is not None  # loaded again while changes go on
        commit = layout.commit_text(_now() if amid else self.task.started_at)
        load = snapshot.Load(self.task, shape, commit, state.load_files)
        files = snapshot.load_table(connection, load, self._staging, progress)
        for path, _ in files:
            layout.sync_file(path)
        state.state, state.snapshot, state.load_ended = LOADED, at, _now()
        state.load_files += len(files)
        self._commit([(path.name, key) for path, key in files])
        self._log(f"{shape.name}: {state.load_rows} rows loaded")

    def _clear_loads(self, schema: str, table: str, known: int) -> None:
        """Removes LOAD files that no checkpoint knows of."""
        folder = (self.task.target / layout.table_folder(self.task.folder, schema, table)).resolve()
        for path in folder.glob("LOAD*.parquet"):
            if int(path.stem[4:], 16) > known:
                path.unlink()

    # Changes

    def _replicate(self) -> None:
        """Reads the binlog from the checkpoint and publishes batches at commits."""
        if self.state.position is None:
            self.state.position = self._start_position()
            checkpoint.write_checkpoint(self.task.home, self.state)
            self._show()
        self._log(f"reading changes from {self.state.position.file}:{self.state.position.offset}")
        batch, since, at = self._batch(), time.monotonic(), self.state.position
        micros, inside = self.state.committed, False
        replica = zlib.crc32(str(self.task.home).encode()) | 1
        try:
            for item in binlog.changes(self.task.source, self.state.position, replica, self.task.selects):
                match item:
                    case binlog.Rows():
                        inside = True
                        if self._is_new(item) and not self._is_suspended(item.table.shape.name):
                            since = since if batch.rows else time.monotonic()
                            batch.add(self._simulator.rows(item))
                        continue
                    case binlog.Committed():
                        at, micros, inside = item.at, item.micros, False
                        self._simulator.fail()
                    case binlog.Defined():
                        at, micros, inside = item.at, item.micros, False
                        batch = self._defined(item, batch)
                due = time.monotonic() - since >= self.task.interval
                if not inside and (due or self._stopping() or batch.size >= self.task.batch_bytes):
                    self._publish(batch, at, micros)
                    batch, since = self._batch(), time.monotonic()
                    if self._stopping():
                        raise Stopped
        finally:
            batch.discard()

    def _batch(self) -> Batch:
        return Batch(self.task, self._staging, f"after-{self.state.stamp}")

    def _is_new(self, rows: binlog.Rows) -> bool:
        known = self.state.tables.get(rows.table.shape.name)
        return known is None or known.snapshot is None or rows.at > known.snapshot

    def _is_suspended(self, name: str) -> bool:
        """Whether a table's changes are lost, as DMS loses those of a table in error until it is loaded again."""
        known = self.state.tables.get(name)
        if self._simulator.suspends(name) and (known is None or known.state != BROKEN):
            known = self.state.tables.setdefault(name, TableState())
            known.state = BROKEN
            self._log(f"{name} is suspended (simulated): its changes are not replicated until it is reloaded")
        return known is not None and known.state == BROKEN

    def _start_position(self) -> Position:
        if self.task.start_position:
            name, _, offset = self.task.start_position.rpartition(":")
            return Position(int(name.rpartition(".")[2]), int(offset))
        with _closing(self.task.source.connect()) as connection:
            return current_position(connection)

    def _publish(self, batch: Batch, at: Position, micros: int) -> None:
        """Makes a batch visible and `at` the place to go on from; without rows only the place moves."""
        if self.state.position == at and not batch.rows:
            return
        files, stamp = batch.close(micros // 1000, self.state.stamp) if batch.rows else ([], self.state.stamp)
        files, self.state.held, stamp = self._simulator.files(files, self.state.held, stamp)
        self.state.position, self.state.committed, self.state.stamp = at, micros, stamp
        for name, counts in batch.counts.items():
            table = self.state.tables.setdefault(name, TableState(state=LOADED))
            table.state = (
                LOADED if table.state == MISSING else table.state
            )  # created later: all in the binlog
            table.inserts += counts.inserts
            table.updates += counts.updates
            table.deletes += counts.deletes
            table.updated = counts.last
        self._commit(files)
        self._simulator.done()
        if files:
            self._log(f"{batch.rows} changes of {len(files)} tables up to {at.file}:{at.offset}")

    def _commit(self, files: list[tuple[str, str]]) -> None:
        self.state.pending = files
        checkpoint.write_checkpoint(self.task.home, self.state)
        checkpoint.publish(self.task.home, self.task.target, self.state)
        self._show()

    def _defined(self, item: binlog.Defined, batch: Batch) -> Batch:
        """DDL: columns follow by themselves (each row event tells its shape).

        The rest is noted, or done as asked.
        """
        name = f"{item.schema}.{item.table}"
        if not self.task.selects(item.schema, item.table):
            return batch
        self._log(f"{item.verb} TABLE {name} at {item.at.file}:{item.at.offset}")
        self.state.tables.setdefault(name, TableState(state=LOADED)).ddls += 1
        if item.verb != "TRUNCATE" or not self.task.handles_truncate or not self._is_newer(name, item.at):
            return batch
        self._publish(batch, item.at, item.micros)
        shutil.rmtree(self.task.target / layout.table_folder(self.task.folder, item.schema, item.table))
        return self._batch()

    def _is_newer(self, name: str, at: Position) -> bool:
        known = self.state.tables[name].snapshot
        return known is None or at > known

    # Talk

    def _show(self, *, often: bool = False) -> None:
        """Writes statistics for the service; `often` for calls inside a loop."""
        if often and time.monotonic() - self._shown < _PROGRESS_SECONDS:
            return
        self._shown = time.monotonic()
        tables = {name: asdict(table) for name, table in self.state.tables.items()}
        position = self.state.position and asdict(self.state.position)
        document = {"tables": tables, "position": position, "committed": self.state.committed}
        checkpoint.write_json(self.task.home / "statistics.json", document, durable=False)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping():
            time.sleep(0.05)


class _closing:
    """Drops the connection at the end, whatever is still on it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection._force_close()


def _now() -> int:
    return time.time_ns() // 1000
