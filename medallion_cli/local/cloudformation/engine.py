"""Stack operations as persisted phases (forward, rollback, cleanup): a restart goes on where they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.faults import Interrupted
from medallion_cli.local.cloudformation.graph import walk
from medallion_cli.local.cloudformation.removal import Removal
from medallion_cli.local.cloudformation.resource_steps import Steps
from medallion_cli.local.cloudformation.reverting import Reverting
from medallion_cli.local.cloudformation.settle import Settling
from medallion_cli.local.cloudformation.stack import Operation, Resource, Stack, snapshot
from medallion_cli.local.protocol import ServiceError

_RETAINED = frozenset(("Retain", "RetainExceptOnCreate"))
_ALWAYS_RETAINED = frozenset(("Retain",))


class OperationFailed(Exception):
    """The forward phase cannot go on; carries the stack's status reason."""


@dataclass(frozen=True)
class Engine:
    """Runs the operation that a stack's document holds; `save` makes each step durable before the next.

    `check_exports` gives the reason why a stack may not end with these outputs, or "".
    """

    steps: Steps
    intent: Callable[[Stack], Intent]
    save: Callable[[Stack], None]
    check_exports: Callable[[Stack, list[dict[str, str]]], str] = lambda stack, outputs: ""

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
        settling = Settling(self.steps, self.save, stack, operation, intent)
        active = set(intent.active)
        needs = {name: intent.template.dependencies(name) & active for name in intent.active}
        if walk(needs, settling.settle, settling.cancelled.is_set) != active:
            raise OperationFailed(settling.reason)
        outputs = intent.outputs()
        if refused := self.check_exports(stack, outputs):
            raise OperationFailed(refused)
        with stack.guard:
            gone = [name for name in stack.resources if name not in active]
            operation.obsolete += [stack.resources.pop(name) for name in gone]
            stack.outputs, stack.description = outputs, intent.template.description
            stack.imports = sorted(intent.imported)
        self._enter_cleanup(stack, operation, f"{operation.kind}_COMPLETE")

    def _enter_cleanup(self, stack: Stack, operation: Operation, outcome: str) -> None:
        operation.phase, operation.outcome, operation.done = "cleanup", outcome, []
        if operation.kind == "UPDATE":
            stack.record(f"{outcome}_CLEANUP_IN_PROGRESS")
        self.save(stack)

    def _fail(self, stack: Stack, operation: Operation, reason: str) -> None:
        if operation.on_failure == "DO_NOTHING":
            self._finish(stack, f"{operation.kind}_FAILED", reason)
            return
        operation.phase, operation.done = "rollback", []
        status = "ROLLBACK_IN_PROGRESS" if operation.kind == "CREATE" else "UPDATE_ROLLBACK_IN_PROGRESS"
        if operation.kind == "CREATE" and operation.on_failure == "DELETE":
            status = "DELETE_IN_PROGRESS"
        if operation.kind == "CREATE":
            word = "Delete" if operation.on_failure == "DELETE" else "Rollback"
            reason = f"{reason.rstrip()} {word} requested by user."
        stack.record(status, reason)
        self.save(stack)

    def _undo_create(self, stack: Stack, operation: Operation) -> None:
        """Delete everything made, then ROLLBACK_COMPLETE; what failed is deleted too if it has an id."""
        removal = Removal(self.steps, self.save, stack, _ALWAYS_RETAINED, snapshots=False)
        failed = removal.remove_all(stack.resources.values(), _forget)
        deleting = operation.on_failure == "DELETE"
        if failed:
            status = "DELETE_FAILED" if deleting else "ROLLBACK_FAILED"
            self._finish(stack, status, f"The following resource(s) failed to delete: [{failed}]. ")
        else:
            self._finish(stack, "DELETE_COMPLETE" if deleting else "ROLLBACK_COMPLETE")

    def _undo_update(self, stack: Stack, operation: Operation) -> None:
        """Restore every touched resource, then clean up what the update made; both can be gone on with."""
        before = operation.previous_resources
        reverting = Reverting(self.steps, self.save, stack, operation)
        needs = {name: set(old.dependencies) & before.keys() for name, old in before.items()}
        if walk(needs, reverting.revert) != before.keys():
            self._suspend(stack, operation, reverting.reason)
            return
        with stack.guard:
            old_names = {resource.name for resource in before.values()}
            operation.obsolete = [item for item in operation.obsolete if item.name not in old_names]
            for logical_id in [name for name in stack.resources if name not in before]:
                operation.obsolete.append(stack.resources.pop(logical_id))
            if operation.previous is not None:
                stack.desired = operation.previous
        self._enter_cleanup(stack, operation, "UPDATE_ROLLBACK_COMPLETE")

    def _suspend(self, stack: Stack, operation: Operation, reason: str) -> None:
        """A rollback that failed waits for ContinueUpdateRollback."""
        with stack.guard:
            stack.suspended = operation
        self._finish(stack, "UPDATE_ROLLBACK_FAILED", reason)

    def _clean(self, stack: Stack, operation: Operation) -> None:
        """Delete replaced and removed resources; what cannot be deleted is left, as CloudFormation does."""
        rolled_back = operation.outcome == "UPDATE_ROLLBACK_COMPLETE"

        def policy(resource: Resource) -> str:
            kept = None if rolled_back else stack.resources.get(resource.logical_id)
            return resource.deletion_policy if kept is None else kept.replace_policy

        def gone(resource: Resource) -> None:
            with stack.guard:
                operation.obsolete = [item for item in operation.obsolete if item.name != resource.name]

        kept = _ALWAYS_RETAINED if rolled_back else _RETAINED
        removal = Removal(self.steps, self.save, stack, kept, policy, holding=False)
        removal.remove_all(list(operation.obsolete), gone)
        self._finish(stack, operation.outcome)

    def _delete(self, stack: Stack, operation: Operation) -> None:
        chosen = [item for name, item in stack.resources.items() if name not in operation.retain]
        failed = Removal(self.steps, self.save, stack, _RETAINED).remove_all(chosen, _forget)
        if failed:
            self._finish(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{failed}]. ")
        else:
            self._finish(stack, "DELETE_COMPLETE")

    def _finish(self, stack: Stack, status: str, reason: str = "") -> None:
        with stack.guard:
            stack.record(status, reason)
            stack.operation = None
            if status == "DELETE_COMPLETE":
                stack.deleted, stack.outputs, stack.imports = stack.events[-1]["Timestamp"], [], []
        self.save(stack)


def _forget(resource: Resource) -> None:
    """A resource of a stack that goes as a whole stays in its document, with its status."""


def begin(stack: Stack, operation: Operation) -> None:
    """Put an operation on a stack, with what a rollback needs; the caller saves and runs `proceed`."""
    with stack.guard:
        if operation.kind == "UPDATE":
            operation.previous_resources = snapshot(stack.resources)
        stack.operation, stack.suspended = operation, None
        stack.record(f"{operation.kind}_IN_PROGRESS", "User Initiated")


def go_on(stack: Stack, operation: Operation, skipped: list[str]) -> None:
    """Put a rollback that failed back on its stack; the skipped resources count as rolled back."""
    with stack.guard:
        stack.operation, stack.suspended = operation, None
        stack.record("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        for name in skipped:
            resource = stack.resources[name]
            resource.before = None
            stack.record("UPDATE_COMPLETE", "", resource)
            operation.done.append(name)
