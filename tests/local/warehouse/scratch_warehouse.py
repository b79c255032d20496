"""A scratch warehouse on the real engine, without the daemon: what tests of SQL run against.

    with scratch_warehouse(tmp_path) as warehouse:
        warehouse.run("CREATE TABLE t (a BIGINT)")            # one Redshift statement; returns rows as text
        warehouse.script(Path("…/tables.sql").read_text())    # many
        warehouse.put("bucket", "key.parquet", b"…")          # an object for COPY … FROM 's3://bucket/key.parquet'

From a shell: `python tests/local/warehouse/scratch_warehouse.py FILE.sql …` runs files.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medallion_cli.local.engines.dialect import split
from medallion_cli.local.engines.redshift import Redshift, Session

DATABASE, ADMIN, PASSWORD = "dev", "admin", "Scratch-Password-1"


class ScratchHost:
    """The few things the engine needs of a runtime, over a folder."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.state = folder
        self.cache = cache

    def object_path(self, bucket: str, key: str) -> Path:
        return self.state / "objects" / bucket / key

    def engine_user(self) -> tuple[int, int] | None:
        return (65534, 65534) if os.getuid() == 0 else None

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert (service, operation) == ("s3", "ListObjectsV2")
        root = self.state / "objects" / params["Bucket"]
        keys = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        return {"Contents": [{"Key": key} for key in keys if key.startswith(params["Prefix"])]}


class Scratch:
    """A running warehouse with one session, and its bucket."""

    def __init__(self, engine: Redshift, host: ScratchHost) -> None:
        self.engine = engine
        self.host = host
        self.session: Session = engine.session()

    def run(self, sql: str, values: Sequence[str] = ()) -> list[tuple[str | None, ...]]:
        """Runs one statement; `$1` … stand for values. Raises SqlError."""
        return self.session.execute(sql, values).rows

    def script(self, text: str) -> None:
        """Runs every statement of a script."""
        for statement in split(text):
            self.session.execute(statement)

    def put(self, bucket: str, key: str, body: bytes) -> Path:
        """Writes an object."""
        path = self.host.object_path(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path


@contextlib.contextmanager
def scratch_warehouse(folder: Path) -> Iterator[Scratch]:
    """A warehouse in a folder that the unprivileged user reaches; about 2 s to start, removed at the end."""
    with reachable(folder) as home:
        cache = Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}"
        cache.mkdir(exist_ok=True)
        host = ScratchHost(home, cache)
        engine = Redshift(host, "scratch")
        engine.start(DATABASE, ADMIN, PASSWORD)
        scratch = Scratch(engine, host)
        try:
            yield scratch
        finally:
            scratch.session.close()
            engine.remove()


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[Path]:
    """The folder, or as root (pytest's folders are 0700) one that the unprivileged user may enter."""
    if os.getuid():
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="medallion-test-") as home:
        Path(home).chmod(0o711)
        yield Path(home)


def main(files: list[str]) -> None:
    """Runs SQL files one after the other on a fresh warehouse."""
    with scratch_warehouse(Path(tempfile.mkdtemp())) as warehouse:
        for file in files:
            for statement in split(Path(file).read_text()):
                rows = warehouse.run(statement)
                print(statement.splitlines()[0][:100], rows if rows else "")


if __name__ == "__main__":
    main(sys.argv[1:])
