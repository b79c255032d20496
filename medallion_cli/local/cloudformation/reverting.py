"""The rollback of an update: every touched resource back to its previous properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from medallion_cli.local.cloudformation.faults import Interrupted
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.stack import Operation, Resource, Stack


@dataclass(frozen=True)
class Reverting:
    """Restores resources one by one; `failed` collects those that could not be."""

    steps: Steps
    save: Callable[[Stack], None]
    stack: Stack
    operation: Operation
    failed: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The stack's status reason."""
        return f"The following resource(s) failed to update: [{', '.join(self.failed)}]. "

    def revert(self, logical_id: str) -> bool:
        """Restore one resource as it was before the update; whether that worked."""
        if logical_id in self.operation.done:
            return True
        if self.steps.stopping():
            raise Interrupted
        worked = self._revert(
            self.stack.resources.get(logical_id), self.operation.previous_resources[logical_id]
        )
        with self.stack.guard:
            if worked:
                self.operation.done.append(logical_id)
            else:
                self.failed.append(logical_id)
        self.save(self.stack)
        return worked

    def _revert(self, current: Resource | None, old: Resource) -> bool:
        if current is None or current.name != old.name:
            self._put_back(current, old)
            return True
        same = (current.properties, current.tags) == (old.properties, old.tags)
        if same and current.before is None:
            if current.status.endswith("_FAILED"):
                self.stack.record("UPDATE_COMPLETE", "", current)
            return True
        with self.stack.guard:
            if not same:
                current.before, current.before_tags = current.properties, current.tags
                current.properties, current.tags = old.properties, old.tags
            self.stack.record("UPDATE_IN_PROGRESS", "", current)
        self.save(self.stack)
        return self._update(current)

    def _put_back(self, current: Resource | None, old: Resource) -> None:
        """The old physical resource is still there; the one that replaced it goes in the cleanup."""
        with self.stack.guard:
            if current is not None:
                self.operation.obsolete.append(current)
            self.stack.resources[old.logical_id] = old

    def _update(self, current: Resource) -> bool:
        try:
            self.steps.update(self.stack, current)
        except Exception as error:  # noqa: BLE001 - any failure is the resource's, never the engine's
            self.stack.record("UPDATE_FAILED", failure_reason(error), current)
            return False
        self.stack.record("UPDATE_COMPLETE", "", current)
        current.before = None
        return True
