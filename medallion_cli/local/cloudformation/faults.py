"""What the engine refuses, under the codes that CloudFormation uses."""

from __future__ import annotations


class Fault(Exception):
    """An API error of CloudFormation; `code` is the wire code, the message is CloudFormation's own text."""

    code = "ValidationError"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code


class ValidationError(Fault):
    """A template, parameter or request that CloudFormation would not accept."""


class ResourceFailure(Exception):
    """A resource that could not be created, updated or deleted; the text becomes its ResourceStatusReason."""


class Interrupted(Exception):
    """The daemon is stopping: the operation stays as persisted and goes on at the next start."""
