"""Before an `up` on AWS: what is sure to fail is found, what may not be seen is told, and nothing else stops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore import xform_name
from fake_services import Answer, Services, _operation

from medallion_cli.aws.cloudformation import Stack
from medallion_cli.errors import AwsError
from medallion_cli.operations.deployment import capacity, preflight
from medallion_cli.operations.deployment.change_sets import Deployment
from medallion_cli.operations.deployment.findings import Finding
from medallion_cli.operations.deployment.graph import stack_graph
from medallion_cli.operations.package import Package
from medallion_cli.settings import Settings

ABSENT = AwsError("ResourceNotFoundException", "no")
QUICKSIGHT = "arn:aws:quicksight:eu-west-1:000000000000:user/default/ann"
ACCOUNT: dict[str, Answer] = {
    "sts.get_caller_identity": {"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:user/ann"},
    "ec2.describe_regions": {"Regions": [{"RegionName": "eu-central-1", "OptInStatus": "opt-in-not-required"}]},
    "ec2.describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1"}]},
    "service-quotas.get_service_quota": {"Quota": {"Value": 5.0}},
    "rds.describe_account_attributes": {
        "AccountQuotas": [{"AccountQuotaName": "DBInstances", "Used": 1, "Max": 40}]
    },
    "dms.describe_account_attributes": {
        "AccountQuotas": [{"AccountQuotaName": "ReplicationInstances", "Used": 1, "Max": 60}]
    },
    "rds.describe_db_instances": AwsError("DBInstanceNotFound", "no"),
    "lambda.get_function_configuration": ABSENT,
    "logs.describe_log_groups": {"logGroups": [{"logGroupName": "/aws/lambda/retail-dev-source-old"}]},
    "glue.get_job": AwsError("EntityNotFoundException", "no"),
    "glue.get_database": AwsError("EntityNotFoundException", "no"),
    "redshift-serverless.get_namespace": ABSENT,
    "redshift-serverless.get_workgroup": ABSENT,
    "secretsmanager.describe_secret": ABSENT,
    "scheduler.get_schedule_group": ABSENT,
    "s3.head_bucket": AwsError("404", "Not Found"),
    "iam.get_role": AwsError("NoSuchEntity", "no"),
    "rds.describe_orderable_db_instance_options": {"OrderableDBInstanceOptions": [{"Engine": "mysql"}]},
    "dms.describe_orderable_replication_instances": {
        "OrderableReplicationInstances": [{"ReplicationInstanceClass": "dms.t3.medium"}]
    },
    "quicksight.describe_account_subscription": {"AccountInfo": {"AccountSubscriptionStatus": "ACCOUNT_CREATED"}},
}  # fmt: skip


class NoStacks:
    """CloudFormation with the stacks that it is given."""

    def __init__(self, *known: Stack) -> None:
        self.known = {stack.name: stack for stack in known}

    def find(self, name: str) -> Stack | None:
        return self.known.get(name)


def deployment(settings: Settings, built: Package, *known: Stack, **answers: Answer | None) -> Deployment:
    """An account as ACCOUNT says, except for `answers` (`rds__describe_db_instances`; None: may not be asked)."""
    changed = {name.replace("__", ".").replace("0", "-"): answer for name, answer in answers.items()}
    given = {name: answer for name, answer in (ACCOUNT | changed).items() if answer is not None}
    stacks: Any = NoStacks(*known)
    target: Any = Services(settings, given)
    return Deployment(target, settings, built, stacks, stack_graph(built.templates))


def found(severity: str, deployed: Deployment) -> list[Finding]:
    return [f for f in preflight.preflight(deployed) if f.severity == severity]


def test_a_free_account_has_nothing_in_the_way(settings: Settings, built: Package) -> None:
    deployed = deployment(settings, built)
    assert found("stop", deployed) == found("unseen", deployed) == []
    notes = [f.what for f in found("note", deployed)]
    assert notes[0] == "account 000000000000, eu-central-1, as arn:aws:iam::000000000000:user/ann"
    assert any("dms-vpc-role" in note for note in notes)


def test_who_may_see_nothing_is_told_so_and_not_stopped(settings: Settings, built: Package) -> None:
    who = {"sts.get_caller_identity": ACCOUNT["sts.get_caller_identity"]}
    blind = deployment(settings, built)
    blind.target.answers = who  # type: ignore[attr-defined]
    assert found("stop", blind) == []
    codes = [f.code for f in found("unseen", blind)]
    assert codes == ["MED-UP-02", "MED-UP-03", "MED-UP-04", "MED-UP-05", "MED-UP-07"]
    assert "not allowed: " in str(found("unseen", blind)[1])


def test_without_an_account_there_is_one_finding(settings: Settings, built: Package) -> None:
    expired = AwsError("ExpiredToken", "it has", hint="aws sso login")
    findings = preflight.preflight(deployment(settings, built, sts__get_caller_identity=expired))
    assert [(f.severity, f.code, f.remedy) for f in findings] == [("stop", "MED-UP-01", "aws sso login")]


@pytest.mark.parametrize(
    ("answers", "code", "what"),
    [
        ({"ec2__describe_regions": {"Regions": [{"OptInStatus": "not-opted-in"}]}}, "MED-UP-02", "switched off"),
        ({"rds__describe_db_instances": {"DBInstances": []}}, "MED-UP-03", "retail-dev-source (AWS::RDS::DBInstance)"),
        (
            {"logs__describe_log_groups": {"logGroups": [{"logGroupName": "/aws/lambda/retail-dev-source"}]}},
            "MED-UP-03",
            "/aws/lambda/retail-dev-source",
        ),
        ({"service0quotas__get_service_quota": {"Quota": {"Value": 1.0}}}, "MED-UP-04", "1 of 1 VPCs"),
        (
            {
                "dms__describe_account_attributes": {
                    "AccountQuotas": [{"AccountQuotaName": "ReplicationInstances", "Used": 20, "Max": 20}]
                }
            },
            "MED-UP-04",
            "20 of 20 DMS",
        ),
        (
            {
                "iam__get_role": {
                    "Role": {
                        "Path": "/", "RoleName": "dms-vpc-role", "RoleId": "A" * 16, "Arn": "arn:aws:iam::0:role/x",
                        "CreateDate": 0, "AssumeRolePolicyDocument": "{'Service': 'ec2.amazonaws.com'}",
                    }
                }
            },
            "MED-UP-05",
            "does not trust",
        ),
        (
            {"rds__describe_orderable_db_instance_options": {"OrderableDBInstanceOptions": []}},
            "MED-UP-07",
            "does not offer db.t4g.micro with MySQL 8.4",
        ),
        (
            {"dms__describe_orderable_replication_instances": {"OrderableReplicationInstances": []}},
            "MED-UP-07",
            "does not offer dms.t3.medium",
        ),
    ],
)  # fmt: skip
def test_what_is_sure_to_fail_stops(
    settings: Settings, built: Package, answers: dict[str, Answer], code: str, what: str
) -> None:
    stops = found("stop", deployment(settings, built, **answers))
    assert stops
    assert {stop.code for stop in stops} == {code}
    assert what in stops[0].what
    assert stops[0].remedy


def test_a_dashboard_needs_a_subscription(settings: Settings, built: Package) -> None:
    with_user = settings.model_copy(
        update={"parameters": settings.parameters | {"QuickSightPrincipalArn": QUICKSIGHT}}
    )
    assert found("stop", deployment(with_user, built)) == []
    stops = found("stop", deployment(with_user, built, quicksight__describe_account_subscription=ABSENT))
    assert [stop.code for stop in stops] == ["MED-UP-06"]


def test_a_reservation_that_lambda_refuses_stops(settings: Settings, built: Package) -> None:
    reserving = settings.model_copy(
        update={"parameters": settings.parameters | {"GeneratorConcurrency": "1"}}
    )
    limits = {"AccountLimit": {"UnreservedConcurrentExecutions": 10}}
    stops = found("stop", deployment(reserving, built, lambda__get_account_settings=limits))
    assert [stop.code for stop in stops] == ["MED-UP-04"]


def test_a_stack_of_our_name_that_is_not_ours_stops(settings: Settings, built: Package) -> None:
    other = Stack("retail-dev-storage", "CREATE_COMPLETE", "", {}, {}, tags={"medallion:environment": "wine"})
    stops = found("stop", deployment(settings, built, other))
    assert "another project's" in stops[0].what


def test_what_is_there_already_is_not_looked_for(settings: Settings, built: Package) -> None:
    ours = [Stack(f"retail-dev-{stack}", "UPDATE_COMPLETE", "", {}, {}) for stack in built.templates]
    full = {"Quota": {"Value": 1.0}}
    deployed = deployment(settings, built, *ours, service0quotas__get_service_quota=full)
    assert found("stop", deployed) == []
    target: Any = deployed.target
    assert "rds.describe_db_instances" not in {name for name, _ in target.asked}


def test_every_named_type_is_found_by_a_call_that_exists() -> None:
    for _, service, method, argument in capacity.NAMED.values():
        operation = _operation(service, method)
        assert xform_name(operation.name) == method
        assert argument in operation.input_shape.members


def test_the_machine_is_compared_with_what_this_release_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        requires=lambda _: ["pymysql==1.0.0", 'moto[server]==5.2.5 ; extra == "local"', "boto3>=1"],
        version=lambda name: {"pymysql": "1.2.0", "moto": "5.2.5"}[name],
        PackageNotFoundError=KeyError,
    )
    monkeypatch.setattr(preflight, "metadata", fake)
    assert [f.what for f in preflight.machine("x")] == ["pymysql is 1.2.0"]
