"""The errors a user can meet.

MedallionError            exit 1: an operation failed
├── UsageError            exit 2: wrong usage or configuration
├── CheckFailed           exit 3: a check found something (stale, diverged, drifted, changes pending)
└── AwsError              exit 1: an AWS API said no; carries AWS's own error code
"""

from __future__ import annotations


class MedallionError(Exception):
    """Something the user can act on: one line, and the next command to try."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(MedallionError):
    """A wrong option, name or configuration file: nothing was changed."""

    exit_code = 2


class CheckFailed(MedallionError):
    """A check ran and found something: the answer is no."""

    exit_code = 3


class AwsError(MedallionError):
    """An AWS API refused a call; `code` is the service's own error code."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{code}: {message}", hint=hint)
        self.code = code
