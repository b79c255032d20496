"""Values of a policy that only AWS knows in full, as patterns: intrinsics by what they give, conditionals by each branch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from medallion_cli.operations.validation.documents import Document, mapping, text

ANY = "?any?"  # a value of which nothing is known: it takes part in no rule
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/stack/0",
}
_HERE = "us-east-1:111122223333"
# What Ref (where it is an ARN) or GetAtt Arn gives
ARNS = {
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:name",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:name",
    "AWS::KMS::Key": f"arn:aws:kms:{_HERE}:key/name",
    "AWS::S3::Bucket": "arn:aws:s3:::name",
    "AWS::IAM::Role": "arn:aws:iam::111122223333:role/name",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:name:*",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:name",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{_HERE}:stateMachine:name",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_HERE}:secret:name",
    "AWS::DMS::ReplicationTask": f"arn:aws:dms:{_HERE}:task:name",
    "AWS::RDS::DBInstance": f"arn:aws:rds:{_HERE}:db:name",
}
REFERRED = frozenset(  # types whose Ref is their ARN
    [
        "AWS::SNS::Topic",
        "AWS::StepFunctions::StateMachine",
        "AWS::SecretsManager::Secret",
        "AWS::DMS::ReplicationTask",
    ]
)
# Parameters that carry another stack's ARN, by how their names end
PARAMETERS = {
    "KeyArn": ARNS["AWS::KMS::Key"],
    "SecretArn": ARNS["AWS::SecretsManager::Secret"],
    "TaskArn": ARNS["AWS::DMS::ReplicationTask"],
    "FunctionArn": ARNS["AWS::Lambda::Function"],
    "TopicArn": ARNS["AWS::SNS::Topic"],
    "StateMachineArn": ARNS["AWS::StepFunctions::StateMachine"],
    "RoleArn": ARNS["AWS::IAM::Role"],
    "WorkgroupArn": f"arn:aws:redshift-serverless:{_HERE}:workgroup/name",
}


def branches(value: Any) -> list[Any]:
    """The things that a value may be: a list's, and both sides of a condition; nothing of AWS::NoValue."""
    match value:
        case None:
            return []
        case list():
            return [one for inner in value for one in branches(inner)]
        case {"Fn::If": [_, yes, no]}:
            return [*branches(yes), *branches(no)]
        case {"Ref": "AWS::NoValue"}:
            return []
    return [value]


def patterns(value: Any, template: Document) -> list[str]:
    """Texts, with made-up names for what is not known; ANY for what may be anything."""
    return [text for one in branches(value) for text in _patterns(one, template)]


def _patterns(value: Any, template: Document) -> Iterator[str]:
    match value:
        case str():
            yield value
        case {"Ref": str() as name}:
            yield _referred(name, template)
        case {"Fn::GetAtt": [str() as logical, "Arn" | "TopicArn" | "FunctionArn"]}:
            yield ARNS.get(_type(logical, template), ANY)
        case {"Fn::Sub": str() as written}:
            yield _filled(written, {}, template)
        case {"Fn::Sub": [str() as written, dict() as own]}:
            yield _filled(written, own, template)
        case {"Fn::Join": [str() as between, list() as parts]}:
            yield between.join(next(iter(patterns(part, template)), "name") for part in parts)
        case _:
            yield ANY


def _type(logical: str, template: Document) -> str:
    return text(template, "Resources", logical, "Type")


def _referred(name: str, template: Document) -> str:
    if name in PSEUDO:
        return PSEUDO[name]
    kind = _type(name, template)
    if kind:
        return ARNS[kind] if kind in REFERRED else "name"
    if name in mapping(template, "Parameters") or not template:
        return next((arn for end, arn in PARAMETERS.items() if name.endswith(end)), ANY)
    return ANY


def _filled(written: str, own: Document, template: Document) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in own:
            return next(iter(patterns(own[name], template)), "name")
        logical, _, attribute = name.partition(".")
        if attribute:
            return ARNS.get(_type(logical, template), "name") if attribute.endswith("Arn") else "name"
        found = _referred(name, template)
        return "name" if found is ANY else found

    return re.sub(r"\$\{([^!}][^}]*)\}", value, written)
