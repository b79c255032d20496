"""IAM roles with their inline and attached policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from medallion_cli.local.cloudformation.resources.api import generated, recreated, tag_map
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError


def _name(request: Request) -> str:
    return str(request.physical_id or request.properties.get("RoleName") or generated(request, 64))


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)


def _create(request: Request) -> Made:
    given = request.properties
    tags = [{"Key": key, "Value": value} for key, value in tag_map(request).items()]
    request.call(
        "iam",
        "CreateRole",
        RoleName=_name(request),
        Path=given.get("Path"),
        AssumeRolePolicyDocument=_text(given["AssumeRolePolicyDocument"]),
        Description=given.get("Description"),
        MaxSessionDuration=given.get("MaxSessionDuration"),
        Tags=tags or None,
    )
    request.created(_name(request))
    _policies(request, {})
    return _made(request)


def _inline(properties: Mapping[str, Any]) -> dict[str, str]:
    return {item["PolicyName"]: _text(item["PolicyDocument"]) for item in properties.get("Policies", [])}


def _policies(request: Request, before: Mapping[str, Any]) -> None:
    """Inline and managed policies as the template has them; those that it no longer has go."""
    role, inline = _name(request), _inline(request.properties)
    for name, document in inline.items():
        request.call("iam", "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=document)
    for name in _inline(before).keys() - inline.keys():
        request.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)
    managed = request.properties.get("ManagedPolicyArns", [])
    for arn in managed:
        request.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
    for arn in before.get("ManagedPolicyArns", []):
        if arn not in managed:
            request.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)


def _made(request: Request) -> Made:
    role = request.call("iam", "GetRole", RoleName=_name(request)).get("Role", {})
    path = request.properties.get("Path", "/")
    arn = request.arn("iam", f"role{path}{_name(request)}", region="")
    return Made(_name(request), {"Arn": role.get("Arn", arn), "RoleId": role.get("RoleId", "")})


def _update(request: Request) -> Made:
    given = request.properties
    document = _text(given["AssumeRolePolicyDocument"])
    request.call("iam", "UpdateAssumeRolePolicy", RoleName=_name(request), PolicyDocument=document)
    request.call(
        "iam",
        "UpdateRole",
        RoleName=_name(request),
        Description=given.get("Description"),
        MaxSessionDuration=given.get("MaxSessionDuration"),
    )
    _policies(request, request.before)
    return _made(request)


def _delete(request: Request) -> None:
    """Policies go first; one that somebody else put on the role is IAM's DeleteConflict, as on AWS."""
    role = request.physical_id
    for name in _inline(request.properties):
        request.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)
    for arn in request.properties.get("ManagedPolicyArns", []):
        request.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
    request.call("iam", "DeleteRole", RoleName=role)


def _read(request: Request) -> Properties:
    role = request.physical_id
    found = request.call("iam", "GetRole", RoleName=role)["Role"]
    trust = json.loads(unquote(found["AssumeRolePolicyDocument"]))
    live = {"AssumeRolePolicyDocument": trust} | {
        name: found[name] for name in ("Path", "Description", "MaxSessionDuration") if name in found
    }
    live = {name: value for name, value in live.items() if name in request.properties}
    names = request.call("iam", "ListRolePolicies", RoleName=role)["PolicyNames"]
    if names or "Policies" in request.properties:
        live["Policies"] = [_policy(request, name) for name in _ordered(request, names)]
    managed = request.call("iam", "ListAttachedRolePolicies", RoleName=role)["AttachedPolicies"]
    arns = [item["PolicyArn"] for item in managed]
    wanted = request.properties.get("ManagedPolicyArns", [])
    if arns or wanted:
        live["ManagedPolicyArns"] = wanted if sorted(arns) == sorted(wanted) else arns
    return live


def _ordered(request: Request, names: list[str]) -> list[str]:
    """In the template's order, then those that it does not have."""
    wanted = [name for name in _inline(request.properties) if name in names]
    return [*wanted, *(name for name in names if name not in wanted)]


def _policy(request: Request, name: str) -> dict[str, Any]:
    found = request.call("iam", "GetRolePolicy", RoleName=request.physical_id, PolicyName=name)
    return {"PolicyName": name, "PolicyDocument": json.loads(unquote(found["PolicyDocument"]))}


def _restore(request: Request) -> None:
    """A role that is there already keeps what it has; one that is not comes with its policies."""
    try:
        request.call("iam", "GetRole", RoleName=_name(request))
    except ServiceError as error:
        if not is_missing(error):
            raise
        recreated(_create)(request)


HANDLERS = {"AWS::IAM::Role": Handler(_create, _update, _delete, _name, _restore, _read)}
