"""Resources that go: in reverse order and side by side, each by its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from medallion_cli.local.cloudformation.faults import Interrupted
from medallion_cli.local.cloudformation.graph import reversed_needs, walk
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.stack import Resource, Stack

_GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass(frozen=True)
class Removal:
    """Deletes resources of one stack; `kept` are the policies that leave the physical resource alone."""

    steps: Steps
    save: Callable[[Stack], None]
    stack: Stack
    kept: frozenset[str]
    policy: Callable[[Resource], str] = lambda resource: resource.deletion_policy
    snapshots: bool = True
    holding: bool = True  # back what a failed one depends on; a clean-up tries everything once
    failed: list[str] = field(default_factory=list)

    def remove_all(self, resources: Iterable[Resource], gone: Callable[[Resource], None]) -> str:
        """Delete, dependents first; `gone` after each that is done with; the failed names, or ""."""
        by_name = {resource.name: resource for resource in resources}
        names: dict[str, set[str]] = {}
        for resource in by_name.values():
            names.setdefault(resource.logical_id, set()).add(resource.name)
        needs = {
            name: {other for logical_id in item.dependencies for other in names.get(logical_id, ())}
            for name, item in by_name.items()
        }

        def act(name: str) -> bool:
            removed = self._remove(by_name[name]) or not self.holding
            if removed:
                gone(by_name[name])
            self.save(self.stack)
            return removed

        walk(reversed_needs(needs), act)
        return ", ".join(self.failed)

    def _remove(self, resource: Resource) -> bool:
        if self.steps.stopping():
            raise Interrupted
        if resource.status in _GONE:
            return True
        policy = self.policy(resource)
        if policy in self.kept and resource.physical_id:
            self.stack.record("DELETE_SKIPPED", "", resource)
            return True
        self.stack.record("DELETE_IN_PROGRESS", "", resource)
        try:
            self.steps.delete(self.stack, resource, snapshot=policy == "Snapshot" and self.snapshots)
        except Exception as error:  # noqa: BLE001 - any failure is the resource's, never the engine's
            self.stack.record("DELETE_FAILED", failure_reason(error), resource)
            self.failed.append(resource.logical_id)
            return False
        self.stack.record("DELETE_COMPLETE", "", resource)
        return True
