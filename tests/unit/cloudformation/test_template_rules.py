"""What a template may say: intrinsics, parameters, structure, and the strictness of resource schemas."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fake_cloud import Account, Cloud

from medallion_cli.local.protocol import ServiceError

TOPIC = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}\n"


def output(account: Account, expression: str, *, head: str = "", **more: Any) -> str:
    account.deploy(f"{head}\n{TOPIC}Outputs: {{Out: {{Value: {expression}}}}}", **more)
    return account.outputs()["Out"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("!Sub '${AWS::StackName}-${!kept}-${AWS::Region}'", "demo-${kept}-eu-central-1"),
        ("!Sub ['${A}/${Topic.TopicName}', {A: !Ref 'AWS::Partition'}]", "aws/NAME"),
        ("!Join ['-', [a, !Ref 'AWS::AccountId', 1]]", "a-000000000000-1"),
        ("!Select [1, !Split [',', 'x,y,z']]", "y"),
        ("!If [IsBig, big, small]", "big"),
        ("!FindInMap [Sizes, !Ref 'AWS::Region', db]", "large"),
        ("{'Fn::Base64': hello}", "aGVsbG8="),
        ("!Select [2, !Cidr ['10.0.0.0/16', 4, 8]]", "10.0.2.0/24"),
        ("!Select [0, !GetAZs '']", "eu-central-1a"),
        ("!Join [',', !Ref Items]", "a,b"),
        ("!Ref Topic", "arn:aws:sns:eu-central-1:000000000000:NAME"),
    ],
)
def test_intrinsics(account: Account, expression: str, expected: str) -> None:
    head = """
Parameters: {Items: {Type: CommaDelimitedList, Default: 'a, b'}, Size: {Type: Number, Default: 10}}
Mappings: {Sizes: {eu-central-1: {db: large}}}
Conditions:
  Ten: !Equals [!Ref Size, 10]
  IsHome: !Equals [!Ref 'AWS::Region', us-east-1]
  IsBig: !And [!Condition Ten, !Not [!Condition IsHome], !Or [!Condition Ten, !Condition IsHome]]
"""
    found = output(account, expression, head=head)
    name = account.physical("Topic").rsplit(":", 1)[-1]
    assert found == expected.replace("NAME", name)


def test_a_false_condition_leaves_a_resource_out_and_no_value_a_property(
    account: Account, cloud: Cloud
) -> None:
    body = """
Conditions: {Never: !Equals [a, b]}
Resources:
  Gone: {Type: 'AWS::S3::Bucket', Condition: Never}
  Topic: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !If [Never, x, !Ref 'AWS::NoValue']}}
"""
    assert account.deploy(body) == "CREATE_COMPLETE"
    assert cloud.operations() == ["CreateTopic"]
    assert "Attributes" not in cloud.calls[0][1]


def test_json_templates_and_yaml_templates_are_the_same(account: Account) -> None:
    document = {"Resources": {"B": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"N": {"Value": {"Ref": "B"}}}}
    assert account.deploy(json.dumps(document)) == "CREATE_COMPLETE"
    assert account.outputs()["N"] == account.physical("B")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Resources: {}", "At least one Resources member must be defined"),
        ("Resources: [", "YAML not well-formed"),
        ("{", "JSON not well-formed"),
        ("Resources: {A: {Type: 'AWS::S3::Bucket'}, A: {Type: 'AWS::S3::Bucket'}}", "duplicate key A"),
        ("Extra: 1\nResources: {A: {Type: 'AWS::S3::Bucket'}}", "Invalid template property or properties"),
        ("Resources: {A: {Type: 'AWS::S3::Bukket'}}", "Unrecognized resource types: \\[AWS::S3::Bukket"),
        (
            "Resources: {A: {Type: 'AWS::EKS::Cluster'}}",
            "neither acts on nor declares inert: .AWS::EKS::Cluster",
        ),
        ("Resources: {A-b: {Type: 'AWS::S3::Bucket'}}", "non alphanumeric"),
        ("Resources: {A: {Properties: {}}}", "Every Resources object must contain a Type member"),
        ("Resources: {A: {Type: 'AWS::S3::Bucket', Propertys: {}}}", "Invalid template resource property"),
        ("Resources: {A: {Type: 'AWS::S3::Bucket', DependsOn: B}}", "Unresolved resource dependencies \\[B"),
        ("Resources: {A: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Ref B}}}", "dependencies \\[B"),
        ("Resources: {A: {Type: 'AWS::S3::Bucket', Condition: B}}", "Unresolved condition dependency B"),
        (f"{TOPIC}Outputs: {{O: {{Value: !GetAtt Topic.Colour}}}}", "does not support attribute type Colour"),
        (
            f"{TOPIC}Outputs: {{O: {{Value: !Sub '${{Topic.Colour}}'}}}}",
            "does not support attribute type Colour",
        ),
        (f"Transform: X\n{TOPIC}", "No transform named X"),
        (
            "Resources: {A: {Type: 'AWS::KMS::Key', DependsOn: B}, B: {Type: 'AWS::KMS::Key', DependsOn: A}}",
            "Circular dependency between resources: \\[A, B\\]",
        ),
    ],
)
def test_a_malformed_template_is_refused_before_anything_is_made(
    account: Account, body: str, message: str
) -> None:
    with pytest.raises(Exception, match=message):
        account.change_set(body)
    assert account.api.list_stacks({})["StackSummaries"] == []


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ("{Type: String}", None, "must have values"),
        ("{Type: String, AllowedValues: [a, b]}", "c", "'P' must be one of AllowedValues"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "A1", "'P' must match pattern"),
        ("{Type: String, MinLength: 3}", "ab", "at least 3 characters"),
        ("{Type: Number}", "ten", "must be a number"),
        ("{Type: Number, MaxValue: 5}", "6", "not greater than 5"),
        ("{Type: Strin}", "a", "Unrecognized parameter type"),
        ("{Type: String, AllowedPattern: 'x', ConstraintDescription: only x}", "y", "constraint: only x"),
    ],
)
def test_a_wrong_parameter_is_refused(
    account: Account, declaration: str, value: str | None, message: str
) -> None:
    given = [] if value is None else [{"ParameterKey": "P", "ParameterValue": value}]
    with pytest.raises(Exception, match=message):
        account.change_set(f"Parameters: {{P: {declaration}}}\n{TOPIC}", Parameters=given)


def test_an_undeclared_parameter_is_refused(account: Account) -> None:
    with pytest.raises(Exception, match="do not exist in the template"):
        account.change_set(TOPIC, Parameters=[{"ParameterKey": "P", "ParameterValue": "1"}])


def test_no_echo_parameters_are_never_shown(account: Account) -> None:
    body = "Parameters: {P: {Type: String, NoEcho: true}}\n" + TOPIC.replace(
        "'AWS::SNS::Topic'", "'AWS::SNS::Topic', Properties: {DisplayName: !Ref P}"
    )
    account.deploy(body, Parameters=[{"ParameterKey": "P", "ParameterValue": "hush"}])
    made = account.change_set(body, Parameters=[{"ParameterKey": "P", "ParameterValue": "other"}])
    assert not {"hush", "other"} & set(str(made).replace("'", " ").split())
    assert account.stack()["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]


def test_iam_resources_need_their_capability(account: Account) -> None:
    body = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {RoleName: r, AssumeRolePolicyDocument: {}}}}"
    with pytest.raises(Exception, match="Requires capabilities : \\[CAPABILITY_NAMED_IAM\\]"):
        account.change_set(body, Capabilities=["CAPABILITY_IAM"])


BAD = [
    ("AWS::S3::Bucket", "{BucketNam: x}", "#: extraneous key [BucketNam] is not permitted"),
    ("AWS::S3::Bucket", "{BucketName: {a: b}}", "#/BucketName: expected type: String, found: JSONObject"),
    ("AWS::DMS::ReplicationTask", "{MigrationType: cdc}", "#: required key [TableMappings] not found"),
    (
        "AWS::DMS::Endpoint",
        "{EndpointType: s, EngineName: s3, EndpointArn: a}",
        "read-only property [EndpointArn]",
    ),
    (
        "AWS::SecretsManager::Secret",
        "{GenerateSecretString: {PasswordLenght: 3}}",
        "#/GenerateSecretString: extraneous key [PasswordLenght] is not permitted",
    ),
    ("AWS::KMS::Key", "{KeySpec: RSA_1}", "#/KeySpec: RSA_1 is not a valid enum value"),
    ("AWS::S3::Bucket", "{VersioningConfiguration: {Status: On}}", "#/VersioningConfiguration/Status: "),
    ("AWS::RDS::DBInstance", "{MultiAZ: maybe}", "#/MultiAZ: expected type: Boolean, found: String"),
    ("AWS::KMS::Key", "{PendingWindowInDays: 3}", "#/PendingWindowInDays: 3 is not greater or equal to 7"),
    (
        "AWS::RedshiftServerless::Workgroup",
        "{WorkgroupName: 'NOT GOOD'}",
        "#/WorkgroupName: failed validation constraint for keyword [pattern]",
    ),
]


@pytest.mark.parametrize(("kind", "properties", "message"), BAD)
def test_a_wrong_property_fails_the_change_set(
    account: Account, kind: str, properties: str, message: str
) -> None:
    made = account.change_set(f"Resources: {{A: {{Type: '{kind}', Properties: {properties}}}}}")
    assert (made["Status"], made["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert made["StatusReason"].startswith("Properties validation failed for resource A with message:\n")
    assert message in made["StatusReason"]


def test_a_wrong_value_that_only_execution_knows_fails_the_resource(account: Account) -> None:
    body = """
Resources:
  Setting: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: x}}
  Key: {Type: 'AWS::KMS::Key', Properties: {KeySpec: !GetAtt Setting.Value}}
"""
    if account.change_set(body)["Status"] == "FAILED":
        pytest.fail("the change set cannot know the value")
    account.delete()
    assert account.deploy(body) == "ROLLBACK_COMPLETE"
    assert "x is not a valid enum value" in account.reason("Key", "CREATE_FAILED")


def test_text_is_taken_for_numbers_and_booleans_as_cloudformation_does(
    account: Account, cloud: Cloud
) -> None:
    body = """
Resources:
  Key: {Type: 'AWS::KMS::Key', Properties: {PendingWindowInDays: '7', EnableKeyRotation: 'true'}}
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {AllocatedStorage: 20, DBInstanceClass: db.t4g.micro, Engine: mysql, MultiAZ: 'false'}
"""
    assert account.deploy(body) == "CREATE_COMPLETE"
    made = next(params for name, params in cloud.calls if name == "CreateDBInstance")
    assert (made["AllocatedStorage"], made["MultiAZ"]) == (20, False)


def test_a_secret_reaches_the_database_but_never_the_store(account: Account, cloud: Cloud) -> None:
    body = """
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        SecretStringTemplate: '{"username":"root"}'
        GenerateStringKey: password
        PasswordLength: 24
  Db:
    Type: AWS::RDS::DBInstance
    DeletionPolicy: Delete
    Properties:
      Engine: mysql
      DBInstanceClass: db.t4g.micro
      AllocatedStorage: '20'
      MasterUsername: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:username}}'
      MasterUserPassword: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:password}}'
  Attachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Secret, TargetId: !Ref Db, TargetType: 'AWS::RDS::DBInstance'}
Outputs: {Address: {Value: !Sub '${Db.Endpoint.Address}:${Db.Endpoint.Port}'}}
"""
    assert account.deploy(body) == "CREATE_COMPLETE"
    made = next(params for name, params in cloud.calls if name == "CreateDBInstance")
    assert (made["MasterUsername"], made["MasterUserPassword"]) == ("root", "p" * 24)
    secret = json.loads(cloud.things[account.physical("Secret")]["SecretString"])
    assert (secret["host"], secret["port"], secret["engine"]) == ("127.0.0.1", 3307, "mysql")
    assert account.outputs()["Address"] == "127.0.0.1:3307"
    assert "p" * 24 not in str(cloud.store.texts)


def test_a_missing_secret_fails_the_resource(account: Account) -> None:
    body = """
Resources:
  S: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: '{{resolve:secretsmanager:nothing}}'}}
"""
    assert account.deploy(body) == "ROLLBACK_COMPLETE"
    assert "not found" in account.reason("S", "CREATE_FAILED")


def test_inert_resources_have_ids_and_attributes_of_the_right_form(account: Account) -> None:
    body = """
Resources:
  Key: {Type: 'AWS::KMS::Key'}
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.1.0.0/16}}
  Role: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}
Outputs:
  Key: {Value: !GetAtt Key.Arn}
  Vpc: {Value: !Ref Vpc}
  Role: {Value: !GetAtt Role.Arn}
"""
    account.deploy(body)
    found = account.outputs()
    assert found["Key"].startswith("arn:aws:kms:eu-central-1:000000000000:key/")
    assert re.fullmatch("vpc-0[0-9a-f]{16}", found["Vpc"])
    assert found["Role"].startswith("arn:aws:iam::000000000000:role/demo-Role-")


def test_exports_reach_other_stacks_and_hold_their_owner(account: Account, cloud: Cloud) -> None:
    account.deploy(TOPIC + "Outputs: {T: {Value: !Ref Topic, Export: {Name: the-topic}}}", name="one")
    given = "{Type: String, Value: !ImportValue the-topic}"
    user = f"Resources: {{S: {{Type: 'AWS::SSM::Parameter', Properties: {given}}}}}"
    assert account.deploy(user, name="two") == "CREATE_COMPLETE"
    assert ":sns:" in next(params["Value"] for name, params in cloud.calls if name == "PutParameter")
    with pytest.raises(Exception, match="in use by two"):
        account.api.delete_stack({"StackName": "one"})


def test_what_a_service_raises_is_the_reason_with_its_code(account: Account, cloud: Cloud) -> None:
    cloud.failing["CreateTopic"] = ServiceError("AuthorizationError", "not you")
    account.deploy(TOPIC)
    reason = account.reason("Topic", "CREATE_FAILED")
    assert reason.startswith('Resource handler returned message: "not you (Error Code: AuthorizationError')
