"""The security scan: the shipped templates are clean, and what is opened, decrypted or told is found by its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from medallion_cli.operations.validation.accepted import EXCEPTIONS, accepted
from medallion_cli.operations.validation.security_checks import CHECKS
from medallion_cli.operations.validation.security_rules import findings

Document = dict[str, Any]


def found(documents: dict[str, Document], stack: str, change: Callable[[Document], Any]) -> list[str]:
    template = copy.deepcopy(documents[stack])
    change(template["Resources"])
    return [str(finding) for finding in findings(stack, template)]


def test_the_shipped_templates_are_clean(documents: dict[str, Document]) -> None:
    assert [str(one) for stack in documents for one in findings(stack, documents[stack])] == []


def setting(logical: str, *path: str, to: Any = None) -> Callable[[Document], None]:
    """Sets a property, or takes it away."""

    def change(resources: Document) -> None:
        inner = resources[logical]["Properties"]
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        if to is None:
            inner.pop(path[-1], None)
        else:
            inner[path[-1]] = to

    return change


def adding(logical: str, kind: str, **properties: Any) -> Callable[[Document], None]:
    """Adds a resource."""
    return lambda resources: resources.__setitem__(logical, {"Type": kind, "Properties": properties})


BLOCK = "PublicAccessBlockConfiguration"
PLAIN = [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]


@pytest.mark.parametrize(
    ("stack", "change", "code"),
    [
        ("storage", setting("BronzeBucket", BLOCK), "MED-SCAN-001"),
        ("storage", setting("SilverBucket", BLOCK, "IgnorePublicAcls", to=False), "MED-SCAN-001"),
        ("storage", setting("SilverBucket", "AccessControl", to="PublicRead"), "MED-SCAN-001"),
        ("storage", setting("BronzeBucket", "BucketEncryption"), "MED-SCAN-004"),
        ("storage", setting("BronzeBucket", "BucketEncryption", "ServerSideEncryptionConfiguration", to=PLAIN), "MED-SCAN-004"),
        ("storage", setting("Key", "EnableKeyRotation", to=False), "MED-SCAN-015"),
        ("storage", lambda r: r.pop("StagingBucketPolicy"), "MED-SCAN-032"),
        ("storage", adding("Extra", "AWS::S3::Bucket"), "MED-SCAN-001"),
        ("source", setting("Database", "StorageEncrypted", to=False), "MED-SCAN-005"),
        ("source", setting("Database", "PubliclyAccessible", to=True), "MED-SCAN-006"),
        ("source", setting("Database", "PubliclyAccessible"), "MED-SCAN-006"),
        ("source", setting("Database", "BackupRetentionPeriod", to=0), "MED-SCAN-007"),
        ("source", setting("Database", "DeletionProtection"), "MED-SCAN-008"),
        ("source", setting("Database", "EnableCloudwatchLogsExports", to=[]), "MED-SCAN-009"),
        ("source", setting("Database", "MasterUserPassword", to="hunter2"), "MED-SCAN-040"),
        ("source", setting("Database", "MasterUserPassword", to={"Ref": "DatabasePassword"}), "MED-SCAN-040"),
        ("source", setting("SourceFunction", "VpcConfig"), "MED-SCAN-018"),
        ("source", setting("SourceFunction", "KmsKeyArn"), "MED-SCAN-012"),
        ("source", setting("SourceFunction", "Environment", "Variables", "API_TOKEN", to="abcdef"), "MED-SCAN-040"),
        ("source", setting("SourceFunction", "Environment", "Variables", "X", to="AKIAABCDEFGHIJKLMNOP"), "MED-SCAN-042"),
        ("source", setting("SourceFunctionLogs", "KmsKeyId"), "MED-SCAN-016"),
        ("source", setting("SourceFunctionLogs", "RetentionInDays"), "MED-SCAN-017"),
        ("source", setting("SourceSecret", "KmsKeyId"), "MED-SCAN-012"),
        ("replication", setting("Instance", "PubliclyAccessible", to=True), "MED-SCAN-006"),
        ("replication", setting("Instance", "KmsKeyId"), "MED-SCAN-012"),
        ("replication", setting("SourceEndpoint", "SslMode", to="none"), "MED-SCAN-023"),
        ("replication", setting("SourceEndpoint", "SslMode", to={"Fn::If": ["WithTls", "none", "none"]}), "MED-SCAN-023"),
        ("replication", setting("SourceEndpoint", "SslMode"), "MED-SCAN-023"),
        ("replication", setting("SourceEndpoint", "Password", to="x"), "MED-SCAN-040"),
        ("warehouse", setting("Workgroup", "PubliclyAccessible", to=True), "MED-SCAN-006"),
        ("warehouse", setting("Workgroup", "EnhancedVpcRouting", to=False), "MED-SCAN-013"),
        ("warehouse", setting("Namespace", "LogExports", to=[]), "MED-SCAN-014"),
        ("warehouse", setting("Namespace", "KmsKeyId"), "MED-SCAN-012"),
        ("orchestration", setting("Topic", "KmsMasterKeyId"), "MED-SCAN-012"),
        ("orchestration", setting("Machine", "LoggingConfiguration"), "MED-SCAN-021"),
        ("network", setting("PrivateSubnet2", "MapPublicIpOnLaunch", to=True), "MED-SCAN-024"),
        ("network", setting("EndpointSecurityGroup", "SecurityGroupIngress",
                            to=[{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]), "MED-SCAN-031"),
        ("network", adding("Way", "AWS::EC2::InternetGateway"), "MED-SCAN-030"),
        ("network", adding("In", "AWS::EC2::SecurityGroupIngress", IpProtocol="-1", CidrIpv6="::/0"), "MED-SCAN-031"),
    ],
)  # fmt: skip
def test_what_is_opened_or_told_is_found(
    documents: dict[str, Document], stack: str, change: Callable[[Document], Any], code: str
) -> None:
    said = found(documents, stack, change)
    assert any(code in one for one in said), said
    assert all(f"infra_templates/{stack}.yaml Resources." in one and "→" in one for one in said)


def test_a_parameter_for_a_password_is_found() -> None:
    template = {"Parameters": {"DatabasePassword": {"Type": "String", "NoEcho": True}}, "Resources": {}}
    assert "MED-SCAN-041" in str(next(findings("source", template)))


def test_an_output_of_a_secret_is_found() -> None:
    value = {"Fn::Sub": "{{resolve:secretsmanager:${SourceSecret}:SecretString:password}}"}
    assert "MED-SCAN-041" in str(
        next(findings("source", {"Resources": {}, "Outputs": {"P": {"Value": value}}}))
    )


def test_an_exception_is_of_one_check_and_one_resource() -> None:
    assert accepted("CKV_AWS_21", "AWS::S3::Bucket.BronzeBucket")
    assert accepted("CKV_AWS_21", "AWS::RDS::DBInstance.Database") is None
    assert accepted("CKV_AWS_16", "AWS::RDS::DBInstance.Database") is None


def test_exceptions_are_few_and_each_has_a_reason() -> None:
    assert len(EXCEPTIONS) <= 12
    assert all(len(one.reason.split()) >= 4 for one in EXCEPTIONS)


def test_codes_are_of_one_meaning() -> None:
    """A code names one kind of remedy within a type."""
    for kind, checks in CHECKS.items():
        assert len({check.name for check in checks}) == len(checks), kind
