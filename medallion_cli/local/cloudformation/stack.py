"""What is stored of a stack: resources, events, change sets and the operation in flight."""

from __future__ import annotations

import copy
import hashlib
import string
import threading
import uuid
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

_ALPHABET = string.ascii_uppercase + string.digits


def now() -> str:
    """The current time, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class Resource:
    """A physical resource; `properties` are resolved, but dynamic references in them stay unresolved."""

    logical_id: str
    type_name: str
    name: str
    properties: dict[str, Any]
    status: str = ""
    reason: str = ""
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    metadata: dict[str, Any] = field(default_factory=dict)
    dependencies: list[str] = field(default_factory=list)
    timestamp: str = ""
    before: dict[str, Any] | None = None


@dataclass
class Desired:
    """What a stack was asked to be: a template and what fills it."""

    body: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    role_arn: str = ""


@dataclass
class Operation:
    """The operation in flight; `done` names resources settled in this phase, so a restart skips them."""

    kind: Literal["CREATE", "UPDATE", "DELETE"]
    phase: Literal["forward", "rollback", "cleanup"]
    on_failure: str = "ROLLBACK"
    token: str = ""
    done: list[str] = field(default_factory=list)
    obsolete: list[Resource] = field(default_factory=list)
    previous: Desired | None = None
    previous_resources: dict[str, Resource] = field(default_factory=dict)
    retain: list[str] = field(default_factory=list)
    outcome: str = ""


@dataclass
class Stack:
    """A stack, live or deleted."""

    stack_id: str
    name: str
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    created: str = field(default_factory=now)
    updated: str = ""
    deleted: str = ""
    desired: Desired = field(default_factory=Desired)
    description: str = ""
    protected: bool = False
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    operation: Operation | None = None
    drift: dict[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether its name is taken."""
        return self.status != "DELETE_COMPLETE"

    def record(self, status: str, reason: str = "", resource: Resource | None = None) -> None:
        """Set the status of the stack (or of one resource) and append the event that says so."""
        moment = now()
        if resource is None:
            self.status, self.reason = status, reason
        else:
            resource.status, resource.reason, resource.timestamp = status, reason, moment
        self.events.append(
            {
                "EventId": _event_id(status, resource),
                "LogicalResourceId": resource.logical_id if resource else self.name,
                "PhysicalResourceId": resource.physical_id if resource else self.stack_id,
                "ResourceType": resource.type_name if resource else "AWS::CloudFormation::Stack",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": moment,
                "ClientRequestToken": self.operation.token if self.operation else "",
            }
        )


def _event_id(status: str, resource: Resource | None) -> str:
    identifier = str(uuid.uuid4())
    return f"{resource.logical_id}-{status}-{identifier}" if resource else identifier


def to_document(stack: Stack) -> dict[str, Any]:
    """The stack as JSON."""
    return asdict(stack)


def from_document(document: dict[str, Any]) -> Stack:
    """The stack that `to_document` wrote."""
    data = dict(document)
    data["desired"] = Desired(**data["desired"])
    data["resources"] = _resources(data["resources"])
    operation = data["operation"]
    if operation is not None:
        operation = dict(operation)
        operation["obsolete"] = [Resource(**item) for item in operation["obsolete"]]
        operation["previous"] = Desired(**operation["previous"]) if operation["previous"] else None
        operation["previous_resources"] = _resources(operation["previous_resources"])
        data["operation"] = Operation(**operation)
    known = {item.name for item in fields(Stack)}
    return Stack(**{name: value for name, value in data.items() if name in known})


def _resources(documents: dict[str, Any]) -> dict[str, Resource]:
    return {name: Resource(**item) for name, item in documents.items()}


def snapshot(resources: dict[str, Resource]) -> dict[str, Resource]:
    """Resources as they are now, for a rollback."""
    return copy.deepcopy(resources)


def physical_suffix(*parts: str) -> str:
    """Twelve characters, the same for the same parts: created again after a crash, a name stays."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:12])


class StateStore(Protocol):
    """Durable JSON documents (see the embedded AWS's runtime)."""

    def load(self, name: str, default: Any) -> Any:
        """The document, or `default`."""

    def save(self, name: str, value: Any) -> None:
        """Write the document atomically."""


class StackStore:
    """Stacks by id over a state store: one document a stack, and an index of them."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        names: list[str] = store.load("cloudformation", [])
        documents = [store.load(name, None) for name in names]
        loaded = [from_document(document) for document in documents if document]
        self._names = names
        self.stacks = {stack.stack_id: stack for stack in loaded}

    def save(self, stack: Stack) -> None:
        """Persist one stack; its document is written before the index names it."""
        name = f"cloudformation/{stack.name}-{stack.stack_id.rsplit('/', 1)[-1]}"
        with self._lock:
            self.stacks[stack.stack_id] = stack
            self._store.save(name, to_document(stack))
            if name not in self._names:
                self._names.append(name)
                self._store.save("cloudformation", self._names)

    def find(self, name_or_id: str) -> Stack | None:
        """A live stack by name, or any stack by id."""
        if name_or_id in self.stacks:
            return self.stacks[name_or_id]
        return next((s for s in self.stacks.values() if s.name == name_or_id and s.live), None)
