"""What `doctor --fix` does by itself: things that lose nothing, cost nothing and can be done again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Failed, Finished, Started
from medallion_cli.operations import lock, replicate, source_database

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding

Fix = Callable[["Look"], Generator[Event, None, str]]


@dataclass(frozen=True)
class Fixed:
    """What was done about a finding; `done` is empty when it did not work, and `error` says why."""

    code: str
    done: str
    error: str = ""


def fix(look: Look, findings: Iterable[Finding]) -> Generator[Event, None, list[Fixed]]:
    """Does what is safe, in the order of FIXES, each under the environment's lock; says what it did."""
    wanted = {one.code for one in findings if one.safe_to_fix}
    made: list[Fixed] = []
    for code, do in FIXES.items():
        if code not in wanted:
            continue
        yield Started(code)
        try:
            done = yield from lock.hold(look.target, "doctor --fix", do(look))
        except MedallionError as error:
            made.append(Fixed(code, "", str(error)))
            yield Failed(code, str(error))
        else:
            made.append(Fixed(code, done))
            yield Finished(code, done)
    return made


def _unlock(look: Look) -> Generator[Event, None, str]:
    """Who takes the lock has taken it over already, and lets go of it."""
    yield from ()
    return "let go of the lock"


def _database(look: Look) -> Generator[Event, None, str]:
    yield from source_database.started(look.target, look.outputs, look.settings)
    return "started the source database"


def _bootstrap(look: Look) -> Generator[Event, None, str]:
    """The source's users, grants and binlog retention, as `up` writes them; it changes no row."""
    yield from ()
    found = Source(look.target, look.outputs["SourceFunctionName"]).call("bootstrap")
    hours = found.get("binlog_retention_hours")
    kept = f", binlog kept for {hours} h" if hours else ""
    return f"wrote the replication user {found.get('replication_user')} anew{kept}"


def _replication(look: Look) -> Generator[Event, None, str]:
    yield from replicate.start(look.target, look.outputs, look.settings)
    return "started replication"


# In the order in which they need each other. MED-ENV-010 is mended by starting the embedded AWS, before any check can look.
FIXES: dict[str, Fix] = {
    "MED-ENV-007": _unlock,
    "MED-SRC-001": _database,
    "MED-SRC-003": _bootstrap,
    "MED-DMS-003": _bootstrap,
    "MED-DMS-030": _replication,
}
