"""The linter of IAM documents: the shipped ones are clean, and each way to be wrong is named with its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from medallion_cli.operations.validation import iam_reference
from medallion_cli.operations.validation.accepted import EVERYWHERE, MANAGED
from medallion_cli.operations.validation.iam_rules import findings

Document = dict[str, Any]
Change = Callable[[list[Document]], None]


def statements(template: Document, role: str) -> list[Document]:
    """Statements of a role's first policy."""
    return list(template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"])


def found(documents: dict[str, Document], stack: str, change: Callable[[Document], None]) -> list[str]:
    """What the linter says about a changed copy of a template."""
    template = copy.deepcopy(documents[stack])
    change(template)
    return [str(finding) for finding in findings(stack, template)]


def put(role: str, **values: Any) -> Callable[[Document], None]:
    """Adds a statement to a role."""

    def change(template: Document) -> None:
        policy = template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
        policy["Statement"].append({"Effect": "Allow", **values})

    return change


def test_the_shipped_policies_are_clean(documents: dict[str, Document]) -> None:
    assert [str(one) for stack in documents for one in findings(stack, documents[stack])] == []


def test_there_are_policies_to_lint(documents: dict[str, Document]) -> None:
    roles = [r for d in documents.values() for r in d["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert len(roles) >= 12


BUCKET = "arn:aws:s3:::silver"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
ROLE = "arn:aws:iam::111122223333:role/other"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:f"
GLUE, ANYBODY = {"iam:PassedToService": "glue.amazonaws.com"}, {"iam:PassedToService": "*"}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ({"Action": "s3:GetObjet", "Resource": f"{BUCKET}/*"}, "MED-IAM-010"),
        ({"Action": "redshift-data:ExecuteSql", "Resource": "*"}, "MED-IAM-010"),
        ({"Action": "gleu:StartJobRun", "Resource": "*"}, "MED-IAM-010"),
        ({"Action": "s3:*", "Resource": f"{BUCKET}/*"}, "MED-IAM-011"),
        ({"Action": "*", "Resource": BUCKET}, "MED-IAM-011"),
        ({"Action": ["s3:Get*"], "Resource": f"{BUCKET}/*"}, "MED-IAM-011"),
        ({"Action": "dms:DescribeReplicationTasks", "Resource": "arn:aws:dms:eu-central-1:111122223333:task:X"}, "MED-IAM-013"),
        ({"Action": "glue:StartJobRun", "Resource": "arn:aws:s3:::silver/*"}, "MED-IAM-014"),
        ({"Action": "sns:Publish", "Resource": KEY}, "MED-IAM-014"),
        ({"Action": "s3:GetObject", "Resource": [f"{BUCKET}/*", "arn:aws:sqs:us-east-1:111122223333:q"]}, "MED-IAM-015"),
        ({"Action": "secretsmanager:GetSecretValue", "Resource": "*"}, "MED-IAM-016"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "MED-IAM-016"),
        ({"Action": "ec2:DescribeInstances", "Resource": "*"}, "MED-IAM-016"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}, "MED-IAM-017"),
        ({"Action": "s3:GetObject", "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::*/*"}}, "MED-IAM-017"),
        ({"NotAction": "iam:*", "Resource": BUCKET}, "MED-IAM-004"),
        ({"Action": "s3:GetObject", "NotResource": BUCKET}, "MED-IAM-004"),
        ({"Action": "kms:Decrypt", "Resource": KEY, "Condition": {"StringEqual": {"aws:SourceAccount": "1"}}}, "MED-IAM-018"),
        ({"Action": "kms:Decrypt", "Resource": KEY, "Condition": {"StringEquals": {"aws:SourceAcount": "1"}}}, "MED-IAM-019"),
        ({"Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": GLUE}}, "MED-IAM-020"),
        ({"Action": "iam:PassRole", "Resource": ROLE}, "MED-IAM-020"),
        ({"Action": "iam:PassRole", "Resource": ROLE, "Condition": {"StringLike": ANYBODY}}, "MED-IAM-020"),
        ({"Action": "iam:PutRolePolicy", "Resource": ROLE}, "MED-IAM-020"),
        ({"Action": "iam:AttachRolePolicy", "Resource": ROLE}, "MED-IAM-020"),
        ({"Action": "iam:UpdateAssumeRolePolicy", "Resource": ROLE}, "MED-IAM-020"),
        ({"Action": "sts:AssumeRole", "Resource": ROLE}, "MED-IAM-020"),
        ({"Action": "kms:PutKeyPolicy", "Resource": KEY}, "MED-IAM-020"),
        ({"Action": "lambda:UpdateFunctionCode", "Resource": FUNCTION}, "MED-IAM-020"),
        ({"Action": "IAM:putrolepolicy", "Resource": ROLE}, "MED-IAM-020"),
    ],
)  # fmt: skip
def test_a_statement_that_allows_too_much_or_nothing_is_found(
    documents: dict[str, Document], statement: Document, code: str
) -> None:
    said = found(documents, "orchestration", put("MachineRole", **statement))
    assert any(code in one for one in said), said
    assert all(
        "infra_templates/orchestration.yaml Resources.MachineRole" in one and "→" in one for one in said
    )


def test_both_branches_of_a_condition_are_read(documents: dict[str, Document]) -> None:
    action = {"Fn::If": ["WithEmail", "sns:Publish", "sns:*"]}
    said = found(documents, "orchestration", put("MachineRole", Action=action, Resource={"Ref": "Topic"}))
    assert any("MED-IAM-011" in one for one in said)


def test_an_intrinsic_is_known_by_what_it_gives(documents: dict[str, Document]) -> None:
    """Ref of a topic is its ARN: publishing to it is right, sending to it as to a queue is not."""
    right = found(
        documents, "orchestration", put("MachineRole", Action="sns:Publish", Resource={"Ref": "Topic"})
    )
    wrong = found(
        documents, "orchestration", put("MachineRole", Action="sqs:SendMessage", Resource={"Ref": "Topic"})
    )
    assert right == []
    assert any("MED-IAM-014" in one for one in wrong)


def trust(role: str, key: str, value: Any) -> Callable[[Document], None]:
    def change(template: Document) -> None:
        document = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]
        document["Statement"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("Principal", "*", "MED-IAM-030"),
        ("Principal", {"AWS": "*"}, "MED-IAM-030"),
        ("Principal", {"AWS": "arn:aws:iam::999988887777:root"}, "MED-IAM-031"),
        ("Principal", {"AWS": "999988887777"}, "MED-IAM-031"),
        ("Principal", {"Service": "glue"}, "MED-IAM-032"),
        ("Action", "sts:AssumeRol", "MED-IAM-010"),
        ("Action", "iam:PassRole", "MED-IAM-012"),
        ("Effect", "allow", "MED-IAM-003"),
    ],
)
def test_who_may_take_a_role_is_checked(
    documents: dict[str, Document], key: str, value: Any, code: str
) -> None:
    def change(template: Document) -> None:
        trust("ConnectionRole", key, value)(template)

    said = found(documents, "visualization", change)
    assert any(code in one for one in said), said


def test_a_queue_or_topic_that_lets_in_everybody_is_found(documents: dict[str, Document]) -> None:
    def change(template: Document) -> None:
        policy = template["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"]
        policy["Statement"].append(
            {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}
        )

    assert any("MED-IAM-030" in one for one in found(documents, "orchestration", change))


def test_a_wide_policy_of_awss_own_is_found(documents: dict[str, Document]) -> None:
    def change(template: Document) -> None:
        properties = template["Resources"]["FunctionRole"]["Properties"]
        properties["ManagedPolicyArns"] = [
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}
        ]

    assert any("AdministratorAccess" in one for one in found(documents, "source", change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.pop("Version"), "MED-IAM-001"),
        (
            lambda d: d["Statement"].__setitem__(slice(0, 2), [d["Statement"][0] | {"Sid": "A"}] * 2),
            "MED-IAM-002",
        ),
    ],
)
def test_a_document_has_the_current_language_and_each_name_once(
    documents: dict[str, Document], change: Callable[[Document], Any], code: str
) -> None:
    def changed(template: Document) -> None:
        change(template["Resources"]["MachineRole"]["Properties"]["Policies"][0]["PolicyDocument"])

    assert any(code in one for one in found(documents, "orchestration", changed))


def test_every_stated_reason_is_of_an_action_that_exists_and_is_used(documents: dict[str, Document]) -> None:
    """The list does not outlive what it excuses."""
    everywhere = {
        action
        for document in documents.values()
        for resource in document["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert everywhere == set(EVERYWHERE)
    assert all(iam_reference.exists(action) for action in EVERYWHERE)
    metrics = {"cloudwatch:PutMetricData"}  # since 2026 also data sets, of which metrics are none
    assert [a for a in EVERYWHERE if iam_reference.resource_patterns(a) and a not in metrics] == []


def test_every_managed_policy_that_is_excused_is_attached(documents: dict[str, Document]) -> None:
    attached = str([r["Properties"].get("ManagedPolicyArns") for d in documents.values() for r in d["Resources"].values()
                    if r["Type"] == "AWS::IAM::Role"])  # fmt: skip
    assert all(name in attached for name in MANAGED)


def test_without_the_reference_nothing_is_said_of_it(
    documents: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iam_reference, "services", dict)
    assert [f for stack, template in documents.items() for f in findings(stack, template)] == []


ODD: list[Any] = [
    "x",
    None,
    [],
    {},
    3,
    True,
    ["x"],
    {"Ref": "X"},
    {"Fn::If": ["a"]},
    {"Fn::Sub": ["a"]},
    [None],
    {1: 2},
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("key", ["Action", "Resource", "Condition", "Principal", "Effect", "Sid"])
def test_a_value_of_any_shape_is_read(documents: dict[str, Document], key: str, odd: Any) -> None:
    """Templates are checked as they are, before anything else has looked at them."""
    found(
        documents, "orchestration", put("MachineRole", **{"Action": "sns:Publish", "Resource": "*", key: odd})
    )
