"""DMS: what every call stands on, and replication instances and subnet groups, which are names here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services import dms_shapes as shapes

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_STORE = "dms"
_KINDS = ("instances", "subnet_groups", "endpoints", "tasks", "connections", "tags")
_VPC_ROLE = "dms-vpc-role"
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


class Resources(Service):
    """Stored documents by kind and ARN; callers hold the lock."""

    name = "dms"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        loaded = runtime.store.load(_STORE, {})
        self._state: dict[str, dict[str, Any]] = {kind: loaded.get(kind, {}) for kind in _KINDS}
        self._lock = threading.RLock()

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
        """AccessDeniedFault while the account has no dms-vpc-role: DMS's console makes one, its API does not."""
        name = params["ReplicationSubnetGroupIdentifier"].lower()
        self._check_vpc_role()
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

    def _check_vpc_role(self) -> None:
        try:
            self._runtime.call("iam", "GetRole", RoleName=_VPC_ROLE)
        except ServiceError as error:
            if error.code != "NoSuchEntity":
                raise
            arn = f"arn:aws:iam::{self._runtime.account}:role/{_VPC_ROLE}"
            message = f"The IAM Role {arn} is not configured properly."
            raise ServiceError("AccessDeniedFault", message) from None

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


def _subnets(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "ReplicationSubnetGroupDescription": params["ReplicationSubnetGroupDescription"],
        "Subnets": [{"SubnetIdentifier": subnet, "SubnetStatus": "Active"} for subnet in params["SubnetIds"]],
    }
