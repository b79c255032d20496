"""The source Lambda: the only way to the source database, a closed list of operations."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target


# MySQL's own words for a full disk: 1021, 1114, "Errcode: 28", or the local database's
FULL = re.compile(r"no space left|\b(1021|1114), |Errcode: 28\b", re.IGNORECASE)
ROOM = "make room for the source database (on AWS: a larger DatabaseStorage), then type the same command"


class Source:
    """The source database of one environment, behind its Lambda function."""

    def __init__(self, target: Target, function_name: str) -> None:
        self.client = target.client("lambda")
        self.function_name = function_name

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Run one operation and return its result; MedallionError with the function's own message when it
        fails.
        """
        event = {"operation": operation, **fields}
        answer = self.client.invoke(FunctionName=self.function_name, Payload=json.dumps(event).encode())
        document = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise _failure(operation, document)
        return dict(document)


def _failure(operation: str, document: Any) -> MedallionError:
    """A function's error: {errorMessage, errorType, …}; a timeout or crash has no type of ours."""
    found = document if isinstance(document, dict) else {"errorMessage": str(document)}
    message = str(found.get("errorMessage") or "failed without a message").splitlines()[0]
    if FULL.search(message):
        return MedallionError(f"{operation}: {message}", hint=ROOM)
    match found.get("errorType"):
        case "UsageError":
            return UsageError(message)
        case "MedallionError":
            return MedallionError(message, hint="medallion status")
        case kind:
            named = f" ({kind})" if kind else ""
            return MedallionError(f"source function, {operation}: {message}{named}", hint="medallion status")
