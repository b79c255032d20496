"""One changing operation at a time on an environment: an SSM parameter that says who, what and since when.

A thread of the holder's renews it; one that was not renewed for EXPIRY belongs to nobody. That of a process of this machine
which has ended is taken over at once, so that a killed `up` never blocks the next one.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
import uuid
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Noted

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

RENEWAL = 20.0  # seconds
EXPIRY = timedelta(minutes=2)
ATTEMPTS = 3  # to take a lock that is let go at the same moment
WAIT = "wait for it; if nobody works there any more: medallion unlock"
T = TypeVar("T")


@dataclass(frozen=True)
class Holder:
    """Who works on an environment."""

    owner: str  # user@host
    operation: str
    since: str  # ISO 8601, UTC
    machine: str  # where `pid` means something: a boot of a kernel, and a container on it
    pid: int
    began: str  # of the process, in the kernel's ticks: a number that is used again is another process
    token: str
    renewed: str = ""  # AWS's clock

    def __str__(self) -> str:
        return f"{self.owner}: {self.operation} since {_moment(self.since):%Y-%m-%d %H:%M:%S} UTC"

    @property
    def abandoned(self) -> bool:
        """Whether nobody can be working behind it any more."""
        if self.machine == _machine() and self.began != _began(self.pid):
            return True
        return datetime.now(UTC) - _moment(self.renewed) > EXPIRY


def hold(target: Target, operation: str, steps: Generator[Event, None, T]) -> Generator[Event, None, T]:
    """`steps` under the environment's lock; MedallionError when somebody else has it, or broke it meanwhile."""
    mine = _mine(operation)
    yield from _acquire(target, mine)
    renewal = _Renewal(target, mine)
    renewal.start()
    try:
        while True:
            if renewal.lost.is_set():
                raise MedallionError(f"the lock on {target.settings.prefix} was broken", hint=WAIT)
            try:
                event = next(steps)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            yield event
    finally:
        steps.close()
        renewal.stop()
        if _token(target) == mine.token:
            _delete(target)


def holder(target: Target) -> Holder | None:
    """Who has the lock, or None."""
    try:
        found = target.client("ssm").get_parameter(Name=_name(target))["Parameter"]
    except AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return replace(Holder(**json.loads(found["Value"])), renewed=found["LastModifiedDate"].isoformat())


def unlock(target: Target) -> Holder | None:
    """Breaks the lock; whose it was. Its holder stops at its next step."""
    found = holder(target)
    if found is not None:
        _delete(target)
    return found


class _Renewal(threading.Thread):
    """Says every RENEWAL seconds that the holder lives; `lost` once the lock is somebody else's."""

    def __init__(self, target: Target, mine: Holder) -> None:
        super().__init__(name="lock", daemon=True)
        self.target, self.mine = target, mine
        self.lost, self._ended = threading.Event(), threading.Event()

    def run(self) -> None:
        while not self._ended.wait(RENEWAL):
            try:
                if _token(self.target) != self.mine.token:
                    self.lost.set()
                    return
                _put(self.target, self.mine, overwrite=True)
            except MedallionError:
                continue  # the next one may get through; if none does, it expires as it should

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _acquire(target: Target, mine: Holder) -> Generator[Event, None, None]:
    for _ in range(ATTEMPTS):
        if _put(target, mine, overwrite=False):
            return
        found = holder(target)
        if found is None:
            continue
        if not found.abandoned:
            raise MedallionError(f"{target.settings.prefix} is held by {found}", hint=WAIT)
        if _token(target) == found.token:
            _delete(target)
            yield Noted(f"took over the lock of {found}, which has ended")
    raise MedallionError(f"the lock on {target.settings.prefix} is contended", hint="type the same command")


def _token(target: Target) -> str | None:
    found = holder(target)
    return found.token if found else None


def _put(target: Target, mine: Holder, *, overwrite: bool) -> bool:
    """False when there is one already."""
    try:
        target.client("ssm").put_parameter(
            Name=_name(target), Value=json.dumps(asdict(mine)), Type="String", Overwrite=overwrite
        )
    except AwsError as error:
        if error.code == "ParameterAlreadyExists":
            return False
        raise
    return True


def _delete(target: Target) -> None:
    try:
        target.client("ssm").delete_parameter(Name=_name(target))
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise


def _name(target: Target) -> str:
    return f"/{target.settings.prefix}/lock"


def _mine(operation: str) -> Holder:
    return Holder(
        owner=f"{_user()}@{socket.gethostname()}",
        operation=operation,
        since=datetime.now(UTC).isoformat(),
        machine=_machine(),
        pid=os.getpid(),
        began=_began(os.getpid()),
        token=uuid.uuid4().hex,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """When a process began, as Linux counts; elsewhere whether it is there. Empty for one that has ended."""
    if not Path("/proc/self/stat").exists():
        return _there(pid)
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if facts[0] in "ZX" else facts[19]


def _there(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "there"
    return "there"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
