"""The moment that a verification looks at: heartbeats, how far bronze has come, and whether changes flow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws.replication import Replication
from medallion_cli.errors import MedallionError
from medallion_cli.operations.replicate import HEARTBEAT, PATIENCE

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings


@dataclass(frozen=True)
class Moment:
    """Replication as it was found; while it does not run, bronze stands still and there is nothing to wait for."""

    target: Target
    bucket: str
    settings: Settings
    replication: Replication
    generation: str
    runs: bool

    def beats(self) -> set[str]:
        """Heartbeat files in bronze."""
        from medallion_cli.aws.s3 import keys

        if not self.runs:
            return set()
        return set(keys(self.target, self.bucket, f"{self.generation}/{'/'.join(HEARTBEAT)}/"))

    def awaited(self, seen: set[str], broken: Callable[[], bool] = lambda: False) -> None:
        """Waits until bronze holds everything before a heartbeat that is written after `seen`: its file, and one batch more."""
        deadline = time.monotonic() + PATIENCE
        while self.runs and not self.beats() - seen:
            if broken() or self.replication.task().status not in ("running", "starting"):
                return
            if time.monotonic() > deadline:
                raise MedallionError("the heartbeat did not reach bronze", hint="medallion replicate status")
            time.sleep(min(self.settings.batch_seconds / 4, 5))
        if self.runs:
            time.sleep(self.settings.batch_seconds * 1.2)

    def changes(self) -> int:
        """Changes of all tables that replication has captured, heartbeats left out."""
        tables = self.replication.tables()
        return sum(t.changes for t in tables if (t.schema, t.table) != HEARTBEAT)


def moment(target: Target, outputs: dict[str, str], settings: Settings) -> Moment:
    """Now."""
    replication = Replication(target, outputs)
    runs = replication.task().status == "running"
    return Moment(target, outputs["BronzeBucket"], settings, replication, replication.generation(), runs)
