"""Secrets Manager: generated passwords, and the attachment that writes a database's address into one."""

from __future__ import annotations

import json
from typing import Any

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.resources.api import changed, retagged, told
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError

_NOT_LIMITS = ("SecretStringTemplate", "GenerateStringKey")


def _name(request: Request) -> str:
    suffix = request.name.rsplit("-", 1)[-1]
    return str(request.properties.get("Name") or f"{request.logical_id}-{suffix}")


def _create(request: Request) -> Made:
    given = request.properties
    made = request.call(
        "secretsmanager",
        "CreateSecret",
        Name=_name(request),
        Description=given.get("Description"),
        KmsKeyId=given.get("KmsKeyId"),
        Tags=given.get("Tags"),
        SecretString=_secret_string(request),
    )
    return _made(made["ARN"])


def _made(arn: str) -> Made:
    return Made(arn, {"Id": arn})


def _secret_string(request: Request) -> str | None:
    rule = request.properties.get("GenerateSecretString")
    if rule is None:
        text = request.properties.get("SecretString")
        return None if text is None else str(text)
    limits = {name: value for name, value in rule.items() if name not in _NOT_LIMITS}
    password = request.call("secretsmanager", "GetRandomPassword", **limits)["RandomPassword"]
    if "GenerateStringKey" not in rule:
        return str(password)
    return json.dumps(_template(rule) | {rule["GenerateStringKey"]: password})


def _template(rule: dict[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(rule["SecretStringTemplate"])
    except (KeyError, ValueError) as error:
        raise ResourceFailure("SecretStringTemplate must be a JSON object with GenerateStringKey") from error
    if not isinstance(document, dict):
        raise ResourceFailure("SecretStringTemplate must be a JSON object with GenerateStringKey")
    return document


def _update(request: Request) -> Made:
    """Only a changed SecretString or GenerateSecretString makes a new value, as on AWS."""
    new = changed(request)
    value = _secret_string(request) if {"SecretString", "GenerateSecretString"} & set(new) else None
    request.call(
        "secretsmanager",
        "UpdateSecret",
        SecretId=request.physical_id,
        Description=new.get("Description"),
        KmsKeyId=new.get("KmsKeyId"),
        SecretString=value,
    )
    fresh, gone = retagged(request)
    if fresh:
        tags = [{"Key": key, "Value": item} for key, item in fresh.items()]
        request.call("secretsmanager", "TagResource", SecretId=request.physical_id, Tags=tags)
    if gone:
        request.call("secretsmanager", "UntagResource", SecretId=request.physical_id, TagKeys=gone)
    return _made(request.physical_id)


def _read(request: Request) -> Properties:
    """Never a value: that is nobody's to compare."""
    found = request.call("secretsmanager", "DescribeSecret", SecretId=request.physical_id)
    return told(request.properties, found)


def _delete(request: Request) -> None:
    request.call(
        "secretsmanager", "DeleteSecret", SecretId=request.physical_id, ForceDeleteWithoutRecovery=True
    )


def _find(request: Request) -> str | None:
    try:
        return str(request.call("secretsmanager", "DescribeSecret", SecretId=_name(request))["ARN"])
    except ServiceError as error:
        if is_missing(error):
            return None
        raise


def _attach(request: Request) -> Made:
    """Merge engine, host, port and database of the target into the secret's JSON."""
    secret_id = request.properties["SecretId"]
    current = request.call("secretsmanager", "GetSecretValue", SecretId=secret_id)
    document = json.loads(current["SecretString"]) | _connection(request)
    request.call("secretsmanager", "PutSecretValue", SecretId=secret_id, SecretString=json.dumps(document))
    return Made(current["ARN"], {"Id": current["ARN"]})


def _connection(request: Request) -> dict[str, Any]:
    kind, target = request.properties["TargetType"], request.properties["TargetId"]
    if kind != "AWS::RDS::DBInstance":
        raise ResourceFailure(f"TargetType {kind} is not supported by the embedded AWS")
    found = request.call("rds", "DescribeDBInstances", DBInstanceIdentifier=target)["DBInstances"][0]
    facts = {
        "engine": found["Engine"],
        "host": found["Endpoint"]["Address"],
        "port": found["Endpoint"]["Port"],
        "dbname": found.get("DBName"),
        "dbInstanceIdentifier": found["DBInstanceIdentifier"],
    }
    return {name: value for name, value in facts.items() if value is not None}


HANDLERS = {
    "AWS::SecretsManager::Secret": Handler(_create, _update, _delete, find=_find, read=_read),
    "AWS::SecretsManager::SecretTargetAttachment": Handler(_attach, _attach, lambda request: None),
}
