"""The contract between the engine and a resource type: functions that turn properties into API calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from medallion_cli.local.cloudformation.faults import Cancelled, Interrupted, ResourceFailure

Properties = dict[str, Any]
_POLL_SECONDS = 0.2


class Cloud(Protocol):
    """What a handler may use of the runtime."""

    region: str
    account: str

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One API call in process; raises ServiceError."""


@dataclass(frozen=True)
class Request:
    """One resource to act on; `properties` are fully resolved, `name` is what AWS would generate.

    A create that has to wait calls `created(physical_id)` first: from then on a rollback removes it.
    """

    cloud: Cloud
    type_name: str
    stack_name: str
    logical_id: str
    name: str
    properties: Properties
    physical_id: str = ""
    before: Properties = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    snapshot: bool = False
    stopping: Callable[[], bool] = lambda: False
    created: Callable[[str], None] = lambda identifier: None
    cancelled: Callable[[], bool] = lambda: False

    def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """One API call, values of None left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.cloud.call(service, operation, **given)

    def arn(
        self, service: str, resource: str, *, region: str | None = None, account: str | None = None
    ) -> str:
        """An ARN in the stack's region and account (pass "" where the service has none)."""
        where = self.cloud.region if region is None else region
        who = self.cloud.account if account is None else account
        return f"arn:aws:{service}:{where}:{who}:{resource}"

    def wait(
        self, probe: Callable[[], str], ready: str, failed: tuple[str, ...] = (), seconds: float = 900
    ) -> None:
        """Poll until `probe()` answers `ready`; ResourceFailure when it answers one of `failed`, or never."""
        until = time.monotonic() + seconds
        while (state := probe()) != ready:
            if self.stopping():
                raise Interrupted
            if self.cancelled():
                raise Cancelled
            if state in failed:
                raise ResourceFailure(f"{self.logical_id} did not stabilize: it is {state}")
            if time.monotonic() > until:
                raise ResourceFailure(f"Exceeded attempts to wait: {self.logical_id} is {state}")
            time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class Made:
    """A resource that is there: what Ref returns, and what GetAtt returns by dotted name."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Handler:
    """How one type acts. `find` names a resource that an interrupted create left behind.

    `restore` runs at daemon start for services that forget: it must leave an existing resource alone.
    `read` gives the live values of those properties that the service tells, for drift.
    """

    create: Callable[[Request], Made]
    update: Callable[[Request], Made]
    delete: Callable[[Request], None]
    find: Callable[[Request], str | None] = lambda request: request.name
    restore: Callable[[Request], None] | None = None
    read: Callable[[Request], Properties] | None = None


def flatten(prefix: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Nested members as dotted attribute names in CloudFormation's casing."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}.{key[0].upper()}{key[1:]}".lstrip(".")
        found |= flatten(name, item) if isinstance(item, Mapping) else {name: item}
    return found


def error_code(error: Exception) -> str:
    """The service's error code, or nothing."""
    return str(getattr(error, "code", ""))


def is_missing(error: Exception) -> bool:
    """Whether a service said that the resource is not there."""
    code = error_code(error)
    return any(
        mark in code for mark in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "EntityNotFound")
    )


def is_taken(error: Exception) -> bool:
    """Whether a service said that the resource is there already."""
    code = error_code(error)
    marks = (
        "AlreadyExists",
        "AlreadyOwned",
        "ResourceExists",
        "EntityAlreadyExists",
        "ParameterAlreadyExists",
    )
    return any(mark in code for mark in marks) or (
        code in ("ConflictException", "ResourceConflictException") and "exist" in str(error).lower()
    )
