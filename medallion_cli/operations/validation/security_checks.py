"""Checks of single properties by resource type, each named by the check of checkov's that it answers to, where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medallion_cli.operations.validation.documents import Document, at, truthy
from medallion_cli.operations.validation.iam_values import branches

BUCKET = "AWS::S3::Bucket"
OWN_KEY = "is not encrypted by a key of the environment's"


@dataclass(frozen=True)
class Check:
    """A property has to pass a test; `name` is checkov's id, or one of our own."""

    code: str
    name: str
    path: str  # dotted
    passes: Callable[[Any], bool]
    what: str
    remedy: str

    def concerns(self, properties: Document) -> bool:
        """S3 is always spoken to over TLS; the mode is for endpoints that are databases."""
        return self.path != "SslMode" or properties.get("EngineName") != "s3"


def _on(value: Any) -> bool:
    """Given and not off; what a parameter or a function gives is taken as on."""
    return all(truthy(one) or isinstance(one, dict) for one in branches(value)) and bool(branches(value))


def _off(value: Any) -> bool:
    return all(str(one).lower() == "false" or isinstance(one, dict) for one in branches(value))


def _stated_off(value: Any) -> bool:
    return bool(branches(value)) and _off(value)


def _given(value: Any) -> bool:
    return any(one not in ("", [], {}) for one in branches(value))


def _days(value: Any) -> bool:
    """At least one."""
    return all(isinstance(one, dict) or (str(one).isdigit() and int(one) > 0) for one in branches(value))


def _kms(value: Any) -> bool:
    rules = [one for one in branches(value) if isinstance(one, dict)]
    algorithms = [at(one, "ServerSideEncryptionByDefault", "SSEAlgorithm") for one in rules]
    return bool(algorithms) and all(
        isinstance(a, dict) or a in ("aws:kms", "aws:kms:dsse") for a in algorithms
    )


def _verified(value: Any) -> bool:
    """A source's connection: TLS with a certificate that is checked, by default at least."""
    first = next(iter(branches(value)), "none")
    return first in ("verify-ca", "verify-full") or isinstance(first, dict)


CHECKS = {
    BUCKET: (
        Check(
            "001",
            "CKV_AWS_53",
            "PublicAccessBlockConfiguration.BlockPublicAcls",
            _on,
            "takes public ACLs",
            "BlockPublicAcls: true",
        ),
        Check(
            "001",
            "CKV_AWS_54",
            "PublicAccessBlockConfiguration.BlockPublicPolicy",
            _on,
            "takes a public policy",
            "BlockPublicPolicy: true",
        ),
        Check(
            "001",
            "CKV_AWS_55",
            "PublicAccessBlockConfiguration.IgnorePublicAcls",
            _on,
            "heeds public ACLs",
            "IgnorePublicAcls: true",
        ),
        Check(
            "001",
            "CKV_AWS_56",
            "PublicAccessBlockConfiguration.RestrictPublicBuckets",
            _on,
            "can be public",
            "RestrictPublicBuckets: true",
        ),
        Check(
            "002", "CKV_AWS_18", "LoggingConfiguration", _given, "keeps no access log", "LoggingConfiguration"
        ),
        Check(
            "003",
            "CKV_AWS_21",
            "VersioningConfiguration",
            _given,
            "keeps no versions",
            "VersioningConfiguration",
        ),
        Check(
            "004",
            "CKV_AWS_145",
            "BucketEncryption.ServerSideEncryptionConfiguration",
            _kms,
            OWN_KEY,
            "SSEAlgorithm: aws:kms",
        ),
    ),
    "AWS::RDS::DBInstance": (
        Check("005", "CKV_AWS_16", "StorageEncrypted", _on, "is not encrypted", "StorageEncrypted: true"),
        Check(
            "006",
            "CKV_AWS_17",
            "PubliclyAccessible",
            _stated_off,
            "has a public address",
            "PubliclyAccessible: false",
        ),
        Check(
            "007", "CKV_AWS_133", "BackupRetentionPeriod", _days, "has no backups", "BackupRetentionPeriod: 7"
        ),
        Check(
            "008",
            "CKV_AWS_293",
            "DeletionProtection",
            _on,
            "can be deleted by mistake",
            "DeletionProtection: true",
        ),
        Check(
            "009",
            "CKV_AWS_129",
            "EnableCloudwatchLogsExports",
            _given,
            "exports no log",
            "EnableCloudwatchLogsExports",
        ),
        Check(
            "010",
            "CKV_AWS_161",
            "EnableIAMDatabaseAuthentication",
            _on,
            "has no sign-in by IAM",
            "EnableIAMDatabaseAuthentication: true",
        ),
        Check(
            "011",
            "CKV_AWS_226",
            "AutoMinorVersionUpgrade",
            _on,
            "gets no fixes",
            "AutoMinorVersionUpgrade: true",
        ),
    ),
    "AWS::DMS::ReplicationInstance": (
        Check(
            "006",
            "CKV_AWS_89",
            "PubliclyAccessible",
            _stated_off,
            "has a public address",
            "PubliclyAccessible: false",
        ),
        Check(
            "011",
            "CKV_AWS_222",
            "AutoMinorVersionUpgrade",
            _on,
            "gets no fixes",
            "AutoMinorVersionUpgrade: true",
        ),
        Check("012", "CKV_AWS_212", "KmsKeyId", _given, OWN_KEY, "KmsKeyId"),
    ),
    "AWS::RedshiftServerless::Workgroup": (
        Check(
            "006",
            "MED_1",
            "PubliclyAccessible",
            _stated_off,
            "has a public address",
            "PubliclyAccessible: false",
        ),
        Check(
            "013",
            "MED_2",
            "EnhancedVpcRouting",
            _on,
            "reads S3 outside of the network",
            "EnhancedVpcRouting: true",
        ),
    ),
    "AWS::RedshiftServerless::Namespace": (
        Check("012", "MED_3", "KmsKeyId", _given, OWN_KEY, "KmsKeyId"),
        Check("014", "MED_4", "LogExports", _given, "keeps no record of who asked what", "LogExports"),
    ),
    "AWS::KMS::Key": (
        Check("015", "CKV_AWS_7", "EnableKeyRotation", _on, "is never rotated", "EnableKeyRotation: true"),
    ),
    "AWS::Logs::LogGroup": (
        Check("016", "CKV_AWS_158", "KmsKeyId", _given, OWN_KEY, "KmsKeyId"),
        Check("017", "CKV_AWS_66", "RetentionInDays", _given, "is kept for ever", "RetentionInDays"),
    ),
    "AWS::SNS::Topic": (
        Check("012", "CKV_AWS_26", "KmsMasterKeyId", _given, "is not encrypted", "KmsMasterKeyId"),
    ),
    "AWS::SecretsManager::Secret": (Check("012", "CKV_AWS_149", "KmsKeyId", _given, OWN_KEY, "KmsKeyId"),),
    "AWS::Lambda::Function": (
        Check(
            "012",
            "CKV_AWS_173",
            "KmsKeyArn",
            _given,
            "has variables that no key of the environment's encrypts",
            "KmsKeyArn",
        ),
        Check(
            "018", "CKV_AWS_117", "VpcConfig.SubnetIds", _given, "runs outside of the network", "VpcConfig"
        ),
        Check(
            "019",
            "CKV_AWS_115",
            "ReservedConcurrentExecutions",
            _given,
            "has no limit",
            "ReservedConcurrentExecutions",
        ),
        Check(
            "020",
            "CKV_AWS_116",
            "DeadLetterConfig",
            _given,
            "loses events that it fails on",
            "DeadLetterConfig",
        ),
    ),
    "AWS::StepFunctions::StateMachine": (
        Check(
            "021",
            "CKV_AWS_284",
            "LoggingConfiguration.Destinations",
            _given,
            "keeps no log",
            "LoggingConfiguration",
        ),
    ),
    "AWS::Glue::Job": (
        Check(
            "022",
            "CKV_AWS_195",
            "SecurityConfiguration",
            _given,
            "has no security configuration",
            "SecurityConfiguration",
        ),
    ),
    "AWS::DMS::Endpoint": (
        Check("023", "MED_5", "SslMode", _verified, "does not check whom it speaks to", "SslMode: verify-ca"),
    ),
    "AWS::EC2::Subnet": (
        Check(
            "024",
            "CKV_AWS_130",
            "MapPublicIpOnLaunch",
            _off,
            "gives public addresses",
            "MapPublicIpOnLaunch: false",
        ),
    ),
}
