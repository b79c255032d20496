"""An environment's services in memory: RDS, DMS, Scheduler, SSM, Lambda; every call must be as botocore's models say.

What takes AWS minutes takes one more look here.
"""

from __future__ import annotations

import functools
import io
import json
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import validate_parameters

from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings

Document = dict[str, Any]
OUTPUTS = {
    "DatabaseIdentifier": "shop-source",
    "ReplicationInstanceArn": "arn:instance",
    "ReplicationTaskArn": "arn:task",
    "TargetEndpointArn": "arn:endpoint",
    "SourceFunctionName": "shop-source",
    "ScheduleGroupName": "shop",
    "PipelineScheduleName": "shop-pipeline",
    "GeneratorScheduleName": "shop-generator",
    "HousekeepingScheduleName": "shop-housekeeping",
    "StateMachineArn": "arn:machine",
    "ArtifactsBucket": "artifacts",
    "BronzeBucket": "bronze",
}


class Environment:
    """A target; tests read and change its attributes."""

    def __init__(self) -> None:
        self.settings = Settings(env="dev", prefix="shop", poll_seconds=1)
        self.database, self.reason = "available", ""
        self.task, self.started, self.message = "running", True, ""
        self.starts: list[str] = []
        self.statistics: dict[str, Document] = {}  # more of what DMS tells of a table
        self.tables = [
            ("shop", "orders", "Table completed", 5),
            ("medallion", "heartbeat", "Table completed", 1),
        ]
        self.instance, self.size = "available", "dms.t3.medium"
        self.checkpoint = "checkpoint:V1#27#mysql-bin-changelog.000012:1975:-1:2002:677:x#0#0#*#0#93"
        self.binlogs = ["mysql-bin-changelog.000011", "mysql-bin-changelog.000012"]
        self.generation, self.retention = "g0001", "72"
        self.schedules = {
            "shop-pipeline": "ENABLED",
            "shop-generator": "DISABLED",
            "shop-housekeeping": "ENABLED",
        }
        self.parameters: dict[str, str] = {}
        self.executions: list[Document] = []
        self.objects = {f"generations/{self.generation}.json": '{"tables": null, "loaded": true}'}
        self.reloads: list[str] = []  # tables that the running task was told to load again
        self.refusals: dict[str, AwsError] = {}  # by service.method
        self.source_error = ""
        self.asked: list[str] = []

    def client(self, service: str) -> Any:
        return _Client(self, service)

    def call(self, service: str, method: str, given: Document) -> Document:
        """Answers as the service would; its model checks question and answer."""
        operation = _operation(service, method)
        validate_parameters(given, operation.input_shape)
        if not method.startswith(("describe_", "get_", "list_")):
            self.asked.append(method)
        if refusal := self.refusals.get(f"{service}.{method}"):
            raise refusal
        found: Document = getattr(self, f"_{method}")(given) or {}
        if method != "invoke" and operation.output_shape is not None:
            validate_parameters(found, operation.output_shape)
        return found

    # RDS

    def _describe_db_instances(self, given: Document) -> Document:
        told = self.database
        self.database = {"stopping": "stopped", "starting": "available"}.get(told, told)
        infos = [{"Message": self.reason}] if self.reason else []
        return {"DBInstances": [{"DBInstanceStatus": told, "StatusInfos": infos}]}

    def _stop_db_instance(self, given: Document) -> None:
        self._in_state(self.database, "available", "InvalidDBInstanceState")
        self.database = "stopping"

    def _start_db_instance(self, given: Document) -> None:
        self._in_state(self.database, "stopped", "InvalidDBInstanceState")
        self.database = "starting"

    # DMS

    def _describe_replication_tasks(self, given: Document) -> Document:
        told = self.task
        self.task = {"stopping": "stopped", "starting": "running"}.get(told, told)
        more: Document = {"ReplicationTaskStartDate": datetime.now(UTC)} if self.started else {}
        if self.started:
            more["RecoveryCheckpoint"] = self.checkpoint
        return {"ReplicationTasks": [{"Status": told, "LastFailureMessage": self.message, **more}]}

    def _describe_table_statistics(self, given: Document) -> Document:
        names = ("SchemaName", "TableName", "TableState", "FullLoadRows")
        told = [dict(zip(names, table, strict=True)) for table in self.tables]
        return {"TableStatistics": [entry | self.statistics.get(entry["TableName"], {}) for entry in told]}

    def _describe_endpoints(self, given: Document) -> Document:
        return {"Endpoints": [{"S3Settings": {"BucketFolder": self.generation}}]}

    def _modify_endpoint(self, given: Document) -> None:
        self.generation = given["S3Settings"]["BucketFolder"]

    def _start_replication_task(self, given: Document) -> None:
        self._in_state(self.database, "available", "AccessDeniedFault")
        first = given["StartReplicationTaskType"] == "start-replication"
        if first == self.started:
            raise AwsError("InvalidParameterCombinationException", "Start Type")
        self.task, self.started = "starting", True
        self.starts.append(given["StartReplicationTaskType"])

    def _stop_replication_task(self, given: Document) -> None:
        self._in_state(self.task, "running", "InvalidResourceStateFault")
        self.task = "stopping"

    def _describe_replication_instances(self, given: Document) -> Document:
        told = self.instance
        self.instance = "available"
        shown = {"ReplicationInstanceStatus": told, "ReplicationInstanceClass": self.size}
        return {"ReplicationInstances": [shown]}

    def _modify_replication_instance(self, given: Document) -> None:
        self._in_state(self.instance, "available", "InvalidResourceStateFault")
        self.instance, self.size = "modifying", given["ReplicationInstanceClass"]

    # The others

    def _get_schedule(self, given: Document) -> Document:
        state = self.schedules[given["Name"]]
        target = {"Arn": "arn:machine", "RoleArn": "arn:role"}
        window = {"Mode": "OFF"}
        more = {"ScheduleExpression": "rate(15 minutes)", "FlexibleTimeWindow": window, "Target": target}
        return {"Name": given["Name"], "GroupName": "shop", "State": state, **more}

    def _update_schedule(self, given: Document) -> Document:
        self.schedules[given["Name"]] = given["State"]
        return {"ScheduleArn": "arn:schedule"}

    def _get_parameter(self, given: Document) -> Document:
        if given["Name"] not in self.parameters:
            raise AwsError("ParameterNotFound", given["Name"])
        return {"Parameter": {"Value": self.parameters[given["Name"]], "LastModifiedDate": datetime.now(UTC)}}

    def _put_parameter(self, given: Document) -> None:
        if given["Name"] in self.parameters and not given["Overwrite"]:
            raise AwsError("ParameterAlreadyExists", given["Name"])
        self.parameters[given["Name"]] = given["Value"]

    def _delete_parameter(self, given: Document) -> None:
        self.parameters.pop(given["Name"], None)

    def _get_object(self, given: Document) -> Document:
        if given["Key"] not in self.objects:
            raise AwsError("NoSuchKey", given["Key"])
        return {"Body": io.BytesIO(self.objects[given["Key"]].encode())}

    def _put_object(self, given: Document) -> None:
        self.objects[given["Key"]] = given["Body"].decode()

    def _list_objects_v2(self, given: Document) -> Document:
        found = [key for key in sorted(self.objects) if key.startswith(given["Prefix"])]
        return {"Contents": [{"Key": key} for key in found]}

    def _delete_objects(self, given: Document) -> None:
        for entry in given["Delete"]["Objects"]:
            self.objects.pop(entry["Key"], None)

    def _reload_tables(self, given: Document) -> Document:
        self._in_state(self.task, "running", "InvalidResourceStateFault")
        self.reloads += [f"{t['SchemaName']}.{t['TableName']}" for t in given["TablesToReload"]]
        self.tables = [
            (schema, table, "Table is being reloaded" if f"{schema}.{table}" in self.reloads else state, rows)
            for schema, table, state, rows in self.tables
        ]
        return {}

    def _list_executions(self, given: Document) -> Document:
        return {"executions": []}

    def _invoke(self, given: Document) -> Document:
        event = json.loads(given["Payload"])
        if self.source_error or self.database != "available":
            document: Document = {
                "errorType": "MedallionError",
                "errorMessage": self.source_error or "refused",
            }
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(document).encode())}
        self.asked.append(f"source:{event['operation']}")
        if event["operation"] == "heartbeat" and self.task == "running":
            self.objects[f"{self.generation}/medallion/heartbeat/{len(self.asked):04d}.parquet"] = ""
        answers: Document = {
            "heartbeat": {},
            "reachable": {"source": "8.4.8", "replication_user": True},
            "binlogs": {"files": self.binlogs},
            "settings": {"settings": {"binlog retention hours": self.retention}},
        }
        return {"Payload": io.BytesIO(json.dumps(answers[event["operation"]]).encode())}

    @staticmethod
    def _in_state(state: str, wanted: str, code: str) -> None:
        if state != wanted:
            raise AwsError(code, f"it is {state}")


class _Client:
    def __init__(self, environment: Environment, service: str) -> None:
        self._environment, self._service = environment, service

    def __getattr__(self, method: str) -> Any:
        return lambda **given: self._environment.call(self._service, method, given)


@functools.cache
def _operation(service: str, method: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    return next(model.operation_model(name) for name in model.operation_names if xform_name(name) == method)
