"""Rights by which a role makes itself others: each alone, or as a pair, is a known way to everything the account has.

https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html; the ways are those that Rhino Security Labs collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medallion_cli.operations.validation.documents import Document, mapping
from medallion_cli.operations.validation.iam_reference import matches
from medallion_cli.operations.validation.iam_values import branches

# Rights that change rights.
POLICY_CHANGING = (
    "iam:AddUserToGroup", "iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy",
    "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:CreateRole",
    "iam:DeletePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy", "iam:PutGroupPolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
    "iam:PutUserPolicy", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy", "iam:UpdateLoginProfile",
    "kms:CreateGrant", "kms:PutKeyPolicy", "lambda:AddPermission", "s3:PutBucketPolicy", "s3:PutBucketAcl",
    "s3:PutObjectAcl", "s3:DeleteBucketPolicy", "secretsmanager:PutResourcePolicy", "sns:AddPermission",
    "sns:SetTopicAttributes", "sqs:AddPermission", "sqs:SetQueueAttributes", "sts:AssumeRole",
)  # fmt: skip
# Code that runs as a role which is there already, or is passed to it.
CODE_CHANGING = (
    "cloudformation:CreateStack", "cloudformation:UpdateStack", "ec2:RunInstances", "glue:CreateDevEndpoint",
    "glue:CreateJob", "glue:UpdateDevEndpoint", "glue:UpdateJob", "lambda:CreateEventSourceMapping",
    "lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "ssm:SendCommand",
    "states:CreateStateMachine", "states:UpdateStateMachine",
)  # fmt: skip


def escalations(statement: Document, resources: list[str]) -> Iterator[tuple[str, str, str]]:
    """(right, what, remedy) of every right in an Allow by which its holder gets others."""
    given = [one for one in branches(statement.get("Action")) if isinstance(one, str)]
    for right in (*POLICY_CHANGING, *CODE_CHANGING):
        if any(matches(one.lower(), right.lower()) for one in given):
            what = f"{right} lets the role give itself other rights"
            yield right, what, "take it out: only the deployer changes these"
    if any(matches(one.lower(), "iam:passrole") for one in given):
        yield from (("iam:PassRole", what, remedy) for what, remedy in passed(statement, resources))


def passed(statement: Document, resources: list[str]) -> Iterator[tuple[str, str]]:
    """iam:PassRole names its roles and the services that they are passed to."""
    if any(one == "*" or one.endswith("role/*") for one in resources):
        yield "iam:PassRole on every role of the account", "the roles' ARNs"
    if not passed_services(statement.get("Condition")):
        yield "iam:PassRole to any service", "Condition: {StringEquals: {iam:PassedToService: <service>}}"


def passed_services(condition: Any) -> list[str]:
    """Services that a condition limits iam:PassRole to; a wildcard is no limit."""
    return [
        service
        for operator, asked in mapping(condition).items()
        if operator in ("StringEquals", "StringLike", "ForAnyValue:StringEquals", "StringEqualsIfExists")
        for key, value in mapping(asked).items()
        if str(key).lower() == "iam:passedtoservice"
        for service in branches(value)
        if isinstance(service, str) and service != "*" and not service.startswith("*.")
    ]
