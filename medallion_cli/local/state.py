"""Durable JSON documents of one environment: each is whole, or the one before, whatever is killed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replaces `path` atomically and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class StateStore:
    """Documents by name; `a/b` is a document `b` in the folder `a`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()

    def load(self, name: str, default: Any = None) -> Any:
        """The document, or `default` when it was never saved."""
        try:
            return json.loads(self._path(name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return default

    def save(self, name: str, value: Any) -> None:
        """Replaces the document; datetimes become ISO 8601 text."""
        text = json.dumps(value, default=_encode, ensure_ascii=False)
        with self._lock:
            write_file(self._path(name), text.encode())

    @contextlib.contextmanager
    def changing(self, name: str, default: Any) -> Iterator[Any]:
        """The document, to be changed in place; saved at the end unless that raises. One at a time."""
        with self._lock:
            value = self.load(name, default)
            yield value
            self.save(name, value)

    def delete(self, name: str) -> None:
        """Forgets the document."""
        self._path(name).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """The documents in a folder, sorted."""
        return sorted(f"{folder}/{path.stem}" for path in (self.folder / folder).glob("[!.]*.json"))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _encode(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
