"""DMS endpoints: a MySQL source by its secret, an S3 target by its bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.source import Source, current_position
from medallion_cli.local.services import dms_shapes as shapes
from medallion_cli.local.services.dms_resources import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIVE = ("starting", "running", "stopping")
_ENDPOINT = (
    "EndpointIdentifier",
    "EndpointType",
    "EngineName",
    "Username",
    "Password",
    "ServerName",
    "Port",
    "DatabaseName",
    "SslMode",
    "KmsKeyId",
    "CertificateArn",
    "ServiceAccessRoleArn",
    "ExtraConnectionAttributes",
)
_SETTINGS = ("S3Settings", "MySQLSettings")


class Endpoints(Resources):
    """The API's calls on endpoints and their connections."""

    def create_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["EndpointIdentifier"].lower()
        with self._lock:
            if any(each["EndpointIdentifier"] == name for each in self._all("endpoints")):
                raise shapes.exists(f"Endpoint {name}")
            endpoint = {key: params[key] for key in (*_ENDPOINT, *_SETTINGS) if key in params}
            endpoint |= {"EndpointIdentifier": name, "EndpointArn": self._arn("endpoint"), "Status": "active"}
            _check_endpoint(endpoint)
            self._keep("endpoints", endpoint["EndpointArn"], endpoint, params)
        return {"Endpoint": shapes.shown(endpoint)}

    def modify_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        """Settings are merged into what is there, unless ExactSettings is given."""
        with self._lock:
            endpoint = self._known("endpoints", params["EndpointArn"], "Endpoint")
            self._refuse_active(params["EndpointArn"])
            changed = endpoint | {key: params[key] for key in _ENDPOINT if key in params}
            for key in _SETTINGS:
                if key in params:
                    kept = {} if params.get("ExactSettings") else endpoint.get(key, {})
                    changed[key] = kept | params[key]
            _check_endpoint(changed)
            endpoint |= changed
            self._save()
        return {"Endpoint": shapes.shown(endpoint)}

    def describe_endpoints(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {
            "endpoint-arn": "EndpointArn",
            "endpoint-id": "EndpointIdentifier",
            "endpoint-type": "EndpointType",
            "engine-name": "EngineName",
        }
        found = shapes.filtered(self._all("endpoints"), params, fields, "endpoints")
        return shapes.page([shapes.shown(each) for each in found], params, "Endpoints")

    def delete_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["EndpointArn"]
        with self._lock:
            endpoint = self._known("endpoints", arn, "Endpoint")
            if any(
                arn in (task["SourceEndpointArn"], task["TargetEndpointArn"]) for task in self._all("tasks")
            ):
                raise shapes.wrong_state("Endpoint is part of one or more replication tasks")
            self._drop("endpoints", arn)
        return {"Endpoint": shapes.shown(endpoint) | {"Status": "deleting"}}

    def test_connection(self, params: dict[str, Any]) -> dict[str, Any]:
        """Connects for real, or looks for the bucket; the result stays in describe_connections."""
        endpoint = self._known("endpoints", params["EndpointArn"], "Endpoint")
        instance = self._known("instances", params["ReplicationInstanceArn"], "Replication instance")
        connection = {
            "ReplicationInstanceArn": params["ReplicationInstanceArn"], "EndpointArn": params["EndpointArn"],
            "EndpointIdentifier": endpoint["EndpointIdentifier"], "Status": "successful",
            "ReplicationInstanceIdentifier": instance["ReplicationInstanceIdentifier"],
        }  # fmt: skip
        try:
            self._try(endpoint)
        except (ReplicationFault, ServiceError) as error:
            connection |= {"Status": "failed", "LastFailureMessage": f"Test Endpoint failed: {error}"}
        with self._lock:
            self._keep(
                "connections", f"{params['EndpointArn']} {params['ReplicationInstanceArn']}", connection, {}
            )
        return {"Connection": connection}

    def describe_connections(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = {"endpoint-arn": "EndpointArn", "replication-instance-arn": "ReplicationInstanceArn"}
        found = shapes.filtered(self._all("connections"), params, fields)
        return shapes.page(found, params, "Connections")

    def _try(self, endpoint: dict[str, Any]) -> None:
        if endpoint["EngineName"] == "s3":
            self._bucket(endpoint)
            return
        secret = self._secret(endpoint)
        source = Source(secret["host"], int(secret["port"]), secret["username"], secret["password"])
        with source.connect() as connection:
            current_position(connection)

    def _endpoint(self, arn: str, kind: str) -> dict[str, Any]:
        endpoint = self._known("endpoints", arn, "Endpoint")
        if endpoint["EndpointType"] != kind:
            raise ServiceError("InvalidParameterValueException", f"{arn} is not a {kind} endpoint")
        return endpoint

    def _refuse_active(self, endpoint: str) -> None:
        for task in self._all("tasks"):
            if (
                endpoint in (task["SourceEndpointArn"], task["TargetEndpointArn"])
                and task["Status"] in ACTIVE
            ):
                raise shapes.wrong_state(
                    f"The endpoint cannot be modified while {named(task)} is {task['Status']}"
                )

    def _bucket(self, endpoint: dict[str, Any]) -> Path:
        bucket = endpoint.get("S3Settings", {}).get("BucketName", "")
        folder = self._runtime.object_path(bucket, "x").parent
        if not bucket or not folder.is_dir():
            raise ServiceError("InvalidParameterValueException", f"the bucket {bucket!r} does not exist")
        return folder

    def _secret(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Credentials from the endpoint's secret, else the endpoint's own."""
        settings = endpoint.get("MySQLSettings", {})
        if secret := settings.get("SecretsManagerSecretId"):
            found = json.loads(
                self._runtime.call("secretsmanager", "GetSecretValue", SecretId=secret)["SecretString"]
            )
        else:
            found = {"host": endpoint.get("ServerName"), "port": endpoint.get("Port", 3306)}
            found |= {"username": endpoint.get("Username"), "password": endpoint.get("Password")}
        missing = [key for key in ("host", "port", "username", "password") if not found.get(key)]
        if missing:
            raise ServiceError(
                "InvalidParameterValueException", f"the source's credentials lack {', '.join(missing)}"
            )
        return {key: found[key] for key in ("host", "port", "username", "password")}


def _check_endpoint(endpoint: dict[str, Any]) -> None:
    """Refuses what the replicator would not do as DMS does it (pitfalls: CSV, preserved transactions)."""
    match (endpoint["EndpointType"], endpoint["EngineName"]):
        case ("source", "mysql" | "mariadb" | "aurora"):
            return
        case ("target", "s3"):
            faults = list(_s3_faults(endpoint.get("S3Settings", {})))
            if faults:
                raise ServiceError("InvalidParameterValueException", f"S3Settings: {'; '.join(faults)}")
        case (kind, engine):
            raise ServiceError("InvalidParameterValueException", f"no {kind} endpoint for {engine} locally")


def _s3_faults(settings: dict[str, Any]) -> Iterator[str]:
    if not settings.get("BucketName"):
        yield "BucketName is required"
    if settings.get("DataFormat") != "parquet":
        yield "DataFormat must be parquet"
    if settings.get("PreserveTransactions") or settings.get("CdcPath"):
        yield "PreserveTransactions needs CSV"
    if not settings.get("IncludeOpForFullLoad"):
        yield "IncludeOpForFullLoad must be true"
    if settings.get("CdcInsertsOnly") or settings.get("CdcInsertsAndUpdates"):
        yield "changes of all kinds must be captured"


def named(task: dict[str, Any]) -> str:
    return f"Replication Task {task['ReplicationTaskArn']}"
