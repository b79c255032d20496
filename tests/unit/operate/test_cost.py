"""Cost: quantities are those of the templates as configured, prices those of a dated file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medallion_cli.assets import Assets
from medallion_cli.cli import main
from medallion_cli.operations.cost import HOURS, PRICED, CostEstimate, CostLine, estimate
from medallion_cli.operations.frequency import times_an_hour
from medallion_cli.operations.prices import load_prices
from medallion_cli.operations.template import resources
from medallion_cli.settings import Settings

Load = Callable[[str], Settings]
Render = Callable[[str], dict[str, str]]
# No price of their own, or paid by what goes through them, which no template tells.
FREE = {
    "AWS::CloudWatch::Alarm", "AWS::DMS::Certificate", "AWS::DMS::Endpoint", "AWS::DMS::ReplicationSubnetGroup",
    "AWS::DMS::ReplicationTask", "AWS::EC2::FlowLog", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::Events::Rule", "AWS::Glue::Database",
    "AWS::IAM::Role", "AWS::Lambda::EventInvokeConfig", "AWS::Logs::LogGroup", "AWS::QuickSight::Dashboard",
    "AWS::QuickSight::DataSet", "AWS::QuickSight::DataSource", "AWS::QuickSight::RefreshSchedule",
    "AWS::QuickSight::VPCConnection", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup",
    "AWS::RedshiftServerless::Namespace", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription",
    "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup", "AWS::SecretsManager::SecretTargetAttachment",
}  # fmt: skip


@pytest.fixture
def cost(environment: Load, templates: Render, assets: Assets) -> Callable[..., CostEstimate]:
    def of(env: str, **changed: object) -> CostEstimate:
        return estimate(environment(env).model_copy(update=changed), templates(env), assets)

    return of


def line(found: CostEstimate, resource: str) -> CostLine:
    return next(each for each in found.lines if each.resource == resource)


def test_every_type_in_the_templates_has_a_price_or_is_known_to_have_none(templates: Render) -> None:
    types = {kind for body in templates("prod").values() for _, kind in resources(body)}
    assert types - PRICED.keys() - FREE == set()


def test_two_zones_cost_twice(cost: Callable[..., CostEstimate], assets: Assets) -> None:
    region = load_prices(assets).regions["eu-central-1"]
    one, two = line(cost("dev"), "Database"), line(cost("prod"), "Database")
    assert one.idle_hour == pytest.approx(
        region.database["db.t4g.micro"] + 20 * region.database_storage / HOURS, abs=1e-5
    )
    assert two.idle_hour == pytest.approx(
        2 * (region.database["db.m7g.large"] + 100 * region.database_storage / HOURS), abs=1e-5
    )


def test_pausing_leaves_the_databases_storage_and_the_smallest_replication_instance(
    cost: Callable[..., CostEstimate],
) -> None:
    found = cost("dev")
    assert line(found, "Database").paused_hour == pytest.approx(20 * 0.137 / HOURS, abs=1e-5)
    assert line(found, "Instance").paused_hour == pytest.approx(0.021)
    assert found.paused_month < found.idle_month < found.running_month


def test_what_works_only_in_runs_costs_nothing_idle(cost: Callable[..., CostEstimate]) -> None:
    found = cost("dev")
    assert [line(found, name).idle_hour for name in ("Workgroup", "BronzeToSilverJob")] == [0, 0]
    assert line(found, "ChecksumJob").running_hour == 0


def test_a_rarer_schedule_costs_less(cost: Callable[..., CostEstimate], environment: Load) -> None:
    rarely = environment("dev").schedules.model_copy(update={"pipeline": "rate(1 hour)"})
    often, seldom = cost("dev"), cost("dev", schedules=rarely)
    assert line(often, "SilverToGoldJob").running_hour == pytest.approx(
        4 * line(seldom, "SilverToGoldJob").running_hour, rel=1e-3
    )
    assert often.idle_hour == seldom.idle_hour


def test_the_daily_limit_bounds_the_warehouse(cost: Callable[..., CostEstimate], environment: Load) -> None:
    guards = environment("dev").guards.model_copy(update={"warehouse_hours_a_day": 2})
    assert line(cost("dev", guards=guards), "Workgroup").running_hour == pytest.approx(
        2 / 24 * 0.451, abs=1e-5
    )


def test_what_conditions_keep_out_costs_nothing(cost: Callable[..., CostEstimate], environment: Load) -> None:
    parameters = {**environment("dev").parameters, "InterfaceEndpoints": "false"}
    assert not [x for x in cost("dev", parameters=parameters).lines if x.type == "AWS::EC2::VPCEndpoint"]


def test_a_class_without_a_price_is_told_and_in_no_sum(
    cost: Callable[..., CostEstimate], environment: Load
) -> None:
    parameters = {**environment("dev").parameters, "DatabaseClass": "db.x9.huge"}
    found = cost("dev", parameters=parameters)
    assert found.missing == ["db.x9.huge"]
    assert "without db.x9.huge" in str(found)


def test_a_region_without_prices_says_whose_they_are(cost: Callable[..., CostEstimate]) -> None:
    assert (
        "no prices of ap-south-1, these are those of us-east-1" in cost("dev", region="ap-south-1").notes[0]
    )


def test_totals_are_the_sums_of_their_lines(cost: Callable[..., CostEstimate]) -> None:
    found = cost("prod")
    for column in ("idle_hour", "running_hour", "paused_hour"):
        assert getattr(found, column) == pytest.approx(sum(getattr(x, column) for x in found.lines), abs=1e-3)
    assert found.idle_month == pytest.approx(found.idle_hour * HOURS, rel=1e-3)


def test_this_machine_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--env", "local", "cost"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == "retail-local costs nothing: all of it runs on this machine"


def test_dates_and_where_prices_come_from_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--env", "dev", "cost", "--output", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["as_of"] == "2026-11-01"
    assert "check" in document["source"]
    assert document["idle_month"] > 0


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("rate(15 minutes)", 4),
        ("rate(1 hour)", 1),
        ("rate(1 day)", 1 / 24),
        ("cron(17 3 * * ? *)", 1 / 24),
        ("cron(0/15 * * * ? *)", 4),
        ("cron(0 8-17 ? * MON-FRI *)", 10 / 24 * 5 / 7),
        ("cron(0,30 * * * ? *)", 2),
        ("at(2026-11-01T00:00:00)", 0),
    ],
)
def test_how_often_a_schedule_fires(expression: str, wanted: float) -> None:
    assert times_an_hour(expression) == pytest.approx(wanted)
