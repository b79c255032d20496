"""Service integrations of Step Functions: SDK calls, `glue:startJobRun.sync`, `lambda:invoke`, `sns:publish`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import ServiceError, service_model

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

POLL_SECONDS = 0.2
# Step Functions' name of a service → botocore's, and the prefix of its errors (AWS SDK for Java 2 client names).
SERVICES = {
    "databasemigration": ("dms", "DatabaseMigration"),
    "redshiftdata": ("redshift-data", "RedshiftData"),
    "sfn": ("stepfunctions", "Sfn"),
    "s3": ("s3", "S3"),
    "glue": ("glue", "Glue"),
    "sns": ("sns", "Sns"),
    "lambda": ("lambda", "Lambda"),
    "secretsmanager": ("secretsmanager", "SecretsManager"),
}


class TaskError(Exception):
    """A task's failure as the state machine sees it."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class Stopped(Exception):
    """The execution was stopped while the task ran."""


def perform(runtime: Runtime, resource: str, arguments: dict[str, Any], stopped: Callable[[], bool]) -> Any:
    """Runs one task to its end; TaskError when it fails."""
    match = re.fullmatch(r"arn:aws[\w-]*:states:::(aws-sdk:)?(\w+):(\w+)(\.sync)?", resource)
    if match is None or match[2] not in SERVICES:
        raise TaskError("States.Runtime", f"the embedded AWS has no integration {resource}")
    service, prefix = SERVICES[match[2]]
    operation = match[3][0].upper() + match[3][1:]
    try:
        if match[4]:
            return _glue_job(runtime, arguments, stopped)
        return _call(runtime, service, operation, arguments)
    except ServiceError as error:
        raise TaskError(f"{prefix}.{error.code}", error.message) from error


def _call(runtime: Runtime, service: str, operation: str, arguments: dict[str, Any]) -> Any:
    shape = service_model(service).operation_model(operation).input_shape
    params = _cased(arguments, shape) if shape is not None else {}
    if service == "s3" and isinstance(params.get("Body"), dict | list):
        params["Body"] = json.dumps(params["Body"])
    if service == "lambda" and "Payload" in params:
        params["Payload"] = json.dumps(params["Payload"]).encode()
    result = runtime.services["s3"].put_object(params) if (service, operation) == ("s3", "PutObject") else None
    return _shown(runtime.call(service, operation, **params) if result is None else result)


def _glue_job(runtime: Runtime, arguments: dict[str, Any], stopped: Callable[[], bool]) -> Any:
    run_id = _call(runtime, "glue", "StartJobRun", arguments)["JobRunId"]
    name = arguments["JobName"]
    while True:
        run = runtime.call("glue", "GetJobRun", JobName=name, RunId=run_id)["JobRun"]
        match run["JobRunState"]:
            case "SUCCEEDED":
                return _shown(run)
            case "FAILED" | "STOPPED" | "TIMEOUT" | "ERROR" | "EXPIRED":
                raise TaskError("States.TaskFailed", json.dumps(_shown(run)))
        if stopped():
            runtime.call("glue", "BatchStopJobRun", JobName=name, JobRunIds=[run_id])
            raise Stopped
        time.sleep(POLL_SECONDS)


def _cased(value: Any, shape: Any) -> Any:
    """PascalCase arguments in the API's own casing (Step Functions takes every SDK parameter in PascalCase)."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            names = {name[0].upper() + name[1:]: name for name in shape.members}
            unknown = [key for key in value if key not in names]
            if unknown:
                raise TaskError("States.Runtime", f"no parameter {unknown[0]} (has {', '.join(sorted(names))})")
            return {names[k]: _cased(v, shape.members[names[k]]) for k, v in value.items()}
        case "list" if isinstance(value, list):
            return [_cased(item, shape.member) for item in value]
        case _:
            return value


def _shown(value: Any) -> Any:
    """A result as the state machine sees it: PascalCase members, ISO timestamps, text bodies."""
    match value:
        case dict():
            return {k[:1].upper() + k[1:]: _shown(v) for k, v in value.items()}
        case list():
            return [_shown(item) for item in value]
        case datetime():
            return value.isoformat()
        case bytes():
            return _text(value)
        case _:
            return value


def _text(content: bytes) -> Any:
    return content.decode()
