"""What hangs together over files: parameters and outputs of stacks, settings, environment variables, job arguments."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation import code_facts
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, mapping, text

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment


def wiring_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings between an environment's settings and its stacks, and among those."""
    yield from _settings(deployment)
    yield from _functions(deployment)
    yield from _outputs(deployment)
    yield from _parameters(deployment)
    for stack in deployment.stacks.values():
        for one in stack.beyond:
            place, _, what = one.rpartition(": ")
            where = f"infra_templates/{stack.name}.yaml {place or 'Outputs'}"
            yield Finding(where, f"{what}: there is none", "a number below that", "MED-WIR-006")


def _settings(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    known = {name for stack in deployment.stacks.values() for name in stack.parameters}
    for name in settings.parameters:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            remedy = f"did you mean {near[0]}?" if near else f"one of: {', '.join(sorted(known))}"
            where = f"configs/{settings.env}.yaml parameters.{name}"
            yield Finding(where, "no template has this parameter", remedy, "MED-CFG-001")
    if not re.fullmatch(r"(?=.{2,39}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", str(settings.prefix)):
        what = f"prefix {settings.prefix!r} cannot begin the names of buckets and databases"
        remedy = "2 to 39 lower-case letters, digits and single hyphens"
        yield Finding(f"configs/{settings.env}.yaml prefix", what, remedy, "MED-CFG-002")
    if settings.target == "aws" and settings.region not in _regions():
        what = f"no region {settings.region!r}"
        yield Finding(
            f"configs/{settings.env}.yaml region", what, "a region's code such as eu-central-1", "MED-CFG-003"
        )
    if len(settings.tags) > 50 or any(name.lower().startswith("aws:") for name in settings.tags):
        what = "at most 50 tags, none of which begins with aws:"
        yield Finding(f"configs/{settings.env}.yaml tags", what, "rename or drop tags", "MED-CFG-004")


@cache
def _regions() -> list[str]:
    import botocore.session

    found: list[str] = botocore.session.get_session().get_available_regions("redshift-serverless")
    return found or ["eu-central-1"]


def _parameters(deployment: Deployment) -> Iterator[Finding]:
    for stack in deployment.stacks.values():
        written = json.dumps(stack.template, default=str)
        for name, entry in mapping(stack.template, "Parameters").items():
            where = f"infra_templates/{stack.name}.yaml Parameters.{name}"
            if name in stack.missing:
                what = "has no value: no earlier stack has such an output, no settings give it, it has no default"
                yield Finding(where, what, "an output of the same name, or a Default", "MED-WIR-001")
            if f'{{"Ref": "{name}"}}' not in written and f"${{{name}}}" not in written:
                yield Finding(where, "nothing uses it", "take it out, or refer to it", "MED-WIR-005")
            value = stack.parameters[name]
            given = name in deployment.settings.parameters
            place = f"configs/{deployment.settings.env}.yaml parameters.{name}" if given else where
            for fault, remedy in _refused(value, entry if isinstance(entry, dict) else {}):
                yield Finding(place, fault, remedy, "MED-WIR-002")


def _refused(value: Any, entry: Document) -> Iterator[tuple[str, str]]:
    """CloudFormation's own constraints on a parameter's value."""
    if value is UNKNOWN or isinstance(value, list):
        return
    allowed = [str(one) for one in listed(entry, "AllowedValues")]
    if allowed and str(value) not in allowed:
        yield f"{value!r} is none of the allowed values", f"one of: {', '.join(allowed)}"
    if entry.get("Type") == "Number":
        yield from _bounded(value, entry.get("MinValue"), entry.get("MaxValue"), "number")
    else:
        pattern = entry.get("AllowedPattern")
        if pattern and not re.fullmatch(str(pattern), str(value)):
            yield f"{value!r} does not match {pattern}", "a value of that form"
        yield from _bounded(len(str(value)), entry.get("MinLength"), entry.get("MaxLength"), "length")


def _bounded(value: Any, least: Any, most: Any, what: str) -> Iterator[tuple[str, str]]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        yield f"{value!r} is no {what}", f"a {what}"
        return
    if least is not None and number < float(least):
        yield f"{what} {value} is below {least}", f"at least {least}"
    if most is not None and number > float(most):
        yield f"{what} {value} is above {most}", f"at most {most}"


def _outputs(deployment: Deployment) -> Iterator[Finding]:
    owners: dict[str, list[str]] = {}
    for stack in deployment.stacks.values():
        for name in stack.outputs:
            owners.setdefault(name, []).append(stack.name)
    for name, stacks in owners.items():
        if len(stacks) > 1:
            where = f"infra_templates/{stacks[-1]}.yaml Outputs.{name}"
            yield Finding(
                where, f"{stacks[0]} has an output of the same name", "rename one of them", "MED-WIR-003"
            )
    for name in sorted(code_facts.outputs_read() - owners.keys()):
        where = "infra_templates Outputs"
        yield Finding(
            where,
            f"no stack has the output {name}, which the tool reads",
            f"add the output {name}",
            "MED-WIR-004",
        )
    for stack in deployment.stacks.values():
        for name, value in stack.outputs.items():
            if "{{resolve:" in str(value):
                where = f"infra_templates/{stack.name}.yaml Outputs.{name}"
                yield Finding(
                    where,
                    "shows a secret to all who can describe the stack",
                    "the secret's ARN",
                    "MED-SEC-103",
                )


def _functions(deployment: Deployment) -> Iterator[Finding]:
    asked = code_facts.environment_variables()
    for stack, logical, function in deployment.of_type("AWS::Lambda::Function"):
        where = deployment.place(stack, logical)
        if at(function, "Code", "ZipFile") or at(function, "Handler") is None:
            continue  # code of its own, in the template or in an image
        if not code_facts.has_handler(text(function, "Handler")):
            what = f"the zip has no {text(function, 'Handler')}"
            yield Finding(
                f"{where}.Handler", what, "medallion_cli.synthetic.handlers.<function>", "MED-WIR-010"
            )
        given = mapping(function, "Environment", "Variables")
        for name in sorted(asked.needed - given.keys()):
            yield Finding(
                f"{where}.Environment.Variables.{name}",
                "the code reads it, and it is not set",
                f"set {name}",
                "MED-WIR-011",
            )
        for name in sorted(given.keys() - asked.known):
            near = difflib.get_close_matches(name, sorted(asked.known), 1)
            remedy = f"did you mean {near[0]}?" if near else "take it out"
            yield Finding(f"{where}.Environment.Variables.{name}", "no code reads it", remedy, "MED-WIR-012")
        yield from _expected(where, given, deployment)
        buckets = {text(bucket, "BucketName") for _, _, bucket in deployment.of_type("AWS::S3::Bucket")}
        if at(function, "Code", "S3Bucket") not in (UNKNOWN, *buckets):
            what = f"{at(function, 'Code', 'S3Bucket')} is no bucket of the templates: the zip is not there"
            yield Finding(f"{where}.Code.S3Bucket", what, "the parameter CodeBucket", "MED-WIR-016")
        if "VpcConfig" not in function:
            what = "is outside of the network: it cannot reach the database"
            yield Finding(f"{where}.VpcConfig", what, "VpcConfig with the private subnets", "MED-WIR-013")
    yield from _once(deployment)


def _expected(where: str, given: Document, deployment: Deployment) -> Iterator[Finding]:
    encrypted = deployment.settings.parameters.get("SourceTls") != "false"
    if encrypted and given.get("CA_BUNDLE") != "/var/task/rds-ca.pem":
        what = "is not the bundle of the zip: connections to the database would not be TLS"
        yield Finding(
            f"{where}.Environment.Variables.CA_BUNDLE", what, "CA_BUNDLE: /var/task/rds-ca.pem", "MED-WIR-014"
        )
    if given.get("PIPELINE") not in (None, "pipeline.json", UNKNOWN):
        what = f"{given['PIPELINE']!r} is not in the zip"
        yield Finding(
            f"{where}.Environment.Variables.PIPELINE", what, "PIPELINE: pipeline.json", "MED-WIR-014"
        )
    for key in ("SECRET_ARN", "REPLICATION_SECRET_ARN"):
        if key in given and given[key] is not UNKNOWN and ":secretsmanager:" not in text(given, key):
            yield Finding(
                f"{where}.Environment.Variables.{key}",
                "is no secret's ARN",
                "the Ref of the secret",
                "MED-WIR-014",
            )


def _once(deployment: Deployment) -> Iterator[Finding]:
    """An asynchronous call that fails must not be repeated by Lambda: the generator would write its changes twice."""
    single = {
        text(config, "FunctionName")
        for _, _, config in deployment.of_type("AWS::Lambda::EventInvokeConfig")
        if str(config.get("MaximumRetryAttempts")) == "0"
    }
    targets = {text(s, "Target", "Arn") for _, _, s in deployment.of_type("AWS::Scheduler::Schedule")}
    for stack, logical, function in deployment.of_type("AWS::Lambda::Function"):
        name = text(function, "FunctionName")
        if name not in single and any(target.endswith(f":function:{name}") for target in targets):
            what = "Lambda would repeat a failed batch of changes twice"
            yield Finding(
                deployment.place(stack, logical),
                what,
                "an EventInvokeConfig with MaximumRetryAttempts: 0",
                "MED-WIR-015",
            )
