"""One resource of a create or an update: made, replaced, changed in place, or left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from medallion_cli.local.cloudformation.changes import refusal
from medallion_cli.local.cloudformation.decisions import replaced_by
from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.faults import Cancelled, Interrupted, ResourceFailure
from medallion_cli.local.cloudformation.resource_steps import Steps, failure_reason
from medallion_cli.local.cloudformation.stack import Operation, Resource, Stack, physical_suffix
from medallion_cli.local.cloudformation.tags import tag_property
from medallion_cli.local.protocol import ServiceError

REPLACES = "Requested update requires the creation of a new physical resource; hence creating one."
_WORDS = {"CREATE": "create", "UPDATE": "update"}


@dataclass(frozen=True)
class Settling:
    """The forward phase of one operation; `failed` collects (create|update, logical id), in order of events."""

    steps: Steps
    save: Callable[[Stack], None]
    stack: Stack
    operation: Operation
    intent: Intent
    cancelled: threading.Event = field(default_factory=threading.Event)
    failed: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The stack's status reason: which resources failed to create, then which to update."""
        said = "".join(f"{fault} " for fault in dict.fromkeys(self.faults))
        for word in ("create", "update"):
            names = [name for kind, name in self.failed if kind == word]
            if names:
                said += f"The following resource(s) failed to {word}: [{', '.join(names)}]. "
        return said

    def settle(self, logical_id: str) -> bool:
        """Bring one resource to its desired properties; whether that worked."""
        if logical_id in self.operation.done:
            return True
        try:
            worked = self._settle(logical_id)
        except ServiceError as error:
            self.faults.append(error.message)
            worked = False
        if worked:
            _follow(self.intent, self.stack.resources[logical_id])
            with self.stack.guard:
                self.operation.done.append(logical_id)
            self.save(self.stack)
        elif self.operation.on_failure != "DO_NOTHING":
            self.cancelled.set()
        return worked

    def _settle(self, logical_id: str) -> bool:
        properties = self.intent.properties(logical_id)
        refused = refusal(self.intent, logical_id, properties)
        current = self.stack.resources.get(logical_id)
        if current is None:
            return self._make(self._new(logical_id, properties, ""), "CREATE", refused)
        if current.before is None and current.status.endswith(("_IN_PROGRESS", "CREATE_FAILED")):
            current.properties, current.tags = properties, self._tags(logical_id)
            return self._make(current, current.status.split("_")[0], refused, again=True)
        try:
            fixed = self._replacement(current, properties)
        except ResourceFailure as error:
            return self._refuse(current, str(error))
        if fixed:
            return self._replace(current, properties, refused)
        if current.before is not None or self._differs(current, properties):
            return self._change(current, properties, refused)
        return True

    def _tags(self, logical_id: str) -> dict[str, str]:
        taken = tag_property(self.intent.template.schema(logical_id)) is not None
        return dict(self.stack.desired.tags) if taken else {}

    def _differs(self, current: Resource, properties: dict[str, Any]) -> bool:
        return current.properties != properties or current.tags != self._tags(current.logical_id)

    def _new(self, logical_id: str, properties: dict[str, Any], generation: str) -> Resource:
        suffix = physical_suffix(self.stack.stack_id, logical_id, generation)
        type_name = self.intent.template.resources[logical_id]["Type"]
        name = f"{self.stack.name}-{logical_id}-{suffix}"
        resource = Resource(logical_id, type_name, name, properties, tags=self._tags(logical_id))
        _follow(self.intent, resource)
        with self.stack.guard:
            self.stack.resources[logical_id] = resource
        return resource

    def _replacement(self, current: Resource, properties: dict[str, Any]) -> list[str]:
        schema = self.intent.template.schema(current.logical_id)
        if schema.type_name != current.type_name:
            return ["Type"]
        return replaced_by(current.properties, properties, schema)

    def _replace(self, current: Resource, properties: dict[str, Any], refused: list[str]) -> bool:
        custom = self._custom_name(current, properties)
        if custom:
            return self._refuse(
                current,
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {custom} and update the stack again.",
            )
        with self.stack.guard:
            self.operation.obsolete.append(current)
            fresh = self._new(current.logical_id, properties, current.name)
        return self._make(fresh, "UPDATE", refused, reason=REPLACES)

    def _custom_name(self, current: Resource, properties: dict[str, Any]) -> str:
        """The name that the old resource and the new one would share; "" when they would not."""
        schema = self.intent.template.schema(current.logical_id)
        named = [name for name in schema.primary_identifier if name in properties]
        if not named or schema.type_name != current.type_name:
            return ""
        same = all(properties[name] == current.properties.get(name) for name in named)
        return str(properties[named[-1]]) if same else ""

    def _refuse(self, current: Resource, reason: str) -> bool:
        self.stack.record("UPDATE_FAILED", reason, current)
        self.failed.append(("update", current.logical_id))
        self.save(self.stack)
        return False

    def _make(
        self, resource: Resource, verb: str, refused: list[str], *, reason: str = "", again: bool = False
    ) -> bool:
        if not (again and resource.status.endswith("_IN_PROGRESS")):
            self.stack.record(f"{verb}_IN_PROGRESS", reason, resource)
        self.save(self.stack)

        def act() -> None:
            self.stack.record(f"{verb}_IN_PROGRESS", "Resource creation Initiated", resource)
            self.steps.create(self.stack, resource, again=again, cancelled=self.cancelled.is_set)

        return self._run(resource, verb, refused, act)

    def _change(self, resource: Resource, properties: dict[str, Any], refused: list[str]) -> bool:
        if resource.before is None:
            with self.stack.guard:
                resource.before, resource.before_tags = resource.properties, resource.tags
                resource.properties, resource.tags = properties, self._tags(resource.logical_id)
            self.stack.record("UPDATE_IN_PROGRESS", "", resource)
            self.save(self.stack)
        worked = self._run(resource, "UPDATE", refused, lambda: self._update(resource))
        if worked:
            resource.before = None
        return worked

    def _update(self, resource: Resource) -> None:
        self.steps.update(self.stack, resource, cancelled=self.cancelled.is_set)

    def _run(self, resource: Resource, verb: str, refused: list[str], act: Callable[[], None]) -> bool:
        """Act, then record COMPLETE or FAILED; whatever a service raises is the resource's reason."""
        if self.steps.stopping():
            raise Interrupted
        try:
            if refused:
                raise ResourceFailure(refused[0])
            act()
        except Cancelled:
            reason = f"Resource {'creation' if verb == 'CREATE' else 'update'} cancelled"
        except Exception as error:  # noqa: BLE001 - any failure is the resource's, never the engine's
            reason = failure_reason(error)
        else:
            self.stack.record(f"{verb}_COMPLETE", "", resource)
            return True
        self.stack.record(f"{verb}_FAILED", reason, resource)
        self.failed.append((_WORDS[verb], resource.logical_id))
        self.save(self.stack)
        return False


def _follow(intent: Intent, resource: Resource) -> None:
    """Take over what does not touch the physical resource: policies, metadata, dependencies."""
    node = intent.template.resources[resource.logical_id]
    resource.deletion_policy = intent.template.policy(resource.logical_id, "DeletionPolicy")
    resource.replace_policy = intent.template.policy(resource.logical_id, "UpdateReplacePolicy")
    resource.metadata = node.get("Metadata", {})
    resource.dependencies = sorted(intent.template.dependencies(resource.logical_id))
