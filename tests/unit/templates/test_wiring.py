"""Outputs that the tool reads exist; every parameter has a value; roles are no wider than they must be."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from medallion_cli.aws.cloudformation import Stack
from medallion_cli.errors import AwsError, MedallionError, UsageError
from medallion_cli.operations import package, stack_parameters
from medallion_cli.settings import Settings

Document = dict[str, Any]
OUTPUTS = {
    "network": "VpcId PrivateSubnetIds",
    "storage": "KeyArn BronzeBucket SilverBucket StagingBucket ArtifactsBucket",
    "source": "SourceSecretArn ReplicationSecretArn SourceFunctionName GeneratorFunctionName",
    "replication": "ReplicationTaskArn ReplicationInstanceArn SourceEndpointArn TargetEndpointArn",
    "transform": "SilverDatabase BronzeToSilverJob SilverToGoldJob ChecksumJob HousekeepingJob EraseJob",
    "warehouse": "WorkgroupName WorkgroupArn NamespaceName Database CopyRoleArn WarehouseSecretArn",
    "orchestration": "StateMachineArn PipelineScheduleName GeneratorScheduleName HousekeepingScheduleName TopicArn",
}


class Clients:
    """A target whose services answer from a table: (service, operation) → answer or error."""

    def __init__(self, settings: Settings, answers: dict[tuple[str, str], Any]) -> None:
        self.settings, self.answers, self.service = settings, answers, ""

    def client(self, service: str) -> Any:
        bound = Clients(self.settings, self.answers)
        bound.service = service
        return bound

    def __getattr__(self, operation: str) -> Any:
        answer = self.answers[self.service, operation]
        if isinstance(answer, Exception):
            return self._raising(answer)
        return lambda **_: answer

    def _raising(self, error: Exception) -> Any:
        def call(**_: Any) -> None:
            raise error

        return call


class Roles:
    """An account with some roles."""

    def __init__(self, settings: Settings, there: Collection[str]) -> None:
        self.settings, self.there = settings, there

    def client(self, _: str) -> Any:
        return self

    def get_role(self, RoleName: str) -> None:
        if RoleName not in self.there:
            raise NO_ROLE


NO_ROLE = AwsError("NoSuchEntity", "no such role")
FRESH = {("iam", "get_role"): NO_ROLE, ("s3", "list_objects_v2"): {"IsTruncated": False}}
LIVE = {
    ("iam", "get_role"): {},
    ("ssm", "get_parameter"): AwsError("ParameterNotFound", "no mark"),
    ("dms", "describe_endpoints"): {"Endpoints": [{"S3Settings": {"BucketFolder": "g0007"}}]},
    ("scheduler", "get_schedule"): {"State": "ENABLED"},
}
DEPLOYED = {
    "TargetEndpointArn": "arn",
    "ReplicationTaskArn": "arn",
    "ScheduleGroupName": "g",
    "PipelineScheduleName": "p",
    "GeneratorScheduleName": "q",
    "HousekeepingScheduleName": "r",
}


@pytest.mark.parametrize("stack", OUTPUTS)
def test_outputs_that_the_tool_reads_exist(documents: dict[str, Document], stack: str) -> None:
    assert set(OUTPUTS[stack].split()) <= set(documents[stack]["Outputs"])


def test_each_output_has_one_stack(documents: dict[str, Document]) -> None:
    names = [name for document in documents.values() for name in document["Outputs"]]
    assert len(names) == len(set(names))


def test_every_parameter_has_a_value_from_what_came_before(
    documents: dict[str, Document], built: package.Package, settings: Settings
) -> None:
    """In the order of deployment; a missing one would raise."""
    found: dict[str, str] = {}
    target = Clients(settings, FRESH)
    for stack in package.STACKS:
        stack_parameters.parameters(target, settings, built, stack, None, found)
        found |= dict.fromkeys(documents[stack]["Outputs"], "value")
        if stack == "replication":
            target = Clients(settings, FRESH | LIVE)


def test_a_parameter_without_a_value_is_named(built: package.Package, settings: Settings) -> None:
    with pytest.raises(MedallionError, match="no value for the parameter"):
        stack_parameters.parameters(Clients(settings, {}), settings, built, "warehouse", None, {})


def test_what_is_live_is_kept(
    built: package.Package, settings: Settings, documents: dict[str, Document]
) -> None:
    outputs = {name: "x" for document in documents.values() for name in document["Outputs"]} | DEPLOYED
    made = Stack("s", "CREATE_COMPLETE", "", {}, {"CreateAccountRoles": "true"})
    target = Clients(settings, LIVE)
    replication = stack_parameters.parameters(target, settings, built, "replication", None, outputs)
    assert replication["Generation"] == "g0007"
    reloaded = Clients(settings, LIVE | {("ssm", "get_parameter"): {"Parameter": {"Value": "g0008"}}})
    replication = stack_parameters.parameters(reloaded, settings, built, "replication", None, outputs)
    assert replication["Generation"] == "g0008"  # which a rollback has taken back
    source = stack_parameters.parameters(target, settings, built, "source", made, outputs)
    assert source["CreateAccountRoles"] == "true"
    machine = stack_parameters.parameters(target, settings, built, "orchestration", None, outputs)
    assert (machine["PipelineScheduleState"], machine["GeneratorScheduleState"]) == ("ENABLED", "ENABLED")


def test_a_new_task_never_writes_into_an_old_generation(
    built: package.Package, settings: Settings, documents: dict[str, Document]
) -> None:
    outputs = {
        name: "x" for stack in ("network", "storage", "source") for name in documents[stack]["Outputs"]
    }
    found = {"IsTruncated": False, "CommonPrefixes": [{"Prefix": "g0001/"}, {"Prefix": "g0003/"}]}
    target = Clients(settings, FRESH | {("s3", "list_objects_v2"): found})
    given = stack_parameters.parameters(target, settings, built, "replication", None, outputs)
    assert given["Generation"] == "g0004"


@pytest.mark.parametrize(
    ("there", "kept", "expected"),
    [
        ((), None, "true"),
        (("dms-vpc-role",), None, "logs"),
        (("dms-cloudwatch-logs-role",), None, "vpc"),
        (stack_parameters.ACCOUNT_ROLES.values(), None, "false"),
        (stack_parameters.ACCOUNT_ROLES.values(), "logs", "logs"),
        (("dms-cloudwatch-logs-role",), "logs", "true"),
        (stack_parameters.ACCOUNT_ROLES.values(), "false", "false"),
    ],
)
def test_only_the_account_roles_that_are_missing_are_made(
    settings: Settings, there: Collection[str], kept: str | None, expected: str
) -> None:
    """Making one that is there fails the stack; one that this stack made stays its own."""
    known = Stack("s", "CREATE_COMPLETE", "", {}, {"CreateAccountRoles": kept}) if kept else None
    given = stack_parameters._account_roles(Roles(settings, there), known)  # type: ignore[arg-type]
    assert given == {"CreateAccountRoles": expected}


def test_settings_win_over_defaults(built: package.Package, settings: Settings) -> None:
    changed = settings.model_copy(update={"parameters": {"CidrBlock": "10.9.0.0/16"}})
    given = stack_parameters.parameters(Clients(settings, {}), changed, built, "network", None, {})
    assert given["CidrBlock"] == "10.9.0.0/16"


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"parameters": {"DatabaseClas": "db.m7g.large"}}, "did you mean DatabaseClass"),
        ({"prefix": "Retail_dev"}, "prefix"),
    ],
)
def test_settings_that_no_template_can_take_are_refused(
    built: package.Package, settings: Settings, change: Document, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        stack_parameters.check_settings(settings.model_copy(update=change), built)
    assert hint in str(raised.value.hint)


def test_no_secret_is_in_a_template(built: package.Package) -> None:
    for body in built.templates.values():
        assert "MasterUserPassword" not in body or "{{resolve:secretsmanager:" in body


def test_data_outlives_a_failed_creation_and_a_deleted_stack(documents: dict[str, Document]) -> None:
    """RetainExceptOnCreate: a creation that rolls back leaves nothing in the way of the next one."""
    for name, resource in documents["storage"]["Resources"].items():
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::KMS::Key"):
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
    assert documents["source"]["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"
    assert "FinalSnapshotName" in documents["warehouse"]["Resources"]["Namespace"]["Properties"]
