"""Redshift Serverless: namespaces hold users and data, a workgroup is a running warehouse over one."""

from __future__ import annotations

import json
import logging
import secrets
import string
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.local.engines.redshift import Redshift
from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

log = logging.getLogger(__name__)
_SUPERVISION_SECONDS = 0.5
_STORE = "redshift-serverless"
_KINDS = ("namespaces", "workgroups", "usage_limits", "tags")
_NAMESPACE_FIELDS = (
    "namespaceName",
    "adminUsername",
    "dbName",
    "defaultIamRoleArn",
    "iamRoles",
    "kmsKeyId",
    "logExports",
    "adminPasswordSecretArn",
    "adminPasswordSecretKmsKeyId",
)
_WORKGROUP_FIELDS = (
    "workgroupName",
    "namespaceName",
    "baseCapacity",
    "maxCapacity",
    "configParameters",
    "enhancedVpcRouting",
    "publiclyAccessible",
    "securityGroupIds",
    "subnetIds",
    "pricePerformanceTarget",
    "trackName",
    "ipAddressType",
)


class RedshiftServerless(Service):
    """The API, and the warehouse engine behind each workgroup."""

    name = "redshift-serverless"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        kept = runtime.store.load(_STORE, {})
        self._state: dict[str, dict[str, Any]] = {kind: kept.get(kind, {}) for kind in _KINDS}
        self._engines: dict[str, Redshift] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()

    def start(self) -> None:
        """Brings every workgroup's engine up again, and keeps watching them."""
        for workgroup in self._state["workgroups"].values():
            self._start_engine(workgroup)
        threading.Thread(target=self._supervise, name="redshift-supervisor", daemon=True).start()

    def stop(self) -> None:
        """Stops the engines; data and desired state stay."""
        self._ended.set()
        with self._lock:
            for engine in self._engines.values():
                engine.stop()
            self._engines.clear()

    def engine(self, workgroup: str) -> Redshift:
        """The running warehouse of a workgroup (name or ARN). ServiceError when there is none."""
        name = self._workgroup_name(workgroup)
        if name not in self._engines:
            raise _not_found(f"workgroup {workgroup}")
        return self._engines[name]

    def namespace_of(self, workgroup: str) -> dict[str, Any]:
        """The stored namespace of a workgroup, with its password; for services of this process only."""
        known = self._state["workgroups"][self._workgroup_name(workgroup)]
        return dict(self._state["namespaces"][known["namespaceName"]])

    def _workgroup_name(self, workgroup: str) -> str:
        for name, known in self._state["workgroups"].items():
            if workgroup in (name, known["workgroupArn"]):
                return str(name)
        raise _not_found(f"workgroup {workgroup}")

    # namespaces

    def create_namespace(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keeps users and database name; nothing runs before a workgroup uses it."""
        with self._lock:
            name = params["namespaceName"]
            if name in self._state["namespaces"]:
                raise ServiceError("ConflictException", f"namespace {name} already exists")
            namespace: dict[str, Any] = {
                "dbName": "dev",
                "adminUsername": "admin",
                "iamRoles": [],
                "logExports": [],
            }
            namespace |= {key: params[key] for key in _NAMESPACE_FIELDS if key in params}
            namespace |= self._identity("namespace") | {"adminUserPassword": params.get("adminUserPassword")}
            if params.get("manageAdminPassword"):
                namespace |= self._managed_password(namespace)
            if not namespace["adminUserPassword"]:
                namespace["adminUserPassword"] = _password()
            self._state["namespaces"][name] = namespace
            self._keep_tags(namespace["namespaceArn"], params)
            return {"namespace": _namespace(namespace)}

    def get_namespace(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"namespace": _namespace(self._known("namespaces", params["namespaceName"]))}

    def list_namespaces(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"namespaces": [_namespace(each) for each in self._state["namespaces"].values()]}

    def update_namespace(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new password reaches the running warehouse at once."""
        with self._lock:
            namespace = self._known("namespaces", params["namespaceName"])
            fields = (*_NAMESPACE_FIELDS, "adminUserPassword")
            namespace |= {key: params[key] for key in fields if key in params}
            if params.get("manageAdminPassword") and not namespace.get("adminPasswordSecretArn"):
                namespace |= self._managed_password(namespace)
            self._save()
            for workgroup in self._state["workgroups"].values():
                if workgroup["namespaceName"] == namespace["namespaceName"]:
                    self._login(workgroup)
            return {"namespace": _namespace(namespace)}

    def delete_namespace(self, params: dict[str, Any]) -> dict[str, Any]:
        """Deletes the data; refused while a workgroup uses them."""
        with self._lock:
            namespace = self._known("namespaces", params["namespaceName"])
            name = namespace["namespaceName"]
            if any(each["namespaceName"] == name for each in self._state["workgroups"].values()):
                raise ServiceError("ConflictException", f"namespace {name} still has a workgroup")
            Redshift(self._runtime, name).remove()
            if namespace.get("managed"):
                self._runtime.call(
                    "secretsmanager",
                    "DeleteSecret",
                    SecretId=namespace["adminPasswordSecretArn"],
                    ForceDeleteWithoutRecovery=True,
                )
            del self._state["namespaces"][name]
            self._state["tags"].pop(namespace["namespaceArn"], None)
            self._save()
            return {"namespace": _namespace(namespace) | {"status": "DELETING"}}

    def list_snapshots(self, params: dict[str, Any]) -> dict[str, Any]:
        """None: a local namespace goes with its data, whatever final snapshot its stack asks for."""
        return {"snapshots": []}

    def delete_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        raise _not_found(f"snapshot {params['snapshotName']}")

    # workgroups

    def create_workgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        """Starts the warehouse (about 2 s the first time) and answers when it is AVAILABLE."""
        with self._lock:
            name = params["workgroupName"]
            if name in self._state["workgroups"]:
                raise ServiceError("ConflictException", f"workgroup {name} already exists")
            self._known("namespaces", params["namespaceName"])
            workgroup: dict[str, Any] = {
                "baseCapacity": 128,
                "publiclyAccessible": False,
                "enhancedVpcRouting": False,
            }
            workgroup |= {key: params[key] for key in _WORKGROUP_FIELDS if key in params}
            workgroup |= self._identity("workgroup")
            self._start_engine(workgroup)
            self._state["workgroups"][name] = workgroup
            self._keep_tags(workgroup["workgroupArn"], params)
            return {"workgroup": self._workgroup(workgroup)}

    def get_workgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"workgroup": self._workgroup(self._known("workgroups", params["workgroupName"]))}

    def list_workgroups(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"workgroups": [self._workgroup(each) for each in self._state["workgroups"].values()]}

    def update_workgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            workgroup = self._known("workgroups", params["workgroupName"])
            workgroup |= {key: params[key] for key in _WORKGROUP_FIELDS if key in params}
            self._save()
            return {"workgroup": self._workgroup(workgroup)}

    def delete_workgroup(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stops the warehouse; the data go with the namespace."""
        with self._lock:
            workgroup = self._known("workgroups", params["workgroupName"])
            answer = self._workgroup(workgroup) | {"status": "DELETING"}
            engine = self._engines.pop(workgroup["workgroupName"], None)
            if engine is not None:
                engine.stop()
            del self._state["workgroups"][workgroup["workgroupName"]]
            self._state["tags"].pop(workgroup["workgroupArn"], None)
            self._save()
            return {"workgroup": answer}

    def get_credentials(self, params: dict[str, Any]) -> dict[str, Any]:
        """The admin's own credentials: locally every caller is the administrator."""
        workgroup = params.get("workgroupName", "")
        namespace = self.namespace_of(workgroup)
        until = datetime.fromtimestamp(time.time() + params.get("durationSeconds", 900), UTC)
        return {
            "dbUser": namespace["adminUsername"],
            "dbPassword": namespace["adminUserPassword"],
            "expiration": until,
            "nextRefreshTime": until,
        }

    # usage limits

    def create_usage_limit(self, params: dict[str, Any]) -> dict[str, Any]:
        """Kept and listed; nothing here costs money, so nothing is limited."""
        with self._lock:
            key = (params["resourceArn"], params["usageType"], params.get("period", "monthly"))
            for known in self._state["usage_limits"].values():
                if key == (known["resourceArn"], known["usageType"], known["period"]):
                    raise ServiceError(
                        "ConflictException", "a usage limit of this type and period already exists"
                    )
            given = ("amount", "breachAction", "period", "resourceArn", "usageType")
            limit = {"breachAction": "log", "period": "monthly"}
            limit |= {name: params[name] for name in given if name in params}
            limit["usageLimitId"] = str(uuid.uuid4())
            limit["usageLimitArn"] = self._arn("usagelimit", limit["usageLimitId"])
            self._state["usage_limits"][limit["usageLimitId"]] = limit
            self._save()
            return {"usageLimit": limit}

    def get_usage_limit(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"usageLimit": self._known("usage_limits", params["usageLimitId"])}

    def update_usage_limit(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            limit = self._known("usage_limits", params["usageLimitId"])
            limit |= {name: params[name] for name in ("amount", "breachAction") if name in params}
            self._save()
            return {"usageLimit": limit}

    def delete_usage_limit(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            limit = self._known("usage_limits", params["usageLimitId"])
            del self._state["usage_limits"][limit["usageLimitId"]]
            self._save()
            return {"usageLimit": limit}

    def list_usage_limits(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = {name: params[name] for name in ("resourceArn", "usageType") if name in params}
        limits = self._state["usage_limits"].values()
        return {"usageLimits": [limit for limit in limits if wanted.items() <= limit.items()]}

    # tags

    def tag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._keep_tags(self._existing(params["resourceArn"]), params)
            return {}

    def untag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._state["tags"].get(self._existing(params["resourceArn"]), {})
            for key in params["tagKeys"]:
                tags.pop(key, None)
            self._save()
            return {}

    def list_tags_for_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        tags = self._state["tags"].get(self._existing(params["resourceArn"]), {})
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    # within

    def _start_engine(self, workgroup: dict[str, Any]) -> None:
        namespace = self._state["namespaces"][workgroup["namespaceName"]]
        name = workgroup["workgroupName"]
        engine = self._engines.get(name) or Redshift(self._runtime, workgroup["namespaceName"])
        engine.start(namespace["dbName"], namespace["adminUsername"], namespace["adminUserPassword"])
        self._engines[name] = engine

    def _supervise(self) -> None:
        """A warehouse that ended by itself is started again, as the service does; one that could not start is tried again."""
        while not self._ended.wait(_SUPERVISION_SECONDS):
            for name in list(self._engines):
                self._revive(name)

    def _revive(self, name: str) -> None:
        import psycopg

        with self._lock:  # it may be deleted, or all of them stopped, at this moment
            engine, workgroup = self._engines.get(name), self._state["workgroups"].get(name)
            if engine is None or workgroup is None or engine.running:
                return
            log.warning("workgroup %s ended by itself: starting it again", name)
            try:
                self._start_engine(workgroup)
            except (MedallionError, OSError, psycopg.Error) as error:
                log.warning("workgroup %s does not start: %s", name, error)

    def _login(self, workgroup: dict[str, Any]) -> None:
        namespace = self._state["namespaces"][workgroup["namespaceName"]]
        engine = self._engines[workgroup["workgroupName"]]
        engine.set_login(namespace["dbName"], namespace["adminUsername"], namespace["adminUserPassword"])

    def _workgroup(self, workgroup: dict[str, Any]) -> dict[str, Any]:
        engine = self._engines.get(workgroup["workgroupName"])
        port = engine.port if engine is not None else 0
        answer = {key: value for key, value in workgroup.items() if key != "created"}
        return answer | {
            "creationDate": datetime.fromtimestamp(workgroup["created"], UTC),
            "status": "AVAILABLE" if engine is not None and engine.running else "MODIFYING",
            "endpoint": {"address": "127.0.0.1", "port": port, "vpcEndpoints": []},
            "port": port,
        }

    def _identity(self, kind: str) -> dict[str, Any]:
        identifier = str(uuid.uuid4())
        return {f"{kind}Id": identifier, f"{kind}Arn": self._arn(kind, identifier), "created": time.time()}

    def _arn(self, kind: str, identifier: str) -> str:
        runtime = self._runtime
        return f"arn:aws:redshift-serverless:{runtime.region}:{runtime.account}:{kind}/{identifier}"

    def _managed_password(self, namespace: dict[str, Any]) -> dict[str, Any]:
        """The admin password in a secret of its own, as AWS names and shapes it."""
        password = _password()
        login = {"username": namespace["adminUsername"], "password": password}
        name = f"redshift!{namespace['namespaceName']}-{namespace['adminUsername']}"
        made = self._runtime.call("secretsmanager", "CreateSecret", Name=name, SecretString=json.dumps(login))
        return {"adminUserPassword": password, "adminPasswordSecretArn": made["ARN"], "managed": True}

    def _known(self, kind: str, name: str) -> dict[str, Any]:
        if name not in self._state[kind]:
            raise _not_found(f"{kind.removesuffix('s').replace('_', ' ')} {name}")
        found: dict[str, Any] = self._state[kind][name]
        return found

    def _existing(self, arn: str) -> str:
        for kind, field in (("namespaces", "namespaceArn"), ("workgroups", "workgroupArn")):
            if any(each[field] == arn for each in self._state[kind].values()):
                return arn
        raise _not_found(f"resource {arn}")

    def _keep_tags(self, arn: str, params: dict[str, Any]) -> None:
        tags = self._state["tags"].setdefault(arn, {})
        tags |= {tag["key"]: tag["value"] for tag in params.get("tags", [])}
        self._save()

    def _save(self) -> None:
        self._runtime.store.save(_STORE, self._state)


def _namespace(namespace: dict[str, Any]) -> dict[str, Any]:
    """The API's shape: never the password."""
    hidden = ("adminUserPassword", "created", "managed")
    answer = {key: value for key, value in namespace.items() if key not in hidden}
    return answer | {"creationDate": datetime.fromtimestamp(namespace["created"], UTC), "status": "AVAILABLE"}


def _not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"{what} does not exist")


def _password() -> str:
    """Redshift's rule: 8 to 64 characters, upper, lower and digit; no quotes, slash, @ or blank."""
    letters = string.ascii_letters + string.digits
    return "Aa1" + "".join(secrets.choice(letters) for _ in range(29))


def create(runtime: Runtime) -> RedshiftServerless:
    """The service of this daemon."""
    return RedshiftServerless(runtime)
