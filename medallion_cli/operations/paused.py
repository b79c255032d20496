"""What `pause` leaves behind for `resume`, and for whoever comes in between: a mark of the environment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.operations import marks

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

MARK = "paused"
SMALLEST = "dms.t3.micro"  # what `pause` makes of the replication instance, since DMS stops none


@dataclass(frozen=True)
class Paused:
    """How things were when an environment was paused."""

    since: str  # ISO 8601, UTC
    schedules: tuple[str, ...]  # names of those that were on
    replicating: bool
    size: str  # the replication instance's class
    checkpoint: str = ""  # where DMS stopped reading

    @property
    def at(self) -> datetime:
        """The moment."""
        return datetime.fromisoformat(self.since)

    @property
    def lasts(self) -> timedelta:
        """How long it has been so far."""
        return datetime.now(UTC) - self.at


def read(target: Target) -> Paused | None:
    """The mark; None of an environment that is not paused."""
    found = marks.read(target, MARK)
    if found is None:
        return None
    facts = json.loads(found)
    return Paused(**{**facts, "schedules": tuple(facts["schedules"])})


def write(target: Target, paused: Paused) -> None:
    """Sets the mark."""
    marks.write(target, MARK, json.dumps(asdict(paused)))


def drop(target: Target) -> None:
    """Removes it."""
    marks.drop(target, MARK)


def refuse(target: Target) -> None:
    """MedallionError for what makes no sense while an environment is paused."""
    if (paused := read(target)) is not None:
        raise MedallionError(
            f"{target.settings.prefix} is paused since {paused.at:%Y-%m-%d %H:%M} UTC",
            hint="medallion resume",
        )
