"""What CloudFormation accepts and refuses: for each rule one template that passes and one that does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

TOPIC = "  Topic: {Type: 'AWS::SNS::Topic'}\n"
PARAMETER = "{Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: %s}}"


def resource(text: str) -> str:
    return f"Resources:\n  It: {text}\n"


def of(kind: str, properties: str = "{}", more: str = "") -> str:
    return resource(f"{{Type: '{kind}', Properties: {properties}{more}}}")


# rule → (accepted, refused, what CloudFormation says)
TEMPLATES: dict[str, tuple[str, str, str]] = {
    "a version is 2010-09-09": (
        f"AWSTemplateFormatVersion: '2010-09-09'\nResources:\n{TOPIC}",
        f"AWSTemplateFormatVersion: '2020-01-01'\nResources:\n{TOPIC}",
        "Unsupported template version 2020-01-01",
    ),
    "sections have names": (
        f"Metadata: {{a: b}}\nResources:\n{TOPIC}",
        f"Meta: {{a: b}}\nResources:\n{TOPIC}",
        "Invalid template property or properties [Meta]",
    ),
    "rules are refused": (
        f"Resources:\n{TOPIC}",
        f"Rules: {{R: {{}}}}\nResources:\n{TOPIC}",
        "section Rules is not supported by the embedded AWS",
    ),
    "a creation policy is refused": (
        of("AWS::SNS::Topic"),
        of("AWS::SNS::Topic", more=", CreationPolicy: {ResourceSignal: {Count: 1}}"),
        "CreationPolicy is not supported by the embedded AWS (resource It)",
    ),
    "an update policy is refused": (
        of("AWS::SNS::Topic"),
        of("AWS::SNS::Topic", more=", UpdatePolicy: {AutoScalingReplacingUpdate: {WillReplace: true}}"),
        "UpdatePolicy is not supported by the embedded AWS (resource It)",
    ),
    "snapshots are for types that have them": (
        of(
            "AWS::RDS::DBInstance",
            "{Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20'}",
            ", DeletionPolicy: Snapshot",
        ),
        of("AWS::S3::Bucket", more=", DeletionPolicy: Snapshot"),
        "resource type AWS::S3::Bucket does not support deletion policy Snapshot",
    ),
    "replacement policies too": (
        of("AWS::S3::Bucket", more=", UpdateReplacePolicy: Retain"),
        of("AWS::S3::Bucket", more=", UpdateReplacePolicy: Snapshot"),
        "does not support update replace policy Snapshot",
    ),
    "RetainExceptOnCreate is for deletion": (
        of("AWS::S3::Bucket", more=", DeletionPolicy: RetainExceptOnCreate"),
        of("AWS::S3::Bucket", more=", UpdateReplacePolicy: RetainExceptOnCreate"),
        "Unrecognized UpdateReplacePolicy RetainExceptOnCreate",
    ),
    "outputs have a value": (
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: a}}}}",
        f"Resources:\n{TOPIC}Outputs: {{O: {{Description: a}}}}",
        "Every Outputs member must contain a Value object",
    ),
    "outputs have nothing strange": (
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: a, Description: b}}}}",
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: a, Describe: b}}}}",
        "Invalid template output property 'Describe'",
    ),
    "exports are unique": (
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: a, Export: {{Name: x}}}}, P: {{Value: a, Export: {{Name: y}}}}}}",
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: a, Export: {{Name: x}}}}, P: {{Value: a, Export: {{Name: x}}}}}}",
        "More than one output exports x",
    ),
    "an output is a text": (
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: !Join [',', [a, b]]}}}}",
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: [a, b]}}}}",
        "must evaluate to a String",
    ),
    "an output shows no secret": (
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: !Ref Topic}}}}",
        f"Resources:\n{TOPIC}Outputs: {{O: {{Value: '{{{{resolve:secretsmanager:s:SecretString:p}}}}'}}}}",
        "would show a secret",
    ),
    "conditions see parameters only": (
        f"Conditions: {{C: !Equals [!Ref 'AWS::Region', a]}}\nResources:\n{TOPIC}",
        f"Conditions: {{C: !Equals [!Ref Topic, a]}}\nResources:\n{TOPIC}",
        "Cannot reference resources in the Conditions block",
    ),
    "Fn::If names a condition": (
        f"Conditions: {{C: !Equals [a, a]}}\n{of('AWS::SNS::Topic', '{DisplayName: !If [C, a, b]}')}",
        of("AWS::SNS::Topic", "{DisplayName: !If [C, a, b]}"),
        "unresolved condition dependency C",
    ),
    "Fn::If has three": (
        f"Conditions: {{C: !Equals [a, a]}}\n{of('AWS::SNS::Topic', '{DisplayName: !If [C, a, b]}')}",
        f"Conditions: {{C: !Equals [a, a]}}\n{of('AWS::SNS::Topic', '{DisplayName: !If [C, a]}')}",
        "Fn::If has malformed arguments at /Resources/It/Properties/DisplayName",
    ),
    "Fn::And has two to ten": (
        f"Conditions: {{C: !And [!Equals [a, a], !Equals [b, b]]}}\nResources:\n{TOPIC}",
        f"Conditions: {{C: !And [!Equals [a, a]]}}\nResources:\n{TOPIC}",
        "at least 2 and at most 10",
    ),
    "nothing is null": (
        of("AWS::SNS::Topic", "{DisplayName: a}"),
        of("AWS::SNS::Topic", "{DisplayName: }"),
        "[/Resources/It/Properties/DisplayName] 'null' values are not allowed in templates",
    ),
    "functions have their arguments": (
        of("AWS::SNS::Topic", "{DisplayName: !Select [0, [a, b]]}"),
        of("AWS::SNS::Topic", "{DisplayName: !Select [a]}"),
        "Fn::Select has malformed arguments at /Resources/It/Properties/DisplayName",
    ),
    "a pattern is a regular expression": (
        f"Parameters: {{P: {{Type: String, Default: a, AllowedPattern: '[a]'}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: String, Default: a, AllowedPattern: '[a'}}}}\nResources:\n{TOPIC}",
        "AllowedPattern is no regular expression",
    ),
    "limits are numbers": (
        f"Parameters: {{P: {{Type: String, Default: a, MaxLength: '2'}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: String, Default: a, MaxLength: two}}}}\nResources:\n{TOPIC}",
        "MaxLength must be a number",
    ),
    "a condition is a condition": (
        f"Conditions: {{C: !Not [!Equals [a, b]]}}\nResources:\n{TOPIC}",
        f"Conditions: {{C: 'true'}}\nResources:\n{TOPIC}",
        "must be a condition function",
    ),
    "conditions are no circle": (
        f"Conditions: {{C: !Not [!Condition D], D: !Equals [a, b]}}\nResources:\n{TOPIC}"
        "Outputs: {O: {Value: a, Condition: C}}",
        f"Conditions: {{C: !Not [!Condition D], D: !Not [!Condition C]}}\nResources:\n{TOPIC}"
        "Outputs: {O: {Value: a, Condition: C}}",
        "circular condition dependency",
    ),
    "functions are CloudFormation's": (
        of("AWS::SNS::Topic", "{DisplayName: !Join ['', [a]]}"),
        of("AWS::SNS::Topic", "{DisplayName: {'Fn::Length': [a]}}"),
        "unsupported intrinsic function Fn::Length",
    ),
    "mappings have what is looked up": (
        f"Mappings: {{M: {{a: {{b: c}}}}}}\n{of('AWS::SNS::Topic', '{DisplayName: !FindInMap [M, a, b]}')}",
        f"Mappings: {{M: {{a: {{b: c}}}}}}\n{of('AWS::SNS::Topic', '{DisplayName: !FindInMap [M, a, x]}')}",
        "Unable to get mapping for M::a::x",
    ),
    "an export is there": (
        of("AWS::SNS::Topic", "{DisplayName: a}"),
        of("AWS::SNS::Topic", "{DisplayName: !ImportValue nothing}"),
        "No export named nothing found",
    ),
    "encrypted parameters are for passwords": (
        of(
            "AWS::RDS::DBInstance",
            "{Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20', "
            "MasterUserPassword: '{{resolve:ssm-secure:/p:1}}'}",
        ),
        of("AWS::SSM::Parameter", "{Type: String, Value: '{{resolve:ssm-secure:/p:1}}'}"),
        "SSM Secure reference is not supported in: [AWS::SSM::Parameter/Properties/Value]",
    ),
    "dynamic references are of three kinds": (
        of("AWS::SSM::Parameter", "{Type: String, Value: '{{resolve:ssm:/p}}'}"),
        of("AWS::SSM::Parameter", "{Type: String, Value: '{{resolve:vault:/p}}'}"),
        "dynamic reference to vault in It/Value is not known",
    ),
    "DependsOn names resources": (
        f"{of('AWS::SNS::Topic', more=', DependsOn: [Topic]')}{TOPIC}",
        of("AWS::SNS::Topic", more=", DependsOn: [{a: b}]"),
        "DependsOn must be a string or list of strings",
    ),
    "logical names are alphanumeric": (
        f"Parameters: {{P1: {{Type: String, Default: a}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P-1: {{Type: String, Default: a}}}}\nResources:\n{TOPIC}",
        "Parameters name P-1 is non alphanumeric",
    ),
    "allowed values are a list": (
        f"Parameters: {{P: {{Type: String, Default: a, AllowedValues: [a]}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: String, Default: a, AllowedValues: a}}}}\nResources:\n{TOPIC}",
        "AllowedValues must be a list",
    ),
    "a parameter is at least MinValue": (
        f"Parameters: {{P: {{Type: Number, Default: 2, MinValue: 2}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: Number, Default: 1, MinValue: 2}}}}\nResources:\n{TOPIC}",
        "'P' must be a number not less than 2",
    ),
    "a parameter is at most MaxLength": (
        f"Parameters: {{P: {{Type: String, Default: ab, MaxLength: 2}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: String, Default: abc, MaxLength: 2}}}}\nResources:\n{TOPIC}",
        "'P' must contain at most 2 characters",
    ),
    "each of a list is allowed": (
        f"Parameters: {{P: {{Type: CommaDelimitedList, Default: 'a,b', AllowedValues: [a, b]}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{P: {{Type: CommaDelimitedList, Default: 'a,c', AllowedValues: [a, b]}}}}\nResources:\n{TOPIC}",
        "'P' must be one of AllowedValues",
    ),
    "a read-only property is not set": (
        of("AWS::SecretsManager::Secret", "{Name: a}"),
        of("AWS::SecretsManager::Secret", "{Name: a, Id: b}"),
        "Encountered read-only property [Id]",
    ),
    "nor one within another": (
        of("AWS::RDS::DBInstance", "{Engine: mysql, DBInstanceClass: a, MasterUserSecret: {KmsKeyId: a}}"),
        of("AWS::RDS::DBInstance", "{Engine: mysql, DBInstanceClass: a, MasterUserSecret: {SecretArn: a}}"),
        "Encountered read-only property [MasterUserSecret/SecretArn]",
    ),
    "what is required is there": (
        of("AWS::DMS::Endpoint", "{EndpointType: source, EngineName: mysql}"),
        of("AWS::DMS::Endpoint", "{EndpointType: source}"),
        "#: required key [EngineName] not found",
    ),
    "what is required within, too": (
        of("AWS::S3::Bucket", "{VersioningConfiguration: {Status: Enabled}}"),
        of("AWS::S3::Bucket", "{VersioningConfiguration: {}}"),
        "#/VersioningConfiguration: required key [Status] not found",
    ),
    "nothing more than the schema has": (
        of("AWS::KMS::Key", "{EnableKeyRotation: true}"),
        of("AWS::KMS::Key", "{EnableRotation: true}"),
        "#: extraneous key [EnableRotation] is not permitted",
    ),
    "a network is one that is there": (
        f"Parameters: {{V: {{Type: String, Default: vpc-1}}}}\nResources:\n{TOPIC}",
        f"Parameters: {{V: {{Type: 'AWS::EC2::VPC::Id', Default: vpc-1}}}}\nResources:\n{TOPIC}",
        "parameter value vpc-1 for parameter name V does not exist",
    ),
}


def outcome(account: Account, body: str) -> str:
    """Why there is no change set that could be executed, or ""."""
    try:
        made = account.change_set(body)
    except ServiceError as error:
        return error.message
    return str(made.get("StatusReason", "")) if made["Status"] == "FAILED" else ""


@pytest.mark.parametrize("rule", TEMPLATES)
def test_a_rule_accepts_and_refuses(account: Account, cloud: Cloud, rule: str) -> None:
    accepted, refused, message = TEMPLATES[rule]
    assert message in outcome(account, refused)
    account.delete() if account.api._store.find("demo") else None
    assert outcome(account, accepted) == ""
    assert cloud.operations() == []


BODY = of("AWS::SSM::Parameter", "{Name: /a, Type: String, Value: a}")
# member of a request → (accepted, refused); all of CreateChangeSet
MEMBERS: dict[str, tuple[Any, Any]] = {
    "DeploymentMode": ("STANDARD", "REVERT_DRIFT"),
    "ImportExistingResources": (False, True),
    "NotificationARNs": ([], ["arn:aws:sns:us-east-1:000000000000:t"]),
    "ResourcesToImport": ([], [{"ResourceType": "AWS::S3::Bucket"}]),
    "ResourceTypes": ([], ["AWS::SSM::*"]),
    "RollbackConfiguration": ({}, {"MonitoringTimeInMinutes": 5}),
    "ChangeSetName": ("good-1", "not_good"),
}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_without_effect_is_refused(account: Account, member: str) -> None:
    accepted, refused = MEMBERS[member]
    with pytest.raises(ServiceError, match=f"{member} is not supported|failed to satisfy constraint"):
        account.change_set(BODY, **{member: refused})
    assert account.change_set(BODY, **{member: accepted})["Status"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_stack", {"TemplateBody": BODY, "StackPolicyBody": "{}"}),
        ("create_stack", {"TemplateBody": BODY, "TimeoutInMinutes": 5}),
        ("create_stack", {"TemplateBody": BODY, "RoleARN": "arn:aws:iam::000000000000:role/r"}),
        ("update_stack", {"TemplateBody": BODY, "StackPolicyDuringUpdateBody": "{}"}),
        ("delete_stack", {"DeletionMode": "FORCE_DELETE_STACK"}),
        ("signal_resource", {"LogicalResourceId": "It", "UniqueId": "1", "Status": "SUCCESS"}),
    ],
)
def test_what_is_not_acted_on_is_refused_in_clear_words(
    account: Account, operation: str, params: dict[str, Any]
) -> None:
    account.deploy(BODY)
    with pytest.raises(ServiceError, match="not supported by the embedded AWS"):
        getattr(account.api, operation)({"StackName": "demo"} | params)


def test_update_stack_without_a_change_is_told_as_such(account: Account) -> None:
    account.deploy(BODY)
    with pytest.raises(ServiceError, match=re.escape("No updates are to be performed.")):
        account.api.update_stack({"StackName": "demo", "TemplateBody": BODY})


def test_resources_are_retained_only_of_a_deletion_that_failed(account: Account, cloud: Cloud) -> None:
    account.deploy(BODY)
    with pytest.raises(ServiceError, match="RetainResources is for a stack whose deletion failed"):
        account.api.delete_stack({"StackName": "demo", "RetainResources": ["It"]})
    cloud.failing["DeleteParameter"] = ServiceError("InternalServerError", "no")
    assert account.delete() == "DELETE_FAILED"
    assert account.stack()["StackStatusReason"] == "The following resource(s) failed to delete: [It]. "
    assert account.delete(RetainResources=["It"]) == "DELETE_COMPLETE"
    assert "/a" in cloud.things


EXPORTER = f"Resources:\n{TOPIC}Outputs: {{T: {{Value: %s, Export: {{Name: %s}}}}}}"


def test_an_export_in_use_neither_changes_nor_goes(account: Account) -> None:
    account.deploy(EXPORTER % ("one", "shared"), name="one")
    user = f"Resources: {{S: {PARAMETER % '!ImportValue shared'}}}"
    account.deploy(user, name="two")
    assert account.api.list_imports({"ExportName": "shared"})["Imports"] == ["two"]
    assert account.deploy(EXPORTER % ("other", "shared"), name="one") == "UPDATE_ROLLBACK_COMPLETE"
    said = account.reason("one", "UPDATE_ROLLBACK_IN_PROGRESS", name="one")
    assert said == "Export shared cannot be updated as it is in use by two"
    assert account.deploy(EXPORTER % ("one", "renamed"), name="one") == "UPDATE_ROLLBACK_COMPLETE"
    account.delete("two")
    assert account.deploy(EXPORTER % ("other", "shared"), name="one") == "UPDATE_COMPLETE"
    with pytest.raises(ServiceError, match="is not imported by any stack"):
        account.api.list_imports({"ExportName": "shared"})


def test_an_export_name_is_taken_once(account: Account) -> None:
    account.deploy(EXPORTER % ("one", "shared"), name="one")
    assert account.deploy(EXPORTER % ("two", "shared"), name="two") == "ROLLBACK_COMPLETE"
    said = account.reason("two", "ROLLBACK_IN_PROGRESS", name="two")
    assert said.startswith("Export with name shared is already exported by stack one.")


def test_on_failure_delete_leaves_no_stack(account: Account, cloud: Cloud) -> None:
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no")
    made = account.api.create_stack({"StackName": "demo", "TemplateBody": BODY, "OnFailure": "DELETE"})
    account.api.wait(made["StackId"])
    assert account.status(made["StackId"]) == "DELETE_COMPLETE"
    assert account.api._store.find("demo") is None


def retyped(policies: str) -> tuple[str, str]:
    """A bucket before and after a change that replaces it."""
    return tuple(
        f"Resources: {{B: {{Type: 'AWS::S3::Bucket', {policies}Properties: {{BucketName: {name}}}}}}}"
        for name in ("first-one", "second-one")
    )  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("policies", "action", "left"),
    [
        ("", "ReplaceAndDelete", {"second-one"}),
        ("UpdateReplacePolicy: Retain, ", "ReplaceAndRetain", {"first-one", "second-one"}),
        ("DeletionPolicy: Retain, ", "ReplaceAndDelete", {"second-one"}),
    ],
)
def test_what_becomes_of_a_replaced_resource(
    account: Account, cloud: Cloud, policies: str, action: str, left: set[str]
) -> None:
    before, after = retyped(policies)
    account.deploy(before)
    made = account.change_set(after)
    assert made["Changes"][0]["ResourceChange"]["PolicyAction"] == action
    assert account.deploy(after) == "UPDATE_COMPLETE"
    assert cloud.things.keys() == left


@pytest.mark.parametrize(
    ("policy", "rolled_back", "deleted"),
    [("Delete", set(), set()), ("Retain", {"one"}, {"one"}), ("RetainExceptOnCreate", set(), {"one"})],
)
def test_a_deletion_policy_at_rollback_and_at_deletion(
    account: Account, cloud: Cloud, policy: str, rolled_back: set[str], deleted: set[str]
) -> None:
    body = f"""
Resources:
  B: {{Type: 'AWS::S3::Bucket', DeletionPolicy: {policy}, Properties: {{BucketName: one}}}}
  S: {{Type: 'AWS::SSM::Parameter', DependsOn: B, Properties: {{Type: String, Value: a}}}}
"""
    cloud.failing["PutParameter"] = ServiceError("ValidationException", "no")
    assert account.deploy(body) == "ROLLBACK_COMPLETE"
    assert cloud.things.keys() == rolled_back
    account.delete()
    cloud.things.clear()
    cloud.failing.clear()
    account.deploy(body)
    account.delete()
    assert cloud.things.keys() == deleted


def test_a_policy_alone_is_a_change_without_replacement(account: Account) -> None:
    account.deploy(of("AWS::S3::Bucket"))
    body = of("AWS::S3::Bucket", more=", DeletionPolicy: Retain")
    change = account.change_set(body)["Changes"][0]["ResourceChange"]
    assert (change["Scope"], change["Replacement"]) == (["DeletionPolicy"], "False")
    account.deploy(body)
    account.api.wait("demo")
    gone = account.change_set(f"Resources:\n{TOPIC}")["Changes"][-1]["ResourceChange"]
    assert (gone["Action"], gone["PolicyAction"]) == ("Remove", "Retain")


def test_a_snapshot_policy_shows_in_the_change_set_and_is_taken(account: Account, cloud: Cloud) -> None:
    db = "{Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20', Timezone: %s}"
    body = of("AWS::RDS::DBInstance", db, ", DeletionPolicy: Snapshot, UpdateReplacePolicy: Snapshot")
    account.deploy(body % "a")
    replaced = account.change_set(body % "b")["Changes"][0]["ResourceChange"]
    assert (replaced["Replacement"], replaced["PolicyAction"]) == ("True", "ReplaceAndSnapshot")
    removed = account.change_set(f"Resources:\n{TOPIC}")["Changes"][-1]["ResourceChange"]
    assert (removed["Action"], removed["PolicyAction"]) == ("Remove", "Snapshot")
    account.deploy(body % "b")
    account.deploy(f"Resources:\n{TOPIC}")
    taken = [
        params["FinalDBSnapshotIdentifier"] for name, params in cloud.calls if name == "DeleteDBInstance"
    ]
    assert len(set(taken)) == 2
    assert all(name.startswith("demo-snapshot-it-") for name in taken)


def test_what_is_write_only_can_not_be_read(account: Account) -> None:
    db = "{Engine: mysql, DBInstanceClass: db.t4g.micro, AllocatedStorage: '20', MasterUserPassword: a}"
    body = of("AWS::RDS::DBInstance", db) + "Outputs: {O: {Value: !GetAtt It.%s}}"
    assert outcome(account, body % "MasterUserPassword").endswith("MasterUserPassword in Fn::GetAtt")
    assert outcome(account, body % "DBInstanceClass") == ""
