"""What a task remembers between runs: positions, statistics, and the renames that publish its last batch."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from medallion_cli.local.replication import layout
from medallion_cli.local.replication.source import Position

WAITING, LOADING, LOADED = "Before load", "Full load", "Table completed"  # DMS's TableState
MISSING, RELOADING, BROKEN = "Table does not exist", "Table is being reloaded", "Table error"


@dataclass
class TableState:
    """One table's progress; times in microseconds since 1970, 0 for never."""

    state: str = WAITING
    snapshot: Position | None = None  # changes at or before it are in the load
    load_rows: int = 0
    load_files: int = 0
    load_started: int = 0
    load_ended: int = 0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    ddls: int = 0
    updated: int = 0


@dataclass
class Checkpoint:
    """The task's durable state.

    `pending` are (staged name, key) of files that may still have to be put in place, `held` of those that a simulation
    holds back.
    """

    position: Position | None = None  # always after a commit
    committed: int = 0  # time of that commit, microseconds
    stamp: int = 0  # the last file name's time, milliseconds
    tables: dict[str, TableState] = field(default_factory=dict)
    pending: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)


def read_checkpoint(home: Path) -> Checkpoint:
    """The checkpoint of a task folder; a new one when there is none."""
    path = home / "checkpoint.json"
    if not path.exists():
        return Checkpoint()
    found = json.loads(path.read_text())
    tables = {
        name: TableState(**{**table, "snapshot": _position(table["snapshot"])})
        for name, table in found["tables"].items()
    }
    pending = [(staged, key) for staged, key in found["pending"]]
    held = [(staged, key) for staged, key in found.get("held", [])]
    return Checkpoint(_position(found["position"]), found["committed"], found["stamp"], tables, pending, held)


def write_checkpoint(home: Path, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint durably: after this returns, a crash goes on from here."""
    write_json(home / "checkpoint.json", asdict(checkpoint), durable=True)


def publish(task_home: Path, target: Path, checkpoint: Checkpoint) -> None:
    """Puts the checkpoint's pending files in place; safe to repeat."""
    staging, folders = task_home / "staging", set()
    for name, key in checkpoint.pending:
        staged, final = staging / name, target / key
        if staged.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, final)
            folders.add(final.parent)
    for folder in folders:
        layout.sync_folder(folder)


def write_json(path: Path, document: Any, *, durable: bool) -> None:
    """Writes a document whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(fresh, path)
    if durable:
        layout.sync_folder(path.parent)


def _position(found: Any) -> Position | None:
    return None if found is None else Position(**found)
