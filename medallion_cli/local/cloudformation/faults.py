"""What the engine refuses, under the codes that CloudFormation uses."""

from __future__ import annotations

from medallion_cli.local.protocol import ServiceError


class Fault(ServiceError):
    """An API error of CloudFormation: its wire code, and its own text."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(code, message)


class ValidationError(Fault):
    """A template, parameter or request that CloudFormation would not accept."""


class ResourceFailure(Exception):
    """A resource that could not be created, updated or deleted; the text is its ResourceStatusReason."""


class Interrupted(Exception):
    """The daemon is stopping: the operation stays as persisted and goes on at the next start."""


class Cancelled(Exception):
    """Another resource of the operation failed: what still waits is given up."""
