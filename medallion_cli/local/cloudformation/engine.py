"""Stack operations as persisted phases (forward, rollback, cleanup): a restart goes on where they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medallion_cli.local.cloudformation.changes import refusal
from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.faults import Interrupted, ResourceFailure
from medallion_cli.local.cloudformation.properties import difference, recreates
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.stack import (
    Operation,
    Resource,
    Stack,
    physical_suffix,
    snapshot,
)
from medallion_cli.local.protocol import ServiceError

_RETAINED = {"Retain", "RetainExceptOnCreate"}
_REPLACES = "Requested update requires the creation of a new physical resource; hence creating one."


class OperationFailed(Exception):
    """The forward phase cannot go on; carries the stack's status reason."""


@dataclass(frozen=True)
class Engine:
    """Runs the operation that a stack's document holds; `save` makes each step durable before the next."""

    steps: Steps
    intent: Callable[[Stack], Intent]
    save: Callable[[Stack], None]

    def proceed(self, stack: Stack) -> None:
        """Run the stack's operation to its end, or leave it as persisted when the daemon stops."""
        try:
            while stack.operation is not None:
                self._phase(stack, stack.operation)
        except Interrupted:
            self.save(stack)

    def _phase(self, stack: Stack, operation: Operation) -> None:
        if self.steps.stopping():
            raise Interrupted
        match (operation.kind, operation.phase):
            case ("DELETE", _):
                self._delete(stack, operation)
            case (_, "forward"):
                self._attempt(stack, operation)
            case ("CREATE", "rollback"):
                self._undo_create(stack, operation)
            case ("UPDATE", "rollback"):
                self._undo_update(stack, operation)
            case (_, "cleanup"):
                self._clean(stack, operation)

    def _attempt(self, stack: Stack, operation: Operation) -> None:
        try:
            self._forward(stack, operation)
        except (OperationFailed, ServiceError) as error:
            self._fail(stack, operation, str(getattr(error, "message", "") or error))

    def _forward(self, stack: Stack, operation: Operation) -> None:
        intent = self.intent(stack)
        for logical_id in intent.active:
            if logical_id not in operation.done:
                self._settle(stack, intent, logical_id)
                operation.done.append(logical_id)
                self.save(stack)
        outputs = intent.outputs()
        gone = [name for name in stack.resources if name not in intent.active]
        operation.obsolete += [stack.resources.pop(name) for name in gone]
        stack.outputs, stack.description = outputs, intent.template.description
        self._enter_cleanup(stack, operation, f"{operation.kind}_COMPLETE")

    def _enter_cleanup(self, stack: Stack, operation: Operation, outcome: str) -> None:
        operation.phase, operation.outcome, operation.done = "cleanup", outcome, []
        if operation.kind == "UPDATE":
            stack.record(f"{outcome}_CLEANUP_IN_PROGRESS")
        self.save(stack)

    def _settle(self, stack: Stack, intent: Intent, logical_id: str) -> None:
        """Bring one resource to its desired properties: create, replace, update, or leave alone."""
        properties = intent.properties(logical_id)
        current = stack.resources.get(logical_id)
        refusals = refusal(intent, logical_id, properties)
        if current is None:
            current = stack.resources[logical_id] = self._new(stack, intent, logical_id, properties, "")
            self._make(stack, current, "CREATE", refusals, again=False)
        elif current.before is None and current.status.endswith(("_IN_PROGRESS", "CREATE_FAILED")):
            current.properties = properties
            self._make(stack, current, current.status.split("_")[0], refusals, again=True)
        elif fixed := self._replacement(intent, current, properties):
            self._replace(stack, intent, current, properties, refusals, fixed)
        elif current.before is not None or current.properties != properties:
            self._change(stack, current, properties, refusals)
        _follow(intent, stack.resources[logical_id])

    def _new(
        self, stack: Stack, intent: Intent, logical_id: str, properties: dict[str, Any], generation: str
    ) -> Resource:
        suffix = physical_suffix(stack.stack_id, logical_id, generation)
        type_name = intent.template.resources[logical_id]["Type"]
        resource = Resource(logical_id, type_name, f"{stack.name}-{logical_id}-{suffix}", properties)
        _follow(intent, resource)
        return resource

    def _replacement(self, intent: Intent, current: Resource, properties: dict[str, Any]) -> list[str]:
        schema = intent.template.schema(current.logical_id)
        if schema.type_name != current.type_name:
            return ["Type"]
        return recreates(list(difference(current.properties, properties)), schema)

    def _replace(
        self,
        stack: Stack,
        intent: Intent,
        current: Resource,
        properties: dict[str, Any],
        refusals: list[str],
        fixed: list[str],
    ) -> None:
        operation = _operation(stack)
        self._check_custom_name(stack, intent, current, properties)
        fresh = self._new(stack, intent, current.logical_id, properties, current.name)
        operation.obsolete.append(current)
        stack.resources[current.logical_id] = fresh
        self._make(stack, fresh, "UPDATE", refusals, again=False, reason=_REPLACES)

    def _check_custom_name(
        self, stack: Stack, intent: Intent, current: Resource, properties: dict[str, Any]
    ) -> None:
        schema = intent.template.schema(current.logical_id)
        named = [name for name in schema.primary_identifier if name in properties]
        same_type = schema.type_name == current.type_name
        if named and same_type and all(properties[name] == current.properties.get(name) for name in named):
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {properties[named[0]]} and update the stack again."
            )
            stack.record("UPDATE_FAILED", reason, current)
            raise OperationFailed(f"The following resource(s) failed to update: [{current.logical_id}]. ")

    def _make(
        self,
        stack: Stack,
        resource: Resource,
        verb: str,
        refusals: list[str],
        *,
        again: bool,
        reason: str = "",
    ) -> None:
        if not again:
            stack.record(f"{verb}_IN_PROGRESS", reason, resource)
        self.save(stack)

        def act() -> None:
            stack.record(f"{verb}_IN_PROGRESS", "Resource creation Initiated", resource)
            self.steps.create(stack, resource, again=again)

        self._run(stack, resource, verb, refusals, act)

    def _change(
        self, stack: Stack, resource: Resource, properties: dict[str, Any], refusals: list[str]
    ) -> None:
        if resource.before is None:
            resource.before, resource.properties = resource.properties, properties
            stack.record("UPDATE_IN_PROGRESS", "", resource)
            self.save(stack)
        before = resource.before
        self._run(stack, resource, "UPDATE", refusals, lambda: self.steps.update(stack, resource, before))
        resource.before = None

    def _run(
        self, stack: Stack, resource: Resource, verb: str, refusals: list[str], act: Callable[[], None]
    ) -> None:
        """Act, then record COMPLETE or FAILED; whatever a service raises is the resource's reason."""
        if self.steps.stopping():
            raise Interrupted
        try:
            if refusals:
                raise ResourceFailure(refusals[0])
            act()
        except Exception as error:
            stack.record(f"{verb}_FAILED", failure_reason(error), resource)
            self.save(stack)
            word = "create" if verb == "CREATE" else "update"
            raise OperationFailed(
                f"The following resource(s) failed to {word}: [{resource.logical_id}]. "
            ) from error
        stack.record(f"{verb}_COMPLETE", "", resource)
        self.save(stack)

    def _fail(self, stack: Stack, operation: Operation, reason: str) -> None:
        if operation.on_failure == "DO_NOTHING":
            self._finish(stack, f"{operation.kind}_FAILED", reason)
            return
        operation.phase, operation.done = "rollback", []
        status = "ROLLBACK_IN_PROGRESS" if operation.kind == "CREATE" else "UPDATE_ROLLBACK_IN_PROGRESS"
        if operation.kind == "CREATE":
            reason = f"{reason.rstrip()} Rollback requested by user."
        stack.record(status, reason)
        self.save(stack)

    def _undo_create(self, stack: Stack, operation: Operation) -> None:
        """Delete everything made, then ROLLBACK_COMPLETE; what failed is deleted too if it has an id."""
        failed = self._remove_all(stack, _reverse(stack.resources), {"Retain"})
        if failed:
            self._finish(
                stack, "ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{failed}]. "
            )
        elif operation.on_failure == "DELETE":
            self._finish(stack, "DELETE_COMPLETE")
        else:
            self._finish(stack, "ROLLBACK_COMPLETE")

    def _undo_update(self, stack: Stack, operation: Operation) -> None:
        """Restore every touched resource, then clean up what the update made."""
        before = operation.previous_resources
        for logical_id, old in before.items():
            if logical_id not in operation.done:
                self._revert(stack, operation, stack.resources.get(logical_id), old)
                operation.done.append(logical_id)
                self.save(stack)
        old_names = {resource.name for resource in before.values()}
        operation.obsolete = [item for item in operation.obsolete if item.name not in old_names]
        for logical_id in [name for name in stack.resources if name not in before]:
            operation.obsolete.append(stack.resources.pop(logical_id))
        if operation.previous is not None:
            stack.desired = operation.previous
        self._enter_cleanup(stack, operation, "UPDATE_ROLLBACK_COMPLETE")

    def _revert(self, stack: Stack, operation: Operation, current: Resource | None, old: Resource) -> None:
        if current is None or current.name != old.name:
            if current is not None:
                operation.obsolete.append(current)
            stack.resources[old.logical_id] = old
            return
        if current.properties == old.properties and current.before is None:
            return
        attempted = current.properties if current.properties != old.properties else current.before or {}
        current.properties, current.before = old.properties, attempted
        stack.record("UPDATE_IN_PROGRESS", "", current)
        self.save(stack)
        try:
            self.steps.update(stack, current, attempted)
        except Exception as error:  # noqa: BLE001 - any failure is the resource's, never the engine's
            stack.record("UPDATE_FAILED", failure_reason(error), current)
        else:
            stack.record("UPDATE_COMPLETE", "", current)
        current.before = None

    def _clean(self, stack: Stack, operation: Operation) -> None:
        """Delete replaced and removed resources; what cannot be deleted is left, as CloudFormation does."""
        rolled_back = operation.outcome == "UPDATE_ROLLBACK_COMPLETE"
        for resource in _reverse({item.name: item for item in operation.obsolete}):
            replaced = resource.logical_id in stack.resources and not rolled_back
            policy = resource.replace_policy if replaced else resource.deletion_policy
            self._remove(stack, resource, {"Retain"} if rolled_back else _RETAINED, policy)
            operation.obsolete = [item for item in operation.obsolete if item.name != resource.name]
            self.save(stack)
        self._finish(stack, operation.outcome)

    def _delete(self, stack: Stack, operation: Operation) -> None:
        chosen = [item for item in _reverse(stack.resources) if item.logical_id not in operation.retain]
        failed = self._remove_all(stack, chosen, _RETAINED)
        if failed:
            self._finish(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{failed}]. ")
        else:
            self._finish(stack, "DELETE_COMPLETE")

    def _remove_all(self, stack: Stack, resources: list[Resource], kept: set[str]) -> str:
        """Delete in the given order, leaving what a failed one depends on; the failed names, or ""."""
        failed: list[str] = []
        held: set[str] = set()
        for resource in resources:
            if resource.logical_id in held:
                held |= set(resource.dependencies)
            elif resource.status in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
                continue
            elif not self._remove(stack, resource, kept, resource.deletion_policy):
                failed.append(resource.logical_id)
                held |= set(resource.dependencies)
            self.save(stack)
        return ", ".join(failed)

    def _remove(self, stack: Stack, resource: Resource, kept: set[str], policy: str) -> bool:
        if self.steps.stopping():
            raise Interrupted
        if policy in kept and resource.physical_id:
            stack.record("DELETE_SKIPPED", "", resource)
            return True
        stack.record("DELETE_IN_PROGRESS", "", resource)
        try:
            self.steps.delete(stack, resource, snapshot=policy == "Snapshot" and not _unfinished(stack))
        except Exception as error:  # noqa: BLE001 - any failure is the resource's, never the engine's
            stack.record("DELETE_FAILED", failure_reason(error), resource)
            return False
        stack.record("DELETE_COMPLETE", "", resource)
        return True

    def _finish(self, stack: Stack, status: str, reason: str = "") -> None:
        stack.record(status, reason)
        stack.operation = None
        if status == "DELETE_COMPLETE":
            stack.deleted, stack.outputs = stack.events[-1]["Timestamp"], []
        self.save(stack)


def begin(stack: Stack, operation: Operation) -> None:
    """Put an operation on a stack, with what a rollback needs; the caller saves and runs `proceed`."""
    operation.previous_resources = snapshot(stack.resources) if operation.kind == "UPDATE" else {}
    stack.operation = operation
    stack.record(f"{operation.kind}_IN_PROGRESS", "User Initiated")


def _unfinished(stack: Stack) -> bool:
    """Whether the resources being removed never served anybody: their creation is rolled back."""
    return stack.operation is not None and stack.operation.kind == "CREATE"


def _operation(stack: Stack) -> Operation:
    if stack.operation is None:
        raise ValueError(f"no operation on {stack.name}")
    return stack.operation


def _follow(intent: Intent, resource: Resource) -> None:
    """Take over what does not touch the physical resource: policies, metadata, dependencies."""
    node = intent.template.resources[resource.logical_id]
    resource.deletion_policy = intent.template.policy(resource.logical_id, "DeletionPolicy")
    resource.replace_policy = intent.template.policy(resource.logical_id, "UpdateReplacePolicy")
    resource.metadata = node.get("Metadata", {})
    resource.dependencies = sorted(intent.template.dependencies(resource.logical_id))


def _reverse(resources: dict[str, Resource]) -> list[Resource]:
    """Resources so that each comes before what it depends on."""
    waiting = dict(resources)
    ordered: list[Resource] = []
    while waiting:
        needed = {name for item in waiting.values() for name in item.dependencies if name != item.logical_id}
        free = [key for key, item in waiting.items() if item.logical_id not in needed] or list(waiting)
        ordered += [waiting.pop(key) for key in reversed(free)]
    return ordered
