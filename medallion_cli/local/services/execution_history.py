"""Histories of executions: one line an event, appended; a line that a crash tore is not there."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from medallion_cli.local.state import write_file

Event = dict[str, Any]


class Histories:
    """Histories by `<machine>:<name>`; without fsync: they outlive every process, not a power cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def append(self, name: str, kind: str, at: str, details: dict[str, Any]) -> None:
        """Adds an event; ids count from 1."""
        with self._lock:
            if name not in self._counts:
                self._counts[name] = self._mended(name)
            self._counts[name] += 1
            number = self._counts[name]
            event = {"timestamp": at, "type": kind, "id": number, "previousEventId": number - 1, **details}
            with open(self._path(name), "a", encoding="utf-8", opener=_private) as file:
                file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def events(self, name: str) -> list[Event]:
        """In order; empty when there is none."""
        try:
            lines = self._path(name).read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]  # what follows the last newline is torn

    def forget(self, name: str) -> None:
        """The execution ended: the next event counts anew from the file."""
        with self._lock:
            self._counts.pop(name, None)

    def _mended(self, name: str) -> int:
        """Drops a torn line, so that the next one starts on its own; how many there are."""
        events = self.events(name)
        text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        path = self._path(name)
        if path.exists() and path.stat().st_size != len(text.encode()):
            write_file(path, text.encode())
        return len(events)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
