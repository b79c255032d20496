"""CloudWatch Logs: lines of a group, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

STREAMS = 100  # CloudWatch's limit for names in one request


@dataclass(frozen=True)
class Line:
    """One event; several lines of text when the program wrote it so."""

    at: datetime
    group: str
    stream: str
    text: str
    id: str = ""


def lines(
    target: Target, group: str, since: datetime, until: datetime | None = None, streams: Sequence[str] = ()
) -> Iterator[Line]:
    """The lines of a group from `since` to `until`, of all streams or of those named; none of a group that there is not."""
    asked: dict[str, Any] = {"logGroupName": group, "startTime": _millis(since)}
    asked |= {"endTime": _millis(until)} if until else {}
    asked |= {"logStreamNames": list(streams)[:STREAMS]} if streams else {}
    token: dict[str, str] = {}
    while True:
        try:
            page = target.client("logs").filter_log_events(**asked, **token)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return
            raise
        yield from (_line(group, event) for event in page.get("events", []))
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def _line(group: str, event: dict[str, Any]) -> Line:
    at = datetime.fromtimestamp(event.get("timestamp", 0) / 1000, UTC)
    text = str(event.get("message", "")).rstrip()
    return Line(at, group, str(event.get("logStreamName", "")), text, str(event.get("eventId", "")))


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
