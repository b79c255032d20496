"""What a change of its stack means for running replication: DMS changes neither a running task nor its endpoints.

The task is stopped, changed and resumed at its own position. A task that is replaced has no position any more, so the new one
loads everything into a new generation. That replication has to go on is kept as a mark, for an `up` that is killed in between.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from medallion_cli.aws.cloudformation import Change, ChangeSet
from medallion_cli.aws.replication import Replication
from medallion_cli.operations import marks, replicate
from medallion_cli.operations.deployment.change_sets import Deployment, change_set
from medallion_cli.operations.deployment.follow import Steps, Waiting

if TYPE_CHECKING:
    from medallion_cli.events import Event

MARK = "replicating"
TASK = "AWS::DMS::ReplicationTask"


class Replicating:
    """Replication of one environment while its stack is brought up to date; `found` grows with outputs."""

    def __init__(self, deployment: Deployment, found: dict[str, str]) -> None:
        self.deployment, self.found = deployment, found
        self.generation: str | None = None  # before the change

    def change_set(self, made: ChangeSet) -> Generator[Event | Waiting, None, ChangeSet]:
        """The change set to execute: for a task that is replaced, one that begins a new generation too."""
        if not any(change.type == TASK and change.replacement == "True" for change in made.changes):
            return made
        self.deployment.stacks.discard(made.id)
        present = replicate.status(self.deployment.target, self.found).generation
        more = {"Generation": replicate.next_generation(present)}
        return (yield from change_set(self.deployment, "replication", self.found, more))

    def stopped(self, changes: list[Change]) -> Steps:
        """Stops the task when these changes need it to be."""
        touched = any(c.type.startswith("AWS::DMS::") for c in changes if c.action != "Add")
        if not touched or "ReplicationTaskArn" not in self.found:
            return
        now = replicate.status(self.deployment.target, self.found)
        self.generation = now.generation
        if now.status in ("running", "starting"):
            marks.write(self.deployment.target, MARK, now.generation)
            yield from replicate.stop(self.deployment.target, self.found, self.deployment.settings)

    def resumed(self, *, later: bool = False) -> Generator[Event, None, None]:
        """Starts what was stopped for a change, by this `up` or by one that was killed; `later` leaves it stopped."""
        if "ReplicationTaskArn" not in self.found:
            return
        marked = marks.read(self.deployment.target, MARK)
        self._goes_on_in(marked or self.generation)
        if marked is not None and not later:
            yield from replicate.start(self.deployment.target, self.found, self.deployment.settings)
            marks.drop(self.deployment.target, MARK)

    def _goes_on_in(self, generation: str | None) -> None:
        """A rollback brings back the folder of the stack's old parameters; a task that has run goes on in its own."""
        replication = Replication(self.deployment.target, self.found)
        if generation and replication.task().started and replication.generation() != generation:
            replication.write_generation(generation)
