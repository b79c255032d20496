"""IAM roles: kept and told, never enforced; one machine has one user."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_STORE = "iam"
_KEPT = ("RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def create(runtime: Runtime) -> Service:
    """The service."""
    return Iam(runtime)


class Iam(Service):
    """AWS IAM, roles only: what stacks make of them can be asked for by name."""

    name = "iam"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def create_role(self, params: dict[str, Any]) -> dict[str, Any]:
        """EntityAlreadyExists for a name that is taken; MalformedPolicyDocument for a trust that is no JSON."""
        name = params["RoleName"]
        _check(params["AssumeRolePolicyDocument"])
        with self.runtime.store.changing(_STORE, {}) as roles:
            if name in roles:
                raise ServiceError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
            role = {"Path": "/"} | {key: params[key] for key in _KEPT if key in params}
            roles[name] = role | {
                "RoleId": _role_id(name),
                "CreateDate": datetime.now(UTC).isoformat(),
                "tags": {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
                "inline": {},
                "attached": [],
            }
        return {"Role": self._shown(roles[name])}

    def get_role(self, params: dict[str, Any]) -> dict[str, Any]:
        """One role; NoSuchEntity when there is none."""
        return {"Role": self._shown(self._found(self._roles(), params["RoleName"]))}

    def list_roles(self, params: dict[str, Any]) -> dict[str, Any]:
        """By path prefix, sorted by name."""
        prefix = params.get("PathPrefix", "/")
        found = [role for _, role in sorted(self._roles().items()) if role["Path"].startswith(prefix)]
        return {"Roles": [self._shown(role) for role in found], "IsTruncated": False}

    def delete_role(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refused while policies hang on it, as on AWS."""
        with self.runtime.store.changing(_STORE, {}) as roles:
            role = self._found(roles, params["RoleName"])
            if role["inline"] or role["attached"]:
                raise ServiceError("DeleteConflict", "Cannot delete entity, must remove policies first.", 409)
            del roles[params["RoleName"]]
        return {}

    def update_role(self, params: dict[str, Any]) -> dict[str, Any]:
        """Description and longest session."""
        return self._change(params, {key: params[key] for key in _KEPT[3:] if key in params})

    def update_assume_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new trust."""
        _check(params["PolicyDocument"])
        return self._change(params, {"AssumeRolePolicyDocument": params["PolicyDocument"]})

    def _change(self, params: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        with self.runtime.store.changing(_STORE, {}) as roles:
            self._found(roles, params["RoleName"]).update(new)
        return {}

    def put_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """An inline policy, new or in place of the one of its name."""
        _check(params["PolicyDocument"])
        with self.runtime.store.changing(_STORE, {}) as roles:
            inline = self._found(roles, params["RoleName"])["inline"]
            inline[params["PolicyName"]] = params["PolicyDocument"]
        return {}

    def get_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """An inline policy, its document percent-encoded as on AWS."""
        inline = self._found(self._roles(), params["RoleName"])["inline"]
        if params["PolicyName"] not in inline:
            raise ServiceError(
                "NoSuchEntity", f"The role policy with name {params['PolicyName']} cannot be found.", 404
            )
        names = {name: params[name] for name in ("RoleName", "PolicyName")}
        return names | {"PolicyDocument": quote(inline[params["PolicyName"]])}

    def delete_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """Takes an inline policy away."""
        with self.runtime.store.changing(_STORE, {}) as roles:
            self._found(roles, params["RoleName"])["inline"].pop(params["PolicyName"], None)
        return {}

    def list_role_policies(self, params: dict[str, Any]) -> dict[str, Any]:
        """Names of inline policies."""
        role = self._found(self._roles(), params["RoleName"])
        return {"PolicyNames": sorted(role["inline"]), "IsTruncated": False}

    def attach_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """A managed policy, by ARN."""
        with self.runtime.store.changing(_STORE, {}) as roles:
            attached = self._found(roles, params["RoleName"])["attached"]
            if params["PolicyArn"] not in attached:
                attached.append(params["PolicyArn"])
        return {}

    def detach_role_policy(self, params: dict[str, Any]) -> dict[str, Any]:
        """Takes a managed policy away."""
        with self.runtime.store.changing(_STORE, {}) as roles:
            attached = self._found(roles, params["RoleName"])["attached"]
            attached[:] = [arn for arn in attached if arn != params["PolicyArn"]]
        return {}

    def list_attached_role_policies(self, params: dict[str, Any]) -> dict[str, Any]:
        """Managed policies, in the order they were attached."""
        attached = self._found(self._roles(), params["RoleName"])["attached"]
        found = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached]
        return {"AttachedPolicies": found, "IsTruncated": False}

    def _roles(self) -> dict[str, Any]:
        roles: dict[str, Any] = self.runtime.store.load(_STORE, {})
        return roles

    def _found(self, roles: dict[str, Any], name: str) -> dict[str, Any]:
        if name not in roles:
            raise ServiceError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        found: dict[str, Any] = roles[name]
        return found

    def _shown(self, role: dict[str, Any]) -> dict[str, Any]:
        kept = {key: role[key] for key in (*_KEPT, "RoleId") if key in role}
        return kept | {
            "Arn": f"arn:aws:iam::{self.runtime.account}:role{role['Path']}{role['RoleName']}",
            "CreateDate": datetime.fromisoformat(role["CreateDate"]),
            "AssumeRolePolicyDocument": quote(role["AssumeRolePolicyDocument"]),
            "Tags": [{"Key": key, "Value": value} for key, value in role["tags"].items()],
        }


def _role_id(name: str) -> str:
    digest = hashlib.sha256(name.encode()).digest()
    return "AROA" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:17])


def _check(document: str) -> None:
    try:
        json.loads(document)
    except ValueError:
        raise ServiceError("MalformedPolicyDocument", "This policy contains invalid Json") from None
