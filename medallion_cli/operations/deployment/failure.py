"""Why a stack failed: the oldest failure that is no consequence of another one, in the service's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError

if TYPE_CHECKING:
    from medallion_cli.aws.cloudformation import Stack, StackEvent

FAILED = ("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
CANCELLED = re.compile(r"^Resource \w+ (was )?cancell?ed", re.IGNORECASE)
VERBS = {"CREATE": "could not be created", "UPDATE": "could not be changed", "DELETE": "could not be deleted"}
# How CloudFormation wraps what a service said, and what nobody can use of it.
_WRAPPED = re.compile(r'Resource handler returned message: "(?P<said>.*)" \(RequestToken:.*\)$', re.DOTALL)
_REQUEST = re.compile(r" ?\((?=[^()]*(?:Request ?ID|RequestToken|Status Code))[^()]*\)")


def failure(stack: Stack, events: list[StackEvent]) -> MedallionError:
    """What to tell about a stack whose operation failed; `events` are the operation's, oldest first."""
    causes = [e for e in events if e.status in FAILED and not CANCELLED.search(e.reason)]
    causes = [e for e in causes if e.resource != stack.name] or causes
    first = causes[0].status if causes else ""
    # Once the rollback began, what fails to go is a consequence, except where going was the operation.
    left = [e for e in causes if e.status != first and e.status.startswith("DELETE")]
    causes = [e for e in causes if e not in left]
    if not causes:
        return MedallionError(f"{stack.name} is {stack.status}: {said(stack.reason)}", hint=_hint(stack))
    text = f"{stack.name}: {_told(causes[0])} [{stack.status}]"
    if others := [_told(e) for e in causes[1:]]:
        text += f"; also {'; '.join(others)}"
    if left:
        text += f"; it is rolled back, but {'; '.join(_told(e) for e in left)}"
    return MedallionError(text, hint=_hint(stack))


def said(reason: str) -> str:
    """The service's own words, without request ids."""
    wrapped = _WRAPPED.search(reason)
    return _REQUEST.sub("", wrapped["said"] if wrapped else reason).strip()


def _told(event: StackEvent) -> str:
    verb = VERBS[event.status.partition("_")[0]]
    return f"{event.resource} ({event.type}) {verb}: {said(event.reason)}"


def _hint(stack: Stack) -> str:
    if stack.status in ("DELETE_FAILED",):
        return "mend it, then: medallion down"
    if stack.status == "UPDATE_ROLLBACK_FAILED":  # one whose creation failed is made again
        return "mend it, then: medallion up (it rolls back again first)"
    return "mend it, then: medallion up"
