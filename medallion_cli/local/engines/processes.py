"""Child processes that end with the daemon, and are found again by their pid file when it was killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class _Order:
    """Something for the spawning thread to do."""

    make: Callable[[], subprocess.Popen[Any]]
    answer: queue.Queue[subprocess.Popen[Any] | BaseException]


class _Spawner:
    """Forks from one thread that lives as long as the process: PR_SET_PDEATHSIG follows the thread that forked."""

    def __init__(self) -> None:
        self.orders: queue.Queue[_Order] = queue.Queue()
        threading.Thread(target=self._work, name="spawner", daemon=True).start()

    def _work(self) -> None:
        while True:
            order = self.orders.get()
            try:
                order.answer.put(order.make())
            except BaseException as error:  # noqa: BLE001 (handed to the caller)
                order.answer.put(error)

    def run(self, make: Callable[[], subprocess.Popen[Any]]) -> subprocess.Popen[Any]:
        order = _Order(make, queue.Queue())
        self.orders.put(order)
        answer = order.answer.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer


_spawners: dict[int, _Spawner] = {}
_guard = threading.Lock()


def spawn(
    args: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    pidfile: Path | None = None,
    cwd: Path | None = None,
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[Any]:
    """Starts a process in a session of its own that dies with this one; `user` is the uid and gid to drop to."""
    with contextlib.ExitStack() as files:
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = files.enter_context(log.open("ab"))
            stdout, stderr = stdout or sink, stderr or sink
        drop: dict[str, Any] = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}

        def make() -> subprocess.Popen[Any]:
            return subprocess.Popen(
                list(args),
                env=dict(env) if env is not None else None,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
                **drop,
            )

        process = _spawner().run(make)
    if pidfile is not None:
        write_pidfile(pidfile, process.pid)
    return process


def _spawner() -> _Spawner:
    with _guard:
        if os.getpid() not in _spawners:  # a fork has the dictionary but not the thread
            _spawners[os.getpid()] = _Spawner()
        return _spawners[os.getpid()]


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arm


def write_pidfile(path: Path, pid: int) -> None:
    """Records a process by pid and start time, so that a recycled pid is not mistaken for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{pid} {_started(pid)}\n")
    fresh.replace(path)


def read_pidfile(path: Path) -> int | None:
    """The pid when that very process still runs."""
    try:
        pid, started = path.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _started(int(pid)) == started else None


def ensure_dead(pidfile: Path, patience: float = 20.0) -> None:
    """Ends the recorded process (SIGTERM to its group, then SIGKILL) and forgets it."""
    pid = read_pidfile(pidfile)
    if pid is not None:
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            _signal(pid, number)
            if _gone(pidfile, pid, seconds):
                break
    pidfile.unlink(missing_ok=True)


def _gone(pidfile: Path, pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(pid, os.WNOHANG)
        if read_pidfile(pidfile) is None:
            return True
        time.sleep(0.05)
    return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _started(pid: int) -> str:
    """The process's start time; empty when it does not run (a zombie does not)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return ""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
