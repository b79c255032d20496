"""DMS: endpoints and replication tasks that run for real; instances and subnet groups are names.

Rules are DMS's: the first start is start-replication, a running task refuses changes, so do its endpoints.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.source import Source, current_position
from medallion_cli.local.replication.task import mappings
from medallion_cli.local.services import dms_shapes as shapes
from medallion_cli.local.services.dms_tasks import Definition, TaskProcesses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medallion_cli.local.runtime import Runtime

_STORE = "dms"
_KINDS = ("instances", "subnet_groups", "endpoints", "tasks", "connections", "tags")
_ACTIVE = ("starting", "running", "stopping")
_INSTANCE = (
    "ReplicationInstanceIdentifier",
    "ReplicationInstanceClass",
    "AllocatedStorage",
    "EngineVersion",
    "MultiAZ",
    "PubliclyAccessible",
    "AutoMinorVersionUpgrade",
    "PreferredMaintenanceWindow",
    "KmsKeyId",
    "AvailabilityZone",
    "NetworkType",
)
_ENDPOINT = (
    "EndpointIdentifier",
    "EndpointType",
    "EngineName",
    "Username",
    "Password",
    "ServerName",
    "Port",
    "DatabaseName",
    "SslMode",
    "KmsKeyId",
    "CertificateArn",
    "ServiceAccessRoleArn",
    "ExtraConnectionAttributes",
)
_SETTINGS = ("S3Settings", "MySQLSettings")
_TASK = (
    "ReplicationTaskIdentifier",
    "MigrationType",
    "TableMappings",
    "ReplicationTaskSettings",
    "CdcStartPosition",
    "CdcStopPosition",
    "TaskData",
)


class Dms(Service):
    """The API, and the replicator process behind each running task."""

    name = "dms"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        loaded = runtime.store.load(_STORE, {})
        self._state: dict[str, dict[str, Any]] = {kind: loaded.get(kind, {}) for kind in _KINDS}
        self._lock = threading.RLock()
        self._tasks = TaskProcesses(runtime.state / "engines" / "dms", self._task_ended)

    def start(self) -> None:
        """Goes on with every task that was running."""
        self._tasks.watch()
        for task in self._state["tasks"].values():
            if task["wanted"]:
                task["Status"] = "starting"
                self._launch(task)
            elif task["Status"] in _ACTIVE:
                self._tasks.halt(task["ReplicationTaskIdentifier"])
                task |= {"Status": "stopped", "StopReason": "Stop Reason NORMAL"}
        self._save()

    def stop(self) -> None:
        """Flushes and stops the replicators; the tasks stay wanted."""
        self._tasks.close()

    # Replication instances and subnet groups

    def create_replication_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ReplicationInstanceIdentifier"].lower()
        with self._lock:
            if any(each["ReplicationInstanceIdentifier"] == name for each in self._all("instances")):
                raise shapes.exists(f"Replication instance {name}")
            group = params.get("ReplicationSubnetGroupIdentifier")
            instance = {key: params[key] for key in _INSTANCE if key in params} | {
                "ReplicationInstanceIdentifier": name,
                "ReplicationInstanceStatus": "available",
                "ReplicationInstanceArn": self._arn("rep"),
                "ReplicationInstancePrivateIpAddresses": ["127.0.0.1"],
                "ReplicationInstancePublicIpAddresses": [],
                "ReplicationSubnetGroup": {"ReplicationSubnetGroupIdentifier": group.lower()}
                if group
                else None,
            }
            self._keep("instances", instance["ReplicationInstanceArn"], instance, params)
        return {"ReplicationInstance": shapes.shown(instance)}

    def modify_replication_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            instance = self._known("instances", params["ReplicationInstanceArn"], "Replication instance")
            instance |= {key: params[key] for key in _INSTANCE if key in params}
            self._save()
        return {"ReplicationInstance": shapes.shown(instance)}

    def describe_replication_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "replication-instance-arn": "ReplicationInstanceArn",
            "replication-instance-id": "ReplicationInstanceIdentifier",
            "replication-instance-class": "ReplicationInstanceClass",
            "engine-version": "EngineVersion",
        }
        found = shapes.filtered(self._all("instances"), params, fields, "instances")
        return shapes.page([shapes.shown(each) for each in found], params, "ReplicationInstances")

    def delete_replication_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["ReplicationInstanceArn"]
        with self._lock:
            instance = self._known("instances", arn, "Replication instance")
            if any(task["ReplicationInstanceArn"] == arn for task in self._all("tasks")):
                raise shapes.wrong_state("Replication instance has replication tasks")
            self._drop("instances", arn)
        return {"ReplicationInstance": shapes.shown(instance) | {"ReplicationInstanceStatus": "deleting"}}

    def create_replication_subnet_group(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ReplicationSubnetGroupIdentifier"].lower()
        with self._lock:
            if name in self._state["subnet_groups"]:
                raise shapes.exists(f"Replication subnet group {name}")
            group = {"ReplicationSubnetGroupIdentifier": name, "SubnetGroupStatus": "Complete"} | _subnets(
                params
            )
            self._keep("subnet_groups", name, group, {})
        return {"ReplicationSubnetGroup": group}

    def modify_replication_subnet_group(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            name = params["ReplicationSubnetGroupIdentifier"].lower()
            group = self._known("subnet_groups", name, "Replication subnet group")
            group |= _subnets(params)
            self._save()
        return {"ReplicationSubnetGroup": group}

    def describe_replication_subnet_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {"replication-subnet-group-id": "ReplicationSubnetGroupIdentifier"}
        found = shapes.filtered(self._all("subnet_groups"), params, fields, "subnet groups")
        return shapes.page(found, params, "ReplicationSubnetGroups")

    def delete_replication_subnet_group(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            name = params["ReplicationSubnetGroupIdentifier"].lower()
            self._known("subnet_groups", name, "Replication subnet group")
            groups = [each.get("ReplicationSubnetGroup") or {} for each in self._all("instances")]
            if any(group.get("ReplicationSubnetGroupIdentifier") == name for group in groups):
                raise shapes.wrong_state(f"Replication subnet group {name} is in use")
            self._drop("subnet_groups", name)
        return {}

    # Endpoints

    def create_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["EndpointIdentifier"].lower()
        with self._lock:
            if any(each["EndpointIdentifier"] == name for each in self._all("endpoints")):
                raise shapes.exists(f"Endpoint {name}")
            endpoint = {key: params[key] for key in (*_ENDPOINT, *_SETTINGS) if key in params}
            endpoint |= {"EndpointIdentifier": name, "EndpointArn": self._arn("endpoint"), "Status": "active"}
            _check_endpoint(endpoint)
            self._keep("endpoints", endpoint["EndpointArn"], endpoint, params)
        return {"Endpoint": shapes.shown(endpoint)}

    def modify_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        """Settings are merged into what is there, unless ExactSettings is given."""
        with self._lock:
            endpoint = self._known("endpoints", params["EndpointArn"], "Endpoint")
            self._refuse_active(params["EndpointArn"])
            changed = endpoint | {key: params[key] for key in _ENDPOINT if key in params}
            for key in _SETTINGS:
                if key in params:
                    kept = {} if params.get("ExactSettings") else endpoint.get(key, {})
                    changed[key] = kept | params[key]
            _check_endpoint(changed)
            endpoint |= changed
            self._save()
        return {"Endpoint": shapes.shown(endpoint)}

    def describe_endpoints(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "endpoint-arn": "EndpointArn",
            "endpoint-id": "EndpointIdentifier",
            "endpoint-type": "EndpointType",
            "engine-name": "EngineName",
        }
        found = shapes.filtered(self._all("endpoints"), params, fields, "endpoints")
        return shapes.page([shapes.shown(each) for each in found], params, "Endpoints")

    def delete_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["EndpointArn"]
        with self._lock:
            endpoint = self._known("endpoints", arn, "Endpoint")
            if any(
                arn in (task["SourceEndpointArn"], task["TargetEndpointArn"]) for task in self._all("tasks")
            ):
                raise shapes.wrong_state("Endpoint is part of one or more replication tasks")
            self._drop("endpoints", arn)
        return {"Endpoint": shapes.shown(endpoint) | {"Status": "deleting"}}

    def test_connection(self, params: dict[str, Any]) -> dict[str, Any]:
        """Connects for real, or looks for the bucket; the result stays in describe_connections."""
        endpoint = self._known("endpoints", params["EndpointArn"], "Endpoint")
        instance = self._known("instances", params["ReplicationInstanceArn"], "Replication instance")
        connection = {
            "ReplicationInstanceArn": params["ReplicationInstanceArn"], "EndpointArn": params["EndpointArn"],
            "EndpointIdentifier": endpoint["EndpointIdentifier"], "Status": "successful",
            "ReplicationInstanceIdentifier": instance["ReplicationInstanceIdentifier"],
        }  # fmt: skip
        try:
            self._try(endpoint)
        except (ReplicationFault, ServiceError) as error:
            connection |= {"Status": "failed", "LastFailureMessage": f"Test Endpoint failed: {error}"}
        with self._lock:
            self._keep(
                "connections", f"{params['EndpointArn']} {params['ReplicationInstanceArn']}", connection, {}
            )
        return {"Connection": connection}

    def describe_connections(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {"endpoint-arn": "EndpointArn", "replication-instance-arn": "ReplicationInstanceArn"}
        found = shapes.filtered(self._all("connections"), params, fields)
        return shapes.page(found, params, "Connections")

    def _try(self, endpoint: dict[str, Any]) -> None:
        if endpoint["EngineName"] == "s3":
            self._bucket(endpoint)
            return
        secret = self._secret(endpoint)
        source = Source(secret["host"], int(secret["port"]), secret["username"], secret["password"])
        with source.connect() as connection:
            current_position(connection)

    # Tasks

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
            if task["Status"] in _ACTIVE:
                raise shapes.wrong_state(f"{_named(task)} cannot be modified while it is {task['Status']}")
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
                raise shapes.wrong_state(
                    f"{_named(task)} cannot be started, it is currently {task['Status']}"
                )
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
                raise shapes.wrong_state(f"{_named(task)} is not running, it is currently {task['Status']}")
            task |= {"Status": "stopping", "wanted": False}
            self._save()
        if not self._tasks.ask_to_stop(task["ReplicationTaskIdentifier"]):
            self._task_ended(task["ReplicationTaskIdentifier"], "stopped", "")
        return {"ReplicationTask": self._shape(task)}

    def delete_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["ReplicationTaskArn"]
        with self._lock:
            task = self._task(arn)
            if task["Status"] in _ACTIVE:
                raise shapes.wrong_state(f"{_named(task)} cannot be deleted while it is {task['Status']}")
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

    def reload_tables(self, params: dict[str, Any]) -> dict[str, Any]:
        """Loads tables of a running task again, into the same folder."""
        with self._lock:
            task = self._task(params["ReplicationTaskArn"])
            name = task["ReplicationTaskIdentifier"]
            if task["Status"] != "running":
                raise shapes.wrong_state(f"{_named(task)} must be running to reload tables")
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

    def _bucket(self, endpoint: dict[str, Any]) -> Path:
        bucket = endpoint.get("S3Settings", {}).get("BucketName", "")
        folder = self._runtime.object_path(bucket, "x").parent
        if not bucket or not folder.is_dir():
            raise ServiceError("InvalidParameterValueException", f"the bucket {bucket!r} does not exist")
        return folder

    def _secret(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Credentials from the endpoint's secret, else the endpoint's own."""
        settings = endpoint.get("MySQLSettings", {})
        if secret := settings.get("SecretsManagerSecretId"):
            found = json.loads(
                self._runtime.call("secretsmanager", "GetSecretValue", SecretId=secret)["SecretString"]
            )
        else:
            found = {"host": endpoint.get("ServerName"), "port": endpoint.get("Port", 3306)}
            found |= {"username": endpoint.get("Username"), "password": endpoint.get("Password")}
        missing = [key for key in ("host", "port", "username", "password") if not found.get(key)]
        if missing:
            raise ServiceError(
                "InvalidParameterValueException", f"the source's credentials lack {', '.join(missing)}"
            )
        return {key: found[key] for key in ("host", "port", "username", "password")}

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

    # Tags

    def add_tags_to_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._tag(params["ResourceArn"], params)
            self._save()
        return {}

    def remove_tags_from_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._state["tags"].get(params["ResourceArn"], {})
            for key in params["TagKeys"]:
                tags.pop(key, None)
            self._save()
        return {}

    def list_tags_for_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        arns = params.get("ResourceArnList") or [params["ResourceArn"]]
        found = [(arn, *tag) for arn in arns for tag in self._state["tags"].get(arn, {}).items()]
        return {"TagList": [{"ResourceArn": arn, "Key": key, "Value": value} for arn, key, value in found]}

    def _tag(self, arn: str, params: dict[str, Any]) -> None:
        tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])}
        if tags:
            self._state["tags"].setdefault(arn, {}).update(tags)

    # What they share

    def _shape(self, task: dict[str, Any], settings: bool = True) -> dict[str, Any]:
        name = task["ReplicationTaskIdentifier"]
        if task["Status"] == "starting" and self._tasks.running(name):
            task["Status"] = "running"
        return shapes.task_shape(task, self._tasks.statistics(name), settings)

    def _refuse_active(self, endpoint: str) -> None:
        for task in self._all("tasks"):
            if (
                endpoint in (task["SourceEndpointArn"], task["TargetEndpointArn"])
                and task["Status"] in _ACTIVE
            ):
                raise shapes.wrong_state(
                    f"The endpoint cannot be modified while {_named(task)} is {task['Status']}"
                )

    def _endpoint(self, arn: str, kind: str) -> dict[str, Any]:
        endpoint = self._known("endpoints", arn, "Endpoint")
        if endpoint["EndpointType"] != kind:
            raise ServiceError("InvalidParameterValueException", f"{arn} is not a {kind} endpoint")
        return endpoint

    def _task(self, arn: str) -> dict[str, Any]:
        return self._known("tasks", arn, "Replication Task")

    def _known(self, kind: str, key: str, what: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._state[kind].get(key)
        if found is None:
            raise shapes.not_found(f"{what} {key}")
        return found

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return list(self._state[kind].values())

    def _keep(self, kind: str, key: str, document: dict[str, Any], params: dict[str, Any]) -> None:
        self._state[kind][key] = document
        self._tag(key, params)
        self._save()

    def _drop(self, kind: str, key: str) -> None:
        del self._state[kind][key]
        self._state["tags"].pop(key, None)
        self._save()

    def _arn(self, kind: str) -> str:
        return f"arn:aws:dms:{self._runtime.region}:{self._runtime.account}:{kind}:{shapes.resource_id()}"

    def _save(self) -> None:
        self._runtime.store.save(_STORE, self._state)


def create(runtime: Runtime) -> Service:
    """The service of a runtime."""
    return Dms(runtime)


def _subnets(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "ReplicationSubnetGroupDescription": params["ReplicationSubnetGroupDescription"],
        "Subnets": [{"SubnetIdentifier": subnet, "SubnetStatus": "Active"} for subnet in params["SubnetIds"]],
    }


def _named(task: dict[str, Any]) -> str:
    return f"Replication Task {task['ReplicationTaskArn']}"


def _environment() -> dict[str, str]:
    """Enough to import this package; nothing of the caller's credentials."""
    import os

    names = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "HOME", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _check_endpoint(endpoint: dict[str, Any]) -> None:
    """Refuses what the replicator would not do as DMS does it (pitfalls: CSV, preserved transactions)."""
    match (endpoint["EndpointType"], endpoint["EngineName"]):
        case ("source", "mysql" | "mariadb" | "aurora"):
            return
        case ("target", "s3"):
            faults = list(_s3_faults(endpoint.get("S3Settings", {})))
            if faults:
                raise ServiceError("InvalidParameterValueException", f"S3Settings: {'; '.join(faults)}")
        case (kind, engine):
            raise ServiceError("InvalidParameterValueException", f"no {kind} endpoint for {engine} locally")


def _s3_faults(settings: dict[str, Any]) -> Iterator[str]:
    if not settings.get("BucketName"):
        yield "BucketName is required"
    if settings.get("DataFormat") != "parquet":
        yield "DataFormat must be parquet"
    if settings.get("PreserveTransactions") or settings.get("CdcPath"):
        yield "PreserveTransactions needs CSV"
    if not settings.get("IncludeOpForFullLoad"):
        yield "IncludeOpForFullLoad must be true"
    if settings.get("CdcInsertsOnly") or settings.get("CdcInsertsAndUpdates"):
        yield "changes of all kinds must be captured"


def _check_task(task: dict[str, Any]) -> None:
    try:
        mappings(task["TableMappings"])
    except (ReplicationFault, ValueError, KeyError) as error:
        raise ServiceError("InvalidParameterValueException", f"Invalid table mappings: {error}") from error
    try:
        json.loads(task.get("ReplicationTaskSettings") or "{}")
    except ValueError as error:
        raise ServiceError("InvalidParameterValueException", "Invalid task settings JSON") from error
