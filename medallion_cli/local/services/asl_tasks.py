"""Integrations of Step Functions: SDK calls, `glue:startJobRun.sync`, `lambda:invoke`, `sns:publish`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import ServiceError, service_model

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

POLL_SECONDS = 0.2
# Step Functions' name of a service → botocore's, and the prefix of its errors (AWS SDK for Java 2).
SERVICES = {
    "databasemigration": ("dms", "DatabaseMigration"),
    "redshiftdata": ("redshift-data", "RedshiftData"),
    "sfn": ("stepfunctions", "Sfn"),
    "s3": ("s3", "S3"),
    "glue": ("glue", "Glue"),
    "sns": ("sns", "Sns"),
    "cloudwatch": ("cloudwatch", "CloudWatch"),
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
        if service == "lambda" and not match[1]:
            return _invoke(runtime, arguments)
        return _call(runtime, service, operation, arguments)
    except ServiceError as error:
        raise TaskError(f"{prefix}.{exception_name(service, prefix, error.code)}", error.message) from error


def exception_name(service: str, prefix: str, code: str) -> str:
    """The Java SDK's name of an error, which Step Functions reports: `NoSuchKey` is NoSuchKeyException."""
    shapes = service_model(service).error_shapes
    known = {str(shape.metadata.get("error", {}).get("code", shape.name)) for shape in shapes}
    known |= {shape.name for shape in shapes}
    if code not in known and not code.endswith("Exception"):
        return f"{prefix}Exception"
    return code.removesuffix("Fault").removesuffix("Exception") + "Exception"


def _invoke(runtime: Runtime, arguments: dict[str, Any]) -> Any:
    """The payload parsed; an exception of the function's own is an error by its type's name."""
    found = _call(runtime, "lambda", "Invoke", {"Payload": {}, **arguments})
    payload = json.loads(found.get("Payload") or "null")
    if "FunctionError" in found:
        raise TaskError(payload.get("errorType", "Lambda.Unknown"), json.dumps(payload))
    return {**found, "Payload": payload}


def _call(runtime: Runtime, service: str, operation: str, arguments: dict[str, Any]) -> Any:
    model = service_model(service).operation_model(operation)
    params = _cased(arguments, model.input_shape) if model.input_shape is not None else {}
    if service == "s3" and isinstance(params.get("Body"), dict | list):
        params["Body"] = json.dumps(params["Body"])
    if service == "lambda" and "Payload" in params:
        params["Payload"] = json.dumps(params["Payload"]).encode()
    return _shown(runtime.call(service, operation, **params), model.output_shape)


def _glue_job(runtime: Runtime, arguments: dict[str, Any], stopped: Callable[[], bool]) -> Any:
    run_id = _call(runtime, "glue", "StartJobRun", arguments)["JobRunId"]
    name = arguments["JobName"]
    while True:
        run = _call(runtime, "glue", "GetJobRun", {"JobName": name, "RunId": run_id})["JobRun"]
        match run["JobRunState"]:
            case "SUCCEEDED":
                return run
            case "FAILED" | "STOPPED" | "TIMEOUT" | "ERROR" | "EXPIRED":
                raise TaskError("States.TaskFailed", json.dumps(run))
        if stopped():
            runtime.call("glue", "BatchStopJobRun", JobName=name, JobRunIds=[run_id])
            raise Stopped
        time.sleep(POLL_SECONDS)


def _cased(value: Any, shape: Any) -> Any:
    """Arguments in the API's own casing (Step Functions takes every SDK parameter in PascalCase)."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            names = {name[0].upper() + name[1:]: name for name in shape.members}
            unknown = [key for key in value if key not in names]
            if unknown:
                raise TaskError(
                    "States.Runtime", f"no parameter {unknown[0]} (has {', '.join(sorted(names))})"
                )
            return {names[k]: _cased(v, shape.members[names[k]]) for k, v in value.items()}
        case "list" if isinstance(value, list):
            return [_cased(item, shape.member) for item in value]
        case _:
            return value


def _shown(value: Any, shape: Any) -> Any:
    """A result as the machine sees it: PascalCase members (a map's keys stay), ISO times, text bodies."""
    match value:
        case dict():
            members, item = getattr(shape, "members", {}), getattr(shape, "value", None)
            return {
                _pascal(k) if k in members else k: _shown(v, members.get(k, item)) for k, v in value.items()
            }
        case list():
            return [_shown(item, getattr(shape, "member", None)) for item in value]
        case datetime():
            return iso(value)
        case bytes():
            return value.decode()
        case _:
            return value


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


def iso(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`, Step Functions' text of a time."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
