"""Buckets, keys, logs, queues and topics: private, encrypted, over TLS only, and nothing that grows without end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import (
    UNKNOWN,
    Document,
    at,
    leaves,
    listed,
    mapping,
    text,
    truthy,
)
from medallion_cli.operations.validation.physical import name as physical_name
from medallion_cli.operations.validation.policies import like, principal_allowed

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
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
OLD_VERSIONS = {"NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays"}
COLD = ("GLACIER", "DEEP_ARCHIVE")
PASSWORDS = ("MasterUserPassword", "AdminUserPassword", "Password", "SecretString", "MasterPassword")


def storage_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in what an environment stores."""
    for stack, logical, bucket in deployment.of_type("AWS::S3::Bucket"):
        yield from _bucket(deployment, stack, logical, bucket)
        yield from _lifecycle(deployment, stack, logical, bucket)
        yield from _bucket_policies(deployment, stack, logical, bucket)
    yield from _lasting(deployment)
    yield from _keys(deployment)
    yield from _encrypted(deployment)
    yield from _logs(deployment)
    yield from _topics(deployment)
    yield from _secrets(deployment)


def _bucket(deployment: Deployment, stack: str, logical: str, bucket: Document) -> Iterator[Finding]:
    for key in BLOCKED:
        if not truthy(at(bucket, "PublicAccessBlockConfiguration", key)):
            where = deployment.place(stack, logical, "PublicAccessBlockConfiguration", key)
            yield Finding(where, "the bucket can be made public", f"{key}: true", "MED-STO-001")
    owners = [text(rule, "ObjectOwnership") for rule in listed(bucket, "OwnershipControls", "Rules")]
    if owners != ["BucketOwnerEnforced"] or "AccessControl" in bucket:
        where = deployment.place(
            stack, logical, "AccessControl" if "AccessControl" in bucket else "OwnershipControls"
        )
        yield Finding(
            where,
            "access lists can open it",
            "ObjectOwnership: BucketOwnerEnforced, no AccessControl",
            "MED-STO-002",
        )
    rules = listed(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration")
    algorithms = {text(rule, "ServerSideEncryptionByDefault", "SSEAlgorithm") for rule in rules}
    keys = [at(rule, "ServerSideEncryptionByDefault", "KMSMasterKeyID") for rule in rules]
    if not algorithms or not algorithms <= {"aws:kms", "aws:kms:dsse"} or not all(keys):
        where = deployment.place(stack, logical, "BucketEncryption")
        yield Finding(
            where,
            "is not encrypted with the environment's key",
            "SSEAlgorithm: aws:kms with KMSMasterKeyID",
            "MED-STO-003",
        )
    if rules and not all(truthy(at(rule, "BucketKeyEnabled")) for rule in rules):
        where = deployment.place(stack, logical, "BucketEncryption")
        yield Finding(
            where, "every file is a call to KMS that is paid for", "BucketKeyEnabled: true", "MED-STO-003"
        )
    if "WebsiteConfiguration" in bucket:
        where = deployment.place(stack, logical, "WebsiteConfiguration")
        yield Finding(where, "serves the layer as a web site", "take it out", "MED-STO-001")


def _lifecycle(deployment: Deployment, stack: str, logical: str, bucket: Document) -> Iterator[Finding]:
    where = deployment.place(stack, logical, "LifecycleConfiguration")
    rules = [rule for rule in listed(bucket, "LifecycleConfiguration", "Rules") if isinstance(rule, dict)]
    live = [rule for rule in rules if rule.get("Status") == "Enabled"]
    if not any("AbortIncompleteMultipartUpload" in rule and not rule.get("Prefix") for rule in live):
        yield Finding(
            where,
            "parts of broken uploads are kept and paid for",
            "AbortIncompleteMultipartUpload, Enabled",
            "MED-STO-004",
        )
    for rule in rules:
        if rule.get("Status") != "Enabled":
            what = f"rule {text(rule, 'Id')} is {text(rule, 'Status') or 'without a Status'}"
            yield Finding(where, what, "Status: Enabled", "MED-STO-004")
    versioned = text(bucket, "VersioningConfiguration", "Status") == "Enabled"
    if versioned and not any(rule.keys() & OLD_VERSIONS for rule in live):
        what = "old versions never expire: DMS's test of the endpoint lists them all and times out"
        yield Finding(where, what, "NoncurrentVersionExpiration, or no versioning", "MED-STO-005")
    for rule in live:
        yield from _rule(where, logical, rule)


def _rule(where: str, logical: str, rule: Document) -> Iterator[Finding]:
    for transition in [*listed(rule, "Transitions"), *listed(rule, "Transition")]:
        if text(transition, "StorageClass") in COLD:
            what = (
                f"{text(transition, 'StorageClass')}: Spark cannot read files there until they are restored"
            )
            yield Finding(where, what, "INTELLIGENT_TIERING", "MED-STO-006")
    expires = rule.keys() & {"ExpirationInDays", "ExpirationDate"}
    if expires and logical in ("SilverBucket", "ArtifactsBucket") and not rule.get("Prefix"):
        what = (
            f"rule {text(rule, 'Id')} deletes files that Iceberg's tables, or a run that goes on, still need"
        )
        yield Finding(where, what, "a Prefix, or none of it: silver is cleaned by its own job", "MED-STO-007")
    if expires and str(rule.get("ExpirationInDays", "1")) == "0":
        yield Finding(where, "files vanish before they are read", "at least one day", "MED-STO-007")


def _bucket_policies(deployment: Deployment, stack: str, logical: str, bucket: Document) -> Iterator[Finding]:
    name = physical_name(f"{deployment.settings.prefix}-{stack}/{logical}", "AWS::S3::Bucket", bucket)
    policies = [
        (s, n, p) for s, n, p in deployment.of_type("AWS::S3::BucketPolicy") if p.get("Bucket") == name
    ]
    if not any(_only_tls(policy, f"arn:aws:s3:::{name}") for _, _, policy in policies):
        where = (
            deployment.place(*policies[0][:2], "PolicyDocument")
            if policies
            else deployment.place(stack, logical)
        )
        what = "takes requests without TLS"
        remedy = "a policy that denies s3:* to * on bucket and objects where aws:SecureTransport is false"
        yield Finding(where, what, remedy, "MED-STO-010")
    for owner, policy_name, policy in policies:
        for number, statement in enumerate(listed(policy, "PolicyDocument", "Statement")):
            yield from _statement(
                deployment.place(owner, policy_name, "PolicyDocument", "Statement", number), statement
            )


def _only_tls(policy: Document, arn: str) -> bool:
    """Some statement denies everything, to everybody, on the bucket and its objects, without TLS."""
    return any(
        text(s, "Effect") == "Deny"
        and at(s, "Principal") in ("*", {"AWS": "*"})
        and listed(s, "Action") == ["s3:*"]
        and all(any(like(str(r), one) for r in listed(s, "Resource")) for one in (arn, f"{arn}/x"))
        and _flat(at(s, "Condition")) == {("Bool", "aws:securetransport", "false")}
        for s in listed(policy, "PolicyDocument", "Statement")
    )


def _flat(condition: Any) -> set[tuple[str, str, str]]:
    return {
        (operator, key.lower(), str(value).lower())
        for operator, pairs in mapping(condition).items()
        for key, values in mapping(pairs).items()
        for value in (values if isinstance(values, list) else [values])
    }


def _statement(where: str, statement: Any) -> Iterator[Finding]:
    if text(statement, "Effect") == "Allow" and "*" in [
        at(statement, "Principal"),
        *listed(statement, "Principal", "AWS"),
    ]:
        yield Finding(
            where, "lets everybody in", "name who may; the roles have policies of their own", "MED-STO-011"
        )
    for path, value in leaves(at(statement, "Condition")):
        if "s3:signatureage" in str(path[1:2]).lower() and str(value).isdigit() and int(value) < 3_600_000:
            what = f"refuses signatures older than {value} ms: Redshift's COPY from Parquet signs for an hour"
            yield Finding(where, what, "s3:signatureAge of at least 3600000", "MED-STO-012")


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
