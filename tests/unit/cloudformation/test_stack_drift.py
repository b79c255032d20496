"""Drift: resources that somebody changed or deleted behind the stack's back are found, and only those."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.cloudformation.drift import _differences
from medallion_cli.local.cloudformation.inert import INERT
from medallion_cli.local.cloudformation.resources import handlers
from medallion_cli.local.cloudformation.resources.api import told
from medallion_cli.local.protocol import ServiceError

BODY = """
Parameters: {Hush: {Type: String, NoEcho: true, Default: hushed}}
Resources:
  Bucket: {Type: 'AWS::S3::Bucket'}
  Setting: {Type: 'AWS::SSM::Parameter', Properties: {Name: /a, Type: String, Value: one}}
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16}}
  Secret: {Type: 'AWS::SecretsManager::Secret', Properties: {Name: s, SecretString: !Ref Hush}}
"""


def detect(account: Account, **more: Any) -> dict[str, Any]:
    made = account.api.detect_stack_drift({"StackName": "demo"} | more)
    found: dict[str, Any] = account.api.describe_stack_drift_detection_status(made)
    assert found["DetectionStatus"] == "DETECTION_COMPLETE"
    return found


def drifts(account: Account) -> dict[str, dict[str, Any]]:
    found = account.api.describe_stack_resource_drifts({"StackName": "demo"})["StackResourceDrifts"]
    return {item["LogicalResourceId"]: item for item in found}


def states(account: Account) -> dict[str, str]:
    return {name: item["StackResourceDriftStatus"] for name, item in drifts(account).items()}


@pytest.fixture
def deployed(account: Account, cloud: Cloud) -> Account:
    def describe_secret(params: dict[str, Any]) -> dict[str, Any]:
        return {"ARN": params["SecretId"], "Name": "s"} if params["SecretId"] in cloud.things else {}

    cloud.DescribeSecret = describe_secret  # type: ignore[attr-defined]
    account.deploy(BODY)
    return account


def test_nothing_has_drifted(deployed: Account) -> None:
    assert deployed.stack()["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    found = detect(deployed)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("IN_SYNC", 0)
    assert states(deployed) == {
        "Bucket": "IN_SYNC",
        "Setting": "IN_SYNC",
        "Vpc": "NOT_CHECKED",
        "Secret": "IN_SYNC",
    }
    assert deployed.stack()["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"


def test_a_changed_and_a_deleted_resource_are_found(deployed: Account, cloud: Cloud) -> None:
    cloud.things["/a"]["Value"] = "two"
    del cloud.things[deployed.physical("Bucket")]
    found = detect(deployed)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 2)
    assert states(deployed)["Bucket"] == "DELETED"
    setting = drifts(deployed)["Setting"]
    assert setting["PropertyDifferences"] == [
        {
            "PropertyPath": "/Value",
            "ExpectedValue": "one",
            "ActualValue": "two",
            "DifferenceType": "NOT_EQUAL",
        }
    ]
    assert json.loads(setting["ActualProperties"])["Value"] == "two"
    only = deployed.api.describe_stack_resource_drifts(
        {"StackName": "demo", "StackResourceDriftStatusFilters": ["DELETED"]}
    )
    assert [item["LogicalResourceId"] for item in only["StackResourceDrifts"]] == ["Bucket"]
    shown = deployed.api.describe_stack_resources({"StackName": "demo", "LogicalResourceId": "Setting"})
    assert shown["StackResources"][0]["DriftInformation"]["StackResourceDriftStatus"] == "MODIFIED"


def test_an_update_puts_what_drifted_right_only_where_the_template_changed(
    deployed: Account, cloud: Cloud
) -> None:
    """Change sets compare templates, not the live state: that is what drift detection is for."""
    cloud.things["/a"]["Value"] = "two"
    assert deployed.change_set(BODY)["Status"] == "FAILED"
    deployed.deploy(BODY.replace("Value: one", "Value: three"))
    detect(deployed)
    assert states(deployed)["Setting"] == "IN_SYNC"


def test_a_secret_is_neither_compared_nor_shown(deployed: Account, cloud: Cloud) -> None:
    cloud.things.clear()
    detect(deployed)
    assert "hushed" not in str(drifts(deployed))


def test_one_resource_alone(deployed: Account, cloud: Cloud) -> None:
    cloud.things["/a"]["Value"] = "two"
    detect(deployed, LogicalResourceIds=["Bucket"])
    assert states(deployed) == {"Bucket": "IN_SYNC"}
    found = deployed.api.detect_stack_resource_drift({"StackName": "demo", "LogicalResourceId": "Setting"})
    assert found["StackResourceDrift"]["StackResourceDriftStatus"] == "MODIFIED"
    assert states(deployed) == {"Bucket": "IN_SYNC", "Setting": "MODIFIED"}


def test_a_service_that_does_not_answer_leaves_it_unknown(deployed: Account, cloud: Cloud) -> None:
    cloud.failing["GetParameter"] = ServiceError("InternalServerError", "not now")
    assert detect(deployed)["StackDriftStatus"] == "UNKNOWN"
    assert "not now" in drifts(deployed)["Setting"]["DriftStatusReason"]


def test_a_stack_that_rolled_back_has_no_drift(account: Account, cloud: Cloud) -> None:
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no")
    account.deploy(BODY)
    with pytest.raises(ServiceError, match="while it is in ROLLBACK_COMPLETE state"):
        account.api.detect_stack_drift({"StackName": "demo"})


def test_every_active_type_but_the_attachment_can_be_read() -> None:
    unread = [name for name, handler in handlers().items() if handler.read is None]
    assert unread == ["AWS::SecretsManager::SecretTargetAttachment"]
    assert not set(unread) & set(INERT)


@pytest.mark.parametrize(
    ("expected", "answer", "found"),
    [
        ({"MultiAZ": True}, {"multiAZ": False}, {"MultiAZ": False}),
        ({"Size": "20"}, {"Size": 20}, {"Size": "20"}),
        ({"Name": "My-Name"}, {"Name": "my-name"}, {"Name": "My-Name"}),
        ({"Rules": '{"a": 1}'}, {"Rules": '{"a":1}'}, {"Rules": '{"a": 1}'}),
        ({"Settings": {"A": 1, "B": 2}}, {"Settings": {"A": 3, "C": 4}}, {"Settings": {"A": 3}}),
        ({"Password": "p"}, {"Name": "n"}, {}),
        ({"Tags": []}, {"Tags": ["x"]}, {}),
    ],
)
def test_an_answer_is_read_as_the_template_writes_it(
    expected: dict[str, Any], answer: dict[str, Any], found: dict[str, Any]
) -> None:
    assert told(expected, answer) == found


def test_differences_are_added_removed_or_not_equal() -> None:
    found = _differences({"A": {"B": 1, "C": 2}}, {"A": {"B": 3, "D": [4]}}, "")
    assert [(item["PropertyPath"], item["DifferenceType"]) for item in found] == [
        ("/A/B", "NOT_EQUAL"),
        ("/A/C", "REMOVE"),
        ("/A/D", "ADD"),
    ]
