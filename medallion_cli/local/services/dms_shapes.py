"""What DMS answers: stored documents to API shapes, filters, pages and faults."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from medallion_cli.local.protocol import ServiceError

_PRIVATE = {"Password", "created", "wanted", "ended", "started", "began"}
_STATES_DONE = ("Table completed",)


def not_found(what: str) -> ServiceError:
    """ResourceNotFoundFault."""
    return ServiceError("ResourceNotFoundFault", f"{what} not found")


def exists(what: str) -> ServiceError:
    """ResourceAlreadyExistsFault."""
    return ServiceError("ResourceAlreadyExistsFault", f"{what} already exists")


def wrong_state(message: str) -> ServiceError:
    """InvalidResourceStateFault."""
    return ServiceError("InvalidResourceStateFault", message)


def resource_id() -> str:
    """The random end of a DMS ARN."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(26))


def page(items: list[Any], params: dict[str, Any], member: str) -> dict[str, Any]:
    """One page of a describe call; the marker is an offset."""
    start, size = int(params.get("Marker") or 0), int(params.get("MaxRecords") or 100)
    found: dict[str, Any] = {member: items[start : start + size]}
    return found | ({"Marker": str(start + size)} if start + size < len(items) else {})


def filtered(
    items: list[dict[str, Any]], params: dict[str, Any], fields: dict[str, str], what: str = ""
) -> list[dict[str, Any]]:
    """Items that pass all Filters, by filter name → member; nothing found is a fault when `what` names it."""
    for condition in params.get("Filters", []):
        field = fields.get(condition["Name"])
        if field is None:
            raise ServiceError("InvalidParameterValueException", f"Invalid filter: {condition['Name']}")
        items = [item for item in items if item.get(field) in condition["Values"]]
    if not items and what and params.get("Filters"):
        raise ServiceError("ResourceNotFoundFault", f"No {what} found matching provided filter")
    return items


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what only we know."""
    return {key: value for key, value in document.items() if key not in _PRIVATE and value is not None}


def moment(seconds: float) -> datetime:
    """A time of the API from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def task_shape(task: dict[str, Any], found: dict[str, Any], with_settings: bool) -> dict[str, Any]:
    """A ReplicationTask from its document and the replicator's statistics."""
    out = shown(task)
    if not with_settings:
        out.pop("ReplicationTaskSettings", None)
        out.pop("TableMappings", None)
    out["ReplicationTaskCreationDate"] = moment(task["created"])
    if task["started"]:
        out["ReplicationTaskStartDate"] = moment(task["started"])
        out["ReplicationTaskStats"] = _task_statistics(task, list(found.get("tables", {}).values()))
    if position := found.get("position"):
        out["RecoveryCheckpoint"] = f"mysql-bin-changelog.{position['file']:06d}:{position['offset']}"
    return out


def _task_statistics(task: dict[str, Any], tables: list[dict[str, Any]]) -> dict[str, Any]:
    states = [table["state"] for table in tables]
    loaded = sum(state in _STATES_DONE for state in states)
    out: dict[str, Any] = {
        "FullLoadProgressPercent": 100 * loaded // len(states) if states else 0,
        "TablesLoaded": loaded,
        "TablesLoading": sum(state in ("Full load", "Table is being reloaded") for state in states),
        "TablesQueued": states.count("Before load"),
        "TablesErrored": sum(state in ("Table error", "Table does not exist") for state in states),
        "ElapsedTimeMillis": int(1000 * max(0.0, (task["ended"] or task["started"]) - task["started"])),
        "FreshStartDate": moment(task["began"]),
        "StartDate": moment(task["started"]),
    }
    times = [(table["load_started"], table["load_ended"]) for table in tables if table["load_started"]]
    if times:
        out["FullLoadStartDate"] = moment(min(start for start, _ in times) / 1e6)
        if loaded == len(states):
            out["FullLoadFinishDate"] = moment(max(end for _, end in times) / 1e6)
    return out | ({"StopDate": moment(task["ended"])} if task["ended"] else {})


def table_shape(name: str, table: dict[str, Any]) -> dict[str, Any]:
    """A TableStatistics from the replicator's counters."""
    schema, _, short = name.partition(".")
    out: dict[str, Any] = {
        "SchemaName": schema,
        "TableName": short,
        "TableState": table["state"],
        "Inserts": table["inserts"],
        "Updates": table["updates"],
        "Deletes": table["deletes"],
        "Ddls": table["ddls"],
        "AppliedInserts": table["inserts"],
        "AppliedUpdates": table["updates"],
        "AppliedDeletes": table["deletes"],
        "AppliedDdls": 0,
        "FullLoadRows": table["load_rows"],
        "FullLoadErrorRows": 0,
        "FullLoadCondtnlChkFailedRows": 0,
        "FullLoadReloaded": False,
        "ValidationPendingRecords": 0,
        "ValidationFailedRecords": 0,
        "ValidationSuspendedRecords": 0,
        "ValidationState": "Not enabled",
    }
    times = {"FullLoadStartTime": "load_started", "FullLoadEndTime": "load_ended"}
    out |= {member: moment(table[key] / 1e6) for member, key in times.items() if table[key]}
    last = max(table["updated"], table["load_ended"])
    return out | ({"LastUpdateTime": moment(last / 1e6)} if last else {})
