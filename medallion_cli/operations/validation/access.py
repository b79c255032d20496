"""Every role may do what its service will do with it, on the very resources, and trusts that service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, listed, mapping, text
from medallion_cli.operations.validation.machine import TYPE, definition, substituted
from medallion_cli.operations.validation.machine_calls import calls
from medallion_cli.operations.validation.policies import ANYWHERE, allowed, role_of, trusts

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

PREFIXES = {"stepfunctions": "states", "cloudwatch": "cloudwatch"}
ACTIONS = {("lambda", "Invoke"): "lambda:InvokeFunction", ("s3", "ListObjectsV2"): "s3:ListBucket"}
# AWS has no resource level for these.
EVERYWHERE = {
    "dms:DescribeReplicationTasks",
    "dms:DescribeEndpoints",
    "redshift-data:DescribeStatement",
    "redshift-data:GetStatementResult",
}
SYNC = ("glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun")
TABLES = ("glue:GetDatabase", "glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable")


@dataclass(frozen=True)
class Need:
    """One thing that a service does as a role."""

    action: str
    resource: str
    why: str
    namespace: str | None = None  # of a metric: what `cloudwatch:namespace` is when it is asked


def access_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's roles."""
    yield from _machines(deployment)
    yield from _schedules(deployment)
    yield from _replication(deployment)
    yield from _functions(deployment)
    yield from _jobs(deployment)
    yield from _warehouse(deployment)
    yield from _dashboards(deployment)
    yield from _monitoring(deployment)


def _checked(
    deployment: Deployment, value: Any, user: str, services: tuple[str, ...], needs: list[Need]
) -> Iterator[Finding]:
    """The role with this ARN trusts the services and covers the needs."""
    found = role_of(deployment, value)
    if found is None:
        if value is not UNKNOWN:
            where = "infra_templates"
            yield Finding(
                where,
                f"{user} uses a role that no template makes: {value}",
                "the GetAtt of a role",
                "MED-ACC-001",
            )
        return
    stack, logical, role = found
    for service in services:
        if not trusts(role, service):
            where = deployment.place(stack, logical, "AssumeRolePolicyDocument")
            what = f"does not trust {service}: {user} could not use it"
            yield Finding(where, what, f"Principal: {{Service: {service}}}", "MED-ACC-002")
    for need in dict.fromkeys(needs):
        known = {"cloudwatch:namespace": need.namespace} if need.namespace else {}
        if "?" not in need.resource and not allowed(role, need.action, need.resource, known):
            where = deployment.place(stack, logical, "Policies")
            what = f"does not allow {need.action} on {need.resource}, and {need.why}"
            yield Finding(where, what, f"allow {need.action} on it", "MED-ACC-003")


def _key(deployment: Deployment) -> str:
    from medallion_cli.operations.validation.physical import arn

    for stack, logical, properties in deployment.of_type("AWS::KMS::Key"):
        return str(
            arn(
                f"{deployment.settings.prefix}-{stack}/{logical}",
                deployment.settings.region,
                "AWS::KMS::Key",
                properties,
            )
        )
    return "?"


def _machines(deployment: Deployment) -> Iterator[Finding]:
    for _, logical, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        needs = (
            [n for call in calls(substituted(machine, properties)) for n in _call(deployment, *call)]
            if machine
            else []
        )
        yield from _checked(deployment, properties.get("RoleArn"), logical, ("states.amazonaws.com",), needs)


def _call(
    deployment: Deployment, path: str, service: str, operation: str, arguments: Document
) -> Iterator[Need]:
    action = ACTIONS.get((service, operation), f"{PREFIXES.get(service, service)}:{operation}")
    why = f"{path.rpartition('States.')[2]!r} calls it"
    resource = "*" if action in EVERYWHERE else _resource(deployment, service, operation, arguments)
    space = text(arguments, "Namespace") if action == "cloudwatch:PutMetricData" else None
    yield Need(action, ANYWHERE if space else resource, why, space)
    if (service, operation) == ("glue", "StartJobRun"):
        yield from (Need(extra, resource, f"{why} and waits") for extra in SYNC)
    if "SecretArn" in arguments:
        yield Need(
            "secretsmanager:GetSecretValue", _literal(arguments["SecretArn"]), f"{why} with the secret"
        )
        yield Need("kms:Decrypt", _key(deployment), f"{why} with an encrypted secret")
    if service == "s3":
        yield Need("kms:Decrypt", _key(deployment), f"{why} on an encrypted bucket")
    if (service, operation) in (("s3", "PutObject"), ("sns", "Publish")):
        yield Need("kms:GenerateDataKey", _key(deployment), f"{why} with encryption")


def _resource(deployment: Deployment, service: str, operation: str, arguments: Document) -> str:
    region, account = deployment.settings.region, "111122223333"
    match service:
        case "glue":
            return f"arn:aws:glue:{region}:{account}:job/{_literal(arguments.get('JobName'))}"
        case "s3":
            key = str(arguments.get("Key", ""))
            begun = re.match(r"\{%\s*['\"]([^'\"]*)", key)
            shown = f"{begun[1]}x" if begun else _literal(key)
            return f"arn:aws:s3:::{_literal(arguments.get('Bucket'))}/{shown}"
        case "redshift-data":
            from medallion_cli.operations.validation.physical import arn

            for stack, name, properties in deployment.of_type("AWS::RedshiftServerless::Workgroup"):
                if properties.get("WorkgroupName") == arguments.get("WorkgroupName"):
                    return str(
                        arn(
                            f"{deployment.settings.prefix}-{stack}/{name}",
                            region,
                            "AWS::RedshiftServerless::Workgroup",
                            properties,
                        )
                    )
    arns = [
        _literal(value) for name, value in arguments.items() if name.endswith("Arn") and name != "SecretArn"
    ]
    if service == "stepfunctions" and operation == "ListExecutions":
        machines = [text(p, "StateMachineName") for _, _, p in deployment.of_type(TYPE)]
        return f"arn:aws:states:{region}:{account}:stateMachine:{machines[0]}" if machines else "?"
    return arns[0] if arns else "?"


def _literal(value: Any) -> str:
    shown = text(value)
    return "?" if not shown or shown.startswith("{%") or "${" in shown else shown


def _schedules(deployment: Deployment) -> Iterator[Finding]:
    actions = {
        ":stateMachine:": "states:StartExecution",
        ":function:": "lambda:InvokeFunction",
        ":sqs:": "sqs:SendMessage",
    }
    for _, logical, schedule in deployment.of_type("AWS::Scheduler::Schedule"):
        target = text(schedule, "Target", "Arn")
        needs = [Need(a, target, f"{logical} starts it") for mark, a in actions.items() if mark in target]
        queue = text(schedule, "Target", "DeadLetterConfig", "Arn")
        needs += (
            [Need("sqs:SendMessage", queue, f"{logical} leaves what it cannot start there")] if queue else []
        )
        role = mapping(schedule, "Target").get("RoleArn")
        yield from _checked(deployment, role, logical, ("scheduler.amazonaws.com",), needs)


def _replication(deployment: Deployment) -> Iterator[Finding]:
    key = _key(deployment)
    for _, logical, endpoint in deployment.of_type("AWS::DMS::Endpoint"):
        source, target = mapping(endpoint, "MySqlSettings"), mapping(endpoint, "S3Settings")
        if role := source.get("SecretsManagerAccessRoleArn"):
            secret = text(source, "SecretsManagerSecretId")
            why = f"{logical} reads its secret"
            needs = [Need("secretsmanager:GetSecretValue", secret, why), Need("kms:Decrypt", key, why)]
            needs += [Need("secretsmanager:DescribeSecret", secret, why)]
            yield from _checked(
                deployment, role, logical, (f"dms.{deployment.settings.region}.amazonaws.com",), needs
            )
        if role := target.get("ServiceAccessRoleArn"):
            bucket, why = f"arn:aws:s3:::{text(target, 'BucketName')}", f"{logical} writes bronze"
            objects = [
                Need(a, f"{bucket}/x", why)
                for a in ("s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging")
            ]
            needs = [*objects, Need("s3:ListBucket", bucket, why)]
            needs += [Need("kms:GenerateDataKey", key, why), Need("kms:Decrypt", key, why)]
            yield from _checked(deployment, role, logical, ("dms.amazonaws.com",), needs)


def _functions(deployment: Deployment) -> Iterator[Finding]:
    for _, logical, function in deployment.of_type("AWS::Lambda::Function"):
        given = mapping(function, "Environment", "Variables")
        secrets = [
            text(given, name) for name in ("SECRET_ARN", "REPLICATION_SECRET_ARN") if text(given, name)
        ]
        needs = [Need("secretsmanager:GetSecretValue", secret, f"{logical} reads it") for secret in secrets]
        needs += (
            [Need("kms:Decrypt", _key(deployment), f"{logical} reads encrypted secrets")] if secrets else []
        )
        network = (
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DeleteNetworkInterface",
        )
        needs += [
            Need(a, ANYWHERE, f"{logical} is in the network") for a in network if "VpcConfig" in function
        ]
        needs += [
            Need(a, ANYWHERE, f"{logical} writes its log")
            for a in ("logs:CreateLogStream", "logs:PutLogEvents")
        ]
        yield from _checked(deployment, function.get("Role"), logical, ("lambda.amazonaws.com",), needs)


def _jobs(deployment: Deployment) -> Iterator[Finding]:
    key, region = _key(deployment), deployment.settings.region
    catalog = f"arn:aws:glue:{region}:111122223333"
    for _, logical, job in deployment.of_type("AWS::Glue::Job"):
        given = {
            name.removeprefix("--"): text(value) for name, value in mapping(job, "DefaultArguments").items()
        }
        why = f"{logical} does it"
        prefix = given.get("custom-logGroup-prefix", "/aws-glue/jobs")
        needs = [
            Need("s3:GetObject", _object(given.get(name, "?")), why)
            for name in ("pipeline_uri", "extra-py-files")
        ]
        needs += [Need("s3:GetObject", _object(text(job, "Command", "ScriptLocation")), why)]
        needs += [Need("s3:GetObject", f"arn:aws:s3:::{given.get('bronze_bucket', '?')}/x", why)]
        warehouse = re.search(r"\.warehouse=s3://([^/\s]+)", given.get("conf", ""))
        for bucket in (given.get("staging_bucket", "?"), warehouse[1] if warehouse else "?"):
            needs += [
                Need(a, f"arn:aws:s3:::{bucket}/x", why)
                for a in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
            ]
        needs += [
            Need("s3:ListBucket", f"arn:aws:s3:::{given.get(name, '?')}", why)
            for name in ("bronze_bucket", "staging_bucket")
        ]
        needs += [Need("s3:PutObject", f"arn:aws:s3:::{given.get('artifacts_bucket', '?')}/runs/x", why)]
        needs += [Need("s3:ListBucket", f"arn:aws:s3:::{given.get('artifacts_bucket', '?')}", why)]
        needs += [Need(a, key, why) for a in ("kms:GenerateDataKey", "kms:Decrypt")]
        database = given.get("silver_database", "?")
        for resource in ("catalog", f"database/{database}", f"table/{database}/x"):
            needs += [Need(action, f"{catalog}:{resource}", why) for action in TABLES]
        needs += [
            Need(
                "logs:PutLogEvents",
                f"arn:aws:logs:{region}:111122223333:log-group:{prefix}/output:x",
                why,
            )
        ]
        yield from _checked(deployment, job.get("Role"), logical, ("glue.amazonaws.com",), needs)


def _object(uri: str) -> str:
    return uri.replace("s3://", "arn:aws:s3:::") if uri.startswith("s3://") else "?"


def _warehouse(deployment: Deployment) -> Iterator[Finding]:
    services = ("redshift-serverless.amazonaws.com", "redshift.amazonaws.com")
    buckets = {
        text(job, "DefaultArguments", "--staging_bucket")
        for _, _, job in deployment.of_type("AWS::Glue::Job")
        if text(job, "DefaultArguments", "--staging_bucket")
    }
    for stack, logical, namespace in deployment.of_type("AWS::RedshiftServerless::Namespace"):
        roles = listed(namespace, "IamRoles")
        if not roles:
            where = deployment.place(stack, logical, "IamRoles")
            yield Finding(
                where, "has no role that COPY could read with", "IamRoles: [the copy role]", "MED-ACC-004"
            )
        for role in roles:
            needs = [Need("kms:Decrypt", _key(deployment), "COPY reads encrypted files")]
            for bucket in buckets:
                needs += [Need("s3:GetObject", f"arn:aws:s3:::{bucket}/x", "COPY reads it")]
                needs += [Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", "COPY lists it")]
            yield from _checked(deployment, role, logical, services, needs)


def _dashboards(deployment: Deployment) -> Iterator[Finding]:
    own = f"arn:aws:ec2:{deployment.settings.region}:111122223333"
    for _, logical, connection in deployment.of_type("AWS::QuickSight::VPCConnection"):
        why = f"{logical} makes its interfaces"
        groups = [
            f"security-group/{one}" for one in listed(connection, "SecurityGroupIds") if one is not UNKNOWN
        ]
        interfaces = {
            "ec2:CreateNetworkInterface": ["network-interface/x", "subnet/x", *groups],
            "ec2:ModifyNetworkInterfaceAttribute": ["network-interface/x", *groups],
            "ec2:DeleteNetworkInterface": ["network-interface/x"],
        }
        needs = [Need(action, f"{own}:{kind}", why) for action, kinds in interfaces.items() for kind in kinds]
        needs += [Need(a, ANYWHERE, why) for a in ("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups")]
        yield from _checked(
            deployment, connection.get("RoleArn"), logical, ("quicksight.amazonaws.com",), needs
        )


def _monitoring(deployment: Deployment) -> Iterator[Finding]:
    """RDS's monitoring and the network's flow logs write logs as roles of their own."""
    writes = ("logs:CreateLogStream", "logs:PutLogEvents")
    for _, logical, database in deployment.of_type("AWS::RDS::DBInstance"):
        if role := database.get("MonitoringRoleArn"):
            needs = [Need(a, ANYWHERE, f"{logical} writes what it measures") for a in writes]
            yield from _checked(deployment, role, logical, ("monitoring.rds.amazonaws.com",), needs)
    region = deployment.settings.region
    for _, logical, flow in deployment.of_type("AWS::EC2::FlowLog"):
        group = f"arn:aws:logs:{region}:111122223333:log-group:{text(flow, 'LogGroupName') or '?'}:x"
        needs = [Need(a, group, f"{logical} writes it") for a in writes]
        role = flow.get("DeliverLogsPermissionArn")
        yield from _checked(deployment, role, logical, ("vpc-flow-logs.amazonaws.com",), needs)
