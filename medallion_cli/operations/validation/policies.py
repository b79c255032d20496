"""What a role's policies allow, as IAM decides: an Allow that matches and no Deny that does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, mapping, text
from medallion_cli.operations.validation.physical import arn

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

ANYWHERE = "some resource"  # what a service names only when it runs
# What AWS's own policies that the templates attach allow, as far as the pipeline needs it.
MANAGED = {
    "AWSLambdaVPCAccessExecutionRole": (
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ),
    "AWSLambdaBasicExecutionRole": ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    "AmazonRDSEnhancedMonitoringRole": (
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "logs:DescribeLogStreams",
        "logs:GetLogEvents",
    ),
    "AWSGlueServiceRole": (
        "glue:*",
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "logs:*",
        "cloudwatch:PutMetricData",
    ),
}


def role_of(deployment: Deployment, value: Any) -> tuple[str, str, Document] | None:
    """(stack, logical id, properties) of the role with an ARN; None when it is not one of the templates'."""
    for stack, logical, role in deployment.of_type("AWS::IAM::Role"):
        place, region = f"{deployment.settings.prefix}-{stack}/{logical}", deployment.settings.region
        if arn(place, region, "AWS::IAM::Role", role) == value:
            return stack, logical, role
    return None


def statements(role: Document) -> Iterator[Document]:
    """Statements of a role's own policies and, in short, of AWS's that are attached."""
    for policy in listed(role, "Policies"):
        yield from (s for s in listed(policy, "PolicyDocument", "Statement") if isinstance(s, dict))
    for attached in listed(role, "ManagedPolicyArns"):
        actions = MANAGED.get(str(attached).rpartition("/")[2], ())
        yield {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def allowed(role: Document, action: str, resource: str, known: dict[str, str] | None = None) -> bool:
    """Whether a role may do `action` on `resource`; a condition is taken as met, but for keys whose value is `known`."""
    decided = [
        text(s, "Effect") for s in statements(role) if _covers(s, action, resource) and _met(s, known or {})
    ]
    return "Allow" in decided and "Deny" not in decided


def _met(statement: Document, known: dict[str, str]) -> bool:
    asked = mapping(statement, "Condition", "StringEquals")
    return all(
        value in map(str, listed(asked, key)) for key, value in known.items() if at(asked, key) is not None
    )


def trusts(role: Document, service: str) -> bool:
    """Whether a service may assume the role."""
    document = at(role, "AssumeRolePolicyDocument")
    return any(
        text(s, "Effect") == "Allow"
        and "sts:AssumeRole" in map(str, listed(s, "Action"))
        and service in map(str, listed(s, "Principal", "Service"))
        for s in listed(document, "Statement")
    )


def principal_allowed(document: Any, service: str, action: str, resource: str = "*") -> bool:
    """Whether a resource's own policy lets a service in."""
    return any(
        text(s, "Effect") == "Allow"
        and service in map(str, listed(s, "Principal", "Service"))
        and _covers(s, action, resource)
        for s in listed(document, "Statement")
        if isinstance(s, dict)
    )


def _covers(statement: Document, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        named = not any(like(str(one), action, fold=True) for one in listed(statement, "NotAction"))
    else:
        named = any(like(str(one), action, fold=True) for one in listed(statement, "Action"))
    resources = listed(statement, "Resource")
    return named and any(
        one is UNKNOWN or resource == ANYWHERE or like(str(one), resource) for one in resources
    )


def like(pattern: str, value: str, *, fold: bool = False) -> bool:
    """IAM's wildcards: `*` is anything, `?` one character."""
    return _pattern(pattern, fold).fullmatch(value) is not None


@cache
def _pattern(pattern: str, fold: bool) -> re.Pattern[str]:
    body = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.compile(body, re.IGNORECASE if fold else 0)
