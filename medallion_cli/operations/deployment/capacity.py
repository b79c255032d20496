"""Whether an account has room for what an environment adds: names, quotas, classes that the region offers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.cloudformation import RECREATED
from medallion_cli.errors import AwsError
from medallion_cli.operations.deployment.findings import Finding
from medallion_cli.operations.deployment.graph import document
from medallion_cli.operations.stack_parameters import environment_parameters
from medallion_cli.operations.template import declared_parameters

if TYPE_CHECKING:
    from medallion_cli.operations.deployment.change_sets import Deployment

# type → property that names it (dotted), and the call that finds one of that name: service, method, argument
NAMED = {
    "AWS::RDS::DBInstance": ("DBInstanceIdentifier", "rds", "describe_db_instances", "DBInstanceIdentifier"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "get_function_configuration", "FunctionName"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "describe_log_groups", "logGroupNamePrefix"),
    "AWS::Glue::Job": ("Name", "glue", "get_job", "JobName"),
    "AWS::Glue::Database": ("DatabaseInput.Name", "glue", "get_database", "Name"),
    "AWS::RedshiftServerless::Namespace": ("NamespaceName", "redshift-serverless", "get_namespace", "namespaceName"),
    "AWS::RedshiftServerless::Workgroup": ("WorkgroupName", "redshift-serverless", "get_workgroup", "workgroupName"),
    "AWS::S3::Bucket": ("BucketName", "s3", "head_bucket", "Bucket"),
    "AWS::IAM::Role": ("RoleName", "iam", "get_role", "RoleName"),
    "AWS::Scheduler::ScheduleGroup": ("Name", "scheduler", "get_schedule_group", "Name"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager", "describe_secret", "SecretId"),
}  # fmt: skip
ABSENT = re.compile(r"NotFound|NoSuch|404")
VPC_QUOTA = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}  # VPCs per region
UNRESERVED = 100  # concurrent executions that Lambda keeps for functions without a reservation


def value(deployment: Deployment, stack: str, name: str) -> str | None:
    """What a template's parameter will be, as far as settings and defaults say it; None when nobody declares it."""
    given = {**environment_parameters(deployment.settings), **deployment.settings.parameters}
    default = declared_parameters(deployment.package.templates.get(stack, "{}")).get(name)
    found = given.get(name, default)
    return None if found is None else str(found)


def free_names(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Names of resources that a stack which is not there yet would find taken."""
    for stack in deployment.order:
        if not _missing(deployment, stack):
            continue
        for type_, name in _names(deployment, stack):
            if _is_taken(deployment, type_, name):
                what = f"{name} ({type_}) exists already, outside the stack {deployment.name(stack)}"
                yield Finding(code, "stop", what, "delete it, or set another `prefix`")


def quotas(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Room for what the missing stacks add."""
    client = deployment.target.client
    if _missing(deployment, "network"):
        used = len(client("ec2").describe_vpcs()["Vpcs"])
        limit = client("service-quotas").get_service_quota(**VPC_QUOTA)["Quota"]["Value"]
        yield from _room(code, "VPCs", used, limit)
    if _missing(deployment, "source"):
        for quota in client("rds").describe_account_attributes()["AccountQuotas"]:
            if quota["AccountQuotaName"] == "DBInstances":
                yield from _room(code, "RDS instances", quota["Used"], quota["Max"])
        yield from _reservation(deployment, code)
    if _missing(deployment, "replication"):
        for quota in client("dms").describe_account_attributes()["AccountQuotas"]:
            if quota["AccountQuotaName"] == "ReplicationInstances":
                yield from _room(code, "DMS replication instances", quota["Used"], quota["Max"])


def offered(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Whether the region has the classes and the version that are configured."""
    client, region = deployment.target.client, deployment.settings.region
    if _missing(deployment, "source"):
        version, size = (value(deployment, "source", n) for n in ("EngineVersion", "DatabaseClass"))
        found = client("rds").describe_orderable_db_instance_options(
            Engine="mysql", EngineVersion=version, DBInstanceClass=size, Vpc=True, MaxRecords=20
        )
        if not found["OrderableDBInstanceOptions"]:
            what = f"{region} does not offer {size} with MySQL {version}"
            yield Finding(code, "stop", what, "set parameters.DatabaseClass or parameters.EngineVersion")
    if _missing(deployment, "replication"):
        size = value(deployment, "replication", "ReplicationClass")
        pages = client("dms").get_paginator("describe_orderable_replication_instances").paginate()
        known = {
            e["ReplicationInstanceClass"] for page in pages for e in page["OrderableReplicationInstances"]
        }
        if size not in known:
            remedy = "set parameters.ReplicationClass"
            yield Finding(code, "stop", f"{region} does not offer {size} for DMS", remedy)


def _room(code: str, what: str, used: float, limit: float) -> Iterator[Finding]:
    if used + 1 > limit:
        yield Finding(
            code,
            "stop",
            f"{used:.0f} of {limit:.0f} {what} are used",
            "ask for a higher quota (Service Quotas)",
        )


def _reservation(deployment: Deployment, code: str) -> Iterator[Finding]:
    wanted = int(value(deployment, "source", "GeneratorConcurrency") or -1)
    if wanted < 0:
        return
    limit = deployment.target.client("lambda").get_account_settings()["AccountLimit"]
    if limit["UnreservedConcurrentExecutions"] - wanted < UNRESERVED:
        what = f"Lambda has {limit['UnreservedConcurrentExecutions']} executions, and keeps {UNRESERVED} unreserved"
        yield Finding(code, "stop", what, 'set parameters.GeneratorConcurrency to "-1"')


def _missing(deployment: Deployment, stack: str) -> bool:
    known = deployment.stacks.find(deployment.name(stack)) if stack in deployment.order else None
    return stack in deployment.order and (known is None or known.status in ("REVIEW_IN_PROGRESS", *RECREATED))


def _names(deployment: Deployment, stack: str) -> Iterator[tuple[str, str]]:
    """(type, name) of the resources whose names the template fixes; conditional ones may not be wanted."""
    for name, entry in document(deployment.package.templates[stack])["Resources"].items():
        if entry["Type"] in NAMED and "Condition" not in entry:
            fixed = _name(deployment, stack, name)
            if fixed is not None:
                yield entry["Type"], fixed


def _name(deployment: Deployment, stack: str, resource: str) -> str | None:
    """The physical name of a resource; None when CloudFormation makes it."""
    entry = document(deployment.package.templates[stack])["Resources"].get(resource, {})
    if entry.get("Type") not in NAMED:
        return None
    node: Any = entry.get("Properties", {})
    for step in NAMED[entry["Type"]][0].split("."):
        node = node.get(step, {})
    return _literal(deployment, stack, node)


def _literal(deployment: Deployment, stack: str, node: Any) -> str | None:
    """A name as text; None where it holds what only CloudFormation knows."""

    def referred(name: str) -> str | None:
        found = value(deployment, stack, name)
        return _name(deployment, stack, name) if found is None else found

    match node:
        case str():
            return node
        case {"Ref": str(name)}:
            return referred(name)
        case {"Fn::Sub": str(text)}:
            parts = {name: referred(name) for name in re.findall(r"\$\{([^}]+)\}", text)}
            if any(part is None for part in parts.values()):
                return None
            return re.sub(r"\$\{([^}]+)\}", lambda m: str(parts[m[1]]), text)
    return None


def _is_taken(deployment: Deployment, type_: str, name: str) -> bool:
    _, service, method, argument = NAMED[type_]
    try:
        found = getattr(deployment.target.client(service), method)(**{argument: name})
    except AwsError as error:
        if ABSENT.search(error.code):
            return False
        raise
    groups = found.get("logGroups")  # found by the beginning of its name, and no error when there is none
    return groups is None or any(group["logGroupName"] == name for group in groups)
