"""CloudWatch Logs over the log files of the state folder."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

ENGINES = "/medallion/engines"  # a group that AWS has not: what the processes of this machine write
# 2026-11-23T10:15:30Z, 2026-11-23 10:15:30,123, 26/11/23 10:15:30, [2026-11-23 …
_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d|\d\d/\d\d/\d\d)[T ]+(\d{1,2}:\d\d:\d\d)[.,\d]*(Z| UTC|\+00:00)?")


def create(runtime: Runtime) -> Service:
    """The service."""
    return Logs(runtime)


class Logs(Service):
    """Amazon CloudWatch Logs: a group is a folder, a stream a file, an event a line."""

    name = "logs"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.root = runtime.state / "logs" / "groups"

    def create_log_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """A folder and its record."""
        with self.runtime.store.changing("logs", {}) as groups:
            if params["logGroupName"] in groups:
                raise ServiceError("ResourceAlreadyExistsException", "The specified log group already exists")
            groups[params["logGroupName"]] = {"retention": None, "kms": params.get("kmsKeyId")}
        self._folder(params["logGroupName"]).mkdir(parents=True, exist_ok=True)
        return {}

    def delete_log_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets the group; its files stay for reading."""
        with self.runtime.store.changing("logs", {}) as groups:
            if groups.pop(params["logGroupName"], None) is None:
                raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        return {}

    def put_retention_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """Kept, not enforced on one machine."""
        with self.runtime.store.changing("logs", {}) as groups:
            groups.setdefault(params["logGroupName"], {})["retention"] = params["retentionInDays"]
        return {}

    def describe_log_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        """Groups by prefix."""
        prefix = params.get("logGroupNamePrefix", "")
        return {
            "logGroups": [
                self._shown(*item) for item in sorted(self._groups().items()) if item[0].startswith(prefix)
            ]
        }

    def describe_log_streams(self, params: dict[str, Any]) -> dict[str, Any]:
        """Streams of a group, newest last."""
        prefix = params.get("logStreamNamePrefix", "")
        files = sorted(self._folder(_group(params)).glob("*.log"), key=lambda f: f.stat().st_mtime)
        return {"logStreams": [{"logStreamName": f.stem} for f in files if f.stem.startswith(prefix)]}

    def get_log_events(self, params: dict[str, Any]) -> dict[str, Any]:
        """Lines of one stream; the token is the line to go on from."""
        found = _events(self._file(_group(params), params["logStreamName"]))
        first = int((params.get("nextToken") or "f/0").rpartition("/")[2])
        page = found[first : first + params.get("limit", 10_000)]
        token = f"f/{first + len(page)}"
        events = [{"message": line, "timestamp": at} for at, line in page]
        return {"events": events, "nextForwardToken": token, "nextBackwardToken": "b/0"}

    def filter_log_events(self, params: dict[str, Any]) -> dict[str, Any]:
        """Lines of all streams, or of those named, in a span of time, that hold the pattern's text; page by page."""
        group = _group(params)
        if group != ENGINES and group not in self._groups() and not self._folder(group).is_dir():
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        wanted = params.get("filterPattern", "").strip('"')
        since, until = params.get("startTime", 0), params.get("endTime", 1 << 62)
        found = [
            (at, stream, number, line)
            for stream, path in self._streams(group, params)
            for number, (at, line) in enumerate(_events(path))
            if since <= at < until and wanted in line
        ]
        found.sort(key=lambda event: event[0])
        first = int(params.get("nextToken") or 0)
        page = found[first : first + params.get("limit", 10_000)]
        more = {"nextToken": str(first + len(page))} if first + len(page) < len(found) else {}
        shown = [
            {"logStreamName": stream, "timestamp": at, "message": line, "eventId": f"{at:020d}{number:010d}"}
            for at, stream, number, line in page
        ]
        return {"events": shown, **more}

    def _streams(self, group: str, params: dict[str, Any]) -> list[tuple[str, Path]]:
        """Name and file of the streams that a request is about."""
        if group == ENGINES:
            found = self._engines()
        else:
            found = [(path.stem, path) for path in sorted(self._folder(group).glob("*.log"))]
        names = [name.replace("/", "_") for name in params.get("logStreamNames") or []]
        prefix = params.get("logStreamNamePrefix", "")
        return [(n, path) for n, path in found if n.startswith(prefix) and (not names or n in names)]

    def _engines(self) -> list[tuple[str, Path]]:
        """What this machine's processes write themselves: the daemon, and each engine."""
        state = self.runtime.state
        engines = sorted((state / "engines").glob("**/*.log")) if (state / "engines").is_dir() else []
        return [("daemon", state / "logs" / "daemon.log"), *((path.stem, path) for path in engines)]

    def _file(self, group: str, stream: str) -> Path:
        return self._folder(group) / f"{stream.replace('/', '_')}.log"

    def _groups(self) -> dict[str, Any]:
        groups: dict[str, Any] = self.runtime.store.load("logs", {})
        return groups

    def _shown(self, name: str, group: dict[str, Any]) -> dict[str, Any]:
        told = {"retentionInDays": group.get("retention"), "kmsKeyId": group.get("kms")}
        known = {key: value for key, value in told.items() if value is not None}
        return {"logGroupName": name, "arn": self._arn(name), **known}

    def _folder(self, group: str) -> Path:
        if ".." in group:
            raise ServiceError("InvalidParameterException", "no such log group")
        return self.root / group.strip("/")

    def _arn(self, group: str) -> str:
        return f"arn:aws:logs:{self.runtime.region}:{self.runtime.account}:log-group:{group}:*"


def _group(params: dict[str, Any]) -> str:
    return str(params.get("logGroupName") or params.get("logGroupIdentifier", ""))


def _events(path: Path) -> list[tuple[int, str]]:
    """(milliseconds, line): a line's own time where it begins with one, else that of the line before it.

    Lines before the first that tells a time have that of the file's last change, as far as it is known.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    changed = int(path.stat().st_mtime * 1000)
    told = next((at for line in lines if (at := _told(line)) is not None), changed)
    found = []
    for line in lines:
        told = _told(line) or told
        found.append((told, line))
    return found


def _told(line: str) -> int | None:
    """The time that a line begins with, in one of the ways of the engines; local time but where it says otherwise."""
    match = _TIME.match(line)
    if match is None:
        return None
    short = "/" in match[1]
    text = match[1].replace("/", "-")
    try:
        moment = datetime.fromisoformat(f"{'20' if short else ''}{text}T{match[2].zfill(8)}")
    except ValueError:
        return None
    zone = UTC if match[3] else None
    return int((moment.replace(tzinfo=zone) if zone else moment.astimezone()).timestamp() * 1000)
