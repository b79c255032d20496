"""CloudWatch Logs: lines of a group; those of one stream oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

ASKED = 10  # beginnings of names that are asked for one by one; CloudWatch takes one in a request


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
    """The lines of a group from `since` to `until`, of all streams or those whose names begin so; none without the group.

    By the beginning, since Glue names a run's streams `<id>-driver` and `<id>-1`, and CloudWatch refuses a whole request
    that names a stream which is not there (yet).
    """
    asked: dict[str, Any] = {"logGroupName": group, "startTime": _millis(since)}
    asked |= {"endTime": _millis(until)} if until else {}
    if len(streams) > ASKED:
        yield from (line for line in _pages(target, asked) if line.stream.startswith(tuple(streams)))
        return
    for beginning in streams or ("",):
        yield from _pages(target, asked | ({"logStreamNamePrefix": beginning} if beginning else {}))


def _pages(target: Target, asked: dict[str, Any]) -> Iterator[Line]:
    token: dict[str, str] = {}
    while True:
        try:
            page = target.client("logs").filter_log_events(**asked, **token)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return
            raise
        yield from (_line(asked["logGroupName"], event) for event in page.get("events", []))
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def _line(group: str, event: dict[str, Any]) -> Line:
    at = datetime.fromtimestamp(event.get("timestamp", 0) / 1000, UTC)
    text = str(event.get("message", "")).rstrip()
    return Line(at, group, str(event.get("logStreamName", "")), text, str(event.get("eventId", "")))


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
