"""What DMS must be told so that nothing is lost (its user guide, Target.S3 and Source.MySQL); cfn-lint reads none of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, mapping, parsed_json, text
from medallion_cli.operations.validation.table_mappings import mapping_findings
from medallion_cli.operations.validation.task_settings import WHERE as SETTINGS
from medallion_cli.operations.validation.task_settings import settings_findings

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

HEARTBEAT = ("medallion", "heartbeat")
S3 = (
    ("DataFormat", "parquet", "bronze is Parquet"),
    ("IncludeOpForFullLoad", True, "rows of a full load would have no Op"),
    (
        "ParquetTimestampInMillisecond",
        False,
        "DATETIME(6) and TIMESTAMP(6) would lose their last three digits",
    ),
    ("PreserveTransactions", False, "it forces CSV without column names and date folders"),
    ("CdcInsertsOnly", False, "updates and deletes would be lost"),
    ("CdcInsertsAndUpdates", False, "deletes would be lost"),
    ("TimestampColumnName", "dms_commit_ts", "silver reads it"),
    (
        "UseTaskStartTimeForFullLoadTimestamp",
        True,
        "rows of a full load would carry times that changes are not after",
    ),
    ("DatePartitionEnabled", True, "silver lists bronze by day"),
    ("DatePartitionTimezone", None, "silver's days are UTC"),
    ("CdcPath", None, "it forces CSV"),
    ("GlueCatalogGeneration", False, "silver keeps the catalog"),
    ("CannedAclForObjects", None, "the buckets take no access lists"),
    (
        "EncryptionMode",
        "sse-kms",
        "bronze is encrypted with the environment's key, and cannot change to it later",
    ),
)
NEEDED = (
    "BucketName",
    "BucketFolder",
    "ServiceAccessRoleArn",
    "ServerSideEncryptionKmsKeyId",
    "ExpectedBucketOwner",
)
ACCOUNT_ROLES = {
    "dms-vpc-role": "AmazonDMSVPCManagementRole",
    "dms-cloudwatch-logs-role": "AmazonDMSCloudWatchLogsRole",
}


def replication_findings(deployment: Deployment, tables: list[tuple[str, str]]) -> Iterator[Finding]:
    """Findings in an environment's replication; `tables` are the source's (schema, name)."""
    tasks = deployment.of_type("AWS::DMS::ReplicationTask")
    if not tasks:
        where = "infra_templates/replication.yaml Resources"
        yield Finding(
            where,
            "has no replication task: nothing reaches bronze",
            "add an AWS::DMS::ReplicationTask",
            "MED-DMS-020",
        )
    for stack, logical, task in tasks:
        where = deployment.place(stack, logical)
        yield from _documents(where, task, [*tables, HEARTBEAT])
        yield from _ends(deployment, where, task)
    for stack, logical, endpoint in deployment.of_type("AWS::DMS::Endpoint"):
        yield from _endpoint(deployment, stack, logical, endpoint)
    yield from _account_roles(deployment)


def _documents(where: str, task: Document, tables: list[tuple[str, str]]) -> Iterator[Finding]:
    settings = parsed_json(task.get("ReplicationTaskSettings"))
    if settings is None:
        yield Finding(
            SETTINGS, "ReplicationTaskSettings is no JSON", "render it with `| json`", "MED-DMS-001"
        )
    else:
        yield from settings_findings(settings)
    mappings = parsed_json(task.get("TableMappings"))
    if mappings is None:
        yield Finding(f"{where}.TableMappings", "is no JSON", "render it with `| json`", "MED-DMS-010")
    else:
        yield from mapping_findings(mappings, tables)
    for key in ("CdcStartPosition", "CdcStartTime", "CdcStopPosition"):
        if task.get(key):
            what = "the full load and the changes would not meet" if "Start" in key else "the task would end"
            yield Finding(f"{where}.{key}", what, "leave it to `medallion replicate`", "MED-DMS-021")


def _ends(deployment: Deployment, where: str, task: Document) -> Iterator[Finding]:
    """The task reads from a source endpoint and writes to a target endpoint, on an instance that is there."""
    kinds = {
        _arn(deployment, stack, logical): text(endpoint, "EndpointType")
        for stack, logical, endpoint in deployment.of_type("AWS::DMS::Endpoint")
    }
    for key, kind in (("SourceEndpointArn", "source"), ("TargetEndpointArn", "target")):
        if task.get(key) is not UNKNOWN and kinds.get(text(task, key)) != kind:
            what = f"leads to no {kind} endpoint"
            yield Finding(f"{where}.{key}", what, f"the Ref of the endpoint of type {kind}", "MED-DMS-022")
    instances = [
        _arn(deployment, s, name) for s, name, _ in deployment.of_type("AWS::DMS::ReplicationInstance")
    ]
    if task.get("ReplicationInstanceArn") not in (UNKNOWN, *instances):
        yield Finding(
            f"{where}.ReplicationInstanceArn", "leads to no replication instance", "its Ref", "MED-DMS-022"
        )


def _arn(deployment: Deployment, stack: str, logical: str) -> Any:
    from medallion_cli.operations.validation.physical import arn

    resource = deployment.stacks[stack].resources[logical]
    place, region = f"{deployment.settings.prefix}-{stack}/{logical}", deployment.settings.region
    return arn(place, region, text(resource, "Type"), mapping(resource, "Properties"))


def _endpoint(deployment: Deployment, stack: str, logical: str, endpoint: Document) -> Iterator[Finding]:
    where = deployment.place(stack, logical)
    kind, engine = endpoint.get("EndpointType"), endpoint.get("EngineName")
    if (kind, engine) not in (("source", "mysql"), ("target", "s3")):
        what = f"is a {kind} of engine {engine}"
        yield Finding(where, what, "a source is mysql, a target is s3", "MED-DMS-023")
    extra = _attributes(text(endpoint, "ExtraConnectionAttributes"))
    if engine == "s3":
        yield from _s3(where, _with(mapping(endpoint, "S3Settings"), extra))
    if engine == "mysql":
        yield from _mysql(deployment, where, endpoint)


def _attributes(given: str) -> dict[str, str]:
    """`a=b;c=d`, which wins over the settings."""
    pairs = (part.partition("=") for part in given.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _with(settings: Document, extra: dict[str, str]) -> Document:
    names = {key.lower(): key for key in [*settings, *(key for key, _, _ in S3)]}
    typed: dict[str, Any] = {"true": True, "false": False}
    return settings | {names[k]: typed.get(v.lower(), v) for k, v in extra.items() if k in names}


def _s3(where: str, settings: Document) -> Iterator[Finding]:
    for key, value, why in S3:
        given = settings.get(key, False if value is False else None)
        if given is not UNKNOWN and _flat(given) != _flat(value):
            remedy = (
                f"{key}: {str(value).lower() if isinstance(value, bool) else value}"
                if value is not None
                else f"take {key} out"
            )
            yield Finding(f"{where}.S3Settings.{key}", f"is {given!r}: {why}", remedy, "MED-DMS-024")
    for key in NEEDED:
        if not settings.get(key):
            yield Finding(f"{where}.S3Settings.{key}", "is missing", f"set {key}", "MED-DMS-025")
    folder = settings.get("BucketFolder")
    if isinstance(folder, str) and not re.fullmatch(r"g\d{4,}", folder):
        what = f"{folder!r} is no generation: file names of a reload would repeat"
        yield Finding(
            f"{where}.S3Settings.BucketFolder", what, "refer to the parameter Generation", "MED-DMS-025"
        )


def _flat(value: Any) -> Any:
    """DMS spells its lists both `sse-kms` and `SSE_KMS`; booleans may be texts."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value.lower().replace("_", "-"))
    return value


def _mysql(deployment: Deployment, where: str, endpoint: Document) -> Iterator[Finding]:
    settings = mapping(endpoint, "MySqlSettings")
    if "DatabaseName" in endpoint:
        yield Finding(
            f"{where}.DatabaseName",
            "a MySQL endpoint with one captures nothing else",
            "take it out",
            "MED-DMS-026",
        )
    for key in ("SecretsManagerSecretId", "SecretsManagerAccessRoleArn"):
        if not settings.get(key):
            yield Finding(
                f"{where}.MySqlSettings.{key}",
                "is missing: DMS could not log in",
                f"set {key}",
                "MED-DMS-026",
            )
    for key in ("Username", "Password", "ServerName", "Port"):
        if key in endpoint:
            yield Finding(
                f"{where}.{key}",
                "DMS refuses it beside a secret",
                "take it out; the secret holds it",
                "MED-DMS-026",
            )
    mode, encrypted = (
        endpoint.get("SslMode", "none"),
        deployment.settings.parameters.get("SourceTls") != "false",
    )
    if mode not in ("none", "verify-ca", "verify-full"):
        yield Finding(f"{where}.SslMode", f"{mode!r} does not exist for MySQL", "verify-ca", "MED-DMS-027")
    elif mode == "none" and encrypted:
        yield Finding(
            f"{where}.SslMode",
            "none: the database refuses connections without TLS",
            "verify-ca",
            "MED-DMS-027",
        )
    if mode in ("verify-ca", "verify-full") and not endpoint.get("CertificateArn"):
        yield Finding(
            f"{where}.CertificateArn",
            f"is missing: {mode} needs the authority",
            "the Ref of the certificate",
            "MED-DMS-027",
        )


def _account_roles(deployment: Deployment) -> Iterator[Finding]:
    """DMS looks for two roles by their exact names, with AWS's own policies."""
    roles = {
        text(role, "RoleName"): (stack, name, role)
        for stack, name, role in deployment.of_type("AWS::IAM::Role")
    }
    for name, policy in ACCOUNT_ROLES.items():
        if name not in roles:
            where = "infra_templates/source.yaml Resources"
            what = f"no role {name}: in an account without it the replication instance cannot be made"
            yield Finding(where, what, f"an AWS::IAM::Role with RoleName: {name}", "MED-DMS-028")
            continue
        stack, logical, role = roles[name]
        if not any(str(arn).endswith(f"/{policy}") for arn in role.get("ManagedPolicyArns") or []):
            where = deployment.place(stack, logical, "ManagedPolicyArns")
            yield Finding(
                where, f"lacks {policy}", f"arn:aws:iam::aws:policy/service-role/{policy}", "MED-DMS-028"
            )
        body = at(deployment.stacks[stack].template, "Resources", logical) or {}
        if body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            where = f"infra_templates/{stack}.yaml Resources.{logical}.DeletionPolicy"
            what = "other environments of the account use the role"
            yield Finding(where, what, "DeletionPolicy: RetainExceptOnCreate", "MED-DMS-028")
