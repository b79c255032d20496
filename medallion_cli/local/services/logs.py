"""CloudWatch Logs over the log files of the state folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime


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
        lines = _lines(self._folder(_group(params)) / f"{params['logStreamName'].replace('/', '_')}.log")
        first = int((params.get("nextToken") or "f/0").rpartition("/")[2])
        page = lines[first : first + params.get("limit", 10_000)]
        token = f"f/{first + len(page)}"
        return {
            "events": [{"message": line} for line in page],
            "nextForwardToken": token,
            "nextBackwardToken": "b/0",
        }

    def filter_log_events(self, params: dict[str, Any]) -> dict[str, Any]:
        """Lines of all streams that hold the pattern's text."""
        wanted = params.get("filterPattern", "").strip('"')
        files = sorted(self._folder(_group(params)).glob("*.log"))
        found = [
            {"logStreamName": f.stem, "message": line} for f in files for line in _lines(f) if wanted in line
        ]
        return {"events": found[: params.get("limit", 10_000)]}

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


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
