"""RDS: a DB instance is one private MariaDB server."""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.local.engines import processes
from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.rds_groups import Groups, moment, shown_snapshot
from medallion_cli.local.space import shortage

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

log = logging.getLogger(__name__)
_SHOWN = (
    "DBInstanceIdentifier",
    "DBInstanceClass",
    "Engine",
    "EngineVersion",
    "DBInstanceStatus",
    "MasterUsername",
    "DBName",
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "MultiAZ",
    "StorageEncrypted",
    "StorageType",
    "KmsKeyId",
    "PubliclyAccessible",
    "DeletionProtection",
    "AutoMinorVersionUpgrade",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "CACertificateIdentifier",
    "DbiResourceId",
    "DBInstanceArn",
    "CopyTagsToSnapshot",
    "MonitoringInterval",
    "MaxAllocatedStorage",
    "IAMDatabaseAuthenticationEnabled",
    "PerformanceInsightsEnabled",
)
_FIXED = {"DBInstanceIdentifier", "MasterUsername", "DBName", "Engine", "DBInstanceArn", "DbiResourceId"}
_SUPERVISION_SECONDS = 0.5
_RETRY_ROUNDS = 10  # of supervision, until a server that did not start (port taken, disk full) is tried again


class Rds(Groups):
    """The API, and the MariaDB server behind each instance."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._engines: dict[str, MariaDB] = {}
        self._ended = threading.Event()

    def start(self) -> None:
        """Brings every instance up that was wanted up, and keeps watching them."""
        for instance in self._state["instances"].values():
            if instance["DBInstanceStatus"] == "deleting":
                self._remove(instance)
            elif instance["wanted"]:
                self._bring_up(instance)
        threading.Thread(target=self._supervise, name="rds-supervisor", daemon=True).start()

    def stop(self) -> None:
        """Stops the servers; they are started again with the daemon."""
        self._ended.set()
        with self._lock:
            for engine in self._engines.values():
                engine.stop()
            self._engines.clear()

    # Instances

    def create_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        """Creates the server in the background; `available` when it takes connections."""
        name = params["DBInstanceIdentifier"].lower()
        with self._lock:
            if name in self._state["instances"]:
                raise ServiceError("DBInstanceAlreadyExists", "DB instance already exists")
            instance = self._new(name, params)
            self._state["instances"][name] = instance
            self._tag(instance["DBInstanceArn"], params)
        threading.Thread(target=self._bring_up, args=(instance,), name=f"rds-{name}", daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    def _new(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        if params["Engine"] not in ("mysql", "mariadb"):
            raise ServiceError("InvalidParameterValue", f"engine {params['Engine']} is not available locally")
        if not params.get("MasterUsername") or not params.get("MasterUserPassword"):
            raise ServiceError(
                "InvalidParameterValue", "MasterUsername and MasterUserPassword are required locally"
            )
        group = self._group_of(params)
        database = params.get("DBName")
        if database and not re.fullmatch(r"[A-Za-z]\w{0,63}", database):
            raise ServiceError("InvalidParameterValue", f"DBName {database} is not a valid database name")
        return {
            **{key: value for key, value in params.items() if key in _SHOWN},
            "DBInstanceIdentifier": name, "DBInstanceStatus": "creating", "wanted": True, "port": 0,
            "group": group, "password": params["MasterUserPassword"], "created": time.time(), "reason": "",
            "DBInstanceArn": self._arn("db", name), "DbiResourceId": f"db-{uuid.uuid4().hex[:26].upper()}",
            "VpcSecurityGroupIds": params.get("VpcSecurityGroupIds", []),
            "DBSubnetGroupName": params.get("DBSubnetGroupName", "default"),
        }  # fmt: skip

    def modify_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        """Applies at once.

        A new parameter group or password needs no reboot to be stored, a group one to act.
        """
        with self._lock:
            instance = self._instance(params["DBInstanceIdentifier"])
            if "DBParameterGroupName" in params:
                instance["group"] = self._group_of(params)
            for key in ("VpcSecurityGroupIds", *_SHOWN):
                if key in params and key not in _FIXED:
                    instance[key] = params[key]
            if password := params.get("MasterUserPassword"):
                if instance["DBInstanceStatus"] == "available":
                    self._engines[instance["DBInstanceIdentifier"]].write_master(
                        instance["MasterUsername"], password
                    )
                else:
                    instance["password"] = password
            self._save()
            return {"DBInstance": self._shown(instance)}

    def describe_db_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        if name := params.get("DBInstanceIdentifier"):
            return {"DBInstances": [self._shown(self._instance(name))]}
        return {"DBInstances": [self._shown(each) for each in self._state["instances"].values()]}

    def delete_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        """Deletes the data, or keeps them as the final snapshot."""
        with self._lock:
            instance = self._instance(params["DBInstanceIdentifier"])
            if instance.get("DeletionProtection"):
                raise ServiceError("InvalidParameterCombination", "Cannot delete protected DB Instance")
            final = params.get("FinalDBSnapshotIdentifier")
            if not params.get("SkipFinalSnapshot") and not final:
                message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
                raise ServiceError("InvalidParameterCombination", message)
            instance |= {"DBInstanceStatus": "deleting", "wanted": False, "final": final}
            self._save()
        threading.Thread(target=self._remove, args=(instance,), daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    def stop_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            instance = self._in_state(params, "available")
            instance |= {"DBInstanceStatus": "stopping", "wanted": False}
            self._save()
        threading.Thread(target=self._bring_down, args=(instance,), daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    def start_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            instance = self._in_state(params, "stopped", "failed")
            instance |= {"DBInstanceStatus": "starting", "wanted": True}
            self._save()
        threading.Thread(target=self._bring_up, args=(instance,), daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    def reboot_db_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        """Restarts the server, which then has its parameter group's static parameters."""
        with self._lock:
            instance = self._in_state(params, "available")
            instance["DBInstanceStatus"] = "rebooting"
        threading.Thread(target=self._reboot, args=(instance,), daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    # Servers

    def _bring_up(self, instance: dict[str, Any]) -> None:
        """Starts the server; a failure is the instance's status and reason, never the daemon's end."""
        name = instance["DBInstanceIdentifier"]
        with self._lock:
            if not instance["wanted"] or self._ended.is_set():
                return
            engine = self._engines.get(name) or MariaDB(
                self._folder(name), cache=self._runtime.cache, user=self._runtime.engine_user()
            )
            try:
                self._start(engine, instance)
            except (MedallionError, OSError) as error:
                log.error("instance %s: %s", name, error)
                hint = getattr(error, "hint", None)
                reason = f"{error}; {hint}" if hint else str(error)
                instance |= {"DBInstanceStatus": "failed", "reason": reason}
            else:
                self._engines[name] = engine
                instance |= {"DBInstanceStatus": "available", "reason": ""}
                instance.pop("password", None)
            self._save()

    def _start(self, engine: MariaDB, instance: dict[str, Any]) -> None:
        if not instance["port"]:
            instance["port"] = processes.free_port()
            self._save()
        engine.start(instance["port"], self._parameters(instance["group"]))
        if instance.get("password"):
            engine.write_master(instance["MasterUsername"], instance["password"])
            if instance.get("DBName"):
                engine.create_database(instance["DBName"])

    def _bring_down(self, instance: dict[str, Any]) -> None:
        with self._lock:
            engine = self._engines.pop(instance["DBInstanceIdentifier"], None)
            if engine is not None:
                engine.stop()
            instance["DBInstanceStatus"] = "stopped"
            self._save()

    def _reboot(self, instance: dict[str, Any]) -> None:
        with self._lock:
            self._engines[instance["DBInstanceIdentifier"]].stop()
            self._bring_up(instance)

    def _remove(self, instance: dict[str, Any]) -> None:
        name = instance["DBInstanceIdentifier"]
        with self._lock:
            if engine := self._engines.pop(name, None):
                engine.stop()
            processes.ensure_dead(self._folder(name) / "mariadb.pid")
            if final := instance.get("final"):
                self._keep(instance, final)
            shutil.rmtree(self._folder(name), ignore_errors=True)
            self._state["instances"].pop(name, None)
            self._state["tags"].pop(instance["DBInstanceArn"], None)
            self._save()

    def _keep(self, instance: dict[str, Any], snapshot: str) -> None:
        """The final snapshot is the data folder itself, moved aside."""
        kept = self._runtime.state / "engines" / "rds-snapshots" / snapshot
        kept.parent.mkdir(parents=True, exist_ok=True)
        if (self._folder(instance["DBInstanceIdentifier"]) / "data").exists():
            shutil.rmtree(kept, ignore_errors=True)
            (self._folder(instance["DBInstanceIdentifier"]) / "data").rename(kept)
        self._state["snapshots"][snapshot] = self._snapshot(instance, snapshot)

    def _snapshot(self, instance: dict[str, Any], snapshot: str) -> dict[str, Any]:
        return {
            "DBSnapshotIdentifier": snapshot, "DBInstanceIdentifier": instance["DBInstanceIdentifier"],
            "Engine": instance["Engine"], "Status": "available", "SnapshotType": "manual",
            "DBSnapshotArn": self._arn("snapshot", snapshot), "created": time.time(),
            "instance": {key: value for key, value in instance.items() if key not in ("final", "password")},
        }  # fmt: skip

    # Snapshots

    def create_db_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """Copies the data while the server stands still for a moment, as a single instance's I/O does."""
        snapshot = params["DBSnapshotIdentifier"]
        with self._lock:
            if snapshot in self._state["snapshots"]:
                raise ServiceError("DBSnapshotAlreadyExists", f"DBSnapshot {snapshot} already exists")
            instance = self._in_state(params, "available")
            self._engines[instance["DBInstanceIdentifier"]].stop()
            kept = self._runtime.state / "engines" / "rds-snapshots" / snapshot
            self._copied(self._folder(instance["DBInstanceIdentifier"]) / "data", kept)
            self._bring_up(instance)
            self._state["snapshots"][snapshot] = self._snapshot(instance, snapshot)
            self._save()
        return {"DBSnapshot": shown_snapshot(self._state["snapshots"][snapshot])}

    def restore_db_instance_from_db_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new instance with the data, the password and the settings that the snapshot's had, but for those given."""
        name, snapshot = params["DBInstanceIdentifier"].lower(), params["DBSnapshotIdentifier"]
        with self._lock:
            found = self._state["snapshots"].get(snapshot.rpartition(":")[2])
            if found is None or "instance" not in found:
                raise ServiceError("DBSnapshotNotFound", f"DBSnapshot {snapshot} not found.", 404)
            if name in self._state["instances"]:
                raise ServiceError("DBInstanceAlreadyExists", "DB instance already exists")
            given = {key: value for key, value in params.items() if key in _SHOWN and key not in _FIXED}
            instance = self._new(name, {**found["instance"], **given, "MasterUserPassword": "kept"})
            instance |= {
                "port": found["instance"]["port"],
                "VpcSecurityGroupIds": params.get("VpcSecurityGroupIds", []),
            }
            instance["group"] = (
                self._group_of(params) if "DBParameterGroupName" in params else found["instance"]["group"]
            )
            del instance["password"]
            self._state["instances"][name] = instance
            self._copied(
                self._runtime.state / "engines" / "rds-snapshots" / snapshot, self._folder(name) / "data"
            )
            self._save()
        threading.Thread(target=self._bring_up, args=(instance,), name=f"rds-{name}", daemon=True).start()
        return {"DBInstance": self._shown(instance)}

    def _copied(self, source: Path, target: Path) -> None:
        """A data folder for the unprivileged user that the server runs as."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target)
        if owner := self._runtime.engine_user():
            for path in (target, *target.rglob("*")):
                os.chown(path, *owner)

    def _supervise(self) -> None:
        """A server that ended by itself is started again, as RDS does; one that could not start is tried again."""
        rounds = itertools.count(1)
        while not self._ended.wait(_SUPERVISION_SECONDS):
            if next(rounds) % _RETRY_ROUNDS == 0:
                self._retry()
            for name in list(self._engines):
                self._revive(name)

    def _revive(self, name: str) -> None:
        with self._lock:  # a reboot ends the server too
            engine, instance = self._engines.get(name), self._state["instances"].get(name)
            if not (engine and instance and instance["wanted"]):
                return
            if engine.waits_for_space and not shortage(self._runtime.state):
                log.warning("instance %s waits for space that is there again: starting it again", name)
                engine.kill()
            if engine.ended:
                log.warning("instance %s ended by itself: starting it again", name)
                self._bring_up(instance)

    def _retry(self) -> None:
        with self._lock:
            for name, instance in list(self._state["instances"].items()):
                if instance["DBInstanceStatus"] == "failed" and (self._folder(name) / "data").exists():
                    self._bring_up(instance)

    def _folder(self, name: str) -> Path:
        return self._runtime.state / "engines" / "mariadb" / name

    def _instance(self, name: str) -> dict[str, Any]:
        key = name.rpartition(":")[2].lower()
        found: dict[str, Any] | None = self._state["instances"].get(key)
        if found is None:
            raise ServiceError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
        return found

    def _in_state(self, params: dict[str, Any], *states: str) -> dict[str, Any]:
        instance = self._instance(params["DBInstanceIdentifier"])
        if instance["DBInstanceStatus"] not in states:
            message = f"Instance {instance['DBInstanceIdentifier']} is not in {' or '.join(states)} state."
            raise ServiceError("InvalidDBInstanceState", message)
        return instance

    def _shown(self, instance: dict[str, Any]) -> dict[str, Any]:
        shown = {key: instance[key] for key in _SHOWN if key in instance}
        shown["InstanceCreateTime"] = moment(instance["created"])
        shown["DBParameterGroups"] = [
            {"DBParameterGroupName": instance["group"] or "default", "ParameterApplyStatus": "in-sync"}
        ]
        shown["VpcSecurityGroups"] = [
            {"VpcSecurityGroupId": group, "Status": "active"} for group in instance["VpcSecurityGroupIds"]
        ]
        shown["DBSubnetGroup"] = {"DBSubnetGroupName": instance["DBSubnetGroupName"]}
        if instance["port"]:
            shown["Endpoint"] = {"Address": "127.0.0.1", "Port": instance["port"], "HostedZoneId": ""}
        full = shortage(self._runtime.state) if instance["DBInstanceStatus"] == "available" else ""
        if full:
            shown["DBInstanceStatus"] = "storage-full"
        if reason := full or instance["reason"]:
            shown["StatusInfos"] = [{"StatusType": "failure", "Message": reason}]
        tags = self._state["tags"].get(instance["DBInstanceArn"], {})
        return {**shown, "TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}


def create(runtime: Runtime) -> Service:
    """The service of a runtime."""
    return Rds(runtime)
