"""An environment from below: its processes and ports, its Iceberg snapshots, what its warehouse waits for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from command_line import Medallion


def processes(state: Path) -> list[psutil.Process]:
    """Every process of an environment: those that name or sit in its folder, and what they started."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words, folder = " ".join(process.cmdline()), Path(process.cwd())
            if str(state) in words or folder.is_relative_to(state):
                found |= {p.pid: p for p in [process, *process.children(recursive=True)]}
    return list(found.values())


def ports(state: Path) -> set[int]:
    """The ports that its processes listen on."""
    found: set[int] = set()
    for process in processes(state):
        with contextlib.suppress(psutil.Error):
            found |= {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    return found


def kill_everything(tool: Medallion) -> set[str]:
    """SIGKILL to the daemon and every engine at one moment; the names of what was killed.

    All are halted first, so that nothing is started or ended by another's death meanwhile.
    """
    daemon = psutil.Process(int((tool.state / "daemon.pid").read_text().split()[0]))
    daemon.suspend()
    victims = processes(tool.state)
    names: set[str] = set()
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for process in victims:
            with contextlib.suppress(psutil.NoSuchProcess):  # one that was about to end
                names.add(process.name())
                act(process)
    deadline = time.monotonic() + 20
    while running(victims):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return names


def running(found: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended. Where no init collects orphans, as in many containers, an ended one stays as a zombie."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [process for process in found if runs(process)]


def snapshots(tool: Medallion) -> set[str]:
    """The Iceberg snapshots of silver, by the manifest lists that its tables' metadata names."""
    return {
        f"{path.parent.parent.name}/{path.name}"
        for path in tool.objects("silver").rglob("metadata/snap-*.avro")
    }


def objects(tool: Medallion, bucket: str) -> set[str]:
    """Keys in a bucket."""
    root = tool.objects(bucket)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@contextmanager
def warehouse(tool: Medallion) -> Iterator[psycopg.Connection[Any]]:
    """The PostgreSQL behind Redshift, as its superuser; may be killed meanwhile."""
    (folder,) = (tool.state / "engines").glob("redshift-*-warehouse")
    port = json.loads((folder / "ports.json").read_text())["postgres"]
    database = tool.name.removesuffix("-local")
    password = (folder / "superuser").read_text().strip()
    connection = psycopg.connect(
        host="127.0.0.1", port=port, user="rdsdb", password=password, dbname=database
    )
    try:
        yield connection
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.close()


@contextmanager
def held(tool: Medallion, table: str) -> Iterator[psycopg.Connection[Any]]:
    """Keeps writers of a warehouse table waiting until the end of the block."""
    with warehouse(tool) as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield connection


def waiting(connection: psycopg.Connection[Any], table: str) -> bool:
    """Whether a transaction waits for a table that is held."""
    row = connection.execute(
        "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table]
    ).fetchone()
    return row is not None and row[0] > 0
