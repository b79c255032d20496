"""Starts, finds, stops and removes the daemon of an environment, whatever was killed before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medallion_cli.errors import MedallionError
from medallion_cli.folders import cache_root
from medallion_cli.local import surroundings
from medallion_cli.local.engines.processes import ensure_dead, read_pidfile
from medallion_cli.local.runtime import Credentials
from medallion_cli.local.space import LEAST_MEGABYTES, free_megabytes, shortage

START_SECONDS = 180.0
ROOM = "free some space, then type the same command"
FIRST_MEGABYTES = 600  # free space to make an environment; to go on with one takes less


@dataclass(frozen=True)
class Endpoint:
    """Where an embedded AWS answers."""

    url: str
    credentials: Credentials


@dataclass(frozen=True)
class ProcessStatus:
    """A process of an environment."""

    name: str
    pid: int | None
    port: int | None
    running: bool


def ensure(
    state: Path,
    *,
    region: str,
    options: Mapping[str, str] | None = None,
    notify: Callable[[str], None] = print,
) -> Endpoint:
    """The running daemon; started when it is not, after ending what a killed one left behind.

    Refused on a full disk, where MariaDB would wait for space without a word.
    """
    _roomy(state)
    if (found := endpoint(state)) is not None:
        surroundings.record(state, cache_root())
        if told := surroundings.another_program(program(state)):
            notify(told)
        return found
    _end_leftovers(state)
    notify(f"starting the embedded AWS in {state}")
    try:
        (state / "logs").mkdir(parents=True, exist_ok=True)
        (state / "objects").mkdir(exist_ok=True)
        cache_root().mkdir(parents=True, exist_ok=True)
        surroundings.record(state, cache_root())
    except OSError as error:
        raise MedallionError(f"{error.filename}: {error.strerror}", hint="set MEDALLION_STATE_HOME") from None
    _reachable(state)
    return _launch(state, region, options or {})


def endpoint(state: Path) -> Endpoint | None:
    """Where the daemon answers, when it runs and is ready."""
    if read_pidfile(state / "daemon.pid") is None:
        return None
    try:
        facts = json.loads((state / "daemon.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Endpoint(facts["endpoint"], Credentials(facts["access_key"], facts["secret_key"]))


def program(state: Path) -> dict[str, str]:
    """What the daemon told of itself; nothing when it has just ended."""
    try:
        facts: dict[str, dict[str, str]] = json.loads((state / "daemon.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return facts.get("program", {})


def stop(state: Path) -> None:
    """Ends the daemon and every engine; the state stays."""
    ensure_dead(state / "daemon.pid", patience=60)
    _end_leftovers(state)


def reset(state: Path) -> None:
    """Ends everything and deletes the state."""
    if not state.exists():
        return
    stop(state)
    shutil.rmtree(state)


def status(state: Path) -> list[ProcessStatus]:
    """The daemon and every engine that was ever started."""
    found = endpoint(state)
    port = int(found.url.rpartition(":")[2]) if found else None
    pid = read_pidfile(state / "daemon.pid")
    rows = [ProcessStatus("daemon", pid, port, found is not None)]
    for pidfile in _pidfiles(state):
        pid = read_pidfile(pidfile)
        rows.append(ProcessStatus(pidfile.stem, pid, _listening(pid), pid is not None))
    return rows


def _listening(pid: int | None) -> int | None:
    """The loopback port that a process listens on, where that can be seen."""
    import psutil

    try:
        found = psutil.Process(pid).net_connections("tcp4") if pid else []
    except psutil.Error:
        return None
    ports = [c.laddr.port for c in found if c.status == psutil.CONN_LISTEN]
    return min(ports, default=None)


def _launch(state: Path, region: str, options: Mapping[str, str]) -> Endpoint:
    (state / "daemon.json").unlink(missing_ok=True)
    words = ["--state", str(state), "--cache", str(cache_root()), "--region", region]
    words += ["--options", json.dumps(dict(options))]
    with (state / "logs" / "daemon.out").open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "medallion_cli.local.server", *words],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            cwd=state,
            env=surroundings.of_daemon(),
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (found := endpoint(state)) is not None:
            process.returncode = 0  # it outlives this process: nobody waits for it
            return found
        if process.poll() is not None:
            if (found := _other(state)) is not None:
                return found
            if full := shortage(state):
                raise MedallionError(full, hint=ROOM)
            raise MedallionError(f"the embedded AWS did not start: {_last_line(state)}", hint=_look(state))
        time.sleep(0.05)
    raise MedallionError("the embedded AWS does not get ready", hint=_look(state))


def _other(state: Path) -> Endpoint | None:
    """The daemon that another command started at the same moment."""
    deadline = time.monotonic() + START_SECONDS
    while read_pidfile(state / "daemon.pid") is not None and time.monotonic() < deadline:
        if (found := endpoint(state)) is not None:
            return found
        time.sleep(0.1)
    return None


def _end_leftovers(state: Path) -> None:
    if read_pidfile(state / "daemon.pid") is not None:
        return  # it is starting: `_launch` waits for it
    for pidfile in _pidfiles(state):
        ensure_dead(pidfile)


def _pidfiles(state: Path) -> list[Path]:
    """Those that we wrote (pid and start time), not the engines' own."""
    found = sorted((state / "engines").glob("**/*.pid")) if (state / "engines").is_dir() else []
    return [path for path in found if len(path.read_text(errors="replace").split()) == 2]


def _last_line(state: Path) -> str:
    for name in ("daemon.out", "daemon.log"):
        path = state / "logs" / name
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        if lines:
            return lines[-1]
    return "it said nothing"


def _look(state: Path) -> str:
    return f"less {state / 'logs' / 'daemon.log'}"


def _roomy(state: Path) -> None:
    needed = LEAST_MEGABYTES if (state / "engines").exists() else FIRST_MEGABYTES
    folder = next((path for path in (state, *state.parents) if path.exists()), Path("/"))
    free = free_megabytes(folder)
    if free < needed:
        raise MedallionError(
            f"{folder}: no space left on the disk ({free} MB free, {needed} MB needed)",
            hint=ROOM,
        )


def _reachable(state: Path) -> None:
    """Engines run as another user when this is root: every folder above the state must let it through."""
    if os.geteuid() != 0:
        return
    os.chmod(state, 0o755)
    for folder in state.parents:
        if not folder.stat().st_mode & 0o001:
            raise MedallionError(
                f"{folder} is closed to other users, and the engines refuse to run as root",
                hint="set MEDALLION_STATE_HOME to a folder that others can enter",
            )
