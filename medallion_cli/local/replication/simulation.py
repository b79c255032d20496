"""What of DMS's worse days is to be acted out: kept in a file beside the tasks, so that it outlives every process.

A simulation is spent once the batch that showed it is durable; a crash in between shows it once more, never less.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

KINDS = {
    "ties": "changes of all transactions carry the same commit time",
    "late": "the file is held back and written after the table's next one",
    "duplicate": "the file is written a second time under another name",
    "key-only-delete": "deletes carry their key and nothing else",
    "null-op": "inserts come without Op",
    "suspend": "the table is suspended (Table error): its changes are lost until it is loaded again",
    "fail": "the task fails at the next transaction",
}
ANY_TABLE = "%"
FATAL = (
    "Task error notification received from subtask 0, thread 0 Error executing source loop; "
    "Stream component failed at subtask 0, component st_0_SOURCE; Stop Reason FATAL_ERROR Error Level FATAL"
)
FILE = "simulations.json"


@dataclass(frozen=True)
class Simulation:
    """One fault to act out; `table` is schema.table or % for all, `left` the batches that it will still show in."""

    number: int
    kind: str
    table: str = ANY_TABLE
    left: int = 1
    message: str = ""

    def covers(self, table: str) -> bool:
        """Whether a table (schema.table) is meant."""
        return self.table in (ANY_TABLE, table)


def read_simulations(folder: Path) -> list[Simulation]:
    """The simulations of an environment's tasks; none when nothing was asked for."""
    path = folder / FILE
    return [Simulation(**each) for each in json.loads(path.read_text())] if path.exists() else []


def add_simulation(folder: Path, kind: str, table: str, times: int, message: str = "") -> Simulation:
    """Asks for a fault in the next `times` batches in which it can show."""
    with _locked(folder):
        known = read_simulations(folder)
        added = Simulation(1 + max((s.number for s in known), default=0), kind, table, times, message)
        _write(folder, [*known, added])
    return added


def clear_simulations(folder: Path) -> list[Simulation]:
    """Forgets all of them; those that were there. Without the file, what is held back is released."""
    if not folder.exists():
        return []
    with _locked(folder):
        known = read_simulations(folder)
        (folder / FILE).unlink(missing_ok=True)
    return known


def spend(folder: Path, numbers: set[int]) -> None:
    """Counts one showing of each; those with none left are gone."""
    with _locked(folder):
        counted = [replace(s, left=s.left - (s.number in numbers)) for s in read_simulations(folder)]
        _write(folder, [s for s in counted if s.left > 0])


def _write(folder: Path, simulations: list[Simulation]) -> None:
    fresh = folder / f"{FILE}.new"
    with fresh.open("w") as file:
        json.dump([asdict(each) for each in simulations], file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, folder / FILE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
