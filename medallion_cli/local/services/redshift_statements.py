"""The Data API's history: a JSON file a statement, a file of JSON lines a result, kept for 24 hours."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medallion_cli.local.engines.redshift import Outcome
from medallion_cli.local.protocol import ServiceError

DONE = ("FINISHED", "FAILED", "ABORTED")
_KEPT_SECONDS = 24 * 3600
_KEPT_STATEMENTS = 5_000
_PAGE_BYTES = 1 << 20


class Statements:
    """Statement documents, in memory and on disk; every change is on disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._lock = threading.RLock()
        self._known: dict[str, dict[str, Any]] = {}
        for path in folder.glob("*.json"):
            document = json.loads(path.read_text())
            self._known[document["id"]] = document

    def get(self, identifier: str) -> dict[str, Any]:
        """A statement, or a sub-statement by `<id>:<n>`. ResourceNotFoundException when unknown."""
        whole, _, number = identifier.partition(":")
        with self._lock:
            statement = self._known.get(whole)
            subs = statement["subs"] if statement else []
            if statement is None or (number and not (number.isdigit() and 0 < int(number) <= len(subs))):
                raise ServiceError("ResourceNotFoundException", f"Query does not exist: {identifier}")
            return dict(subs[int(number) - 1] if number else statement)

    def newest(self) -> list[dict[str, Any]]:
        """All statements, the newest first."""
        with self._lock:
            return sorted(self._known.values(), key=lambda each: each["created"], reverse=True)

    def by_token(self, token: str | None, since: float) -> dict[str, Any] | None:
        """The statement that an earlier call with the same ClientToken started."""
        with self._lock:
            found = (each for each in self._known.values() if token and each["token"] == token)
            return next((each for each in found if each["created"] >= since), None)

    def save(self, statement: dict[str, Any]) -> None:
        """Keeps a new statement, and forgets old ones."""
        with self._lock:
            self._known[statement["id"]] = statement
            self._write(statement)
            for old in list(self._outdated()):
                del self._known[old]
                for path in self._folder.glob(f"{old}*"):
                    path.unlink(missing_ok=True)

    def abort_unfinished(self) -> None:
        """What ran when the daemon died was rolled back by the server."""
        with self._lock:
            for statement in self._known.values():
                if statement["status"] not in DONE:
                    for each in (statement, *statement["subs"]):
                        each |= {"status": "ABORTED", "updated": time.time()}
                    statement["error"] = (
                        "The local daemon stopped while the statement ran; it was rolled back"
                    )
                    self._write(statement)

    def begin(self, identifier: str, number: int | None) -> None:
        """The statement, or the nth of a batch, has started."""
        with self._changed(identifier, number) as each:
            each |= {"status": "STARTED", "started": time.time()}

    def finish(
        self, identifier: str, number: int | None, outcome: Outcome, columns: list[dict[str, Any]]
    ) -> None:
        """Keeps a result; a single statement is complete only with `complete`."""
        size = self._write_rows(identifier, number, outcome) if outcome.columns is not None else 0
        with self._changed(identifier, number) as each:
            each |= {"rows": max(outcome.count, 0), "has_result": outcome.columns is not None, "size": size}
            each |= {"columns": columns, "seconds": time.time() - each["started"]}
            each["status"] = "FINISHED" if number else each["status"]

    def complete(self, identifier: str) -> None:
        """Everything ran, and is committed."""
        with self._changed(identifier, None) as statement:
            statement |= {"status": "FINISHED", "seconds": time.time() - statement["started"]}
            if statement["batch"]:
                last = statement["subs"][-1]
                statement |= {key: last[key] for key in ("rows", "size")}
                statement["has_result"] = any(sub["has_result"] for sub in statement["subs"])

    def fail(self, identifier: str, number: int | None, error: str, *, aborted: bool) -> None:
        """The statement, or the nth of a batch, failed; what follows it never ran."""
        status = "ABORTED" if aborted else "FAILED"
        with self._changed(identifier, None) as statement:
            statement |= {"status": status, "seconds": time.time() - statement["started"]}
            statement["error"] = f"Query #{number} failed with {error}" if number else error
            for index, sub in enumerate(statement["subs"], start=1):
                if index >= (number or 0):
                    sub |= {"status": status, "error": error} if index == number else {"status": "ABORTED"}
                sub["updated"] = time.time()

    def end(self, identifier: str) -> None:
        """A statement whose thread ends without a word (a full disk, a defect) has failed."""
        if self.get(identifier)["status"] not in DONE:
            self.fail(
                identifier, None, "ERROR: the local Data API failed: see the daemon's log", aborted=False
            )

    def page(self, identifier: str, token: str | None) -> tuple[list[list[str | None]], str | None]:
        """(rows from the token on, the next token); about 1 MB a page."""
        rows: list[list[str | None]] = []
        try:
            with self._rows(identifier).open("rb") as file:
                file.seek(int(token or 0))
                while line := file.readline():
                    rows.append(json.loads(line))
                    if file.tell() - int(token or 0) >= _PAGE_BYTES:
                        break
                more = bool(file.peek(1))
                return rows, str(file.tell()) if more else None
        except (ValueError, OSError):
            raise ServiceError(
                "ValidationException", "invalid NextToken, or the result has expired"
            ) from None

    @contextlib.contextmanager
    def _changed(self, identifier: str, number: int | None) -> Iterator[dict[str, Any]]:
        """The statement, or one of a batch, to be changed; on disk afterwards."""
        with self._lock:
            statement = self._known[identifier]
            each = statement["subs"][number - 1] if number else statement
            yield each
            each["updated"] = statement["updated"] = time.time()
            self._write(statement)

    def _outdated(self) -> Iterator[str]:
        limit = time.time() - _KEPT_SECONDS
        surplus = {each["id"] for each in self.newest()[_KEPT_STATEMENTS:]}
        for identifier, each in self._known.items():
            if each["status"] in DONE and (each["created"] < limit or identifier in surplus):
                yield identifier

    def _rows(self, identifier: str) -> Path:
        return self._folder / f"{identifier.replace(':', '.')}.rows"

    def _write_rows(self, identifier: str, number: int | None, outcome: Outcome) -> int:
        """Writes the result; returns its size in bytes."""
        path = self._rows(f"{identifier}:{number}" if number else identifier)
        with path.open("w") as file:
            for row in outcome.rows:
                file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        return path.stat().st_size

    def _write(self, statement: dict[str, Any]) -> None:
        path = self._folder / f"{statement['id']}.json"
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(statement, file)
        fresh.replace(path)
