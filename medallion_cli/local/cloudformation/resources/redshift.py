"""Redshift Serverless: the namespace (databases and users) and the workgroup (a local PostgreSQL)."""

from __future__ import annotations

from typing import Any, Final

from medallion_cli.local.cloudformation.resources.api import arguments, changed, retagged, told
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    flatten,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError

_API: Final = "redshift-serverless"
_UNSENT: Final = frozenset(
    [
        "FinalSnapshotName",
        "FinalSnapshotRetentionPeriod",
        "NamespaceResourcePolicy",
        "SnapshotCopyConfigurations",
        "DbName",
        "RedshiftIdcApplicationArn",
        "Tags",
        "NamespaceName",
        "RecoveryPointId",
        "SnapshotArn",
        "SnapshotName",
        "SnapshotOwnerAccount",
    ]
)


def _namespace(request: Request) -> str:
    return str(request.physical_id or request.properties["NamespaceName"])


def _workgroup(request: Request) -> str:
    return str(request.physical_id or request.properties["WorkgroupName"])


def _create_namespace(request: Request) -> Made:
    request.call(
        _API, "CreateNamespace", **arguments(_API, "CreateNamespace", request.properties, unsent=_UNSENT)
    )
    request.created(_namespace(request))
    return _namespace_ready(request)


def _read_namespace(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = request.call(_API, "GetNamespace", namespaceName=_namespace(request))["namespace"]
    return found


def _namespace_ready(request: Request) -> Made:
    request.wait(lambda: str(_read_namespace(request)["status"]), "AVAILABLE")
    return Made(_namespace(request), flatten("Namespace", _read_namespace(request)))


def _update_namespace(request: Request) -> Made:
    _update(request, "UpdateNamespace", {"namespaceName": _namespace(request)})
    _tag(request, _read_namespace(request).get("namespaceArn"))
    return _namespace_ready(request)


def _update(request: Request, operation: str, name: dict[str, str]) -> None:
    params = arguments(_API, operation, changed(request), unsent=_UNSENT)
    if params:
        request.call(_API, operation, **params | name)


def _tag(request: Request, arn: str | None) -> None:
    fresh, gone = retagged(request)
    if fresh:
        tags = [{"key": key, "value": value} for key, value in fresh.items()]
        request.call(_API, "TagResource", resourceArn=arn, tags=tags)
    if gone:
        request.call(_API, "UntagResource", resourceArn=arn, tagKeys=gone)


def _namespace_told(request: Request) -> Properties:
    """What is secret of it (the administrator, by a dynamic reference) is not compared."""
    live = told(request.properties, _read_namespace(request))
    return {name: value for name, value in live.items() if not name.startswith("Admin")}


def _workgroup_told(request: Request) -> Properties:
    return told(request.properties, _read_workgroup(request))


def _delete_namespace(request: Request) -> None:
    request.call(_API, "DeleteNamespace", namespaceName=_namespace(request))
    request.wait(lambda: _state(_read_namespace, request), "DELETED")


def _state(read: Any, request: Request) -> str:
    try:
        return str(read(request)["status"])
    except ServiceError as error:
        if is_missing(error):
            return "DELETED"
        raise


def _create_workgroup(request: Request) -> Made:
    request.call(
        _API, "CreateWorkgroup", **arguments(_API, "CreateWorkgroup", request.properties, unsent=_UNSENT)
    )
    request.created(_workgroup(request))
    return _workgroup_ready(request)


def _read_workgroup(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = request.call(_API, "GetWorkgroup", workgroupName=_workgroup(request))["workgroup"]
    return found


def _workgroup_ready(request: Request) -> Made:
    request.wait(lambda: str(_read_workgroup(request)["status"]), "AVAILABLE")
    attributes = flatten("Workgroup", _read_workgroup(request))
    if "Workgroup.Endpoint.Port" in attributes:
        attributes["Workgroup.Endpoint.Port"] = str(attributes["Workgroup.Endpoint.Port"])
    return Made(_workgroup(request), attributes)


def _update_workgroup(request: Request) -> Made:
    _update(request, "UpdateWorkgroup", {"workgroupName": _workgroup(request)})
    _tag(request, _read_workgroup(request).get("workgroupArn"))
    return _workgroup_ready(request)


def _delete_workgroup(request: Request) -> None:
    request.call(_API, "DeleteWorkgroup", workgroupName=_workgroup(request))
    request.wait(lambda: _state(_read_workgroup, request), "DELETED")


HANDLERS = {
    "AWS::RedshiftServerless::Namespace": Handler(
        _create_namespace, _update_namespace, _delete_namespace, _namespace, read=_namespace_told
    ),
    "AWS::RedshiftServerless::Workgroup": Handler(
        _create_workgroup, _update_workgroup, _delete_workgroup, _workgroup, read=_workgroup_told
    ),
}
