"""A kill at any moment: committed rows stay, others never were, and start brings the warehouse back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from scratch_warehouse import ADMIN, DATABASE, PASSWORD, Scratch, scratch_warehouse

from medallion_cli.local.engines.redshift_errors import SqlError

pytestmark = pytest.mark.engine


def postmaster(warehouse: Scratch) -> int:
    data = warehouse.host.state / "engines" / "redshift-scratch" / "data"
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def kill_everything(warehouse: Scratch) -> None:
    """kill -9 of the postmaster and its children, as when the machine's out-of-memory killer runs wild."""
    pid = postmaster(warehouse)
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(
        lives(process) for process in family
    ):  # a signal is delivered when the process is next scheduled
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended; where no init collects orphans, an ended one stays as a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_kill_9_and_start_again(tmp_path: Path) -> None:
    with scratch_warehouse(tmp_path) as warehouse:
        port = warehouse.engine.port
        warehouse.script(
            "CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)"
        )
        kill_everything(warehouse)
        with pytest.raises(SqlError):
            warehouse.run("SELECT 1")
        assert not warehouse.engine.running
        warehouse.engine.start(DATABASE, ADMIN, PASSWORD)
        session = warehouse.engine.session()
        assert session.execute("SELECT a FROM t").rows == [("1",)]
        session.close()
        assert warehouse.engine.port == port, "the endpoint stays where it was"


def test_a_backend_that_outlives_the_postmaster_is_ended(tmp_path: Path) -> None:
    with scratch_warehouse(tmp_path) as warehouse:
        warehouse.run("CREATE TABLE t (a BIGINT)")
        busy = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        with contextlib.suppress(SqlError):
            threading.Timer(1, lambda: os.kill(postmaster(warehouse), signal.SIGKILL)).start()
            threading.Timer(2, warehouse.engine.start, [DATABASE, ADMIN, PASSWORD]).start()
            warehouse.run(busy)
        deadline = time.monotonic() + 30
        while not warehouse.engine.running and time.monotonic() < deadline:
            time.sleep(0.1)
        session = warehouse.engine.session()
        assert session.execute("SELECT COUNT(*) FROM t").rows == [("0",)]
        session.close()


def test_a_reused_pid_does_not_keep_the_server_down(tmp_path: Path) -> None:
    with scratch_warehouse(tmp_path) as warehouse:
        warehouse.session.close()
        warehouse.engine.stop()
        pid_file = warehouse.host.state / "engines" / "redshift-scratch" / "data" / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n")
        warehouse.engine.start(DATABASE, ADMIN, PASSWORD)
        assert warehouse.engine.running


def test_nothing_is_left_after_removal(tmp_path: Path) -> None:
    with scratch_warehouse(tmp_path) as warehouse:
        folder = warehouse.host.state / "engines" / "redshift-scratch"
        assert (folder / "superuser").stat().st_mode & 0o777 == 0o600
        pid = postmaster(warehouse)
        warehouse.session.close()
        warehouse.engine.remove()
        assert not folder.exists()
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
