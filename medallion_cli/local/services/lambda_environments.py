"""Execution environments of functions: a process each, one invocation each; the next one is started ahead.

AWS keeps an environment warm; here the interpreter and the function's imports are ready when the next invocation comes.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from medallion_cli.local.engines import processes

WORKER = Path(__file__).with_name("lambda_worker.py")


@dataclass(frozen=True)
class Plan:
    """What makes two environments the same: code, entry point and variables; `log` takes what the function prints."""

    folder: Path
    handler: str
    variables: tuple[tuple[str, str], ...]
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """An environment that waits for its event."""
        return processes.spawn(
            [sys.executable, str(WORKER), self.handler],
            env=dict(self.variables),
            cwd=self.folder,
            log=self.log,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


@dataclass
class Environments:
    """At most one warm environment a function; none of a function that was deleted while it worked."""

    _warm: dict[str, tuple[Plan, subprocess.Popen[bytes]]] = field(default_factory=dict)
    _served: set[str] = field(default_factory=set)  # functions that were invoked and not dropped since
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    def take(self, name: str, plan: Plan) -> subprocess.Popen[bytes]:
        """The function's warm environment when it is as planned, else a new one."""
        with self._lock:
            self._served.add(name)
            ready, process = self._warm.pop(name, (None, None))
        if process is not None:
            if ready == plan and process.poll() is None:
                return process
            end(process)
        return plan.start()

    def prepare(self, name: str, plan: Plan) -> None:
        """Warms one for the next invocation; where that fails, the invocation starts its own."""
        with self._lock:
            if not self._over and name in self._served and name not in self._warm:
                with contextlib.suppress(OSError):
                    self._warm[name] = plan, plan.start()

    def drop(self, name: str) -> None:
        """Forgets a function."""
        with self._lock:
            self._served.discard(name)
            _, process = self._warm.pop(name, (None, None))
        if process is not None:
            end(process)

    def close(self) -> None:
        """Ends all of them."""
        with self._lock:
            self._over = True
            names = [*self._warm]
        for name in names:
            self.drop(name)


def end(process: subprocess.Popen[bytes]) -> None:
    """At once; its pipes are closed."""
    process.kill()
    process.communicate()
