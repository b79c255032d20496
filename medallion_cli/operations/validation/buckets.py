"""Buckets: private, encrypted, over TLS only, and with an end for what nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import Document, at, leaves, listed, mapping, text, truthy
from medallion_cli.operations.validation.physical import name as physical_name
from medallion_cli.operations.validation.policies import like

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
OLD_VERSIONS = {"NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays"}
COLD = ("GLACIER", "DEEP_ARCHIVE")
ACTIONS = OLD_VERSIONS | {
    "AbortIncompleteMultipartUpload",
    "ExpirationDate",
    "ExpirationInDays",
    "ExpiredObjectDeleteMarker",
    "NoncurrentVersionTransition",
    "NoncurrentVersionTransitions",
    "Transition",
    "Transitions",
}


def bucket_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's buckets and their policies."""
    for stack, logical, bucket in deployment.of_type("AWS::S3::Bucket"):
        yield from _bucket(deployment, stack, logical, bucket)
        yield from _lifecycle(deployment, stack, logical, bucket)
        yield from _bucket_policies(deployment, stack, logical, bucket)


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
    if not rule.keys() & ACTIONS:
        what = f"rule {text(rule, 'Id')} says what and not what becomes of it: S3 refuses the rule"
        yield Finding(where, what, "ExpirationInDays, or another action", "MED-STO-008")
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
            place = deployment.place(owner, policy_name, "PolicyDocument", "Statement", number)
            yield from _statement(place, statement, f"arn:aws:s3:::{name}")


def _only_tls(policy: Document, arn: str) -> bool:
    """Some statement denies everything, to everybody, on the bucket and its objects, without TLS."""
    return any(
        text(s, "Effect") == "Deny"
        and at(s, "Principal") in ("*", {"AWS": "*"})
        and listed(s, "Action") == ["s3:*"]
        and all(_reaches(s, one) for one in (arn, f"{arn}/x"))
        and _flat(at(s, "Condition")) == {("Bool", "aws:securetransport", "false")}
        for s in listed(policy, "PolicyDocument", "Statement")
    )


def _reaches(statement: Any, arn: str) -> bool:
    return any(like(str(one), arn) for one in listed(statement, "Resource"))


def _flat(condition: Any) -> set[tuple[str, str, str]]:
    return {
        (operator, key.lower(), str(value).lower())
        for operator, pairs in mapping(condition).items()
        for key, values in mapping(pairs).items()
        for value in (values if isinstance(values, list) else [values])
    }


def _statement(where: str, statement: Any, arn: str) -> Iterator[Finding]:
    if text(statement, "Effect") == "Allow" and "*" in [
        at(statement, "Principal"),
        *listed(statement, "Principal", "AWS"),
    ]:
        yield Finding(
            where, "lets everybody in", "name who may; the roles have policies of their own", "MED-STO-011"
        )
    if text(statement, "Effect") == "Deny" and not all(_reaches(statement, one) for one in (arn, f"{arn}/x")):
        what = "denies for the bucket or for its objects, and leaves the other open"
        yield Finding(f"{where}.Resource", what, "the bucket's ARN, and that with /*", "MED-STO-013")
    for path, value in leaves(at(statement, "Condition")):
        if "s3:signatureage" in str(path[1:2]).lower() and str(value).isdigit() and int(value) < 3_600_000:
            what = f"refuses signatures older than {value} ms: Redshift's COPY from Parquet signs for an hour"
            yield Finding(where, what, "s3:signatureAge of at least 3600000", "MED-STO-012")
