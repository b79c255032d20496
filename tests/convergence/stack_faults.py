"""Faults of the whole stack, given to an environment at a random moment of a command: what dies, what is cut, what is full."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from command_line import Medallion
from engines import kill_everything, processes, warehouse


@dataclass(frozen=True)
class Blow:
    """One kind of fault; `strike` says whether there was anything to hit."""

    name: str
    strike: Callable[[Medallion, subprocess.Popen[str]], bool]


def _killed(*names: str, words: str = "") -> Callable[[Medallion, subprocess.Popen[str]], bool]:
    """SIGKILL to the environment's processes of these names."""

    def strike(tool: Medallion, command: subprocess.Popen[str]) -> bool:
        found = [p for p in processes(tool.state) if _is(p, names, words)]
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return bool(found)

    return strike


def _is(process: psutil.Process, names: tuple[str, ...], words: str) -> bool:
    with contextlib.suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return (not names or process.name() in names) and words in line and process.pid != os.getpid()
    return False


def _daemon(tool: Medallion, command: subprocess.Popen[str]) -> bool:
    pid = int((tool.state / "daemon.pid").read_text().split()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def _everything(tool: Medallion, command: subprocess.Popen[str]) -> bool:
    return bool(kill_everything(tool))


def _command(number: int) -> Callable[[Medallion, subprocess.Popen[str]], bool]:
    def strike(tool: Medallion, command: subprocess.Popen[str]) -> bool:
        if command.poll() is not None:
            return False
        os.killpg(command.pid, number)
        return True

    return strike


def _cut_source(tool: Medallion, command: subprocess.Popen[str]) -> bool:
    """Every connection of the source's clients is ended at the server."""
    with tool.source("mysql") as connection, connection.cursor() as cursor:
        own = connection.thread_id()
        cursor.execute("SHOW PROCESSLIST")
        found = [
            row[0]
            for row in cursor.fetchall()
            if row[0] != own and row[1] not in ("system user", "event_scheduler")
        ]
        for number in found:
            with contextlib.suppress(Exception):
                cursor.execute(f"KILL {number}")
    return bool(found)


def _cut_warehouse(tool: Medallion, command: subprocess.Popen[str]) -> bool:
    """Every session of the warehouse is ended at the server."""
    with warehouse(tool) as connection:
        rows = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        ).fetchall()
        with contextlib.suppress(psycopg.Error):
            connection.commit()
    return bool(rows)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk without a byte left, until the end of the block."""
    filler = folder / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free)
    try:
        yield
    finally:
        filler.unlink()


BLOWS = (
    Blow("replicator killed", _killed(words="medallion_cli.local.replication")),
    Blow("MariaDB killed", _killed("mariadbd", "mysqld")),
    Blow("Spark killed", _killed("java")),
    Blow("PostgreSQL killed", _killed("postgres")),
    Blow("daemon killed", _daemon),
    Blow("everything killed", _everything),
    Blow("command killed", _command(signal.SIGKILL)),
    Blow("command interrupted", _command(signal.SIGINT)),
    Blow("source's connections cut", _cut_source),
    Blow("warehouse's connections cut", _cut_warehouse),
    Blow("job's process killed", _killed(words="spark_job.py")),
)


def choose(chance: random.Random, number: int) -> Blow:
    """Each kind in turn over the trials, then by luck: twenty trials have seen all of them."""
    return BLOWS[number % len(BLOWS)] if number < len(BLOWS) else chance.choice(BLOWS)
