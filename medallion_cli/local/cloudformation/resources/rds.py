"""RDS: the instance (a local MariaDB), its parameter group and its subnet group."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.resources.api import (
    arguments,
    changed,
    generated,
    retagged,
    told,
    without,
)
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError

_MODIFIED: Final = {"VPCSecurityGroups": "VpcSecurityGroupIds", "Port": "DBPortNumber"}
_UNSENT: Final = frozenset(
    [
        "AllowMajorVersionUpgrade",
        "ApplyImmediately",
        "CertificateRotationRestart",
        "DeleteAutomatedBackups",
        "EnableCloudwatchLogsExports",
        "SourceRegion",
        "UseDefaultProcessorFeatures",
        "AvailabilityZone",
        "Engine",
        "StorageEncrypted",
        "KmsKeyId",
        "MasterUsername",
        "DBName",
        "Timezone",
        "CharacterSetName",
        "EngineLifecycleSupport",
        "Tags",
        "DBInstanceIdentifier",
    ]
)
_FAILED: Final = ("failed", "incompatible-parameters", "incompatible-network", "storage-full")
_BATCH: Final = 20


def _name(request: Request) -> str:
    return (
        request.physical_id
        or request.properties.get("DBInstanceIdentifier")
        or generated(request, 63, lower=True)
    )


def _create(request: Request) -> Made:
    renamed = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
    params = arguments("rds", "CreateDBInstance", request.properties, renamed=renamed, unsent=_UNSENT)
    request.call("rds", "CreateDBInstance", **params | {"DBInstanceIdentifier": _name(request)})
    request.created(_name(request))
    return _available(request)


def _describe(request: Request) -> dict[str, Any]:
    found = request.call("rds", "DescribeDBInstances", DBInstanceIdentifier=_name(request))
    instance: dict[str, Any] = found["DBInstances"][0]
    return instance


def _available(request: Request) -> Made:
    request.wait(lambda: _status(request), "available")
    instance = _describe(request)
    endpoint = instance["Endpoint"]
    return Made(
        _name(request),
        {
            "DBInstanceArn": request.arn("rds", f"db:{_name(request)}"),
            "DBInstanceStatus": instance["DBInstanceStatus"],
            "DbiResourceId": instance.get("DbiResourceId", ""),
            "Endpoint.Address": endpoint["Address"],
            "Endpoint.HostedZoneId": endpoint.get("HostedZoneId", ""),
            "Endpoint.Port": str(endpoint["Port"]),
        },
    )


def _status(request: Request) -> str:
    """The instance's status; ResourceFailure, with what RDS says about it, when it will not get better."""
    instance = _describe(request)
    status = str(instance["DBInstanceStatus"])
    if status in _FAILED:
        said = "; ".join(item.get("Message", "") for item in instance.get("StatusInfos", []))
        raise ResourceFailure(f"DB instance {_name(request)} is {status}: {said or 'no reason given'}")
    return status


def _update(request: Request) -> Made:
    new = changed(request)
    params = arguments("rds", "ModifyDBInstance", new, renamed=_MODIFIED, unsent=_UNSENT)
    params = without(params, "DBInstanceIdentifier", "NewDBInstanceIdentifier", "ApplyImmediately")
    if params:
        request.call(
            "rds", "ModifyDBInstance", DBInstanceIdentifier=_name(request), ApplyImmediately=True, **params
        )
    _tag(request, request.arn("rds", f"db:{_name(request)}"))
    return _available(request)


def _tag(request: Request, arn: str) -> None:
    fresh, gone = retagged(request)
    if fresh:
        tags = [{"Key": key, "Value": value} for key, value in fresh.items()]
        request.call("rds", "AddTagsToResource", ResourceName=arn, Tags=tags)
    if gone:
        request.call("rds", "RemoveTagsFromResource", ResourceName=arn, TagKeys=gone)


def _read(request: Request) -> Properties:
    """Names of groups stand deeper in RDS's answer; the master user comes from a secret and is left out."""
    found = _describe(request)
    groups = found.get("DBParameterGroups", [])
    facts = {
        **without(found, "MasterUsername", "DBSubnetGroup"),
        "VPCSecurityGroups": [item["VpcSecurityGroupId"] for item in found.get("VpcSecurityGroups", [])],
        "DBSubnetGroupName": found.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
    }
    if groups:
        facts["DBParameterGroupName"] = groups[0]["DBParameterGroupName"]
    return told(request.properties, {name: value for name, value in facts.items() if value is not None})


def _read_parameter_group(request: Request) -> Properties:
    name = request.physical_id
    (group,) = request.call("rds", "DescribeDBParameterGroups", DBParameterGroupName=name)[
        "DBParameterGroups"
    ]
    found = request.call("rds", "DescribeDBParameters", DBParameterGroupName=name, Source="user")
    values = {item["ParameterName"]: item.get("ParameterValue") for item in found["Parameters"]}
    facts = {"Family": group["DBParameterGroupFamily"], "Description": group["Description"]}
    return told(request.properties, facts) | {"Parameters": values}


def _read_subnet_group(request: Request) -> Properties:
    (found,) = request.call("rds", "DescribeDBSubnetGroups", DBSubnetGroupName=request.physical_id)[
        "DBSubnetGroups"
    ]
    subnets = [item["SubnetIdentifier"] for item in found["Subnets"]]
    return told(request.properties, {**found, "SubnetIds": subnets})


def _delete(request: Request) -> None:
    final = _snapshot_name(request) if request.snapshot else None
    request.call(
        "rds",
        "DeleteDBInstance",
        DBInstanceIdentifier=request.physical_id,
        SkipFinalSnapshot=not request.snapshot,
        FinalDBSnapshotIdentifier=final,
    )
    request.wait(lambda: _state(request), "deleted")


def _snapshot_name(request: Request) -> str:
    """As CloudFormation names them, never twice: a database may be snapshot, made again and snapshot again."""
    name = f"{request.stack_name}-snapshot-{request.logical_id}-{secrets.token_hex(6)}"
    return name.lower()


def _state(request: Request) -> str:
    try:
        return str(_describe(request)["DBInstanceStatus"])
    except ServiceError as error:
        if is_missing(error):
            return "deleted"
        raise


def _group_name(request: Request) -> str:
    own = request.properties.get("DBParameterGroupName") or request.properties.get("DBSubnetGroupName")
    return request.physical_id or (own or generated(request, 255)).lower()


def _create_parameter_group(request: Request) -> Made:
    facts = {
        "DBParameterGroupName": _group_name(request),
        "DBParameterGroupFamily": request.properties["Family"],
        "Description": request.properties["Description"],
    }
    request.call("rds", "CreateDBParameterGroup", **facts)
    return _set_parameters(request)


def _set_parameters(request: Request) -> Made:
    name = _group_name(request)
    for batch in _batches(request.properties.get("Parameters", {})):
        request.call("rds", "ModifyDBParameterGroup", DBParameterGroupName=name, Parameters=batch)
    return Made(name, {"DBParameterGroupName": name, "DBParameterGroupArn": request.arn("rds", f"pg:{name}")})


def _batches(parameters: Any) -> Iterator[list[dict[str, str]]]:
    """RDS takes twenty parameters a call; static ones wait for the next reboot."""
    if not isinstance(parameters, dict):
        raise ResourceFailure("Parameters must be an object")
    entries = [
        {"ParameterName": name, "ParameterValue": _parameter(value), "ApplyMethod": "pending-reboot"}
        for name, value in parameters.items()
    ]
    yield from (entries[at : at + _BATCH] for at in range(0, len(entries), _BATCH))


def _parameter(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _delete_parameter_group(request: Request) -> None:
    request.call("rds", "DeleteDBParameterGroup", DBParameterGroupName=request.physical_id)


def _create_subnet_group(request: Request) -> Made:
    params = arguments("rds", "CreateDBSubnetGroup", request.properties)
    request.call("rds", "CreateDBSubnetGroup", **params | {"DBSubnetGroupName": _group_name(request)})
    return Made(_group_name(request))


def _update_subnet_group(request: Request) -> Made:
    """Subnets are inert locally; there is nothing that a change could move."""
    return Made(_group_name(request))


def _delete_subnet_group(request: Request) -> None:
    request.call("rds", "DeleteDBSubnetGroup", DBSubnetGroupName=request.physical_id)


HANDLERS = {
    "AWS::RDS::DBInstance": Handler(_create, _update, _delete, find=_name, read=_read),
    "AWS::RDS::DBParameterGroup": Handler(
        _create_parameter_group,
        _set_parameters,
        _delete_parameter_group,
        find=_group_name,
        read=_read_parameter_group,
    ),
    "AWS::RDS::DBSubnetGroup": Handler(
        _create_subnet_group,
        _update_subnet_group,
        _delete_subnet_group,
        find=_group_name,
        read=_read_subnet_group,
    ),
}
