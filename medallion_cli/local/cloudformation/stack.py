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
    """A physical resource; `properties` are resolved, but dynamic references in them stay unresolved.

    `tags` are the stack's, as they were given to it; `before` is what an update or rollback under way
    replaces.
    """

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
    tags: dict[str, str] = field(default_factory=dict)
    before_tags: dict[str, str] = field(default_factory=dict)


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
    suspended: Operation | None = None  # a rollback that failed, for ContinueUpdateRollback
    imports: list[str] = field(default_factory=list)  # names of exports that it uses
    drift: dict[str, Any] = field(default_factory=dict)  # what the last detection found

    def __post_init__(self) -> None:
        """Resources are worked on side by side: whoever changes or saves the document holds the guard."""
        self.guard = threading.RLock()

    @property
    def live(self) -> bool:
        """Whether its name is taken."""
        return self.status != "DELETE_COMPLETE"

    def record(self, status: str, reason: str = "", resource: Resource | None = None) -> None:
        """Set the status of the stack (or of one resource) and append the event that says so."""
        with self.guard:
            self._record(status, reason, resource)

    def _record(self, status: str, reason: str, resource: Resource | None) -> None:
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
    with stack.guard:
        return asdict(stack)


def from_document(document: dict[str, Any]) -> Stack:
    """The stack that `to_document` wrote."""
    data = dict(document)
    data["desired"] = Desired(**data["desired"])
    tags = data["desired"].tags
    data["resources"] = _resources(data["resources"], tags)
    for name in ("operation", "suspended"):
        if data.get(name):
            data[name] = _operation(data[name], tags)
    known = {item.name for item in fields(Stack)}
    return Stack(**{name: value for name, value in data.items() if name in known})


def _operation(document: dict[str, Any], tags: dict[str, str]) -> Operation:
    found = dict(document)
    found["obsolete"] = [Resource(**{"tags": tags} | item) for item in found["obsolete"]]
    found["previous"] = Desired(**found["previous"]) if found["previous"] else None
    found["previous_resources"] = _resources(found["previous_resources"], tags)
    return Operation(**found)


def _resources(documents: dict[str, Any], tags: dict[str, str]) -> dict[str, Resource]:
    """Resources; those of an older document, which knew no tags, have the stack's."""
    return {name: Resource(**{"tags": tags} | item) for name, item in documents.items()}


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
