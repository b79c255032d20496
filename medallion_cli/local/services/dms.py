"""DMS: replication tasks that run for real.

Rules are DMS's: the first start is start-replication, a running task refuses changes, so do its endpoints.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.task import mappings
from medallion_cli.local.services import dms_shapes as shapes
from medallion_cli.local.services.dms_endpoints import ACTIVE, Endpoints, named
from medallion_cli.local.services.dms_tasks import Definition, TaskProcesses

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_TASK = (
    "ReplicationTaskIdentifier",
    "MigrationType",
    "TableMappings",
    "ReplicationTaskSettings",
    "CdcStartPosition",
    "CdcStopPosition",
    "TaskData",
)


class Dms(Endpoints):
    """The API, and the replicator process behind each running task."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._tasks = TaskProcesses(runtime.state / "engines" / "dms", self._task_ended)

    def start(self) -> None:
        """Goes on with every task that was running."""
        self._tasks.watch()
        for task in self._state["tasks"].values():
            if task["wanted"]:
                task["Status"] = "starting"
                self._launch(task)
            elif task["Status"] in ACTIVE:
                self._tasks.halt(task["ReplicationTaskIdentifier"])
                task |= {"Status": "stopped", "StopReason": "Stop Reason NORMAL"}
        self._save()

    def stop(self) -> None:
        """Flushes and stops the replicators; the tasks stay wanted."""
        self._tasks.close()

    def create_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ReplicationTaskIdentifier"].lower()
        with self._lock:
            if any(each["ReplicationTaskIdentifier"] == name for each in self._all("tasks")):
                raise shapes.exists(f"Replication Task {name}")
            self._known("instances", params["ReplicationInstanceArn"], "Replication instance")
            self._endpoint(params["SourceEndpointArn"], "source")
            self._endpoint(params["TargetEndpointArn"], "target")
            task = {key: params[key] for key in _TASK if key in params}
            task |= {key: params[key] for key in params if key.endswith("Arn")}
            task |= {
                "ReplicationTaskIdentifier": name, "ReplicationTaskArn": self._arn("task"), "Status": "ready",
                "created": time.time(), "started": 0.0, "began": 0.0, "ended": 0.0, "wanted": False,
            }  # fmt: skip
            _check_task(task)
            self._keep("tasks", task["ReplicationTaskArn"], task, params)
        return {"ReplicationTask": self._shape(task)}

    def modify_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            task = self._task(params["ReplicationTaskArn"])
            if task["Status"] in ACTIVE:
                raise shapes.wrong_state(f"{named(task)} cannot be modified while it is {task['Status']}")
            changed = task | {key: params[key] for key in _TASK if key in params}
            changed["ReplicationTaskIdentifier"] = task["ReplicationTaskIdentifier"]
            _check_task(changed)
            task |= changed
            self._save()
        return {"ReplicationTask": self._shape(task)}

    def describe_replication_tasks(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "replication-task-arn": "ReplicationTaskArn", "replication-task-id": "ReplicationTaskIdentifier",
            "migration-type": "MigrationType", "replication-instance-arn": "ReplicationInstanceArn",
        }  # fmt: skip
        found = shapes.filtered(self._all("tasks"), params, fields, "tasks")
        settings = not params.get("WithoutSettings")
        return shapes.page([self._shape(task, settings) for task in found], params, "ReplicationTasks")

    def start_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        """start-replication only ever first; reload-target forgets what was read and loads again."""
        how = params["StartReplicationTaskType"]
        with self._lock:
            task = self._task(params["ReplicationTaskArn"])
            if task["Status"] not in ("ready", "stopped", "failed"):
                raise shapes.wrong_state(f"{named(task)} cannot be started, it is currently {task['Status']}")
            if (how == "start-replication") != (not task["started"]):
                kind, when = (
                    how.upper().replace("-", "_"),
                    "for the first time" if task["started"] else "previously",
                )
                message = f"Start Type : {kind}, valid only for tasks running {when}"
                raise ServiceError("InvalidParameterCombinationException", message)
            now = time.time()
            if how != "resume-processing":
                self._tasks.halt(task["ReplicationTaskIdentifier"])
                self._tasks.forget(task["ReplicationTaskIdentifier"])
                task["began"] = now
            if position := params.get("CdcStartPosition"):
                task["CdcStartPosition"] = position
            task |= {"Status": "starting", "started": now, "ended": 0.0, "wanted": True}
            task |= {"StopReason": None, "LastFailureMessage": None}
            self._save()
            self._launch(task)
        return {"ReplicationTask": self._shape(task)}

    def stop_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        """The replicator flushes its last batch first; `stopping` until then."""
        with self._lock:
            task = self._task(params["ReplicationTaskArn"])
            if self._shape(task)["Status"] not in ("starting", "running"):
                raise shapes.wrong_state(f"{named(task)} is not running, it is currently {task['Status']}")
            task |= {"Status": "stopping", "wanted": False}
            self._save()
        if not self._tasks.ask_to_stop(task["ReplicationTaskIdentifier"]):
            self._task_ended(task["ReplicationTaskIdentifier"], "stopped", "")
        return {"ReplicationTask": self._shape(task)}

    def delete_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["ReplicationTaskArn"]
        with self._lock:
            task = self._task(arn)
            if task["Status"] in ACTIVE:
                raise shapes.wrong_state(f"{named(task)} cannot be deleted while it is {task['Status']}")
            self._tasks.halt(task["ReplicationTaskIdentifier"])
            self._tasks.remove(task["ReplicationTaskIdentifier"])
            self._drop("tasks", arn)
        return {"ReplicationTask": self._shape(task) | {"Status": "deleting"}}

    def describe_table_statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._task(params["ReplicationTaskArn"])
        tables = self._tasks.statistics(task["ReplicationTaskIdentifier"]).get("tables", {})
        found = [shapes.table_shape(name, table) for name, table in sorted(tables.items())]
        fields = {"schema-name": "SchemaName", "table-name": "TableName", "table-state": "TableState"}
        found = shapes.filtered(found, params, fields)
        return shapes.page(found, params, "TableStatistics") | {
            "ReplicationTaskArn": task["ReplicationTaskArn"]
        }

    def latency(self, resource: str) -> float | None:
        """Seconds that a running task (by the end of its ARN) is behind; None of one that stands still or can't ask."""
        with self._lock:
            known = [t for t in self._all("tasks") if t["ReplicationTaskArn"].endswith(f":{resource}")]
            if not known or self._shape(known[0])["Status"] != "running":
                return None
            name = known[0]["ReplicationTaskIdentifier"]
            definition = self._definition(known[0])
        return self._tasks.latency(name, definition)

    def reload_tables(self, params: dict[str, Any]) -> dict[str, Any]:
        """Loads tables of a running task again, into the same folder."""
        with self._lock:
            task = self._task(params["ReplicationTaskArn"])
            name = task["ReplicationTaskIdentifier"]
            if task["Status"] != "running":
                raise shapes.wrong_state(f"{named(task)} must be running to reload tables")
            self._tasks.halt(name)
            self._tasks.reload(
                name, [f"{each['SchemaName']}.{each['TableName']}" for each in params["TablesToReload"]]
            )
            self._launch(task)
        return {"ReplicationTaskArn": task["ReplicationTaskArn"]}

    def _launch(self, task: dict[str, Any]) -> None:
        """Starts the replicator; what it cannot even be started with fails the task."""
        try:
            self._tasks.start(task["ReplicationTaskIdentifier"], lambda: self._definition(task))
        except (ServiceError, ReplicationFault) as error:
            self._task_ended(task["ReplicationTaskIdentifier"], "failed", str(error))

    def _definition(self, task: dict[str, Any]) -> Definition:
        target = self._known("endpoints", task["TargetEndpointArn"], "Endpoint")
        instance = self._known("instances", task["ReplicationInstanceArn"], "Replication instance")
        group = f"dms-tasks-{instance['ReplicationInstanceIdentifier']}"
        stream = f"dms-task-{task['ReplicationTaskArn'].rpartition(':')[2]}"
        document = {
            "mappings": task["TableMappings"],
            "settings": json.loads(task.get("ReplicationTaskSettings") or "{}"),
            "migration": task["MigrationType"],
            "target": str(self._bucket(target)),
            "s3": target["S3Settings"],
            "started_at": int(task["began"] * 1e6),
            "start_position": task.get("CdcStartPosition", ""),
        }
        secret = self._secret(self._known("endpoints", task["SourceEndpointArn"], "Endpoint"))
        return Definition(document, secret, self._runtime.log(group, stream), _environment())

    def _task_ended(self, name: str, state: str, message: str) -> None:
        """A replicator has ended for good; `loaded` is a task without CDC that is done."""
        reasons = {"failed": "FATAL_ERROR", "loaded": "FULL_LOAD_ONLY_FINISHED"}
        with self._lock:
            for task in self._all("tasks"):
                if task["ReplicationTaskIdentifier"] == name:
                    task |= {"Status": "failed" if state == "failed" else "stopped", "wanted": False}
                    task |= {
                        "StopReason": f"Stop Reason {reasons.get(state, 'NORMAL')}",
                        "ended": time.time(),
                    }
                    task["LastFailureMessage"] = f"Last Error {message}" if message else None
            self._save()

    def _shape(self, task: dict[str, Any], settings: bool = True) -> dict[str, Any]:
        name = task["ReplicationTaskIdentifier"]
        if task["Status"] == "starting" and self._tasks.running(name):
            task["Status"] = "running"
        return shapes.task_shape(task, self._tasks.statistics(name), settings)

    def _task(self, arn: str) -> dict[str, Any]:
        return self._known("tasks", arn, "Replication Task")


def create(runtime: Runtime) -> Service:
    """The service of a runtime."""
    return Dms(runtime)


def _environment() -> dict[str, str]:
    """Enough to import this package; nothing of the caller's credentials."""
    names = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "HOME", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _check_task(task: dict[str, Any]) -> None:
    if task.get("CdcStopPosition"):
        raise ServiceError("InvalidParameterValueException", "CdcStopPosition is not supported locally")
    try:
        mappings(task["TableMappings"])
    except (ReplicationFault, ValueError, KeyError) as error:
        raise ServiceError("InvalidParameterValueException", f"Invalid table mappings: {error}") from error
    try:
        json.loads(task.get("ReplicationTaskSettings") or "{}")
    except ValueError as error:
        raise ServiceError("InvalidParameterValueException", "Invalid task settings JSON") from error
