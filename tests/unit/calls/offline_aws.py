"""An AWS that answers from its own models, in memory: real boto3 clients up to the moment where a request would be sent."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore.response import StreamingBody

from medallion_cli.aws.session import Target
from medallion_cli.settings import Settings

Answer = (
    dict[str, Any] | tuple[str, str]
)  # members that differ from the model's, or an error's code and message
PAGES = {
    "NextToken",
    "nextToken",
    "Marker",
    "ContinuationToken",
    "NextContinuationToken",
    "IsTruncated",
    "NextMarker",
}
DEPTH = 5


class OfflineAws:
    """Answers by operation; of a list, one after the other, and the last again and again.

    Clients take long to make, so all share them: it is the newest OfflineAws that answers.
    """

    newest: OfflineAws
    log: ClassVar[set[tuple[str, str]]] = set()  # (service, operation) of all calls

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        OfflineAws.newest = self

    def target(self, settings: Settings) -> Target:
        """What operations speak to."""
        target = Target(settings)
        target.__dict__["_session"] = SESSION
        return target

    def answer(self, model: Any) -> tuple[Any, dict[str, Any]]:
        OfflineAws.log.add((model.service_model.service_name, model.name))
        given = self.answers.get(model.name, {})
        if isinstance(given, list):
            given = given[min(self.asked[model.name], len(given) - 1)]
        self.asked[model.name] += 1
        if isinstance(given, tuple):
            code, message = given
            failed = {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            return SimpleNamespace(status_code=400, headers={}), failed
        made = answered(model.output_shape) if model.output_shape else {}
        return SimpleNamespace(status_code=200, headers={}), {
            **made,
            **given,
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }


def answered(shape: Any, name: str = "", depth: int = 0) -> Any:
    """A value of a shape: one entry a list, the first of what is allowed, no further pages."""
    match shape.type_name:
        case "structure":
            if shape.metadata.get("document"):
                return {}
            members = {n: m for n, m in shape.members.items() if n not in PAGES}
            return {n: answered(m, n, depth + 1) for n, m in members.items()} if depth < DEPTH else {}
        case "list":
            return [answered(shape.member, name, depth + 1)] if depth < DEPTH else []
        case "map":
            return {answered(shape.key): answered(shape.value, name, depth + 1)} if depth < DEPTH else {}
        case "timestamp":
            return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        case "boolean":
            return False
        case "integer" | "long" | "float" | "double":
            return 1
        case "blob":
            return StreamingBody(io.BytesIO(b"{}"), 2)
    allowed = getattr(shape, "enum", [])
    return allowed[0] if allowed else name or "text"


class _Session:
    """Real clients that never send."""

    def __init__(self) -> None:
        core = botocore.session.Session()
        core.get_component("event_emitter").register(
            "before-call", lambda model, **_: OfflineAws.newest.answer(model)
        )
        self.made = boto3.Session("AKIAOFFLINE", "offline", region_name="eu-central-1", botocore_session=core)
        self.clients: dict[str, Any] = {}

    def client(self, service: str, **options: Any) -> Any:
        if service not in self.clients:
            self.clients[service] = self.made.client(service, **options)
        return self.clients[service]


SESSION = _Session()
