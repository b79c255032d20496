"""One resource at a time, through its handler; every failure in CloudFormation's words."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from medallion_cli.local.cloudformation.dynamic import resolve_dynamic
from medallion_cli.local.cloudformation.faults import Fault, Interrupted, ResourceFailure
from medallion_cli.local.cloudformation.properties import coerce
from medallion_cli.local.cloudformation.resources.handler import (
    Cloud,
    Handler,
    Made,
    Properties,
    Request,
    error_code,
    is_missing,
    is_taken,
)
from medallion_cli.local.cloudformation.schemas import resource_schema
from medallion_cli.local.cloudformation.stack import Resource, Stack
from medallion_cli.local.cloudformation.tags import tagged
from medallion_cli.local.protocol import ServiceError


@dataclass(frozen=True)
class Steps:
    """The handlers at work on one cloud; `stopping` tells a waiting handler that the daemon goes down."""

    cloud: Cloud
    handler: Callable[[str], Handler]
    stopping: Callable[[], bool]
    save: Callable[[Stack], None]

    def create(
        self, stack: Stack, resource: Resource, *, again: bool, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Make the resource; `again` (after a crash) adopts what an interrupted create left behind."""
        handler = self.handler(resource.type_name)
        request = replace(self._request(stack, resource), cancelled=cancelled)
        try:
            made = handler.create(request)
        except ServiceError as error:
            found = handler.find(request) if again and is_taken(error) else None
            if found is None:
                raise
            made = handler.update(self._request(stack, resource, physical_id=found))
        _accept(resource, made)

    def update(
        self, stack: Stack, resource: Resource, *, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Bring an existing resource in place from what it was before to its properties."""
        request = replace(self._request(stack, resource), cancelled=cancelled)
        _accept(resource, self.handler(resource.type_name).update(request))

    def delete(self, stack: Stack, resource: Resource, *, snapshot: bool) -> None:
        """Remove the resource, after a snapshot if asked; one that is gone already counts as removed."""
        if not resource.physical_id:
            return
        try:
            self.handler(resource.type_name).delete(
                replace(self._request(stack, resource), snapshot=snapshot)
            )
        except ServiceError as error:
            if not is_missing(error):
                raise

    def restore(self, stack: Stack, resource: Resource) -> None:
        """Put back a resource that its service forgot when the daemon ended."""
        restore = self.handler(resource.type_name).restore
        if restore is not None:
            restore(self._request(stack, resource))

    def read(self, stack: Stack, resource: Resource) -> tuple[Properties, Properties | None] | None:
        """What the resource should be, and the live state of the part of it that its service tells.

        The latter is None when it is gone; None for both when nothing local acts on the type.
        """
        read = self.handler(resource.type_name).read
        if read is None:
            return None
        request = self._request(stack, resource)
        try:
            return request.properties, _typed(resource.type_name, read(request))
        except ServiceError as error:
            if is_missing(error):
                return request.properties, None
            raise

    def _request(self, stack: Stack, resource: Resource, *, physical_id: str = "") -> Request:
        def created(identifier: str) -> None:
            resource.physical_id = identifier
            self.save(stack)

        schema = resource_schema(resource.type_name)
        before, tags = (
            (resource.properties, resource.tags)
            if resource.before is None
            else (resource.before, resource.before_tags)
        )
        wanted = resource.properties
        if schema is not None:
            wanted, before = tagged(wanted, resource.tags, schema), tagged(before, tags, schema)
        return Request(
            cloud=self.cloud,
            type_name=resource.type_name,
            stack_name=stack.name,
            logical_id=resource.logical_id,
            name=resource.name,
            properties=resolve_dynamic(wanted, self.cloud),
            physical_id=physical_id or resource.physical_id,
            before=before,
            attributes=resource.attributes,
            stopping=self.stopping,
            created=created,
        )


def _typed(type_name: str, live: Properties) -> Properties:
    """Live values in the types of their properties: services say 20 where the template says "20"."""
    schema = resource_schema(type_name)
    found: Properties = coerce(live, schema.document, schema) if schema else live
    return found


def _accept(resource: Resource, made: Made) -> None:
    """Keep the id and what GetAtt may read, nothing else that a service said."""
    schema = resource_schema(resource.type_name)
    known = schema.attributes if schema else made.attributes.keys()
    plain = {name: _plain(value) for name, value in made.attributes.items() if name in known}
    resource.physical_id, resource.attributes = made.physical_id, plain


def _plain(value: Any) -> Any:
    """An attribute as JSON holds it: times become text."""
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)


def failure_reason(error: Exception) -> str:
    """The ResourceStatusReason of an error; a handler's bug reads as an internal failure, with its type."""
    if isinstance(error, Interrupted):
        raise error
    if isinstance(error, ResourceFailure | Fault):
        return str(getattr(error, "message", error))
    code = error_code(error)
    if not code:
        return f"Internal Failure ({type(error).__name__}: {error})"
    kind = "AlreadyExists" if is_taken(error) else "NotFound" if is_missing(error) else "InvalidRequest"
    request_id = uuid.uuid4()
    text = str(getattr(error, "message", "") or error)
    return (
        f'Resource handler returned message: "{text} (Error Code: {code}; Request ID: {request_id})" '
        f"(RequestToken: {request_id}, HandlerErrorCode: {kind})"
    )
