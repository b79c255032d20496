"""IAM roles that stacks make can be asked for; their keys too; what is not here says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from medallion_cli.local import protocol
from medallion_cli.local.cloudformation.service import CloudFormation
from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import iam, kms

ALLOWED = "{Effect: Allow, Principal: {Service: dms.amazonaws.com}, Action: 'sts:AssumeRole'}"
TRUST = f"{{Version: '2012-10-17', Statement: [{ALLOWED}]}}"
BODY = f"""
Resources:
  Key: {{Type: 'AWS::KMS::Key'}}
  Role:
    Type: AWS::IAM::Role
    DeletionPolicy: RetainExceptOnCreate
    Properties:
      RoleName: dms-vpc-role
      AssumeRolePolicyDocument: {TRUST}
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole']
      Policies: [{{PolicyName: one, PolicyDocument: {{Statement: []}}}}]
Outputs:
  Arn: {{Value: !GetAtt Role.Arn}}
  Key: {{Value: !GetAtt Key.Arn}}
"""


class Machine:
    """The services that take no engine, as the daemon has them."""

    def __init__(self, state: Path) -> None:
        state.mkdir(exist_ok=True)
        self.runtime = Runtime(state, state, "us-east-1", "http://127.0.0.1:1", Credentials("a", "b"), {})
        self.stacks = CloudFormation(self.runtime)
        services: Any = [iam.create(self.runtime), kms.create(self.runtime), self.stacks]
        self.runtime.services = {service.name: service for service in services}
        self.stacks.start()

    def deploy(self, body: str, name: str = "demo") -> str:
        call = "UpdateStack" if self.stacks._store.find(name) else "CreateStack"
        capabilities = ["CAPABILITY_NAMED_IAM"]
        self.runtime.call(
            "cloudformation", call, StackName=name, TemplateBody=body, Capabilities=capabilities
        )
        self.stacks.wait(name)
        (found,) = self.runtime.call("cloudformation", "DescribeStacks", StackName=name)["Stacks"]
        self.outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
        return str(found["StackStatus"])

    def role(self) -> dict[str, Any]:
        found: dict[str, Any] = self.runtime.call("iam", "GetRole", RoleName="dms-vpc-role")["Role"]
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "state")


def test_a_role_is_as_its_stack_made_it(machine: Machine) -> None:
    with pytest.raises(ServiceError, match="NoSuchEntity"):
        machine.role()
    assert machine.deploy(BODY) == "CREATE_COMPLETE"
    role = machine.role()
    assert role["Arn"] == machine.outputs["Arn"] == "arn:aws:iam::000000000000:role/dms-vpc-role"
    trust = json.loads(unquote(role["AssumeRolePolicyDocument"]))
    assert trust["Statement"][0]["Principal"] == {"Service": "dms.amazonaws.com"}
    attached = machine.runtime.call("iam", "ListAttachedRolePolicies", RoleName="dms-vpc-role")
    assert attached["AttachedPolicies"][0]["PolicyName"] == "AmazonDMSVPCManagementRole"


def test_an_update_puts_policies_in_place_and_takes_the_others_away(machine: Machine) -> None:
    machine.deploy(BODY)
    changed = BODY.replace("PolicyName: one", "PolicyName: two").replace("AmazonDMSVPC", "Other")
    assert machine.deploy(changed) == "UPDATE_COMPLETE"
    names = machine.runtime.call("iam", "ListRolePolicies", RoleName="dms-vpc-role")["PolicyNames"]
    attached = machine.runtime.call("iam", "ListAttachedRolePolicies", RoleName="dms-vpc-role")
    assert names == ["two"]
    assert [item["PolicyName"] for item in attached["AttachedPolicies"]] == ["OtherManagementRole"]


def test_a_retained_role_is_in_the_way_of_another_stack(machine: Machine) -> None:
    machine.deploy(BODY)
    machine.runtime.call("cloudformation", "DeleteStack", StackName="demo")
    machine.stacks._workers.join(next(iter(machine.stacks._store.stacks)))
    assert machine.role()
    assert machine.deploy(BODY, "other") == "ROLLBACK_COMPLETE"
    events = machine.runtime.call("cloudformation", "DescribeStackEvents", StackName="other")["StackEvents"]
    reasons = [item.get("ResourceStatusReason", "") for item in events]
    assert any("Role with name dms-vpc-role already exists" in reason for reason in reasons)


def test_drift_of_a_role(machine: Machine) -> None:
    machine.deploy(BODY)

    def state() -> str:
        found = machine.runtime.call(
            "cloudformation", "DetectStackResourceDrift", StackName="demo", LogicalResourceId="Role"
        )
        return str(found["StackResourceDrift"]["StackResourceDriftStatus"])

    assert state() == "IN_SYNC"
    machine.runtime.call(
        "iam", "PutRolePolicy", RoleName="dms-vpc-role", PolicyName="mine", PolicyDocument="{}"
    )
    assert state() == "MODIFIED"
    with pytest.raises(ServiceError, match="must remove policies first"):
        machine.runtime.call("iam", "DeleteRole", RoleName="dms-vpc-role")


def test_roles_of_an_older_state_folder_are_put_back(machine: Machine, tmp_path: Path) -> None:
    machine.deploy(BODY)
    before = machine.role()["RoleId"]
    machine.runtime.store.delete("iam")
    again = Machine(tmp_path / "state")
    assert again.role()["RoleId"] == before


def test_a_key_of_a_stack_can_be_given_up_once(machine: Machine) -> None:
    machine.deploy(BODY)
    key = machine.outputs["Key"]
    assert machine.runtime.call("kms", "DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    machine.runtime.call("kms", "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    found = machine.runtime.call("kms", "DescribeKey", KeyId=key)["KeyMetadata"]
    assert found["KeyState"] == "PendingDeletion"
    with pytest.raises(ServiceError, match="KMSInvalidStateException"):
        machine.runtime.call("kms", "ScheduleKeyDeletion", KeyId=key)
    with pytest.raises(ServiceError, match="NotFoundException"):
        machine.runtime.call("kms", "DescribeKey", KeyId="another")


@pytest.mark.parametrize("service", ["ec2", "quicksight", "service-quotas", "sqs"])
def test_a_service_that_is_not_here_says_so_to_its_client(service: str) -> None:
    """The client raises a ClientError with a code, at once: 501 is not retried."""
    from botocore.parsers import create_parser

    status, headers, body = protocol.absent(service)
    model = protocol.service_model(service)
    text = body.encode() if isinstance(body, str) else body
    answer = {"status_code": status, "headers": headers, "body": text}
    parsed = create_parser(str(model.protocol)).parse(answer, None)
    assert status == 501
    assert parsed["Error"]["Code"] == "NotImplemented"
    assert parsed["Error"]["Message"].startswith(f"{service} is not available locally")


def test_dms_wants_its_role_before_a_subnet_group(machine: Machine) -> None:
    from medallion_cli.local.services.dms_resources import Resources

    dms = Resources(machine.runtime)
    group = {
        "ReplicationSubnetGroupIdentifier": "g",
        "ReplicationSubnetGroupDescription": "d",
        "SubnetIds": ["subnet-1"],
    }
    with pytest.raises(ServiceError, match="role/dms-vpc-role is not configured properly"):
        dms.create_replication_subnet_group(dict(group))
    machine.deploy(BODY)
    made = dms.create_replication_subnet_group(dict(group))["ReplicationSubnetGroup"]
    assert made["ReplicationSubnetGroupIdentifier"] == "g"
