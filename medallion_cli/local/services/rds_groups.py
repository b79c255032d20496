"""RDS: what every call stands on, and parameter groups, subnet groups, snapshots and tags."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.engines.mariadb import PARAMETERS
from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_STORE = "rds"
_KINDS = ("instances", "parameter_groups", "subnet_groups", "snapshots", "tags")


class Groups(Service):
    """Stored documents by kind and name, and the calls that run nothing."""

    name = "rds"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        loaded = runtime.store.load(_STORE, {})
        self._state: dict[str, dict[str, Any]] = {kind: loaded.get(kind, {}) for kind in _KINDS}
        self._lock = threading.RLock()

    # Parameter groups

    def create_db_parameter_group(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["DBParameterGroupName"].lower()
        with self._lock:
            if name in self._state["parameter_groups"]:
                raise ServiceError("DBParameterGroupAlreadyExists", f"Parameter group {name} already exists")
            group = {key: params[key] for key in ("DBParameterGroupFamily", "Description")}
            group |= {
                "DBParameterGroupName": name,
                "DBParameterGroupArn": self._arn("pg", name),
                "parameters": {},
            }
            self._state["parameter_groups"][name] = group
            self._tag(group["DBParameterGroupArn"], params)
        return {"DBParameterGroup": _without(group, "parameters")}

    def modify_db_parameter_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stored at once, in force after the instance's next start (ApplyMethod pending-reboot)."""
        with self._lock:
            group = self._group(params["DBParameterGroupName"])
            for parameter in params["Parameters"]:
                group["parameters"][parameter["ParameterName"]] = parameter.get("ParameterValue", "")
            self._save()
        return {"DBParameterGroupName": group["DBParameterGroupName"]}

    def describe_db_parameter_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        if name := params.get("DBParameterGroupName"):
            return {"DBParameterGroups": [_without(self._group(name), "parameters")]}
        found = self._state["parameter_groups"].values()
        return {"DBParameterGroups": [_without(each, "parameters") for each in found]}

    def describe_db_parameters(self, params: dict[str, Any]) -> dict[str, Any]:
        group = self._group(params["DBParameterGroupName"])
        return {
            "Parameters": [
                {"ParameterName": name, "ParameterValue": value, "Source": "user", "IsModifiable": True}
                for name, value in sorted(group["parameters"].items())
            ]
        }

    def delete_db_parameter_group(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            group = self._group(params["DBParameterGroupName"])
            name = group["DBParameterGroupName"]
            if any(each["group"] == name for each in self._state["instances"].values()):
                raise ServiceError("InvalidDBParameterGroupState", f"Parameter group {name} is in use")
            del self._state["parameter_groups"][name]
            self._save()
        return {}

    def _group(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._state["parameter_groups"].get(name.lower())
        if found is None:
            raise ServiceError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
        return found

    def _group_of(self, params: dict[str, Any]) -> str:
        name = params.get("DBParameterGroupName", "")
        return (
            str(self._group(name)["DBParameterGroupName"])
            if name and not name.startswith("default.")
            else name
        )

    def _parameters(self, group: str) -> dict[str, str]:
        """A group's parameters that MariaDB has too."""
        known = self._state["parameter_groups"].get(group, {"parameters": {}})["parameters"]
        return {name: value for name, value in known.items() if name in PARAMETERS and value != ""}

    # Subnet groups, snapshots, tags

    def create_db_subnet_group(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["DBSubnetGroupName"].lower()
        with self._lock:
            if name in self._state["subnet_groups"]:
                raise ServiceError(
                    "DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists."
                )
            group = {
                "DBSubnetGroupName": name, "DBSubnetGroupDescription": params["DBSubnetGroupDescription"],
                "SubnetGroupStatus": "Complete", "DBSubnetGroupArn": self._arn("subgrp", name),
                "Subnets": [{"SubnetIdentifier": subnet} for subnet in params["SubnetIds"]],
            }  # fmt: skip
            self._state["subnet_groups"][name] = group
            self._tag(group["DBSubnetGroupArn"], params)
        return {"DBSubnetGroup": group}

    def describe_db_subnet_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params.get("DBSubnetGroupName")
        found = [self._subnets(name)] if name else list(self._state["subnet_groups"].values())
        return {"DBSubnetGroups": found}

    def delete_db_subnet_group(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            del self._state["subnet_groups"][self._subnets(params["DBSubnetGroupName"])["DBSubnetGroupName"]]
            self._save()
        return {}

    def _subnets(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._state["subnet_groups"].get(name.lower())
        if found is None:
            raise ServiceError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)
        return found

    def describe_db_snapshots(self, params: dict[str, Any]) -> dict[str, Any]:
        found = [
            each
            for name, each in self._state["snapshots"].items()
            if params.get("DBSnapshotIdentifier", name) == name
            and params.get("DBInstanceIdentifier", each["DBInstanceIdentifier"])
            == each["DBInstanceIdentifier"]
        ]
        return {"DBSnapshots": [shown_snapshot(each) for each in found]}

    def delete_db_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """With the data that it is."""
        name = params["DBSnapshotIdentifier"]
        with self._lock:
            found = self._state["snapshots"].pop(name, None)
            if found is None:
                raise ServiceError("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
            shutil.rmtree(self._runtime.state / "engines" / "rds-snapshots" / name, ignore_errors=True)
            self._save()
        return {"DBSnapshot": {**_without(found, "created"), "Status": "deleted"}}

    def add_tags_to_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._tag(params["ResourceName"], params)
        return {}

    def remove_tags_from_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._state["tags"].get(params["ResourceName"], {})
            for key in params["TagKeys"]:
                tags.pop(key, None)
            self._save()
        return {}

    def list_tags_for_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        tags = self._state["tags"].get(params["ResourceName"], {})
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    # What they share

    def _tag(self, arn: str, params: dict[str, Any]) -> None:
        known = self._state["tags"].setdefault(arn, {})
        known.update({tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])})
        self._save()

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:rds:{self._runtime.region}:{self._runtime.account}:{kind}:{name}"

    def _save(self) -> None:
        self._runtime.store.save(_STORE, self._state)


def _without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def shown_snapshot(snapshot: dict[str, Any]) -> dict[str, Any]:
    """A snapshot as the API shows it."""
    return {
        **_without(snapshot, "created", "instance"),
        "SnapshotCreateTime": moment(snapshot["created"]),
    }


def moment(seconds: float) -> datetime:
    """A time of the API from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
