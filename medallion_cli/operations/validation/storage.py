"""Keys, databases, logs, queues, topics and secrets: encrypted, lasting, and nothing that grows without end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import (
    UNKNOWN,
    at,
    leaves,
    listed,
    mapping,
    text,
    truthy,
)
from medallion_cli.operations.validation.policies import principal_allowed

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
# What may not vanish with its stack; a namespace keeps its rows by a final snapshot instead.
LASTING = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::RDS::DBInstance")
# type → (property, why): what is encrypted, and by the environment's key
ENCRYPTED = {
    "AWS::RDS::DBInstance": ("StorageEncrypted", "KmsKeyId"),
    "AWS::DMS::ReplicationInstance": ("KmsKeyId",),
    "AWS::RedshiftServerless::Namespace": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
}
PASSWORDS = ("MasterUserPassword", "AdminUserPassword", "Password", "SecretString", "MasterPassword")


def storage_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in what an environment stores."""
    yield from _lasting(deployment)
    yield from _keys(deployment)
    yield from _encrypted(deployment)
    yield from _logs(deployment)
    yield from _topics(deployment)
    yield from _secrets(deployment)


def _lasting(deployment: Deployment) -> Iterator[Finding]:
    for stack in deployment.stacks.values():
        for logical, resource in mapping(stack.template, "Resources").items():
            if at(resource, "Type") in LASTING:
                for key in ("DeletionPolicy", "UpdateReplacePolicy"):
                    if at(resource, key) not in KEPT:
                        where = f"infra_templates/{stack.name}.yaml Resources.{logical}.{key}"
                        what = f"is {at(resource, key)}: the data would be deleted with it"
                        keep = "Snapshot" if at(resource, "Type") == "AWS::RDS::DBInstance" else "Retain"
                        yield Finding(where, what, f"{key}: {keep}", "MED-STO-020")
    for name, logical, namespace in deployment.of_type("AWS::RedshiftServerless::Namespace"):
        kept = at(deployment.stacks[name].template, "Resources", logical, "DeletionPolicy")
        if kept not in KEPT and not namespace.get("FinalSnapshotName"):
            where = deployment.place(name, logical, "FinalSnapshotName")
            yield Finding(
                where,
                "gold would be deleted with it",
                "FinalSnapshotName, or DeletionPolicy: Retain",
                "MED-STO-020",
            )


def _keys(deployment: Deployment) -> Iterator[Finding]:
    for stack, logical, key in deployment.of_type("AWS::KMS::Key"):
        if not truthy(key.get("EnableKeyRotation")):
            where = deployment.place(stack, logical, "EnableKeyRotation")
            yield Finding(where, "the key is never rotated", "EnableKeyRotation: true", "MED-STO-030")
        policy, where = key.get("KeyPolicy"), deployment.place(stack, logical, "KeyPolicy")
        administered = any(
            text(s, "Effect") == "Allow"
            and any(str(p).endswith(":root") for p in listed(s, "Principal", "AWS"))
            and "kms:*" in listed(s, "Action")
            for s in listed(policy, "Statement")
        )
        if not administered:
            what = "nobody could administer the key, nor would policies of roles count"
            yield Finding(where, what, "Allow kms:* to the account's root", "MED-STO-031")
        for number, statement in enumerate(listed(policy, "Statement")):
            if text(statement, "Effect") == "Allow" and at(statement, "Principal") in ("*", {"AWS": "*"}):
                what = "everybody may use the key"
                yield Finding(f"{where}.Statement[{number}]", what, "name who may", "MED-STO-031")
        yield from _key_users(deployment, where, policy)


def _key_users(deployment: Deployment, where: str, policy: Any) -> Iterator[Finding]:
    """Services that use the key for themselves, and so need it in the key's own policy."""
    needs = []
    if any("KmsKeyId" in group for _, _, group in deployment.of_type("AWS::Logs::LogGroup")):
        needs += [
            (f"logs.{deployment.settings.region}.amazonaws.com", "kms:GenerateDataKey", "encrypts log groups")
        ]
    if any("KmsMasterKeyId" in topic for _, _, topic in deployment.of_type("AWS::SNS::Topic")):
        for service in _publishers(deployment):
            needs += [(service, a, "publishes to the topic") for a in ("kms:Decrypt", "kms:GenerateDataKey")]
    for service, action, why in needs:
        if not principal_allowed(policy, service, action):
            yield Finding(
                where,
                f"does not let {service} {action}, and it {why}",
                f"allow {action} to {service}",
                "MED-STO-032",
            )


def _publishers(deployment: Deployment) -> list[str]:
    found = []
    if any(alarm.get("AlarmActions") for _, _, alarm in deployment.of_type("AWS::CloudWatch::Alarm")):
        found.append("cloudwatch.amazonaws.com")
    targets = [
        text(t, "Arn")
        for _, _, rule in deployment.of_type("AWS::Events::Rule")
        for t in listed(rule, "Targets")
    ]
    if any(":sns:" in target for target in targets):
        found.append("events.amazonaws.com")
    return found


def _encrypted(deployment: Deployment) -> Iterator[Finding]:
    for kind, keys in ENCRYPTED.items():
        for stack, logical, properties in deployment.of_type(kind):
            for key in keys:
                value = properties.get(key)
                if not value or (key == "StorageEncrypted" and value is not UNKNOWN and not truthy(value)):
                    where = deployment.place(stack, logical, key)
                    yield Finding(
                        where, "is not encrypted with the environment's key", f"set {key}", "MED-STO-033"
                    )
    for stack, logical, queue in deployment.of_type("AWS::SQS::Queue"):
        if not truthy(queue.get("SqsManagedSseEnabled")) and not queue.get("KmsMasterKeyId"):
            where = deployment.place(stack, logical, "SqsManagedSseEnabled")
            yield Finding(where, "is not encrypted", "SqsManagedSseEnabled: true", "MED-STO-033")


def _logs(deployment: Deployment) -> Iterator[Finding]:
    groups = {}
    for stack, logical, group in deployment.of_type("AWS::Logs::LogGroup"):
        groups[text(group, "LogGroupName")] = group
        if not group.get("RetentionInDays"):
            where = deployment.place(stack, logical, "RetentionInDays")
            yield Finding(where, "is kept for ever, and paid for", "RetentionInDays: 30", "MED-STO-040")
    for stack, logical, function in deployment.of_type("AWS::Lambda::Function"):
        if f"/aws/lambda/{text(function, 'FunctionName')}" not in groups:
            what = "has no log group: Lambda makes one that is kept for ever"
            remedy = "an AWS::Logs::LogGroup named /aws/lambda/<function> with RetentionInDays"
            yield Finding(deployment.place(stack, logical), what, remedy, "MED-STO-040")


def _topics(deployment: Deployment) -> Iterator[Finding]:
    """Alarms and rules may publish to the topic."""
    policies = [p for _, _, p in deployment.of_type("AWS::SNS::TopicPolicy")]
    services = _publishers(deployment)
    for stack, logical, _ in deployment.of_type("AWS::SNS::Topic"):
        from medallion_cli.operations.validation.replication import _arn

        arn = _arn(deployment, stack, logical)
        own = [p for p in policies if arn in listed(p, "Topics")]
        for service in services:
            if not any(
                principal_allowed(p.get("PolicyDocument"), service, "sns:Publish", str(arn)) for p in own
            ):
                where = deployment.place(stack, logical)
                what = f"no topic policy lets {service} publish: its alarms would be lost"
                yield Finding(
                    where,
                    what,
                    f"an AWS::SNS::TopicPolicy that allows sns:Publish to {service}",
                    "MED-STO-041",
                )


def _secrets(deployment: Deployment) -> Iterator[Finding]:
    """Passwords are dynamic references; templates, parameters and variables hold none."""
    for stack in deployment.stacks.values():
        for logical, resource in stack.resources.items():
            for path, value in leaves(mapping(resource, "Properties")):
                key = str(path[-1]) if path else ""
                if (
                    key in PASSWORDS
                    and isinstance(value, str)
                    and not value.startswith("{{resolve:secretsmanager:")
                ):
                    where = deployment.place(stack.name, logical, *path)
                    yield Finding(
                        where, "is a password in the open", "{{resolve:secretsmanager:…}}", "MED-SEC-101"
                    )
                if "Variables" in path and "{{resolve:" in str(value):
                    where = deployment.place(stack.name, logical, *path)
                    yield Finding(
                        where,
                        "shows the secret to all who can read the function",
                        "the secret's ARN",
                        "MED-SEC-104",
                    )
        for name, entry in mapping(stack.template, "Parameters").items():
            if any(
                word in name.lower() for word in ("password", "secretstring", "token")
            ) and not name.endswith("Arn"):
                where = f"infra_templates/{stack.name}.yaml Parameters.{name}"
                yield Finding(
                    where,
                    "a secret as a parameter is seen by all who can describe the stack",
                    "a generated secret",
                    "MED-SEC-105",
                )
                del entry
