"""What the environments are made of, evaluated as AWS would: one set of templates, and names that meet over stacks."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from medallion_cli.assets import Assets
from medallion_cli.operations import package
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation.deployment import Deployment, simulate
from medallion_cli.settings import load_settings
from medallion_cli.spec import Pipeline

Document = dict[str, Any]


def bodies(env: str, assets: Assets, pipeline: Pipeline) -> dict[str, str]:
    settings = load_settings(env, assets).model_copy(update={"prefix": f"retail-{env}"})
    return package.render_templates(pipeline, assets, settings)


def deployed(env: str, assets: Assets, pipeline: Pipeline, **parameters: str) -> Deployment:
    settings = load_settings(env, assets).model_copy(update={"prefix": f"retail-{env}"})
    settings = settings.model_copy(update={"parameters": settings.parameters | parameters})
    templates = {stack: parse_template(body) for stack, body in bodies(env, assets, pipeline).items()}
    return simulate(settings, templates)


@pytest.fixture(scope="module")
def dev(assets: Assets, pipeline: Pipeline) -> Deployment:
    return deployed("dev", assets, pipeline)


@pytest.fixture(scope="module")
def prod(assets: Assets, pipeline: Pipeline) -> Deployment:
    return deployed("prod", assets, pipeline)


def one(deployment: Deployment, kind: str) -> Document:
    ((_, _, properties),) = deployment.of_type(kind)
    return properties


def names(deployment: Deployment, kind: str, key: str) -> set[str]:
    return {str(properties[key]) for _, _, properties in deployment.of_type(kind)}


def test_dev_and_prod_are_the_same_templates(assets: Assets, pipeline: Pipeline) -> None:
    """They differ in configs/*.yaml alone."""
    assert bodies("dev", assets, pipeline) == bodies("prod", assets, pipeline)


def test_prod_is_highly_available_and_protected_and_dev_is_small(dev: Deployment, prod: Deployment) -> None:
    database, small = one(prod, "AWS::RDS::DBInstance"), one(dev, "AWS::RDS::DBInstance")
    assert (str(database["MultiAZ"]), str(database["DeletionProtection"])) == ("true", "true")
    assert (str(small["MultiAZ"]), str(small["DeletionProtection"])) == ("false", "false")
    assert str(one(prod, "AWS::DMS::ReplicationInstance")["MultiAZ"]) == "true"
    assert int(str(database["BackupRetentionPeriod"])) > int(str(small["BackupRetentionPeriod"])) > 0
    assert "MonitoringRoleArn" in database
    assert "MonitoringRoleArn" not in small
    assert int(str(one(dev, "AWS::RedshiftServerless::Workgroup")["BaseCapacity"])) == 4
    assert prod.settings.guards.termination_protection
    assert len(prod.of_type("AWS::EC2::FlowLog")) == 1
    assert dev.of_type("AWS::EC2::FlowLog") == []


def test_endpoints_stand_in_every_zone_of_prod_and_in_one_of_dev(dev: Deployment, prod: Deployment) -> None:
    for deployment, zones in ((dev, 1), (prod, 3)):
        found = [
            p
            for _, _, p in deployment.of_type("AWS::EC2::VPCEndpoint")
            if p["VpcEndpointType"] == "Interface"
        ]
        assert len(found) == 4
        assert {len(endpoint["SubnetIds"]) for endpoint in found} == {zones}


def test_zones_can_be_chosen_where_the_first_three_do_not_have_everything(
    assets: Assets, pipeline: Pipeline
) -> None:
    chosen = deployed("dev", assets, pipeline, AvailabilityZones="us-east-1a,us-east-1b,us-east-1d")
    zones = [p["AvailabilityZone"] for _, _, p in chosen.of_type("AWS::EC2::Subnet")]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1d"]


def test_two_environments_of_an_account_share_no_name(dev: Deployment, prod: Deployment) -> None:
    for kind, key in (
        ("AWS::Glue::Job", "Name"),
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::CloudWatch::Alarm", "AlarmName"),
        ("AWS::Events::Rule", "Name"),
        ("AWS::RedshiftServerless::Namespace", "NamespaceName"),
        ("AWS::Scheduler::Schedule", "Name"),
    ):
        assert names(dev, kind, key), kind
        assert not names(dev, kind, key) & names(prod, kind, key), kind
    databases = [one(d, "AWS::Glue::Database")["DatabaseInput"]["Name"] for d in (dev, prod)]
    assert databases == ["retail_dev_silver", "retail_prod_silver"]


def test_every_log_that_a_service_writes_has_a_group_with_an_end(prod: Deployment) -> None:
    """Where a service makes its group itself, the group keeps its events for ever."""
    written = {f"/aws/lambda/{name}" for name in names(prod, "AWS::Lambda::Function", "FunctionName")}
    database = one(prod, "AWS::RDS::DBInstance")
    written |= {
        f"/aws/rds/instance/{database['DBInstanceIdentifier']}/{log}"
        for log in database["EnableCloudwatchLogsExports"]
    }
    instance = one(prod, "AWS::DMS::ReplicationInstance")
    written.add(f"dms-tasks-{instance['ReplicationInstanceIdentifier']}")
    namespace = one(prod, "AWS::RedshiftServerless::Namespace")
    written |= {f"/aws/redshift/{namespace['NamespaceName']}/{log}" for log in namespace["LogExports"]}
    for _, _, job in prod.of_type("AWS::Glue::Job"):
        prefix = job["DefaultArguments"]["--custom-logGroup-prefix"]
        written |= {f"{prefix}/error", f"{prefix}/output"}
    groups = {str(p["LogGroupName"]): p for _, _, p in prod.of_type("AWS::Logs::LogGroup")}
    assert written <= set(groups)
    assert {str(group["RetentionInDays"]) for group in groups.values()} == {"90"}
    assert all("KmsKeyId" in group for group in groups.values())


@pytest.mark.parametrize(
    ("stack", "writer", "groups"),
    [
        ("source", "Database", {"DatabaseErrorLogs", "DatabaseSlowqueryLogs"}),
        ("source", "SourceFunction", {"SourceFunctionLogs"}),
        ("source", "GeneratorFunction", {"GeneratorFunctionLogs"}),
        ("replication", "Instance", {"TaskLogs"}),
        ("transform", "HousekeepingJob", {"ErrorLogs", "OutputLogs"}),
        ("warehouse", "Namespace", {"Userlog", "Connectionlog", "Useractivitylog"}),
    ],
)
def test_a_log_group_is_there_before_who_writes_to_it(
    documents: dict[str, Document], stack: str, writer: str, groups: set[str]
) -> None:
    """Else the service has made it by then, and the stack fails on a name that is taken."""
    waits = documents[stack]["Resources"][writer]["DependsOn"]
    assert groups <= set([waits] if isinstance(waits, str) else waits)


def test_the_alarm_on_stale_gold_counts_what_runs_tell(dev: Deployment, assets: Assets) -> None:
    machine = yaml.safe_load(assets.read("infra_templates/state_machine.yaml"))
    told = machine["States"]["Tell that gold is fresh"]["Arguments"]
    (alarm,) = (
        p for _, _, p in dev.of_type("AWS::CloudWatch::Alarm") if str(p["AlarmName"]).endswith("stale-gold")
    )
    (counted,) = (m["MetricStat"]["Metric"] for m in alarm["Metrics"] if m["Id"] == "loaded")
    assert counted["Namespace"] == told["Namespace"]
    assert counted["MetricName"] == told["MetricData"][0]["MetricName"]
    assert [d["Name"] for d in counted["Dimensions"]] == [
        d["Name"] for d in told["MetricData"][0]["Dimensions"]
    ]
    assert counted["Dimensions"][0]["Value"] == "retail-dev"
    (machine_role,) = (p for _, name, p in dev.of_type("AWS::IAM::Role") if name == "MachineRole")
    allowed = [
        s
        for s in machine_role["Policies"][0]["PolicyDocument"]["Statement"]
        if s["Action"] == "cloudwatch:PutMetricData"
    ]
    assert allowed[0]["Condition"] == {"StringEquals": {"cloudwatch:namespace": told["Namespace"]}}


def test_bronze_is_deleted_from_by_housekeeping_alone(documents: dict[str, Document]) -> None:
    resources = documents["transform"]["Resources"]
    deleting = [
        role
        for role in ("JobRole", "HousekeepingRole")
        for s in resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        if "s3:DeleteObject" in s["Action"] and "BronzeBucket" in str(s["Resource"])
    ]
    assert deleting == ["HousekeepingRole"]
    users = {
        n
        for n, r in resources.items()
        if r["Type"] == "AWS::Glue::Job" and "HousekeepingRole" in str(r["Properties"]["Role"])
    }
    assert users == {"HousekeepingJob"}


def test_the_ledger_of_erasures_and_bronze_never_expire(dev: Deployment) -> None:
    for _, name, bucket in dev.of_type("AWS::S3::Bucket"):
        rules = bucket["LifecycleConfiguration"]["Rules"]
        ended = [rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule]
        assert not [
            prefix for prefix in ended if "erasures/".startswith(prefix) and name != "StagingBucket"
        ], name
        assert name != "BronzeBucket" or ended == []


def test_dashboards_do_not_sign_in_as_the_administrator(documents: dict[str, Document]) -> None:
    source = documents["visualization"]["Resources"]["Warehouse"]["Properties"]
    assert source["Credentials"] == {"SecretArn": {"Ref": "DashboardSecretArn"}}


def test_replication_tells_every_change_of_its_state(dev: Deployment) -> None:
    """A task that stopped has no lag: the alarms on it would be silent."""
    patterns = [p["EventPattern"] for _, _, p in dev.of_type("AWS::Events::Rule")]
    assert ["aws.dms"] in [pattern["source"] for pattern in patterns]


def test_eventbridge_publishes_without_a_condition(documents: dict[str, Document]) -> None:
    """It supports none in a topic's policy (EventBridge user guide, resource-based policies): the message would be lost."""
    policy = documents["orchestration"]["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"]
    (events,) = (s for s in policy["Statement"] if "events.amazonaws.com" in str(s["Principal"]))
    assert "Condition" not in events
