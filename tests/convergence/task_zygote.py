"""Starts replication tasks quickly: everything is imported once, each task is a fork that can be killed like any process.

Standard input takes one JSON line a task, `{"home": …, "crash": {"point", "side", "count", "how"} | null}`; the answer
is its pid.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

NO_SPACE = 28  # ENOSPC


def main() -> None:
    """Serves until standard input closes."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet
    import pymysql

    from medallion_cli.local.replication import __main__ as replication
    from medallion_cli.local.replication import binlog

    binlog._HEARTBEAT_SECONDS = 0.1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects them
    for loaded in (pyarrow, pymysql):
        assert loaded
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _work(replication.main, order)
        print(pid, flush=True)


def _work(run: Callable[[Path], int], order: dict[str, Any]) -> None:
    home = Path(order["home"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = 70
    try:
        if order.get("crash"):
            _plant(**order["crash"])
        code = run(home)
    except BaseException:  # noqa: BLE001 (as the interpreter would, without the parent's exit handlers)
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _plant(point: str, side: str, count: int, how: str) -> None:
    """Makes the n-th call of a function the last one: SIGKILL, or a disk that is full."""
    import pyarrow.parquet as pq

    from medallion_cli.local.replication import checkpoint, layout, snapshot

    owner, name = {
        "checkpoint": (checkpoint, "write_checkpoint"),
        "publish": (checkpoint, "publish"),
        "rename": (os, "replace"),
        "sync": (layout, "sync_file"),
        "write": (pq.ParquetWriter, "write_table"),
        "load": (snapshot, "load_table"),
    }[point]
    original, left = getattr(owner, name), [count]

    def last(*args: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and side == "before":
            _end(how)
        result = original(*args, **named)
        if left[0] == 0:
            _end(how)
        return result

    setattr(owner, name, last)


def _end(how: str) -> None:
    if how == "full disk":
        raise OSError(NO_SPACE, os.strerror(NO_SPACE))
    os.kill(os.getpid(), signal.SIGKILL)


POINTS = ("checkpoint", "publish", "rename", "sync", "write", "load")

if __name__ == "__main__":
    main()
