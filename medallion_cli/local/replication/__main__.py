"""`python -m medallion_cli.local.replication TASK_FOLDER`: one replication task, until SIGTERM or a fault.

Ends with 0 when stopped (or loaded, for a task without CDC), 3 when the task has failed; `status.json` says
why. Anything else is a crash: start it again, it goes on from its checkpoint.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from medallion_cli.local.replication.checkpoint import write_json
from medallion_cli.local.replication.faults import Refused, ReplicationFault
from medallion_cli.local.replication.replicator import Replicator
from medallion_cli.local.replication.task import read_task

FAILED, REFUSED = 3, 4


def main(home: Path) -> int:
    """Runs the task in `home`; only one process a folder."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            write_json(home / "status.json", {"state": "running", "message": ""}, durable=False)
            ended = Replicator(read_task(home), stop.is_set, _log).run()
        except ReplicationFault as error:
            _log(f"failed: {error}")
            write_json(home / "status.json", {"state": "failed", "message": str(error)}, durable=True)
            return REFUSED if isinstance(error, Refused) else FAILED
        _log(ended)
        write_json(home / "status.json", {"state": ended, "message": ""}, durable=True)
    return 0


def _log(text: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
