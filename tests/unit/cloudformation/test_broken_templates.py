"""The project's templates, broken at random places: always refused in CloudFormation's own words, never by a crash."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fake_cloud import Account, Cloud
from template_properties import rendered

from medallion_cli.local.cloudformation.parse import parse_template
from medallion_cli.local.protocol import ServiceError

FUNCTIONS = [
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::If",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::Cidr",
    "Condition",
]
ARGUMENTS: list[Any] = [
    "x",
    "x.y",
    [],
    {},
    None,
    3,
    ["a", "b"],
    ["a", "b", "c"],
    [None, None],
    [0, {}],
    {"Ref": "x"},
]
VALUES: list[Any] = [None, "x", -1, 0, True, [], {}]
ROUNDS = 40
REFUSALS = ("ValidationError", "InsufficientCapabilitiesException")


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    """Rendered templates; ids of networks are plain text, since there is none here."""
    return [parse_template(_without_networks(body)) for body in rendered().values()]


def _without_networks(body: str) -> str:
    body = re.sub(r'"?List<AWS::EC2::\w+::Id>"?', "CommaDelimitedList", body)
    return re.sub(r'"?AWS::EC2::\w+::Id"?', "String", body)


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Everywhere in a document but at its root."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, item in pairs:
        yield (*path, name)
        yield from paths(item, (*path, name))


def broken(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy with one thing missing, of another kind, or a function where none belongs."""
    changed = copy.deepcopy(document)
    *before, last = chance.choice(list(paths(changed)))
    node: Any = changed
    for step in before:
        node = node[step]
    match chance.randrange(5):
        case 0:
            del node[last]
        case 1 | 2:
            node[last] = chance.choice(VALUES)
        case 3:
            node[last] = {chance.choice(FUNCTIONS): chance.choice(ARGUMENTS)}
        case _:
            node[last] = [node[last]]
    return changed


def _value(name: str) -> str:
    forms = {
        "KeyArn": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
        "SecretArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-AbCdEf",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Arn": "arn:aws:a:us-east-1:000000000000:b:c",
        "SubnetIds": "subnet-00000001,subnet-00000002",
        "SecurityGroupId": "sg-00000001",
        "VpcId": "vpc-00000001",
        "Schedule": "rate(1 hour)",
    }
    return next((value for end, value in forms.items() if name.endswith(end)), "retail")


def given(document: dict[str, Any]) -> list[dict[str, str]]:
    """Values for what has no default."""
    declared = document.get("Parameters")
    nodes = declared.items() if isinstance(declared, dict) else ()
    return [
        {"ParameterKey": name, "ParameterValue": _value(name)}
        for name, node in nodes
        if isinstance(node, dict) and "Default" not in node
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_broken_template_is_refused_and_no_bug(documents: list[dict[str, Any]], seed: int) -> None:
    chance = random.Random(seed)
    outcomes = {"refused": 0, "strange": 0, "failed": 0, "taken": 0}
    for _ in range(ROUNDS):
        document = broken(chance.choice(documents), chance)
        try:
            made = Account(Cloud()).change_set(json.dumps(document), Parameters=given(document))
        except ServiceError as error:
            outcomes["refused" if error.code in REFUSALS else "strange"] += 1
        else:
            outcomes["failed" if made["Status"] == "FAILED" else "taken"] += 1
    assert outcomes["strange"] == 0
    assert outcomes["refused"] > 5
    assert outcomes["failed"] > 1


def test_the_templates_themselves_are_taken(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        made = Account(Cloud()).change_set(json.dumps(document), Parameters=given(document))
        assert made["Status"] == "CREATE_COMPLETE", made.get("StatusReason")
