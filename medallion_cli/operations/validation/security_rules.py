"""A security scan of templates: what is open, unencrypted, unprotected, or secret in the clear, in any resource of these types.

A rule is named by the check of checkov's that it answers to, where there is one: `make security-scan` runs checkov itself, and
both take accepted.py's list of exceptions. Rules read templates as they are written: a parameter or a condition is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.accepted import accepted
from medallion_cli.operations.validation.documents import (
    Document,
    at,
    dotted,
    leaves,
    listed,
    mapping,
    truthy,
)
from medallion_cli.operations.validation.security_checks import BUCKET, CHECKS

# What leads from a private network to the internet
GATEWAYS = (
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::EIP",
    "AWS::EC2::EgressOnlyInternetGateway",
)
SECRET = re.compile(r"(?i)(password|passwd|secret|token|api_?key|access_?key)$")
NAMES_ONLY = re.compile(r"(?i)(arn|id|name|key)$")
CLEAR = re.compile(r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@]+:[^/\s:@{]+@")
EVERYBODY = ("0.0.0.0/0", "::/0")


def findings(stack: str, template: Document) -> Iterator[Finding]:
    """Findings in one template; what accepted.py excuses is none."""
    for logical, resource in mapping(template, "Resources").items():
        kind = str(mapping(resource).get("Type", ""))
        properties = mapping(resource, "Properties")
        for check, path, what, remedy, code in _resource(kind, properties):
            if accepted(check, f"{kind}.{logical}") is None:
                where = f"infra_templates/{stack}.yaml {dotted(('Resources', logical, *path))}"
                yield Finding(where, what, remedy, f"MED-SCAN-{code}")
        if kind == BUCKET:
            yield from _over_tls(stack, logical, template)
    yield from _parameters(stack, template)
    yield from _clear(stack, template)


Found = tuple[str, tuple[str | int, ...], str, str, str]  # check, path, what, remedy, code


def _resource(kind: str, properties: Document) -> Iterator[Found]:
    for check in CHECKS.get(kind, ()):
        path = tuple(check.path.split("."))
        if check.concerns(properties) and not check.passes(at(properties, *path)):
            yield check.name, ("Properties", *path), check.what, check.remedy, check.code
    if kind in GATEWAYS:
        yield (
            "MED_6",
            (),
            "leads the private network to the internet",
            "an endpoint of the service that is called",
            "030",
        )
    if kind.startswith("AWS::EC2::SecurityGroup"):
        yield from _open(properties)
    if "AccessControl" in properties and properties["AccessControl"] not in (
        "Private",
        "BucketOwnerFullControl",
    ):
        yield (
            "CKV_AWS_20",
            ("Properties", "AccessControl"),
            "gives the bucket to others",
            "take it out",
            "001",
        )
    yield from _secrets(properties)


def _open(properties: Document) -> Iterator[Found]:
    """Ingress from everywhere, in a group or a rule of its own."""
    rules: list[tuple[tuple[str | int, ...], Any]] = [(("Properties",), properties)]
    rules += [
        (("Properties", "SecurityGroupIngress", number), rule)
        for number, rule in enumerate(listed(properties, "SecurityGroupIngress"))
    ]
    for path, rule in rules:
        for key in ("CidrIp", "CidrIpv6"):
            if at(rule, key) in EVERYBODY and "DestinationSecurityGroupId" not in rule:
                yield "CKV_AWS_260", (*path, key), "lets everybody in", "SourceSecurityGroupId", "031"


def _secrets(properties: Document) -> Iterator[Found]:
    """Passwords come from Secrets Manager when they are used, never from the template or a parameter of it."""
    for path, value in leaves(properties):
        keys = [part for part in path if isinstance(part, str)]
        key = keys[-1] if keys else ""
        named = next((k for k in reversed(keys) if not k.startswith("Fn::") and k != "Ref"), "")
        if not SECRET.search(named) or NAMES_ONLY.search(named) or named == "GenerateStringKey":
            continue
        if key == "Ref" or (
            isinstance(value, str) and value and "{{resolve:" not in value and "${" not in value
        ):
            what = "is a secret that the template, or whoever reads its parameters, can tell"
            yield "CKV_SECRET", ("Properties", *path), what, "{{resolve:secretsmanager:…}}", "040"


def _over_tls(stack: str, logical: str, template: Document) -> Iterator[Finding]:
    """Each bucket has a policy that denies what comes without TLS."""
    for resource in mapping(template, "Resources").values():
        properties = mapping(resource, "Properties")
        if (
            mapping(resource).get("Type") == "AWS::S3::BucketPolicy"
            and at(properties, "Bucket", "Ref") == logical
        ):
            for statement in listed(properties, "PolicyDocument", "Statement"):
                secure = at(statement, "Condition", "Bool", "aws:SecureTransport")
                if at(statement, "Effect") == "Deny" and str(secure).lower() == "false":
                    return
    where = f"infra_templates/{stack}.yaml Resources.{logical}"
    remedy = "a bucket policy that denies where aws:SecureTransport is false"
    yield Finding(where, "takes requests without TLS", remedy, "MED-SCAN-032")


def _parameters(stack: str, template: Document) -> Iterator[Finding]:
    """A parameter for a secret would stand in the stack's description."""
    for name, parameter in mapping(template, "Parameters").items():
        if SECRET.search(name) and not NAMES_ONLY.search(name):
            where = f"infra_templates/{stack}.yaml Parameters.{name}"
            what = "carries a secret into the stack" + (
                "" if truthy(at(parameter, "NoEcho")) else ", for all to read"
            )
            yield Finding(where, what, "a generated AWS::SecretsManager::Secret", "MED-SCAN-041")
    for name, output in mapping(template, "Outputs").items():
        if any("{{resolve:secretsmanager" in str(value) for _, value in leaves(output)):
            where = f"infra_templates/{stack}.yaml Outputs.{name}"
            yield Finding(where, "tells a secret", "the secret's ARN", "MED-SCAN-041")


def _clear(stack: str, template: Document) -> Iterator[Finding]:
    """Keys and passwords by their looks, wherever they stand."""
    for path, value in leaves(template):
        if isinstance(value, str) and CLEAR.search(value):
            where = f"infra_templates/{stack}.yaml {dotted(path)}"
            yield Finding(
                where, "looks like a key or a password", "{{resolve:secretsmanager:…}}", "MED-SCAN-042"
            )
