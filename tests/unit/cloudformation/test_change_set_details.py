"""What a change set says of each change: why, whether it is known beforehand, and what it recreates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.cloudformation.decisions import replaced_by, value_at
from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.schemas import ResourceSchema, resource_schema

BODY = """
Parameters: {Name: {Type: String, Default: first-one}, Text: {Type: String, Default: a}}
Resources:
  Bucket: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Ref Name}}
  Role: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {Version: !Ref Text}}}
  Policy: {Type: 'AWS::S3::BucketPolicy', Properties: {Bucket: !Ref Bucket, PolicyDocument: {}}}
  ByName: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !Ref Role}}
  ByAttribute: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !Sub 'r:${Role.Arn}'}}
"""


def changes(account: Account, body: str = BODY, **values: str) -> dict[str, dict[str, Any]]:
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    made = account.change_set(body, Parameters=given)
    shown = account.api.describe_change_set(
        {"ChangeSetName": made["ChangeSetId"], "IncludePropertyValues": True}
    )
    return {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in shown["Changes"]}


def test_a_parameter_is_the_cause_and_its_value_is_known(account: Account) -> None:
    account.deploy(BODY)
    (detail,) = changes(account, Name="second-one")["Bucket"]["Details"]
    assert detail == {
        "Target": {
            "Attribute": "Properties",
            "Name": "BucketName",
            "RequiresRecreation": "Always",
            "Path": "/Properties/BucketName",
            "BeforeValue": "first-one",
            "AfterValue": "second-one",
            "AttributeChangeType": "Modify",
        },
        "Evaluation": "Static",
        "ChangeSource": "ParameterReference",
        "CausingEntity": "Name",
    }


def test_what_refers_to_a_replaced_resource_may_be_replaced(account: Account) -> None:
    account.deploy(BODY)
    policy = changes(account, Name="second-one")["Policy"]
    assert (policy["Replacement"], policy.get("PolicyAction")) == ("Conditional", None)
    (detail,) = policy["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"], detail["CausingEntity"]) == (
        "Dynamic",
        "ResourceReference",
        "Bucket",
    )
    assert detail["Target"]["AfterValue"] == "{{changeSet:KNOWN_AFTER_APPLY}}"


def test_an_attribute_of_a_changed_resource_is_not_known_its_name_is(account: Account, cloud: Cloud) -> None:
    """As AWS lists an API that names a function's ARN with every update of the function."""
    account.deploy(BODY)
    found = changes(account, Text="b")
    assert found.keys() == {"Role", "ByAttribute"}
    (detail,) = found["ByAttribute"]["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"], detail["CausingEntity"]) == (
        "Dynamic",
        "ResourceAttribute",
        "Role.Arn",
    )
    assert found["ByAttribute"]["Replacement"] == "False"
    cloud.calls.clear()
    account.deploy(BODY, Parameters=[{"ParameterKey": "Text", "ParameterValue": "b"}])
    assert "PutParameter" not in cloud.operations()


def test_a_template_change_has_no_other_cause(account: Account) -> None:
    account.deploy(BODY)
    (detail,) = changes(account, BODY.replace("PolicyDocument: {}", "PolicyDocument: {Id: a}"))["Policy"][
        "Details"
    ]
    assert detail["ChangeSource"] == "DirectModification"
    assert detail["Target"]["Path"] == "/Properties/PolicyDocument/Id"
    assert detail["Target"]["AttributeChangeType"] == "Add"
    assert "BeforeValue" not in detail["Target"]


def test_values_are_told_only_when_asked_for(account: Account) -> None:
    account.deploy(BODY)
    made = account.change_set(BODY.replace("PolicyDocument: {}", "PolicyDocument: {Id: a}"))
    change = made["Changes"][0]["ResourceChange"]
    assert "AfterContext" not in change
    assert change["Details"][0]["Target"].keys() == {"Attribute", "Name", "RequiresRecreation"}


def test_contexts_hold_the_properties_before_and_after(account: Account) -> None:
    account.deploy(BODY)
    change = changes(account, Name="second-one")["Bucket"]
    assert json.loads(change["BeforeContext"]) == {"Properties": {"BucketName": "first-one"}}
    assert json.loads(change["AfterContext"]) == {"Properties": {"BucketName": "second-one"}}


def test_another_type_is_another_resource(account: Account, cloud: Cloud) -> None:
    account.deploy("Resources: {It: {Type: 'AWS::S3::Bucket'}}")
    body = "Resources: {It: {Type: 'AWS::SNS::Topic'}}"
    assert changes(account, body)["It"]["Replacement"] == "True"
    assert account.deploy(body) == "UPDATE_COMPLETE"
    assert cloud.operations() == ["CreateBucket", "CreateTopic", "DeleteBucket"]


def schema(type_name: str) -> ResourceSchema:
    found = resource_schema(type_name)
    assert found is not None
    return found


# conditional create-only properties: type, before, after, what is replaced
CONDITIONAL: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("AWS::RDS::DBInstance", {"MultiAZ": False}, {"MultiAZ": True}, []),
    ("AWS::RDS::DBInstance", {"BackupRetentionPeriod": 1}, {"BackupRetentionPeriod": 7}, []),
    ("AWS::RDS::DBInstance", {"Engine": "mysql"}, {"Engine": "mariadb"}, ["Engine"]),
    ("AWS::RDS::DBInstance", {}, {"DBSnapshotIdentifier": "a"}, ["DBSnapshotIdentifier"]),
    ("AWS::RDS::DBInstance", {"DBSnapshotIdentifier": "a"}, {}, []),
    ("AWS::EC2::VPC", {"InstanceTenancy": "dedicated"}, {"InstanceTenancy": "default"}, []),
    ("AWS::EC2::VPC", {"InstanceTenancy": "default"}, {"InstanceTenancy": "dedicated"}, ["InstanceTenancy"]),
    ("AWS::EC2::Subnet", {}, {"Ipv6CidrBlock": "::/64"}, []),
    ("AWS::Events::Rule", {"EventBusName": "a"}, {"EventBusName": "b"}, ["EventBusName"]),
]


@pytest.mark.parametrize(("type_name", "before", "after", "replaced"), CONDITIONAL)
def test_conditional_properties_are_decided(
    type_name: str, before: dict[str, Any], after: dict[str, Any], replaced: list[str]
) -> None:
    assert replaced_by(before, after, schema(type_name)) == replaced


def test_a_condition_that_nobody_knows_is_refused() -> None:
    before, after = {"SourceDBInstanceIdentifier": "a"}, {"SourceDBInstanceIdentifier": "b"}
    with pytest.raises(ResourceFailure, match="cannot tell whether a changed SourceDBInstanceIdentifier"):
        replaced_by(before, after, schema("AWS::RDS::DBInstance"))


def test_an_object_that_comes_without_its_create_only_member_replaces_nothing() -> None:
    kind = schema("AWS::EC2::VPCEndpoint")
    assert replaced_by({}, {"DnsOptions": {"DnsRecordIpType": "ipv4"}}, kind) == []
    assert replaced_by({}, {"DnsOptions": {"PrivateDnsPreference": "ALL"}}, kind) == [
        "DnsOptions.PrivateDnsPreference"
    ]


def test_paths_go_through_lists() -> None:
    node = {"Rules": [{"Name": "a"}, {"Name": "b", "Prefix": "p"}]}
    assert value_at(node, "Rules.*.Name") == ["a", "b"]
    assert value_at(node, "Rules.Prefix") == [None, "p"]
    assert value_at(node, "Nothing.*.Name") is None
