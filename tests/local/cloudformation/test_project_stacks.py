"""The project's templates on the real services, through the API as the CLI uses it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from stack_daemon import Daemon

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[3]
PREFIX = "retail-test"
FACTS = {
    "Prefix": PREFIX,
    "Environment": "test",
    "BatchSeconds": "1",
    "PollSeconds": "1",
    "PipelineSchedule": "rate(1 minute)",
    "GeneratorSchedule": "rate(1 minute)",
    "GeneratorChanges": "50",
    "ScheduleTimeZone": "UTC",
    "Generation": "g0001",
    "CreateAccountRoles": "true",
}


class Project:
    """Renders the stacks and deploys them one after the other."""

    def __init__(self, daemon: Daemon) -> None:
        from medallion_cli.assets import Assets
        from medallion_cli.operations import package
        from medallion_cli.settings import load_settings
        from medallion_cli.spec import load_pipeline

        assets = Assets.find(ROOT)
        settings = load_settings("local", assets)
        self.daemon = daemon
        self.package = package.build(load_pipeline(assets), assets, settings)
        self.stacks = package.STACKS
        self.parameters = settings.parameters | FACTS | self.package.parameters

    def change_set(self, stack: str) -> dict[str, Any]:
        from medallion_cli.operations.template import declared_parameters

        cloudformation, body = self.daemon.client("cloudformation"), self.package.templates[stack]
        known = self.parameters | self.outputs()
        given = {name: known[name] for name in declared_parameters(body) if name in known}
        fresh = stack not in self.states()
        made = cloudformation.create_change_set(
            StackName=f"{PREFIX}-{stack}",
            ChangeSetName=f"c{time.time_ns()}",
            ChangeSetType="CREATE" if fresh else "UPDATE",
            TemplateBody=body,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        )
        found: dict[str, Any] = cloudformation.describe_change_set(ChangeSetName=made["Id"])
        return found

    def execute(self, stack: str) -> None:
        if stack == "source":
            self.upload()
        made = self.change_set(stack)
        assert made["Status"] == "CREATE_COMPLETE", made["StatusReason"]
        self.daemon.client("cloudformation").execute_change_set(ChangeSetName=made["ChangeSetId"])

    def upload(self) -> None:
        bucket, s3 = self.outputs()["ArtifactsBucket"], self.daemon.client("s3")
        self.parameters["CodeBucket"] = bucket
        for artefact in self.package.artefacts:
            s3.put_object(Bucket=bucket, Key=artefact.key, Body=artefact.content)

    def described(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.daemon.client("cloudformation").describe_stacks()["Stacks"]
        return found

    def states(self) -> dict[str, str]:
        return {
            item["StackName"].removeprefix(f"{PREFIX}-"): item["StackStatus"] for item in self.described()
        }

    def outputs(self) -> dict[str, str]:
        return {
            o["OutputKey"]: o["OutputValue"] for item in self.described() for o in item.get("Outputs", [])
        }

    def settle(self, stack: str) -> str | None:
        until = time.monotonic() + 120
        while (state := self.states().get(stack)) is not None and state.endswith("_IN_PROGRESS"):
            assert time.monotonic() < until, state
            time.sleep(0.2)
        return state

    def drifted(self, stack: str) -> dict[str, list[dict[str, str]]]:
        """Differences by resource, of those that are not as their template says."""
        cloudformation, name = self.daemon.client("cloudformation"), f"{PREFIX}-{stack}"
        made = cloudformation.detect_stack_drift(StackName=name)
        found = cloudformation.describe_stack_drift_detection_status(**_id(made))
        assert found["DetectionStatus"] == "DETECTION_COMPLETE"
        drifts = cloudformation.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
        return {
            item["LogicalResourceId"]: item["PropertyDifferences"]
            for item in drifts
            if item["StackResourceDriftStatus"] not in ("IN_SYNC", "NOT_CHECKED")
        }

    def reasons(self, stack: str) -> list[str]:
        events = self.daemon.client("cloudformation").describe_stack_events(StackName=f"{PREFIX}-{stack}")
        told = [item.get("ResourceStatusReason", "") for item in events["StackEvents"]]
        return [reason for reason in told if reason]

    def empty(self) -> None:
        s3 = self.daemon.client("s3")
        for name, bucket in self.outputs().items():
            for item in (
                s3.list_objects_v2(Bucket=bucket).get("Contents", []) if name.endswith("Bucket") else ()
            ):
                s3.delete_object(Bucket=bucket, Key=item["Key"])


def _id(made: dict[str, Any]) -> dict[str, str]:
    return {"StackDriftDetectionId": made["StackDriftDetectionId"]}


def _changed_behind_its_back(project: Project) -> None:
    """What somebody does in a console: a function's memory, a parameter of the database, a role."""
    client, outputs = project.daemon.client, project.outputs()
    client("lambda").update_function_configuration(FunctionName=outputs["SourceFunctionName"], MemorySize=512)
    resources = client("cloudformation").describe_stack_resources(StackName=f"{PREFIX}-source")
    ids = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in resources["StackResources"]}
    setting = {"ParameterName": "binlog_format", "ParameterValue": "MIXED", "ApplyMethod": "pending-reboot"}
    client("rds").modify_db_parameter_group(
        DBParameterGroupName=ids["DatabaseParameters"], Parameters=[setting]
    )
    client("logs").delete_log_group(logGroupName=ids["SourceFunctionLogs"])


def test_every_stack_comes_up_stays_and_goes(daemon: Daemon) -> None:
    project = Project(daemon)
    for stack in project.stacks:
        project.execute(stack)
        assert project.settle(stack) == "CREATE_COMPLETE", project.reasons(stack)
    for stack in project.stacks:
        assert "didn't contain changes" in project.change_set(stack)["StatusReason"]
        assert project.drifted(stack) == {}, stack
    _changed_behind_its_back(project)
    found = project.drifted("source")
    assert found.keys() == {"SourceFunction", "DatabaseParameters", "SourceFunctionLogs"}
    assert found["SourceFunction"] == [
        {
            "PropertyPath": "/MemorySize",
            "ExpectedValue": "1024",
            "ActualValue": "512",
            "DifferenceType": "NOT_EQUAL",
        }
    ]
    assert [item["PropertyPath"] for item in found["DatabaseParameters"]] == ["/Parameters/binlog_format"]
    project.empty()
    for stack in reversed(project.stacks):
        daemon.client("cloudformation").delete_stack(StackName=f"{PREFIX}-{stack}")
        assert project.settle(stack) is None, project.reasons(stack)


def test_a_daemon_killed_while_the_database_starts_finishes_the_stack(daemon: Daemon) -> None:
    project = Project(daemon)
    for stack in ("network", "storage"):
        project.execute(stack)
        assert project.settle(stack) == "CREATE_COMPLETE", project.reasons(stack)
    project.execute("source")
    while not project.daemon.client("rds").describe_db_instances()["DBInstances"]:
        time.sleep(0.02)
    daemon.kill()
    daemon.start()
    assert project.settle("source") == "CREATE_COMPLETE", project.reasons("source")
    (instance,) = daemon.client("rds").describe_db_instances()["DBInstances"]
    assert instance["DBInstanceStatus"] == "available"
    secret = daemon.client("secretsmanager").get_secret_value(SecretId=project.outputs()["SourceSecretArn"])
    assert f'"port": {instance["Endpoint"]["Port"]}' in secret["SecretString"]
