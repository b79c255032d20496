"""DMS: instance, subnet group, endpoints and the task. A running task refuses to change, as on AWS."""

from __future__ import annotations

from typing import Any, Final

from medallion_cli.local.cloudformation.resources.api import arguments, changed, generated, retagged, told
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError

_UNSENT: Final = frozenset(
    [
        "ResourceIdentifier",
        "AllowMajorVersionUpgrade",
        "Tags",
        "EndpointType",
        "EngineName",
        "ReplicationSubnetGroupIdentifier",
        "KmsKeyId",
        "PubliclyAccessible",
        "AvailabilityZone",
        "CdcStartTime",
        "SourceEndpointArn",
        "TargetEndpointArn",
        "ReplicationInstanceArn",
    ]
)


def _id(request: Request, name: str) -> str:
    """DMS folds identifiers to lower case."""
    return str(request.properties.get(name) or generated(request, 63)).lower()


def _described(request: Request, operation: str, filter_name: str, value: str) -> list[dict[str, Any]]:
    """What a describe call finds by one filter; nothing when DMS says ResourceNotFoundFault."""
    try:
        found = request.call("dms", operation, Filters=[{"Name": filter_name, "Values": [value]}])
    except ServiceError as error:
        if is_missing(error):
            return []
        raise
    lists = [item for item in found.values() if isinstance(item, list)]
    return lists[0] if lists else []


def _create_instance(request: Request) -> Made:
    identifier = _id(request, "ReplicationInstanceIdentifier")
    params = arguments("dms", "CreateReplicationInstance", request.properties, unsent=_UNSENT)
    made = request.call(
        "dms", "CreateReplicationInstance", **params | {"ReplicationInstanceIdentifier": identifier}
    )
    arn = made["ReplicationInstance"]["ReplicationInstanceArn"]
    request.created(arn)
    return _instance_ready(request, arn)


def _instances(request: Request, arn: str) -> list[dict[str, Any]]:
    return _described(request, "DescribeReplicationInstances", "replication-instance-arn", arn)


def _instance_ready(request: Request, arn: str) -> Made:
    request.wait(
        lambda: _state(_instances(request, arn), "ReplicationInstanceStatus"), "available", ("failed",)
    )
    found = _instances(request, arn)[0]
    private = found.get("ReplicationInstancePrivateIpAddresses", ["127.0.0.1"])
    public = found.get("ReplicationInstancePublicIpAddresses", [])
    names = ("ReplicationInstancePrivateIpAddresses", "ReplicationInstancePublicIpAddresses")
    return Made(arn, {"ReplicationInstanceArn": arn, names[0]: private, names[1]: public})


def _only(found: list[dict[str, Any]]) -> dict[str, Any]:
    if not found:
        raise ServiceError("ResourceNotFoundFault", "no such resource")
    return found[0]


def _tag(request: Request) -> None:
    fresh, gone = retagged(request)
    if fresh:
        tags = [{"Key": key, "Value": value} for key, value in fresh.items()]
        request.call("dms", "AddTagsToResource", ResourceArn=request.physical_id, Tags=tags)
    if gone:
        request.call("dms", "RemoveTagsFromResource", ResourceArn=request.physical_id, TagKeys=gone)


def _read_instance(request: Request) -> Properties:
    found = _only(_instances(request, request.physical_id))
    group = found.get("ReplicationSubnetGroup") or {}
    return told(request.properties, {**found, **group})


def _read_group(request: Request) -> Properties:
    found = _only(
        _described(
            request,
            "DescribeReplicationSubnetGroups",
            "replication-subnet-group-id",
            request.physical_id,
        )
    )
    subnets = [item["SubnetIdentifier"] for item in found["Subnets"]]
    return told(request.properties, {**found, "SubnetIds": subnets})


def _read_endpoint(request: Request) -> Properties:
    found = _described(request, "DescribeEndpoints", "endpoint-arn", request.physical_id)
    return told(request.properties, _only(found))


def _read_task(request: Request) -> Properties:
    return told(request.properties, _only(_tasks(request, request.physical_id)))


def _state(found: list[dict[str, Any]], member: str) -> str:
    return str(found[0].get(member, "")) if found else "deleted"


def _update_instance(request: Request) -> Made:
    params = arguments("dms", "ModifyReplicationInstance", changed(request), unsent=_UNSENT)
    if params:
        params |= {"ReplicationInstanceArn": request.physical_id, "ApplyImmediately": True}
        request.call("dms", "ModifyReplicationInstance", **params)
    _tag(request)
    return _instance_ready(request, request.physical_id)


def _delete_instance(request: Request) -> None:
    request.call("dms", "DeleteReplicationInstance", ReplicationInstanceArn=request.physical_id)
    request.wait(
        lambda: _state(_instances(request, request.physical_id), "ReplicationInstanceStatus"), "deleted"
    )


def _find_instance(request: Request) -> str | None:
    identifier = _id(request, "ReplicationInstanceIdentifier")
    found = _described(request, "DescribeReplicationInstances", "replication-instance-id", identifier)
    return found[0]["ReplicationInstanceArn"] if found else None


def _group(request: Request) -> str:
    return request.physical_id or _id(request, "ReplicationSubnetGroupIdentifier")


def _create_group(request: Request) -> Made:
    params = arguments("dms", "CreateReplicationSubnetGroup", request.properties)
    request.call(
        "dms",
        "CreateReplicationSubnetGroup",
        **params | {"ReplicationSubnetGroupIdentifier": _group(request)},
    )
    return Made(_group(request))


def _update_group(request: Request) -> Made:
    request.call(
        "dms",
        "ModifyReplicationSubnetGroup",
        ReplicationSubnetGroupIdentifier=_group(request),
        ReplicationSubnetGroupDescription=request.properties["ReplicationSubnetGroupDescription"],
        SubnetIds=request.properties["SubnetIds"],
    )
    return Made(_group(request))


def _delete_group(request: Request) -> None:
    request.call("dms", "DeleteReplicationSubnetGroup", ReplicationSubnetGroupIdentifier=request.physical_id)


def _create_endpoint(request: Request) -> Made:
    identifier = _id(request, "EndpointIdentifier")
    params = arguments("dms", "CreateEndpoint", request.properties, unsent=_UNSENT)
    made = request.call("dms", "CreateEndpoint", **params | {"EndpointIdentifier": identifier})
    return _endpoint(made["Endpoint"])


def _endpoint(found: dict[str, Any]) -> Made:
    return Made(
        found["EndpointArn"], {"EndpointArn": found["EndpointArn"], "ExternalId": found.get("ExternalId", "")}
    )


def _update_endpoint(request: Request) -> Made:
    """Settings are sent whole; tags alone are another call, which a running task does not refuse."""
    made: dict[str, Any] = {}
    if changed(request).keys() - {"Tags"}:
        params = arguments("dms", "ModifyEndpoint", request.properties, unsent=_UNSENT)
        made = request.call("dms", "ModifyEndpoint", **params | {"EndpointArn": request.physical_id})
    _tag(request)
    return _endpoint({"EndpointArn": request.physical_id} | made.get("Endpoint", {}))


def _delete_endpoint(request: Request) -> None:
    request.call("dms", "DeleteEndpoint", EndpointArn=request.physical_id)


def _find_endpoint(request: Request) -> str | None:
    found = _described(request, "DescribeEndpoints", "endpoint-id", _id(request, "EndpointIdentifier"))
    return found[0]["EndpointArn"] if found else None


def _create_task(request: Request) -> Made:
    identifier = _id(request, "ReplicationTaskIdentifier")
    params = arguments("dms", "CreateReplicationTask", request.properties, unsent=_UNSENT)
    made = request.call("dms", "CreateReplicationTask", **params | {"ReplicationTaskIdentifier": identifier})
    arn = made["ReplicationTask"]["ReplicationTaskArn"]
    request.created(arn)
    request.wait(lambda: _task_state(request, arn), "ready", ("failed",))
    return _task(arn)


def _task(arn: str) -> Made:
    return Made(arn, {"ReplicationTaskArn": arn})


def _tasks(request: Request, arn: str) -> list[dict[str, Any]]:
    return _described(request, "DescribeReplicationTasks", "replication-task-arn", arn)


def _task_state(request: Request, arn: str) -> str:
    return _state(_tasks(request, arn), "Status")


def _update_task(request: Request) -> Made:
    """DMS wants the full settings on every modify; a running task is its InvalidResourceStateFault."""
    names = (
        "ReplicationTaskIdentifier",
        "MigrationType",
        "TableMappings",
        "ReplicationTaskSettings",
        "TaskData",
        "CdcStartPosition",
        "CdcStopPosition",
    )
    given = {name: value for name, value in request.properties.items() if name in names}
    _tag(request)
    if changed(request).keys() - {"Tags"}:
        params = arguments("dms", "ModifyReplicationTask", given)
        request.call("dms", "ModifyReplicationTask", **params | {"ReplicationTaskArn": request.physical_id})
        settled = ("ready", "stopped", "failed")
        request.wait(
            lambda: "settled" if _task_state(request, request.physical_id) in settled else "modifying",
            "settled",
        )
    return _task(request.physical_id)


def _delete_task(request: Request) -> None:
    request.call("dms", "DeleteReplicationTask", ReplicationTaskArn=request.physical_id)
    request.wait(lambda: _task_state(request, request.physical_id), "deleted")


def _find_task(request: Request) -> str | None:
    identifier = _id(request, "ReplicationTaskIdentifier")
    found = _described(request, "DescribeReplicationTasks", "replication-task-id", identifier)
    return found[0]["ReplicationTaskArn"] if found else None


HANDLERS = {
    "AWS::DMS::ReplicationInstance": Handler(
        _create_instance, _update_instance, _delete_instance, find=_find_instance, read=_read_instance
    ),
    "AWS::DMS::ReplicationSubnetGroup": Handler(
        _create_group, _update_group, _delete_group, find=_group, read=_read_group
    ),
    "AWS::DMS::Endpoint": Handler(
        _create_endpoint, _update_endpoint, _delete_endpoint, find=_find_endpoint, read=_read_endpoint
    ),
    "AWS::DMS::ReplicationTask": Handler(
        _create_task, _update_task, _delete_task, find=_find_task, read=_read_task
    ),
}
