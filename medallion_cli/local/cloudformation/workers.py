"""One long-lived thread a stack: a process that a handler starts may die with the thread it came from."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Workers:
    """Runs jobs of the same key one after the other, of different keys side by side."""

    def __init__(self) -> None:
        self._queues: dict[str, queue.Queue[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Run `job` after those of its key that are waiting."""
        with self._lock:
            jobs = self._queues.get(key)
            if jobs is None:
                jobs = self._queues[key] = queue.Queue()
                threading.Thread(target=_work, args=(jobs,), name=f"stack-{key}", daemon=True).start()
        jobs.put(job)

    def join(self, key: str) -> None:
        """Until every job of the key has ended."""
        jobs = self._queues.get(key)
        if jobs is not None:
            jobs.join()


def _work(jobs: queue.Queue[Callable[[], None]]) -> None:
    while True:
        job = jobs.get()
        try:
            job()
        except Exception:  # noqa: BLE001 - logged; the stack is as persisted
            _LOG.exception("a stack operation ended by a bug; it goes on when the daemon starts again")
        finally:
            jobs.task_done()
