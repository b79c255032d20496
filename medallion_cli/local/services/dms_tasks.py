"""Running replication tasks: one replicator process each, watched, started again after a crash."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.engines import processes
from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.replication import checkpoint
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.source import Source, current_position
from medallion_cli.local.state import write_file

if TYPE_CHECKING:
    from subprocess import Popen

log = logging.getLogger(__name__)
STOPPED, FAILED, REFUSED = (
    0,
    3,
    4,
)  # exit codes of the replicator (see medallion_cli.local.replication.__main__)
_WATCH_SECONDS = 0.1
_CRASHES = 5  # in a row, without progress
_STOP_SECONDS = 60.0
_SETTLED_SECONDS = 20.0  # a replicator that worked for so long was not refused
_ROTATION_SECONDS = 60.0  # for which a source may refuse a task that it took before: its secret rotates

Ended = Callable[[str, str, str], None]  # (task name, status, message)


@dataclass(frozen=True)
class Definition:
    """What a replicator is started with; `secret` is host, port, username and password."""

    document: dict[str, Any]
    secret: dict[str, Any]
    log: Path
    environment: dict[str, str]


class TaskProcesses:
    """The replicators of one daemon, by task name; `ended` hears of every one that ends for good."""

    def __init__(self, folder: Path, ended: Ended) -> None:
        self._folder = folder
        self._ended = ended
        self._running: dict[str, Popen[Any]] = {}
        self._definitions: dict[str, Callable[[], Definition]] = {}
        self._crashes: dict[str, tuple[int, Any]] = {}
        self._spawned: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()

    def watch(self) -> None:
        """Starts watching, from a thread that lives as long as the daemon."""
        threading.Thread(target=self._watch, name="dms-supervisor", daemon=True).start()

    def home(self, name: str) -> Path:
        """A task's folder."""
        return self._folder / name

    def start(self, name: str, definition: Callable[[], Definition]) -> None:
        """Starts a task's replicator; `definition` is asked again for every restart (secrets rotate)."""
        with self._lock:
            self._definitions[name] = definition
            self._crashes.pop(name, None)
            self._refused.pop(name, None)
            self._spawn(name)

    def forget(self, name: str) -> None:
        """Drops what the task had read: positions, statistics, staged files."""
        for file in ("checkpoint.json", "statistics.json", "status.json"):
            (self.home(name) / file).unlink(missing_ok=True)
        shutil.rmtree(self.home(name) / "staging", ignore_errors=True)

    def remove(self, name: str) -> None:
        """Deletes a task's folder."""
        shutil.rmtree(self.home(name), ignore_errors=True)

    def ask_to_stop(self, name: str) -> bool:
        """Sends SIGTERM: the last batch is flushed and `ended` hears of it. False when it does not run."""
        with self._lock:
            self._definitions.pop(name, None)
            process = self._running.get(name)
            if process is None or process.poll() is not None:
                return False
            process.terminate()
            return True

    def halt(self, name: str) -> None:
        """Stops a replicator and waits, without telling `ended`."""
        with self._lock:
            self._definitions.pop(name, None)
            process = self._running.pop(name, None)
            if process is not None:
                process.terminate()
                _wait(process)
            processes.ensure_dead(self._pidfile(name), patience=_STOP_SECONDS)

    def close(self) -> None:
        """Stops everything gracefully; the tasks go on with the next daemon."""
        self._over.set()
        with self._lock:
            for process in self._running.values():
                process.terminate()
            for name in list(self._running):
                self.halt(name)

    def running(self, name: str) -> bool:
        """Whether the replicator has said that it works."""
        try:
            return bool(json.loads((self.home(name) / "status.json").read_text())["state"] == "running")
        except (OSError, ValueError):
            return False

    def statistics(self, name: str) -> dict[str, Any]:
        """The replicator's latest statistics: {tables, position, committed}; empty before the first."""
        try:
            found: dict[str, Any] = json.loads((self.home(name) / "statistics.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def latency(self, name: str, definition: Definition) -> float | None:
        """Seconds behind the source: 0 at the end of its binlog, by the last commit while it works its way there.

        Between two batches what is on its way is at most an interval old. None when the source does not answer.
        """
        found = self.statistics(name)
        if (position := found.get("position")) is None:
            return None
        connection: Any
        try:
            connection = _source(definition.secret).connect()
        except ReplicationFault:
            return None
        try:
            end = current_position(connection)
        except ReplicationFault:
            return None
        finally:
            connection._force_close()
        if (position["file"], position["offset"]) >= (end.file, end.offset):
            return 0.0
        interval = float(definition.document["s3"].get("CdcMaxBatchInterval", 60))
        if time.time() - (self.home(name) / "statistics.json").stat().st_mtime > 2 * interval:
            return interval
        return max(0.0, time.time() - float(found["committed"]) / 1e6)

    def reload(self, name: str, tables: list[str]) -> None:
        """Marks tables for another full load; the replicator must be halted."""
        state = checkpoint.read_checkpoint(self.home(name))
        for table in tables:
            known = state.tables.setdefault(table, checkpoint.TableState())
            known.state, known.snapshot, known.load_rows = checkpoint.RELOADING, None, 0
        checkpoint.write_checkpoint(self.home(name), state)

    def _spawn(self, name: str) -> None:
        home, definition = self.home(name), self._definitions[name]()
        processes.ensure_dead(self._pidfile(name))
        home.mkdir(parents=True, exist_ok=True)
        (home / "status.json").unlink(missing_ok=True)
        self._spawned[name] = time.monotonic()
        write_file(home / "task.json", json.dumps(definition.document).encode())
        write_file(home / "source.json", json.dumps(definition.secret).encode())
        self._running[name] = processes.spawn(
            [sys.executable, "-m", "medallion_cli.local.replication", str(home)],
            log=definition.log, env=definition.environment, pidfile=self._pidfile(name),
        )  # fmt: skip

    def _pidfile(self, name: str) -> Path:
        return self.home(name) / "replicator.pid"

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_SECONDS):
            with self._lock:
                gone = {name: each for name, each in self._running.items() if each.poll() is not None}
                for name in gone:
                    del self._running[name]
            for name, process in gone.items():  # without the lock: `ended` has one of its own
                self._settle(name, process.returncode)

    def _settle(self, name: str, code: int) -> None:
        """A replicator ended: by itself or as asked, or it crashed and is started again."""
        if code in (STOPPED, FAILED) or (code == REFUSED and not self._may_rotate(name)):
            self._ended(name, *_said(self.home(name)))
            return
        if code == REFUSED:
            time.sleep(0.5)
            self._again(name)
            return
        progress = self.statistics(name).get("position")
        count, before = self._crashes.get(name, (0, None))
        count = 1 if progress != before else count + 1
        self._crashes[name] = (count, progress)
        log.warning("task %s: the replicator ended with %s (%d)", name, code, count)
        if count > _CRASHES:
            self._ended(name, "failed", f"the replicator crashed {count} times without progress: see its log")
            return
        time.sleep(0.2 * (count - 1))
        self._again(name)

    def _may_rotate(self, name: str) -> bool:
        """Whether a refused task had worked with its secret before, so that a new one may be on its way."""
        if time.monotonic() - self._spawned[name] > _SETTLED_SECONDS:
            self._refused.pop(name, None)
        since = self._refused.setdefault(name, time.monotonic())
        worked = self.statistics(name).get("position") is not None
        return worked and time.monotonic() - since < _ROTATION_SECONDS

    def _again(self, name: str) -> None:
        """Starts a replicator that ended, with what its definition says now."""
        try:
            with self._lock:
                if name in self._definitions:
                    self._spawn(name)
        except (ServiceError, ReplicationFault) as error:
            self._ended(name, "failed", str(error))


def _source(secret: dict[str, Any]) -> Source:
    return Source(secret["host"], int(secret["port"]), secret["username"], secret["password"])


def _said(home: Path) -> tuple[str, str]:
    status = json.loads((home / "status.json").read_text())
    return status["state"], status["message"]


def _wait(process: Popen[Any]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()
